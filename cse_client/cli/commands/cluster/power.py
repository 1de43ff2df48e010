"""`vcd cse cluster start|stop`."""

from __future__ import annotations

import click

from cse_client.cli.options import (
    break_lock_option,
    org_option,
    timeout_option,
    vdc_option,
    yes_option,
)
from cse_client.cli.run import Asking, Question, Run, command
from cse_client.model import ClusterRef, Progress

__all__ = ["start_command", "stop_command"]


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

    Starts the control plane first, then the workers, and waits until all nodes are Ready.
    """
    from cse_client.engines.base import Maintaining

    ref, options = ClusterRef(name, vdc, org), run.options(timeout, break_lock=break_lock)
    run.change(
        name,
        "cluster start",
        Maintaining,
        lambda engine, progress: engine.start(ref, options, progress),
    )
    sentence = "is running" if run.wait else "is being started"
    state = "runs" if run.wait else "is being started"
    run.console.sentence(f"Cluster {name} {sentence}.", {"cluster": name, "state": state})


@click.command("stop")
@click.argument("name")
@yes_option
@break_lock_option
@vdc_option
@org_option
@timeout_option
@command
def stop_command(
    run: Run, name: str, yes: bool, break_lock: bool, vdc: str, org: str, timeout: float
) -> None:
    """Stop a running cluster.

    Shuts down the workers first, then the control plane.
    """
    from cse_client.engines.base import Maintaining

    ref, options = ClusterRef(name, vdc, org), run.options(timeout, break_lock=break_lock)

    def look(engine: Maintaining, progress: Progress) -> Question | None:
        steps = engine.plan_stop(ref, options, progress)
        text = f"Stop cluster {name} and everything that runs in it?"
        return Question(text, declined="Nothing was stopped.") if steps else None

    run.change(
        name,
        "cluster stop",
        Maintaining,
        lambda engine, progress: engine.stop(ref, options, progress),
        asking=None if yes else Asking(f"Stopping {name}", look),
    )
    run.console.sentence(f"Cluster {name} is stopped.", {"cluster": name, "state": "stopped"})
