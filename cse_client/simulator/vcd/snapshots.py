"""Snapshots of VMs: creating one, reverting to it, removing it.

Sources: the API reference (POST-CreateSnapshot: "Prior to creation of the new snapshots, any
existing user created snapshots associated with the virtual machines are removed", so a VM has one
at most); vApp.xsd (CreateSnapshotParamsType, SnapshotSectionType, SnapshotType); vCloud Director
Administrator's Guide, "Rights Associated with vApps" (the right, and the roles that have it); the
vSphere Web Services API, RevertToCurrentSnapshot_Task: a VM goes back to the power state of the
snapshot, so without memory it is off. A snapshot takes as much storage as the VM's disk, whatever
has changed since (VCD's tenant guide, "Take a Snapshot of a Virtual Machine"). The operation's name
vappCreateSnapshot and its text are recorded (vcloud-rest, tasks); those of the others are formed
after it. The VM's hardware is not part of it here.
"""

from __future__ import annotations

from collections.abc import Callable

from lxml import etree

from cse_client.simulator.vcd.cloud import Cloud
from cse_client.simulator.vcd.errors import bad_request, not_implemented
from cse_client.simulator.vcd.machines import machine_for
from cse_client.simulator.vcd.people import Right, User
from cse_client.simulator.vcd.power import Target
from cse_client.simulator.vcd.resources import check_storage
from cse_client.simulator.vcd.tasks import Task
from cse_client.simulator.vcd.vapps import Snapshot, Status, Vm

__all__ = ["create", "remove_all", "revert"]


def create(cloud: Cloud, user: User, target: Target, body: etree._Element) -> Task:
    """Begin a snapshot of a VM, which takes the place of the one that there is."""
    vm = _editable(cloud, user, target)
    if body.get("memory") in ("true", "1") and vm.on:
        raise not_implemented("a snapshot with the memory of a running VM")
    check_storage(cloud, target.vapp.vdc, [(vm, vm.disk_mb)], without=vm)

    def effect(_task: Task) -> None:
        vm.snapshot = Snapshot(cloud.clock.now(), vm.on, vm.disk_mb)

    task = _begin(cloud, user, target, "vappCreateSnapshot", "Creating Snapshot", effect)
    if task.doom is None:
        # an errand does not see what comes later: the disk is that of this moment
        guest = machine_for(cloud, vm)
        cloud.errand(guest.take_snapshot)
    return task


def revert(cloud: Cloud, user: User, target: Target) -> Task:
    """Begin going back to the snapshot of a VM."""
    vm = _editable(cloud, user, target)
    _refuse_without(vm)

    def effect(_task: Task) -> None:
        vm.status = Status.OFF
        vm.tools_running = False

    task = _begin(
        cloud, user, target, "vappRevertToCurrentSnapshot", "Reverting to Current Snapshot", effect
    )
    if task.doom is None:
        guest = machine_for(cloud, vm)
        cloud.errand(guest.power_off)
        cloud.errand(guest.revert_to_snapshot)
    return task


def remove_all(cloud: Cloud, user: User, target: Target) -> Task:
    """Begin removing the snapshot of a VM; where there is none, nothing happens."""
    vm = _editable(cloud, user, target)

    def effect(_task: Task) -> None:
        vm.snapshot = None

    task = _begin(cloud, user, target, "vappRemoveAllSnapshots", "Removing Snapshots", effect)
    if task.doom is None and vm.guest is not None:
        cloud.errand(vm.guest.remove_snapshot)
    return task


def _editable(cloud: Cloud, user: User, target: Target) -> Vm:
    assert target.vm is not None  # noqa: S101  # there are no routes for whole vApps
    user.require(Right.SNAPSHOT)
    target.refuse_if_busy(cloud)
    return target.vm


def _refuse_without(vm: Vm) -> None:
    if vm.snapshot is None:
        raise bad_request(
            f'The requested operation could not be executed since VM "{vm.name}" does not have a'
            " snapshot."
        )


def _begin(
    cloud: Cloud,
    user: User,
    target: Target,
    name: str,
    doing: str,
    effect: Callable[[Task], None],
) -> Task:
    texts = (f"{doing} {target.label}", f"Finished {doing} {target.label}")
    return cloud.tasks.start(name, texts, target.entity, user, effect, holds=target.holds())
