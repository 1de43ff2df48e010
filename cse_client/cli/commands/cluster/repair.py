"""`vcd cse cluster repair|start|stop`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from cse_client import suggest
from cse_client.cli.options import break_lock_option, org_option, timeout_option, vdc_option
from cse_client.cli.run import Run, command

if TYPE_CHECKING:
    from cse_client.model import RunOptions

__all__ = ["repair_command", "start_command", "stop_command"]


@click.command("repair")
@click.argument("name")
@click.option("-y", "--yes", is_flag=True, help="Carry the plan out.")
@break_lock_option
@vdc_option
@org_option
@timeout_option
@command
def repair_command(
    run: Run, name: str, yes: bool, break_lock: bool, vdc: str, org: str, timeout: float
) -> None:
    """Propose how to put a cluster right; do it with --yes.

    VMs that are off are started, workers that never joined get their bootstrap again, VMs whose
    node is not Ready are restarted, Nodes without a VM are deleted, missing workers are replaced.
    """
    from cse_client.cli.validation import check_existing_name

    check_existing_name(name)
    run.when_interrupted = "The same command again carries on."
    engine = run.direct_engine("`cluster repair`")
    options = _options(run, timeout, break_lock)
    with run.console.progress() as progress:
        plan = engine.repair(name, options, progress, vdc=vdc, org=org, carry_out=yes)
    value = {"cluster": name, "plan": list(plan), "done": yes}
    if run.console.as_json:
        run.console.document(value)
        return
    for number, sentence in enumerate(plan, 1):
        run.console.sentence(f"{number}. {sentence}", value)
    if not plan:
        run.console.sentence(f"Cluster {name} is as it should be.", value)
    elif yes:
        run.console.sentence(f"Cluster {name} is repaired.", value)
    else:
        run.console.hint(f"To carry this out: {suggest.again(yes=True)}")


@click.command("start")
@click.argument("name")
@break_lock_option
@vdc_option
@org_option
@timeout_option
@command
def start_command(
    run: Run, name: str, break_lock: bool, vdc: str, org: str, timeout: float
) -> None:
    """Start a stopped cluster.

    The control plane comes first; it ends when all nodes are Ready.
    """
    from cse_client.cli.validation import check_existing_name

    check_existing_name(name)
    run.when_interrupted = "The same command again carries on."
    engine = run.direct_engine("`cluster start`")
    with run.console.progress() as progress:
        engine.start(name, _options(run, timeout, break_lock), progress, vdc=vdc, org=org)
    state = "runs" if run.wait else "is being started"
    run.console.sentence(f"Cluster {name} {state}.", {"cluster": name, "state": state})


@click.command("stop")
@click.argument("name")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@break_lock_option
@vdc_option
@org_option
@timeout_option
@command
def stop_command(
    run: Run, name: str, yes: bool, break_lock: bool, vdc: str, org: str, timeout: float
) -> None:
    """Shut a cluster down.

    The workers go first, then the control plane.
    """
    from cse_client.cli.validation import check_existing_name
    from cse_client.errors import CseError, WrongUsage

    check_existing_name(name)
    if not yes:
        if not run.console.can_ask():
            raise WrongUsage(
                f"Stopping {name} needs a yes, and there is no terminal to ask on.",
                hint=suggest.again(yes=True),
            )
        if not run.console.confirm(f"Stop the cluster {name} and everything that runs in it?"):
            raise CseError("Nothing was stopped.")
    run.when_interrupted = "The same command again carries on."
    engine = run.direct_engine("`cluster stop`")
    with run.console.progress() as progress:
        engine.stop(name, _options(run, timeout, break_lock), progress, vdc=vdc, org=org)
    run.console.sentence(f"Cluster {name} is stopped.", {"cluster": name, "state": "stopped"})


def _options(run: Run, timeout: float, break_lock: bool) -> RunOptions:
    from cse_client.model import RunOptions

    return RunOptions(timeout=timeout, wait=run.wait, break_lock=break_lock)
