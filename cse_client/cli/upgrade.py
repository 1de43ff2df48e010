"""`vcd cse cluster upgrade-plan|upgrade`."""

from __future__ import annotations

import click

from cse_client.cli.options import org_option, runtime_option, timeout_option, vdc_option
from cse_client.cli.session import Run, command

__all__ = ["upgrade_command", "upgrade_plan_command"]


@click.command("upgrade-plan")
@click.argument("name")
@vdc_option
@org_option
@runtime_option
@command
def upgrade_plan_command(run: Run, name: str, vdc: str, org: str) -> None:
    """List the templates that a cluster can be upgraded to.

    Needs a CSE server.
    """
    from cse_client.cli.served import UPGRADE_COLUMNS, upgrade_row
    from cse_client.cli.words import check_existing_name

    check_existing_name(name)
    engine = run.upgrading("cluster upgrade-plan")
    rows = [upgrade_row(target) for target in engine.upgrade_plan(name, vdc=vdc, org=org)]
    if not rows and not run.console.as_json:
        run.console.sentence(f"There is nothing that cluster {name} could be upgraded to.", {})
        return
    run.console.table(rows, UPGRADE_COLUMNS)


@click.command("upgrade")
@click.argument("name")
@click.argument("template_name")
@click.argument("template_revision")
@vdc_option
@org_option
@runtime_option
@timeout_option
@command
def upgrade_command(
    run: Run,
    name: str,
    template_name: str,
    template_revision: str,
    vdc: str,
    org: str,
    timeout: float,
) -> None:
    """Upgrade a cluster to a template of its plan.

    Needs a CSE server, which drains and changes one node after the other.

    \b
    Example
        vcd cse cluster upgrade-plan demo
        vcd cse cluster upgrade demo ubuntu-16.04_k8-1.18_weave-2.6.5 2
    """
    from cse_client.cli.served import report_task
    from cse_client.cli.tables import cluster_object
    from cse_client.cli.words import check_existing_name
    from cse_client.model import RunOptions

    check_existing_name(name)
    engine = run.upgrading("cluster upgrade")
    options = RunOptions(timeout=timeout, wait=run.wait)
    with run.console.progress() as progress:
        cluster = engine.upgrade(
            name, template_name, template_revision, options, progress, vdc=vdc, org=org
        )
    if not report_task(run, cluster, f"cluster {name}"):
        now = f"{template_name}, revision {template_revision}"
        run.console.sentence(f"Cluster {name} is upgraded to {now}.", cluster_object(cluster))
