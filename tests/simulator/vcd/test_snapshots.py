"""Snapshots of VMs: the disk goes back, one a VM, for whoever may, within the storage quota."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cse_client.simulator import Simulator
from tests.simulator.client import NAMESPACES, Answer, Tenant, V, pyvcloud_client
from tests.support.waiting import until

RIGHT = "vApp: Snapshot Operations"
SCRIPT = '#!/bin/bash\necho "$1" &gt;&gt;/root/runs\n'
FORCED = f'<DeployVAppParams {NAMESPACES} powerOn="true" forceCustomization="true"/>'


@pytest.fixture(scope="module")
def tenant() -> Iterator[Tenant]:
    with Simulator(guest_speed=20) as simulator:
        one = Tenant(simulator).login()
        yield one
        one.close()


@pytest.fixture
def vm(tenant: Tenant, request: pytest.FixtureRequest) -> Iterator[str]:
    """A VM that has run its script and is powered off."""
    vapp = tenant.vapp(request.node.name[:60])
    tenant.done(tenant.add_vms(vapp, "one", power_on=True, script=SCRIPT))
    vm = tenant.get(vapp).find(f"{V}Children/{V}Vm").get("href")
    customized(tenant, vm)
    tenant.done(tenant.post(f"{vm}/power/action/powerOff"))
    yield vm
    tenant.done(tenant.send("DELETE", f"{vapp}?force=true"))


def customized(tenant: Tenant, vm: str) -> None:
    status = f"{vm}/guestcustomizationstatus/"
    until(lambda: tenant.get(status).findtext(f"{V}GuestCustStatus") == "GC_COMPLETE")


def create(tenant: Tenant, vm: str, **attributes: str) -> Answer:
    given = " ".join(f'{name}="{value}"' for name, value in attributes.items())
    body = f"<CreateSnapshotParams {NAMESPACES} {given}/>"
    return tenant.post(f"{vm}/action/createSnapshot", body, "createSnapshotParams")


def runs(tenant: Tenant, vm: str) -> int:
    machine = tenant.simulator.cloud.vms[vm[-36:]][1].guest
    return len(machine.read_file("/root/runs").splitlines())


def rels(tenant: Tenant, vm: str) -> set[str]:
    links = tenant.get(vm).iterfind(f"{V}Link")
    return {one.get("rel") for one in links if one.get("rel").startswith("snapshot:")}


def test_a_vm_goes_back_to_its_snapshot(tenant: Tenant, vm: str) -> None:
    assert rels(tenant, vm) == {"snapshot:create"}
    assert tenant.get(f"{vm}/snapshotSection").find(f"{V}Snapshot") is None
    refused = tenant.post(f"{vm}/action/revertToCurrentSnapshot")
    assert (refused.status, refused.code) == (400, "BAD_REQUEST")
    task = tenant.done(create(tenant, vm, memory="false", quiesce="false", name="before"))
    assert task.get("operationName") == "vappCreateSnapshot"
    assert rels(tenant, vm) == {
        "snapshot:create",
        "snapshot:revertToCurrent",
        "snapshot:removeAll",
    }
    (snapshot,) = tenant.get(vm).iterfind(f"{V}SnapshotSection/{V}Snapshot")
    assert snapshot.get("poweredOn") == "false"
    assert int(snapshot.get("size")) > 0
    tenant.done(tenant.post(f"{vm}/action/deploy", FORCED, "deployVAppParams"))
    customized(tenant, vm)
    until(lambda: runs(tenant, vm) == 4, "the script has not run again")
    # running or not: without memory in the snapshot, the VM is off then
    tenant.done(tenant.post(f"{vm}/action/revertToCurrentSnapshot"))
    assert tenant.get(vm).get("status") == "8"
    assert runs(tenant, vm) == 2
    tenant.done(tenant.post(f"{vm}/power/action/powerOn"))
    tenant.done(tenant.post(f"{vm}/action/removeAllSnapshots"))
    assert rels(tenant, vm) == {"snapshot:create"}
    assert runs(tenant, vm) == 2


def test_a_new_snapshot_replaces_the_one_before(tenant: Tenant, vm: str) -> None:
    tenant.done(create(tenant, vm))
    tenant.done(tenant.post(f"{vm}/action/deploy", FORCED, "deployVAppParams"))
    customized(tenant, vm)
    until(lambda: runs(tenant, vm) == 4, "the script has not run again")
    tenant.done(tenant.post(f"{vm}/power/action/powerOff"))
    tenant.done(create(tenant, vm))
    tenant.done(tenant.post(f"{vm}/action/revertToCurrentSnapshot"))
    assert runs(tenant, vm) == 4


def test_a_snapshot_counts_as_storage(tenant: Tenant, vm: str) -> None:
    def profile() -> tuple[int, int]:
        for one in tenant.query("type=orgVdcStorageProfile"):
            if one.get("storageUsedMB") != "0":
                return int(one.get("storageUsedMB")), int(one.get("storageLimitMB"))
        raise AssertionError("no storage policy is used")

    before, _limit = profile()
    tenant.done(create(tenant, vm))
    used, limit = profile()
    assert used == 2 * before
    storage = tenant.simulator.cloud.vms[vm[-36:]][0].vdc.default_profile
    storage.limit_mb = used - 1
    try:
        tenant.done(tenant.post(f"{vm}/action/removeAllSnapshots"))
        refused = create(tenant, vm)
        assert (refused.status, refused.code) == (400, "BAD_REQUEST")
        assert "storage quota" in refused.message
    finally:
        storage.limit_mb = limit


def test_snapshots_are_for_whoever_may(tenant: Tenant, vm: str) -> None:
    tenant.control("POST", "users/admin", {"rights": {RIGHT: False}})
    try:
        assert rels(tenant, vm) == set()
        assert create(tenant, vm).status == 403
        assert tenant.post(f"{vm}/action/removeAllSnapshots").status == 403
    finally:
        tenant.control("POST", "users/admin", {"rights": {RIGHT: True}})
    author = Tenant(tenant.simulator, "author").login()
    vapp = author.vapp("of-author")
    author.done(author.add_vms(vapp, "own"))
    assert rels(author, author.one("vm", "own")) == {"snapshot:create"}
    author.done(author.send("DELETE", f"{vapp}?force=true"))
    author.close()


def test_memory_is_refused_and_not_forgotten(tenant: Tenant, vm: str) -> None:
    tenant.done(create(tenant, vm, memory="true"))
    tenant.done(tenant.post(f"{vm}/power/action/powerOn"))
    assert create(tenant, vm, memory="true").status == 501


def test_a_genuine_client(
    tenant: Tenant, vm: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from pyvcloud.vcd.vm import VM

    with pyvcloud_client(tenant.simulator, monkeypatch, tmp_path) as client:
        machine = VM(client, href=vm)
        for change in (
            lambda: machine.snapshot_create(memory=False, quiesce=False),
            machine.snapshot_revert_to_current,
            machine.snapshot_remove_all,
        ):
            machine.reload()
            client.get_task_monitor().wait_for_success(change())
