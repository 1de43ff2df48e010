"""Snapshots of VMs: VCD keeps one of each VM."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cse_client.model.cloud import SnapshotState
from cse_client.vcd import reading, writing
from cse_client.vcd.errors import Action
from cse_client.vcd.tasks import Task

if TYPE_CHECKING:
    from cse_client.vcd.transport import Transport

__all__ = ["Snapshots"]

_RIGHT = "vApp: Snapshot Operations"


class Snapshots:
    """Reads and changes the snapshots of VMs, by the VMs' hrefs."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def state(self, vm_href: str) -> SnapshotState:
        """Read whether a VM has a snapshot, and whether this user may create one; one request."""
        action = Action("read the VM", missing="the VM")
        return reading.snapshot_state(self._transport.get(vm_href, action, "Vm"))

    def create(self, vm_href: str, name: str) -> Task:
        """Create a snapshot of a VM without its memory; it replaces the one that there is."""
        action = Action("create a snapshot of the VM", right=_RIGHT, changes=True)
        body = writing.create_snapshot(name)
        url = f"{vm_href}/action/createSnapshot"
        return self._transport.post(url, body, writing.CREATE_SNAPSHOT, action).task(action)

    def revert(self, vm_href: str) -> Task:
        """Bring a VM back to its snapshot; without memory in it, the VM is powered off then."""
        action = Action("revert the VM to its snapshot", right=_RIGHT, changes=True)
        url = f"{vm_href}/action/revertToCurrentSnapshot"
        return self._transport.post(url, None, "", action).task(action)

    def remove(self, vm_href: str) -> Task:
        """Remove the snapshot of a VM, if there is one; its disk stays as it is."""
        action = Action("remove the VM's snapshot", right=_RIGHT, changes=True)
        url = f"{vm_href}/action/removeAllSnapshots"
        return self._transport.post(url, None, "", action).task(action)
