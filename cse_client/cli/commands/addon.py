"""`vcd cse addon list|install|remove|status`: load balancer and ingress for a cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from cse_client import suggest
from cse_client.cli.options import PATIENCE, org_option, progress_option, vdc_option, yes_option
from cse_client.cli.output import shows
from cse_client.cli.profile import read_session
from cse_client.cli.run import Question, Run, command
from cse_client.model import ClusterRef
from cse_client.plurals import counted, noun

if TYPE_CHECKING:
    from cse_client.engines.addons.installer import Addons
    from cse_client.model import Progress
    from cse_client.model.addons import AddonInfo

__all__ = ["install_command", "list_command", "remove_command", "status_command"]

_MIRROR_VARIABLE = "CSE_ADDON_MIRROR"
_CATALOG_COLUMNS = ("Name", "Version", "Kubernetes", "Manifest")
_STATUS_COLUMNS = ("Name", "Installed", "Available", "State", "Addresses", "Detail")


def _addons(run: Run, progress: Progress) -> Addons:
    from cse_client.engines.addons.installer import Addons
    from cse_client.vcd.client import VcdClient

    return Addons(run.engine(), lambda: VcdClient.open(read_session()[0]), progress)


def _row(info: AddonInfo) -> dict[str, Any]:
    """Return one row of `addon status`."""
    return {
        "Name": info.name,
        "Installed": info.installed,
        "Available": info.available,
        "State": info.state,
        "Addresses": info.addresses or info.address,
        "Detail": "; ".join(info.detail),
    }


_timeout = click.option(
    "--timeout",
    type=PATIENCE,
    default=600.0,
    metavar="TIME",
    show_default=False,
    help="Timeout for the whole operation, for example 90s or 20m. Default: 10m.",
)


@shows("list", "addon", many=True)
@click.argument("cluster", required=False, default="")
@vdc_option
@org_option
@command
def list_command(run: Run, cluster: str, vdc: str, org: str) -> None:
    """List the available add-ons and their versions.

    Without CLUSTER, lists every version and the Kubernetes versions it supports. With CLUSTER,
    shows the versions that the cluster supports and those that are installed.
    """
    if cluster:
        _show_status(run, cluster, vdc, org)
        return
    from cse_client.cli.tables import plain
    from cse_client.engines.addons.catalog import catalogue

    found = list(catalogue())
    rows = [
        {
            "Name": info.name,
            "Version": info.available,
            "Kubernetes": info.kubernetes,
            "Manifest": info.manifest,
        }
        for info in found
    ]
    records = [plain(info) for info in found]
    run.console.table(rows, _CATALOG_COLUMNS, empty="No add-ons are available.", records=records)


@shows("status", "addon", many=True)
@click.argument("cluster")
@vdc_option
@org_option
@command
def status_command(run: Run, cluster: str, vdc: str, org: str) -> None:
    """Show the status of a cluster's add-ons."""
    _show_status(run, cluster, vdc, org)


def _show_status(run: Run, cluster: str, vdc: str, org: str) -> None:
    from cse_client.cli.tables import plain
    from cse_client.cli.validation import check_existing_name
    from cse_client.model import silent

    check_existing_name(cluster)
    found = list(_addons(run, silent).status(ClusterRef(cluster, vdc, org)))
    run.console.table(
        [_row(info) for info in found],
        _STATUS_COLUMNS,
        empty=f"No add-ons in cluster {cluster}.",
        records=[plain(info) for info in found],
    )


