"""Tasks take time, change their text, fail late; busy entities refuse (vcd-api 7.2, 4 and 5)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from cse_client.simulator import Simulator
from tests.simulator.client import Answer, Tenant, V, metadata_body, sourced_item
from tests.support.waiting import until


@pytest.fixture
def slow() -> Iterator[Tenant]:
    """A tenant of a simulator whose tasks end at the third look."""
    with Simulator(guests=False, time="polls:3") as simulator:
        tenant = Tenant(simulator).login()
        yield tenant
        tenant.close()


def wait(tenant: Tenant, answer: Answer) -> Any:
    for _ in range(20):
        task = tenant.task(answer)
        if task.get("status") not in ("queued", "running"):
            return task
    raise AssertionError("the task does not end")


def test_a_task_goes_through_its_states_and_its_text_changes_tense(slow: Tenant) -> None:
    answer = slow.compose("demo")
    assert answer.xml.get("status") == "0"
    first = answer.xml.find(f"{V}Tasks/{V}Task")
    assert first.get("status") == "queued"
    assert first.get("operation").startswith("Creating Virtual Application demo(")
    seen = [slow.task(answer) for _ in range(4)]
    assert [task.get("status") for task in seen] == ["running", "running", "success", "success"]
    assert seen[-1].get("operation").startswith("Created Virtual Application demo(")
    assert seen[0].get("endTime") is None
    assert seen[-1].get("endTime")
    assert seen[-1].findtext(f"{V}Progress") == "100"


def test_in_seconds_tasks_follow_the_clock() -> None:
    with Simulator(guests=False, time="seconds:10") as simulator:
        tenant = Tenant(simulator).login()
        answer = tenant.compose("demo")
        assert tenant.task(answer).get("status") == "queued"
        simulator.clock.advance(40)
        half = tenant.task(answer)
        assert half.get("status") == "running"
        assert 40 <= int(half.findtext(f"{V}Progress")) <= 60
        simulator.clock.advance(41)
        assert tenant.task(answer).get("status") == "success"
        tenant.close()


def test_a_composition_that_copies_vms_takes_as_long_as_copying_them() -> None:
    with Simulator(guests=False, time="seconds:1") as simulator:
        tenant = Tenant(simulator).login()
        tenant.compose("empty")
        tenant.compose("full", items=sourced_item(tenant.template_vm(), "a"))
        begun = {task.owner_name: task for task in simulator.cloud.tasks.running}
        lasts = {name: round(task.due - task.begun) for name, task in begun.items()}
        assert lasts == {"empty": 8, "full": 45}
        tenant.close()


def test_time_passes_without_anybody_looking() -> None:
    with Simulator(guests=False, time="seconds:0.005") as simulator:
        tenant = Tenant(simulator).login()
        tenant.compose("demo")
        until(lambda: not simulator.cloud.tasks.running)
        tenant.close()


def test_a_failed_task_stays_with_its_owner(tenant: Tenant) -> None:
    tenant.control(
        "POST", "faults", {"kind": "task", "operation": "metadataUpdate", "message": "No disk."}
    )
    vapp = tenant.vapp("demo")
    answer = tenant.post(f"{vapp}/metadata", metadata_body(a="1"), "metadata")
    assert answer.status == 202
    task = tenant.get(vapp).find(f"{V}Tasks/{V}Task")
    assert task.get("status") == "error"
    assert task.find(f"{V}Error").get("message") == "No disk."
    assert task.findtext(f"{V}Details") == "  No disk."
    assert tenant.get(f"{vapp}/metadata").find(f"{V}MetadataEntry") is None
    tenant.done(tenant.post(f"{vapp}/metadata", metadata_body(a="1"), "metadata"))
    assert len(tenant.get(vapp).findall(f"{V}Tasks/{V}Task")) == 1


@pytest.mark.parametrize("status", ["error", "aborted", "canceled"])
def test_a_vapp_whose_creation_fails_is_left_behind(tenant: Tenant, status: str) -> None:
    rule = {"kind": "task", "operation": "vdcComposeVapp", "status": status}
    tenant.control("POST", "faults", rule)
    answer = tenant.compose("demo")
    assert answer.status == 201
    assert tenant.task(answer).get("status") == status
    vapp = answer.headers["Location"]
    assert tenant.get(vapp).get("status") == "-1"
    assert tenant.query("type=vApp")[0].get("status") == "FAILED_CREATION"
    tenant.done(tenant.send("DELETE", vapp))
    assert tenant.query("type=vApp") == []


def test_cancelling(slow: Tenant) -> None:
    answer = slow.compose("demo")
    wait(slow, answer)
    vapp = answer.headers["Location"]
    change = slow.post(f"{vapp}/metadata", metadata_body(a="1"), "metadata")
    link = change.xml.find(f"{V}Link[@rel='task:cancel']").get("href")
    assert slow.post(link).status == 204
    task = slow.get(change.headers["Location"])
    assert (task.get("status"), task.get("cancelRequested")) == ("canceled", "true")
    assert task.find(f"{V}Link[@rel='task:cancel']") is None
    assert slow.post(link).status == 400
    assert slow.get(f"{vapp}/metadata").find(f"{V}MetadataEntry") is None


def test_a_second_change_is_refused_and_names_the_holder(slow: Tenant) -> None:
    answer = slow.compose("demo")
    vapp = answer.headers["Location"]
    task = answer.xml.find(f"{V}Tasks/{V}Task").get("href").rpartition("/")[2]
    refused = slow.post(f"{vapp}/metadata", metadata_body(a="1"), "metadata")
    assert (refused.status, refused.code) == (400, "BUSY_ENTITY")
    assert f"com.vmware.vcloud.entity.vapp:{vapp[-36:]} is busy" in refused.message
    assert f"VDC_COMPOSE_VAPP(com.vmware.vcloud.entity.task:{task})" in refused.message
    wait(slow, answer)
    wait(slow, slow.post(f"{vapp}/metadata", metadata_body(a="1"), "metadata"))


def test_two_recomposes_never_run_together_and_a_vm_update_blocks_one(slow: Tenant) -> None:
    answer = slow.compose("demo")
    wait(slow, answer)
    vapp = answer.headers["Location"]
    first = slow.add_vms(vapp, "one")
    made = [vm.get("status") for vm in slow.get(vapp).iter(f"{V}Vm")]
    assert made == ["0"]
    refused = slow.add_vms(vapp, "two")
    assert refused.code == "BUSY_ENTITY"
    task = first.headers["Location"].rpartition("/")[2]
    assert f"VDC_RECOMPOSE_VAPP(com.vmware.vcloud.entity.task:{task})" in refused.message
    assert slow.send("DELETE", f"{vapp}?force=true").code == "BUSY_ENTITY"
    wait(slow, first)
    vm = slow.one("vm", "one")
    update = slow.send("GET", f"{vm}/virtualHardwareSection/cpu")
    changing = slow.send("PUT", f"{vm}/virtualHardwareSection/cpu", update.body, "rasdItem")
    assert slow.add_vms(vapp, "two").code == "BUSY_ENTITY"
    assert slow.post(f"{vm}/power/action/powerOn").code == "BUSY_ENTITY"
    wait(slow, changing)
    wait(slow, slow.add_vms(vapp, "two"))


def test_vms_of_two_vapps_do_not_hinder_each_other(slow: Tenant) -> None:
    first, second = slow.compose("a"), slow.compose("b")
    assert wait(slow, first).get("status") == "success"
    assert wait(slow, second).get("status") == "success"


def test_tasks_expire_after_ninety_days(tenant: Tenant) -> None:
    task = tenant.task(tenant.compose("demo"))
    assert task.get("expiryTime")[:10] > task.get("startTime")[:10]
