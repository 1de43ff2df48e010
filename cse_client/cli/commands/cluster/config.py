"""`vcd cse cluster config`: a kubeconfig, printed or saved."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cse_client import suggest
from cse_client.cli.options import (
    DURATION,
    as_object,
    kubeconfig_option,
    runtime_option,
    vdc_option,
)
from cse_client.cli.run import Run, command
from cse_client.cli.saved_kubeconfigs import kubeconfig_files
from cse_client.cli.target import cluster_reference, id_option
from cse_client.model import ClusterRef

if TYPE_CHECKING:
    from cse_client.engines.base import Engine
    from cse_client.errors import CseError
    from cse_client.kube.kubeconfig.file import Moved, Saved
    from cse_client.kube.kubeconfig.mark import Mark
    from cse_client.model.grants import KubeconfigSpec

__all__ = ["config_command"]


@dataclass(frozen=True)
class ConfigOptions:
    """What the kubeconfig is to be like and where it goes, as it was typed."""

    save: bool
    kubeconfig: str
    context: str
    set_current: bool
    endpoint: str
    ttl: float | None
    output: str
    accept_ca: str
    user: str
    groups: tuple[str, ...]
    exec_: bool


@click.command("config")
@click.argument("name", required=False)
@click.option(
    "--save", is_flag=True, help="Add the cluster to your kubeconfig file instead of printing."
)
@kubeconfig_option
@click.option("--context", default="", metavar="NAME", help="Context name. Default: NAME@ORG-VDC.")
@click.option("--set-current", is_flag=True, help="With --save: set the current context.")
@click.option(
    "--endpoint",
    default="",
    metavar="HOST[:PORT]",
    help="Address of the cluster's API. Default: the address recorded for the cluster.",
)
@click.option(
    "--ttl",
    type=DURATION,
    default=None,
    metavar="TIME",
    help="Validity, for example 8h or 30d. Administrators: 365d (default and maximum); users: 8h "
    "by default, at most 30d.",
)
@click.option(
    "-o", "--output", default="", metavar="FILE", help="Write the kubeconfig to FILE (mode 0600)."
)
@click.option(
    "--accept-ca",
    default="",
    metavar="SHA256",
    help="Fingerprint of a new CA certificate to trust in place of the saved one.",
)
@click.option(
    "--user",
    default="",
    metavar="NAME",
    help="Issue the kubeconfig for this user, without administrator rights.",
)
@click.option(
    "--group", "groups", multiple=True, metavar="NAME", help="Group of the user. Can be repeated."
)
@click.option(
    "--exec",
    "exec_",
    is_flag=True,
    help="With --save: no certificate is saved; kubectl runs this program for a short-lived one.",
)
@vdc_option
@click.option(
    "--org", default="", metavar="NAME", help="Organization. Default: the organization in use."
)
@runtime_option
@id_option
@command
@as_object(ConfigOptions, "options")
def config_command(
    run: Run, name: str | None, cluster_id: str, vdc: str, org: str, options: ConfigOptions
) -> None:
    """Print or save a cluster's kubeconfig.

    Without --user or --group, the kubeconfig gives full access to the cluster: keep it private.
    With --user or --group, it has no rights until `cluster grant` gives the user or group a role.
    Certificates cannot be revoked: use a short --ttl, and withdraw roles with `cluster revoke`.

    With --exec, kubectl runs `cse cluster credential` for certificates that are valid for an hour,
    or for --ttl. This requires that you are logged in whenever kubectl needs a new one.

    With `vcd -j`, the kubeconfig is printed as JSON, which kubectl reads as well.

    \b
    Examples
        vcd cse cluster config demo --save
        kubectl get nodes

    \b
        vcd cse cluster grant demo --group devs --role edit --namespace shop
        vcd cse cluster config demo --user alice --group devs -o alice.kubeconfig
    """
    reference = cluster_reference(name, cluster_id)
    if options.output == "-":
        options = replace(options, output="")
    spec = _config_spec(options)
    _check_config(options, spec)
    if options.save:
        # a KUBECONFIG that names no file is wrong usage, before anything is asked of VCD
        kubeconfig_files(options.kubeconfig)
    if options.output:
        _check_output(options.output)
    engine = run.engine_of(reference)
    ref = ClusterRef(reference, vdc, org)
    kubeconfig = engine.kubeconfig(ref, spec=spec)
    name = reference
    # the direct engine's are ours already
    if engine.has_server and (options.save or spec.context or spec.endpoint):
        from cse_client.engines.kubeconfigs import with_our_names

        identity = engine.identity(ref)
        name = identity.name.partition("@")[0]
        kubeconfig = with_our_names(kubeconfig, identity, spec)
    if options.exec_:
        from cse_client.cli.exec_kubeconfigs import renewing

        kubeconfig = renewing(engine, kubeconfig, ref, spec)
    if options.save or options.output:
        _write(run, engine, name, kubeconfig, options, spec)
    elif run.console.as_json:
        run.console.document(_document(kubeconfig))
    else:
        run.console.text(kubeconfig)
    if spec.limited and not options.exec_:
        run.console.hint(_limits(name, spec))


def _write(
    run: Run,
    engine: Engine,
    name: str,
    kubeconfig: str,
    options: ConfigOptions,
    spec: KubeconfigSpec,
) -> None:
    """Save a kubeconfig, or write it into a file of its own.

    Raises:
        CaChanged: the hint shows how to continue.
    """
    from cse_client import suggest
    from cse_client.kube.kubeconfig.file import overwrite, save
    from cse_client.kube.kubeconfig.ownership import CaChanged

    accepted = _fingerprint(options.accept_ca)

    def gone(mark: Mark) -> bool:
        return engine.gone(mark.identity)

    try:
        if options.save:
            saved = save(
                kubeconfig,
                kubeconfig_files(options.kubeconfig),
                set_current=options.set_current,
                limited=spec.limited,
                accept_ca=accepted,
                gone=gone,
            )
            _report_saved(run, name, saved)
            _warn_moved(run, saved.moved, spec, saved.file)
            return
        path = Path(options.output).expanduser()
        moved = overwrite(path, kubeconfig, accept_ca=accepted, gone=gone)
    except CaChanged as changed:
        accept = suggest.again(accept_ca=f"sha256:{changed.now}")
        changed.hint = (
            "Anyone who can edit the vApp can store another CA in VCD. Ask a cluster administrator"
            f" for the CA's fingerprint. If the new one is correct: {accept}"
        )
        raise
    run.console.sentence(
        f"The kubeconfig of {name} is written to {path}.", {"cluster": name, "file": str(path)}
    )
    _warn_moved(run, moved, spec, path)


def _fingerprint(typed: str) -> str:
    """Return a SHA-256 fingerprint as lower-case hex.

    Raises:
        WrongUsage: it is not a fingerprint.
    """
    import re

    from cse_client.errors import WrongUsage

    if not typed:
        return ""
    found = typed.lower().removeprefix("sha256:").replace(":", "")
    if not re.fullmatch(r"[0-9a-f]{64}", found):
        raise WrongUsage(
            f"'{typed}' is not a SHA-256 fingerprint.",
            hint="To show a certificate's fingerprint: openssl x509 -noout -fingerprint -sha256 -in"
            " ca.crt",
        )
    return found


def _document(kubeconfig: str) -> Any:
    """Return a kubeconfig, which this client wrote, as an object."""
    import yaml

    return yaml.safe_load(kubeconfig)


def _check_config(options: ConfigOptions, spec: KubeconfigSpec) -> None:
    """Raise every problem with the options at once."""
    from cse_client.cli.validation import check_endpoint, raise_all
    from cse_client.engines.kubeconfigs import check_spec
    from cse_client.errors import WrongUsage

    problems: list[CseError] = []
    if options.save and options.output:
        problems.append(
            WrongUsage(
                "--save and -o cannot be combined: --save adds to your kubeconfig, -o writes a"
                " separate file."
            )
        )
    saving = (
        (options.kubeconfig, "--kubeconfig"),
        (options.set_current, "--set-current"),
        (options.exec_, "--exec"),
    )
    for value, option in saving:
        if value and not options.save:
            problems.append(WrongUsage(f"{option} requires --save."))
    if options.endpoint:
        problems += check_endpoint(options.endpoint)
    if options.accept_ca:
        if not (options.save or options.output):
            problems.append(WrongUsage("--accept-ca requires --save or -o FILE."))
        try:
            _fingerprint(options.accept_ca)
        except WrongUsage as problem:
            problems.append(problem)
    raise_all(problems + _check_context(options.context) + check_spec(spec))


def _check_context(name: str) -> list[CseError]:
    """Return what is wrong with the name of a context, which people have to be able to type."""
    from cse_client.errors import WrongUsage

    better = "".join(one for one in name if one.isprintable()).strip()
    if name == better:
        return []
    why = "it begins or ends with a space"
    if not name.isprintable():
        why = "it contains an unprintable character"
    return [
        WrongUsage(
            f"'{name}' is not a valid context name: {why}.",
            hint=f"For example: --context {suggest.quote(better or 'NAME')}",
        )
    ]


def _check_output(output: str) -> None:
    """Refuse `-o ORG`: with CSE's client -o is the organization, here it is a file."""
    from cse_client.cli.profile import read_session
    from cse_client.errors import WrongUsage

    if output.lower() == read_session()[0].org.lower():
        raise WrongUsage(
            f"-o is the output file here, but '{output}' is your organization.",
            hint=f"Use --org {suggest.quote(output)} for the organization, or"
            f" -o {suggest.quote(f'./{output}')} for a file of that name.",
        )


