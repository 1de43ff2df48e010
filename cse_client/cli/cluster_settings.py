"""Options of `cluster create` that a cluster's own network and the way out of it need."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import click

from cse_client.cli.options import with_options

if TYPE_CHECKING:
    from cse_client.errors import CseError
    from cse_client.model.settings import ClusterSettings

__all__ = ["SettingOptions", "check_settings", "setting_options", "way_out_options"]

#: It is recorded in metadata, completed by what the cluster itself uses.
_LONGEST_NO_PROXY = 1024

_LONGEST_CA_FILE = 64 * 1024

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True)
class SettingOptions:
    """The options of `setting_options` as they were typed; empty: the default."""

    pod_cidr: str = ""
    service_cidr: str = ""
    http_proxy: str = ""
    https_proxy: str = ""
    no_proxy: str = ""
    registry_mirror: tuple[str, ...] = ()
    registry_ca: str | None = None
    image_repository: str = ""
    ntp: tuple[str, ...] = ()
    dns: tuple[str, ...] = ()


def setting_options(function: F) -> F:
    """Add the settings of a new cluster that all its nodes share."""
    options = [
        click.option(
            "--pod-cidr",
            default="",
            metavar="CIDR",
            help="Network for the pods. Default: the CNI plugin's.",
        ),
        click.option(
            "--service-cidr",
            default="",
            metavar="CIDR",
            help="Network for the Services. Default: 10.96.0.0/12.",
        ),
        *_way_out("nodes"),
        click.option(
            "--image-repository",
            default="",
            metavar="HOST/PATH",
            help="Repository with the images of kubeadm. Default: kubeadm's.",
        ),
        click.option(
            "--ntp",
            multiple=True,
            metavar="HOST",
            help="Time server for the nodes (repeatable). Default: the template's.",
        ),
        click.option(
            "--dns",
            multiple=True,
            metavar="ADDRESS",
            help="DNS server for the nodes (repeatable). Default: the network's.",
        ),
    ]
    return with_options(function, options)


def way_out_options(function: F) -> F:
    """Add the settings that the VM of a template needs while it is built."""
    return with_options(function, _way_out("VM"))


def _way_out(who: str) -> list[Callable[[F], F]]:
    whose = "nodes'" if who == "nodes" else "VM's"
    machines = "nodes" if who == "nodes" else "the VM is to"
    return [
        click.option(
            "--http-proxy", default="", metavar="URL", help=f"The {whose} proxy for HTTP."
        ),
        click.option(
            "--https-proxy", default="", metavar="URL", help=f"The {whose} proxy for HTTPS."
        ),
        click.option(
            "--no-proxy",
            default="",
            metavar="HOST,...",
            help=f"More hosts, domains and networks that {machines} reach without a proxy.",
        ),
        click.option(
            "--registry-mirror",
            multiple=True,
            metavar="HOST=URL",
            help="Mirror of the registry HOST (repeatable; requires containerd).",
        ),
        click.option(
            "--registry-ca",
            metavar="FILE",
            help=f"CA certificates in PEM that {machines} trust, for registries and mirrors.",
        ),
    ]


def check_settings(options: SettingOptions) -> tuple[ClusterSettings, list[CseError]]:
    """Return the settings that were typed, and every problem with them."""
    from cse_client.cli.validation import collect
    from cse_client.errors import WrongUsage
    from cse_client.model.settings import (
        EXAMPLES,
        OPTIONS,
        ClusterSettings,
        setting_problem,
        setting_shown,
    )

    problems: list[CseError] = []
    values = dict(vars(options))
    values["registry_mirrors"] = " ".join(values.pop("registry_mirror"))
    values["ntp"], values["dns"] = " ".join(options.ntp), " ".join(options.dns)
    path = values["registry_ca"]
    values["registry_ca"] = collect(problems, lambda: _read_ca(path) if path else "", "")
    settings = ClusterSettings(**values)
    for name, value in settings.given().items():
        problem = setting_problem(name, value)
        if problem:
            shown = setting_shown(name, value)
            problems.append(
                WrongUsage(
                    f"'{shown}' is not a valid value of {OPTIONS[name]}: {problem}.",
                    hint=f"For example: {OPTIONS[name]} {EXAMPLES[name]}",
                )
            )
    if len(settings.no_proxy) > _LONGEST_NO_PROXY:
        problems.append(
            WrongUsage(
                f"The value of --no-proxy has {len(settings.no_proxy)} characters; the maximum is"
                f" {_LONGEST_NO_PROXY}.",
                hint="Specify domains and networks instead of single hosts.",
            )
        )
    if settings.no_proxy and not settings.has_proxy:
        problems.append(
            WrongUsage(
                "--no-proxy requires --http-proxy or --https-proxy.",
                hint=f"For example: --https-proxy {EXAMPLES['https_proxy']}",
            )
        )
    return settings, problems


def _read_ca(path: str) -> str:
    """Return the certificates in a file as PEM, without whatever else is in it.

    Raises:
        WrongUsage: it cannot be read, or has no CA certificates that can be used.
    """
    from cse_client.errors import WrongUsage
    from cse_client.inputs import read_named
    from cse_client.model.certificates import InvalidCa, ca_certificates

    hint = "Specify a file with the certificate of the registry's CA in PEM."
    content = read_named("CA file", path, _LONGEST_CA_FILE, hint=hint)
    try:
        return ca_certificates(content)
    except InvalidCa as wrong:
        raise WrongUsage(f"The CA file '{path}' {wrong}.", hint=wrong.hint or hint) from None
