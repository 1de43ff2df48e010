"""`vcd cse cluster repair`."""

from __future__ import annotations

import click

from cse_client import suggest
from cse_client.cli.options import break_lock_option, org_option, timeout_option, vdc_option
from cse_client.cli.output import shows
from cse_client.cli.run import Run, command
from cse_client.cli.text import numbered
from cse_client.model import ClusterRef

__all__ = ["repair_command"]


@shows("repair", "repair")
@click.argument("name")
@click.option("-y", "--yes", is_flag=True, help="Apply the repairs.")
@break_lock_option
@vdc_option
@org_option
@timeout_option
@command
def repair_command(
    run: Run, name: str, yes: bool, break_lock: bool, vdc: str, org: str, timeout: float
) -> None:
    """Show how to repair a cluster; apply the repairs with --yes.

    Starts VMs that are powered off, repeats the bootstrap of workers that never joined, restarts
    VMs whose node is not Ready, deletes Nodes without a VM, and replaces missing workers.
    """
    from cse_client.engines.base import Maintaining

    ref, options = ClusterRef(name, vdc, org), run.options(timeout, break_lock=break_lock)
    plan = run.change(
        name,
        "cluster repair",
        Maintaining,
        lambda engine, progress: engine.repair(ref, options, progress, carry_out=yes),
    )
    value = {"cluster": name, "plan": list(plan), "done": yes}
    if run.console.documented(value, value):
        return
    for line in numbered(plan):
        run.console.sentence(line, value)
    if not plan:
        run.console.sentence(f"Cluster {name} does not need to be repaired.", value)
    elif yes:
        run.console.sentence(f"Cluster {name} is repaired.", value)
    else:
        run.console.hint(f"To apply these repairs: {suggest.again(yes=True)}")
