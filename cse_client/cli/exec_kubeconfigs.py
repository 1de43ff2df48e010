"""Kubeconfigs for which kubectl runs this program, so that they hold no certificate."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cse_client.engines.base import Engine
    from cse_client.model import ClusterRef
    from cse_client.model.grants import KubeconfigSpec

__all__ = ["renewing"]


def renewing(engine: Engine, kubeconfig: str, ref: ClusterRef, spec: KubeconfigSpec) -> str:
    """Return a kubeconfig in which kubectl runs `cse cluster credential`.

    It names the VDC and the organization, since others may be in use later, and the CA, so that no
    other cluster of the name is used.

    Raises:
        WrongUsage: a CSE server has the CA key, so no certificate can be signed here.
        CseError: the program `cse` is not installed.
    """
    from cse_client.cli.installed import program_path
    from cse_client.cli.profile import read_session
    from cse_client.errors import WrongUsage
    from cse_client.kube.kubeconfig.document import credential_of, with_program

    if engine.has_server:
        raise WrongUsage(
            "--exec is not available with a CSE server: the server has the cluster's CA key.",
            hint="Omit --exec to save the kubeconfig that the server issues.",
        )
    session, _warn = read_session()
    _certificate, _key, ca = credential_of(kubeconfig)
    place = {"--vdc": ref.vdc or session.vdc, "--org": ref.org or session.org}
    arguments = ["--engine", "direct", "cluster", "credential", ref.name, "--ca", ca]
    arguments += [word for option, value in place.items() if value for word in (option, value)]
    if spec.user:
        arguments += ["--user", spec.user]
    for group in spec.groups:
        arguments += ["--group", group]
    if spec.ttl is not None:
        arguments += ["--ttl", f"{spec.ttl:.0f}s"]
    return with_program(kubeconfig, program_path("cse"), arguments)
