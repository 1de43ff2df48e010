"""`vcd cse cluster protect|unprotect`."""

from __future__ import annotations

import click

from cse_client.cli.options import break_lock_option, org_option, timeout_option, vdc_option
from cse_client.cli.run import Run, command
from cse_client.model import ClusterRef

__all__ = ["protect_command", "unprotect_command"]


@click.command("protect")
@click.argument("name")
@break_lock_option
@vdc_option
@org_option
@timeout_option
@command
def protect_command(
    run: Run, name: str, break_lock: bool, vdc: str, org: str, timeout: float
) -> None:
    """Protect a cluster against deletion.

    `cluster delete` refuses to delete a protected cluster until `cluster unprotect`. Other clients
    of VCD can still delete its vApp, and single nodes can be deleted.
    """
    _change(run, ClusterRef(name, vdc, org), break_lock, timeout, on=True)
    run.console.sentence(
        f"Cluster {name} is protected against deletion.", {"cluster": name, "protected": True}
    )


@click.command("unprotect")
@click.argument("name")
@break_lock_option
@vdc_option
@org_option
@timeout_option
@command
def unprotect_command(
    run: Run, name: str, break_lock: bool, vdc: str, org: str, timeout: float
) -> None:
    """End the protection of a cluster against deletion."""
    _change(run, ClusterRef(name, vdc, org), break_lock, timeout, on=False)
    run.console.sentence(f"Cluster {name} can be deleted.", {"cluster": name, "protected": False})


def _change(run: Run, ref: ClusterRef, break_lock: bool, timeout: float, *, on: bool) -> None:
    from cse_client.engines.base import Protecting

    options = run.options(timeout, break_lock=break_lock)
    run.change(
        ref.name,
        f"cluster {'' if on else 'un'}protect",
        Protecting,
        lambda engine, progress: engine.protect(ref, options, progress, on=on),
    )
