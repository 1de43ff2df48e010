"""`vcd cse cluster upgrade-plan|upgrade`."""

from __future__ import annotations

import click

from cse_client.cli.options import org_option, runtime_option, timeout_option, vdc_option
from cse_client.cli.output import shows
from cse_client.cli.run import Run, command
from cse_client.cli.target import cluster_reference, id_option
from cse_client.model import ClusterRef

__all__ = ["upgrade_command", "upgrade_plan_command"]


@shows("upgrade-plan", "upgrade-target", many=True)
@click.argument("name", required=False)
@vdc_option
@org_option
@runtime_option
@id_option
@command
def upgrade_plan_command(run: Run, name: str | None, vdc: str, org: str, cluster_id: str) -> None:
    """List the templates a cluster can be upgraded to.

    Requires a CSE server.
    """
    from cse_client.cli.server_tables import UPGRADE_COLUMNS, upgrade_row
    from cse_client.cli.tables import plain
    from cse_client.engines.base import Upgrading

    reference = cluster_reference(name, cluster_id)
    engine = run.require(Upgrading, "cluster upgrade-plan", reference=reference)
    targets = engine.upgrade_plan(ClusterRef(reference, vdc, org))
    run.console.table(
        [upgrade_row(target) for target in targets],
        UPGRADE_COLUMNS,
        empty=f"No upgrades are available for cluster {reference}.",
        records=[plain(target) for target in targets],
    )


@click.command("upgrade")
@click.argument("words", nargs=-1, required=True, metavar="[NAME] TEMPLATE_NAME TEMPLATE_REVISION")
@vdc_option
@org_option
@runtime_option
@id_option
@timeout_option
@command
def upgrade_command(
    run: Run,
    words: tuple[str, ...],
    vdc: str,
    org: str,
    cluster_id: str,
    timeout: float,
) -> None:
    """Upgrade a cluster to a newer template.

    Requires a CSE server, which drains and upgrades one node at a time. `cluster upgrade-plan`
    lists the available templates.

    \b
    Examples
        vcd cse cluster upgrade-plan demo
        vcd cse cluster upgrade demo ubuntu-16.04_k8-1.18_weave-2.6.5 2
    """
    from cse_client.cli.server_tables import report_task
    from cse_client.cli.tables import cluster_object
    from cse_client.engines.base import Upgrading

    name, template_name, template_revision = _named(words, cluster_id)
    reference = cluster_reference(name, cluster_id)
    engine = run.require(Upgrading, "cluster upgrade", reference=reference)
    options = run.options(timeout)
    with run.console.progress() as progress:
        cluster = engine.upgrade(
            ClusterRef(reference, vdc, org), template_name, template_revision, options, progress
        )
    name = cluster.summary.name
    if not report_task(run, cluster, f"cluster {name}"):
        now = f"{template_name}, revision {template_revision}"
        run.console.sentence(f"Cluster {name} is upgraded to {now}.", cluster_object(cluster))


def _named(words: tuple[str, ...], cluster_id: str) -> tuple[str, str, str]:
    """Return name, template and revision; the name may be missing where there is an id.

    Raises:
        click.UsageError: there are too few or too many words.
    """
    names = ["NAME", "TEMPLATE_NAME", "TEMPLATE_REVISION"]
    given = list(words)
    if cluster_id and len(given) < len(names):
        given.insert(0, "")
    if len(given) < len(names):
        raise click.UsageError(f"Missing argument '{names[len(given)]}'.")
    if len(given) > len(names):
        raise click.UsageError(f"Got unexpected extra argument ({' '.join(given[len(names) :])})")
    name, template, revision = given
    return name, template, revision