def _config_spec(options: ConfigOptions) -> KubeconfigSpec:
    from cse_client.model.grants import KubeconfigSpec

    return KubeconfigSpec(
        user=options.user,
        groups=tuple(dict.fromkeys(options.groups)),
        ttl=3600.0 if options.ttl is None and options.exec_ else options.ttl,
        context=options.context,
        endpoint=options.endpoint,
    )


def _report_saved(run: Run, name: str, saved: Saved) -> None:
    what = "replaced" if saved.replaced else "added"
    run.console.sentence(
        f"Cluster {name} is saved in {saved.file} as context {saved.context}.",
        {
            "cluster": name,
            "file": str(saved.file),
            "context": saved.context,
            "current": saved.current,
            "change": what,
        },
    )
    if saved.was_mode is not None:
        run.console.warning(
            f"{saved.file} had mode {saved.was_mode:04o}; it was changed to 0600,"
            " because the file contains keys."
        )
    if not saved.current:
        run.console.hint("To use it: " + suggest.kubectl("config use-context", saved.context))


def _warn_moved(run: Run, moved: Moved | None, spec: KubeconfigSpec, file: Path) -> None:
    """Warn of a new address that nobody asked for: whoever may edit the vApp can record any.

    The CA being the same, another server there cannot pass for the cluster; kubectl only fails.
    """
    from cse_client import suggest

    if moved is None or spec.endpoint:
        return
    run.console.warning(
        f"The cluster's address in {file} changed from {moved.was} to {moved.now}, as recorded in"
        " VCD. The CA is unchanged."
    )
    back = suggest.kubectl(
        "config set-cluster", moved.cluster, server=moved.was, kubeconfig=str(file)
    )
    run.console.hint(f"If the new address is wrong, restore the old one: {back}")


def _limits(name: str, spec: KubeconfigSpec) -> str:
    """Return what whoever gives out a user's kubeconfig has to know."""
    from cse_client.engines.kubeconfigs import lifetime_of

    revoke = [suggest.cse("cluster revoke", name, user=spec.user)]
    revoke += [suggest.cse("cluster revoke", name, group=group) for group in spec.groups]
    return (
        f"The kubeconfig is valid for {_span(lifetime_of(spec).total_seconds())} and cannot be"
        f" revoked. To revoke its roles: {', '.join(revoke)}"
    )


def _span(seconds: float) -> str:
    """Return a lifetime as it is typed, such as `8h` or `1d12h`."""
    left, text = round(seconds), ""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m"), (1, "s")):
        count, left = divmod(left, size)
        text += f"{count}{unit}" if count else ""
    return text