@click.command("install")
@click.argument("cluster")
@click.argument("addon")
@click.option(
    "--addresses",
    default="",
    metavar="A-B[,C-D]",
    help="Address ranges for Services, or auto:N for N free addresses (metallb).",
)
@click.option(
    "--address",
    default="",
    metavar="A",
    help="Address of Envoy (contour). Default: any free address.",
)
@click.option(
    "--version",
    default="",
    metavar="V",
    help="Version, as listed by `addon list`. Default: the newest.",
)
@click.option(
    "--manifest",
    default="",
    metavar="FILE",
    help="Read the manifest from a file instead of the Internet.",
)
@click.option(
    "--mirror",
    default="",
    envvar=_MIRROR_VARIABLE,
    metavar="URL",
    help="Download the manifest from a mirror of https://raw.githubusercontent.com. Environment"
    f" variable: {_MIRROR_VARIABLE}.",
)
@click.option(
    "--checksum",
    default="",
    metavar="SHA256",
    help="Expected checksum of a manifest that differs from the original.",
)
@click.option(
    "--force", is_flag=True, help="Take over an add-on or fields that someone else manages."
)
@vdc_option
@org_option
@_timeout
@progress_option
@command
def install_command(
    run: Run,
    cluster: str,
    addon: str,
    addresses: str,
    address: str,
    version: str,
    manifest: str,
    mirror: str,
    checksum: str,
    force: bool,
    vdc: str,
    org: str,
    timeout: float,
) -> None:
    """Install or upgrade an add-on and verify that it works.

    ADDON is metallb, which assigns addresses of the cluster's network to Services of type
    LoadBalancer, or contour, an ingress controller. The addresses and the manifest's checksum are
    checked before anything is applied.

    \b
    Examples
        vcd cse addon install demo metallb --addresses 10.0.0.200-10.0.0.210
        vcd cse addon install demo contour
    """
    from cse_client.cli.validation import check_existing_name
    from cse_client.model.addons import AddonOptions, ManifestSource

    check_existing_name(cluster)
    options = AddonOptions(
        cluster,
        addon.lower(),
        addresses=addresses,
        address=address,
        version=version,
        source=ManifestSource(manifest, mirror, checksum),
        force=force,
        timeout=timeout,
        vdc=vdc,
        org=org,
    )
    run.when_interrupted = suggest.RESUME
    with run.console.progress() as progress:
        info = _addons(run, progress).install(options)

    from cse_client.cli.tables import plain

    run.console.sentence(_installed(cluster, info), {"cluster": cluster, **plain(info)})


def _installed(cluster: str, info: AddonInfo) -> str:
    given = f" with the addresses {info.addresses}" if info.addresses else ""
    same = "" if info.changed else " (nothing changed)"
    return (
        f"{info.name} {info.installed} is installed in {cluster}{given}{same}:"
        f" {'; '.join(info.detail)}."
    )


@click.command("remove")
@click.argument("cluster")
@click.argument("addon")
@click.option(
    "--purge", is_flag=True, help="Also delete its CRDs and all custom resources of these kinds."
)
@click.option("--force", is_flag=True, help="Remove the add-on even if it is in use.")
@yes_option
@vdc_option
@org_option
@_timeout
@progress_option
@command
def remove_command(
    run: Run,
    cluster: str,
    addon: str,
    yes: bool,
    purge: bool,
    force: bool,
    vdc: str,
    org: str,
    timeout: float,
) -> None:
    """Remove an add-on and its resources.

    CRDs and their custom resources are kept unless you specify --purge. An add-on that is in use
    is not removed unless you specify --force.
    """
    from cse_client.cli.validation import check_existing_name

    check_existing_name(cluster)
    ref, name = ClusterRef(cluster, vdc, org), addon.lower()

    def look(progress: Progress) -> Question:
        version = _addons(run, progress).check_removal(ref, name, purge=purge, force=force)
        also = ", its CRDs and all their custom resources" if purge else ""
        text = f"Remove {name} {version}".rstrip() + f"{also} from cluster {cluster}?"
        return Question(text, declined="Nothing was removed.")

    if not yes:
        run.confirm(f"Removing {addon} from {cluster}", look)
    run.when_interrupted = suggest.RESUME
    with run.console.progress() as progress:
        removal = _addons(run, progress).remove(
            ref, name, purge=purge, force=force, timeout=timeout
        )

    from cse_client.cli.tables import plain

    kept = ""
    if removal.kept:
        crds = counted(len(removal.kept), "CRD")
        kept = f" {crds} {noun(len(removal.kept), 'is', 'are')} kept; --purge deletes them."
    removed = len(removal.removed)
    run.console.sentence(
        f"{removal.addon} is removed from {cluster}:"
        f" {counted(removed, 'object')} {noun(removed, 'was', 'were')} deleted.{kept}",
        plain(removal),
    )
