"""`vcd cse cluster events`."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import click

from cse_client.cli.options import org_option, vdc_option
from cse_client.cli.output import shows
from cse_client.cli.run import Run, command
from cse_client.cli.text import duration
from cse_client.model import ClusterRef
from cse_client.model.events import ClusterEvent

__all__ = ["events_command"]

_COLUMNS = ("When", "What", "Object", "User", "Duration", "Result")


@shows("events", "event", many=True)
@click.argument("name")
@vdc_option
@org_option
@click.option("--all", "all_", is_flag=True, help="Include changes of metadata.")
@command
def events_command(run: Run, name: str, vdc: str, org: str, all_: bool) -> None:
    """Show what happened to a cluster: when, who, how long, and how it ended.

    Reads the tasks that VCD keeps about the cluster's vApp and VMs, whoever started them, the
    oldest first. VCD forgets tasks after a time that the provider sets, and those about a VM when
    the VM is deleted. You see the tasks that your rights let you see.

    \b
    Example
        vcd cse cluster events demo
    """
    from cse_client.engines.base import Recounting

    engine = run.require(Recounting, "cluster events")
    events = list(engine.events(ClusterRef(name, vdc, org), all_=all_))
    records = [_object(one) for one in events]
    if not run.console.documented(records, records):
        rows = [_row(one) for one in events]
        run.console.table(rows, _COLUMNS, empty=f"VCD has no tasks of cluster {name}.")


def _row(event: ClusterEvent) -> dict[str, Any]:
    result = event.status
    if event.failed:
        request = f" (request {event.request})" if event.request else ""
        result = f"{event.status}: {event.reason or 'no reason is known'}{request}"
    return {
        "When": event.when.strftime("%Y-%m-%d %H:%M:%S"),
        "What": event.what,
        "Object": event.about,
        "User": event.user,
        "Duration": "" if event.seconds is None else duration(event.seconds),
        "Result": result,
    }


def _object(event: ClusterEvent) -> dict[str, Any]:
    return {**asdict(event), "when": event.when.isoformat(), "failed": event.failed}
