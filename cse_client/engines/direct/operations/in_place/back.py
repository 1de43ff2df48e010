"""The way back to the old version: the VM's snapshot, and a start without a customization."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import partial

from cse_client import bounds
from cse_client.engines.direct.in_place_record import BACK, REVERTED, UpgradeRecord
from cse_client.engines.direct.operations import upgrade_backup
from cse_client.engines.direct.operations.in_place.control_plane import OnlyControlPlane
from cse_client.errors import ClusterUnreachable, Refused
from cse_client.guest import later
from cse_client.model import Vm
from cse_client.vcd import tasks

__all__ = ["go_back", "is_changed", "plan_return", "time_to_return"]

#: Seconds for a way back, which needs no more than a boot.
_LONGEST_RETURN = 900.0


def go_back(control_plane: OnlyControlPlane, record: UpgradeRecord) -> None:
    """Bring the VM back to its snapshot, start it, and prove that the old version serves.

    Raises:
        Refused: the snapshot does not exist.
        TimedOut: the old version does not serve in time.
    """
    deadline = control_plane.deadline
    control_plane.deadline = control_plane.clock.monotonic() + _LONGEST_RETURN
    try:
        _return(control_plane, record)
    finally:
        control_plane.deadline = deadline


def plan_return(control_plane: OnlyControlPlane, record: UpgradeRecord) -> list[str]:
    """Return what `go_back` would do, one sentence each.

    Raises:
        Refused: the snapshot does not exist.
    """
    vm = control_plane.vm()
    if is_changed(control_plane, vm, record):
        _require_snapshot(control_plane, vm, record)
        return [
            f"Revert {vm.name} to its snapshot, and start it with Kubernetes {record.before}.",
            "Check API server, scheduler, controller manager, etcd and node; then remove the"
            " snapshot.",
        ]
    left = "the record of the upgrade"
    # VCD does not show who created it, nor its name
    created = control_plane.vcd.snapshots.state(vm.href).created if record.snapshot else None
    if created is not None:
        left = f"its snapshot of {created:%Y-%m-%d %H:%M} UTC and {left}"
    return [f"Check that {vm.name} serves, and remove {left}."]


def time_to_return() -> AbstractContextManager[None]:
    """Give the way back its time, where the command does not have so much left.

    There, single requests may take less time than otherwise; see `bounds.afterwards`.
    """
    enough = bounds.share(_LONGEST_RETURN) >= _LONGEST_RETURN
    return nullcontext() if enough else bounds.afterwards(_LONGEST_RETURN)


def _return(control_plane: OnlyControlPlane, record: UpgradeRecord) -> None:
    vcd, vm = control_plane.vcd, control_plane.vm()
    untouched = record.phase != REVERTED and not is_changed(control_plane, vm, record)
    if record.phase != REVERTED:
        record = _reverted(control_plane, vm, record)
    script = vcd.customization_script(vm.href)
    if later.task_of(script) == record.task:
        if vcd.vm(vm.href).is_on:
            control_plane.shut_down(vm)
        clean = later.without_task(script)
        control_plane.change(partial(vcd.write_customization_script, vm.href, clean))
    started = _start_old(control_plane, vm)
    control_plane.show(f"Wait until {vm.name} serves again")
    version = record.before
    if untouched and not started:
        # what runs there counts, whatever the record says
        with contextlib.suppress(ClusterUnreachable):
            version = control_plane.running_version()
    control_plane.await_healthy(vm.name, version, "after going back", started=started)
    control_plane.tidy(record)


def _reverted(control_plane: OnlyControlPlane, vm: Vm, record: UpgradeRecord) -> UpgradeRecord:
    """Revert the VM to its snapshot where it may have changed; return the record as it is then."""
    vcd = control_plane.vcd
    if is_changed(control_plane, vm, record):
        _require_snapshot(control_plane, vm, record)
        record = replace(record, phase=BACK)
        control_plane.write(record)
        control_plane.shut_down(vm, "powerOff")
        control_plane.show(f"Revert {vm.name} to its snapshot")
        control_plane.change(partial(vcd.snapshots.revert, vm.href), idempotent=True)
    record = replace(record, phase=REVERTED)
    control_plane.write(record)
    return record


def is_changed(control_plane: OnlyControlPlane, vm: Vm, record: UpgradeRecord) -> bool:
    """Return whether the node may have changed.

    Without the task in its script it is as it was, and the snapshot may be older.
    """
    if record.phase == REVERTED:
        return False
    return later.task_of(control_plane.vcd.customization_script(vm.href)) == record.task


def _require_snapshot(control_plane: OnlyControlPlane, vm: Vm, record: UpgradeRecord) -> None:
    if not record.snapshot or control_plane.vcd.snapshots.state(vm.href).created is None:
        raise Refused(
            f"The VM {vm.name} has no snapshot to go back to.",
            hint=upgrade_backup.restoring(control_plane.cluster).strip(),
        )


def _start_old(control_plane: OnlyControlPlane, vm: Vm) -> bool:
    """Start the VM where it is off, without a customization; return whether it was."""
    vcd = control_plane.vcd
    now = vcd.vm(vm.href)
    if now.is_on:
        return False
    control_plane.show(f"Start {vm.name}")
    start: Callable[[str], tasks.Task] = vcd.power_on_vapp if now.deployed else vcd.deploy
    control_plane.change(partial(start, vm.href))
    return True
