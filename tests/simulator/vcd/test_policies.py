"""VM sizing and placement policies, and disks that fast provisioning does not let grow."""

from __future__ import annotations

from typing import Any

import pytest

from cse_client.simulator import Simulator
from cse_client.simulator.vcd.markup import NS, VCLOUD
from cse_client.simulator.vcd.people import Right
from tests.simulator.client import Answer, Tenant, V, recompose_body, sourced_item
from tests.simulator.vcd.place import Place, vm_body

CPU = (
    "<ovf:Item><rasd:AllocationUnits>hertz * 10^6</rasd:AllocationUnits>"
    "<rasd:ElementName>c</rasd:ElementName><rasd:InstanceID>c</rasd:InstanceID>"
    "<rasd:ResourceType>3</rasd:ResourceType>"
    "<rasd:VirtualQuantity>{}</rasd:VirtualQuantity></ovf:Item>"
)
DISK = (
    '<ovf:Item><rasd:ElementName>d</rasd:ElementName><rasd:HostResource vcloud:capacity="{}"/>'
    "<rasd:InstanceID>2000</rasd:InstanceID>"
    "<rasd:ResourceType>17</rasd:ResourceType></ovf:Item>"
)


def listed(tenant: Tenant, generation: str = "2.0.0") -> dict[str, Any]:
    """Return the policies of vdc1 by name."""
    vdc = tenant.one("orgVdc", "vdc1")[-36:]
    path = f"/cloudapi/{generation}/vdcs/urn:vcloud:vdc:{vdc}/computePolicies"
    answer = tenant.send("GET", path, accept="application/json")
    assert answer.status == 200, answer
    return {one["name"]: one for one in answer.json["values"]}


def hardware(items: str) -> str:
    names = f'xmlns:rasd="{NS["rasd"]}" xmlns:vcloud="{VCLOUD}"'
    return f"<ovf:VirtualHardwareSection {names}><ovf:Info/>{items}</ovf:VirtualHardwareSection>"


def add(place: Place, policies: str = "", items: str = "") -> Answer:
    """Recompose with a VM `two` of these policies and hardware items."""
    item = sourced_item(place.source, "two")
    if items:
        mark = "<GuestCustomizationSection>"
        item = item.replace(mark, hardware(items) + mark)
    item = item.replace("</SourcedItem>", f"{policies}</SourcedItem>")
    body = recompose_body(item)
    return place.tenant.post(f"{place.vapp}/action/recomposeVApp", body, "recomposeVAppParams")


def policy(tag: str, tenant: Tenant, name: str) -> str:
    base = f"https://{tenant.simulator.host}/cloudapi/2.0.0/vdcComputePolicies"
    return f'<{tag} href="{base}/{listed(tenant)[name]["id"]}"/>'


def both(tenant: Tenant, sizing: str, placement: str) -> str:
    inner = policy("VmPlacementPolicy", tenant, placement) + policy(
        "VmSizingPolicy", tenant, sizing
    )
    return f"<ComputePolicy>{inner}</ComputePolicy>"


@pytest.mark.parametrize("generation", ["1.0.0", "2.0.0"])
def test_tenants_list_what_a_vdc_offers(tenant: Tenant, generation: str) -> None:
    found = listed(tenant, generation)
    assert list(found) == ["System Default", "2core-4gb", "4core-8gb", "zone-a", "zone-b"]
    assert [name for name, one in found.items() if not one["isSizingOnly"]] == ["zone-a", "zone-b"]
    assert (found["4core-8gb"]["cpuCount"], found["4core-8gb"]["memory"]) == (4, 8192)
    assert ("policyType" in found["zone-a"]) == (generation == "2.0.0")


def test_the_list_needs_its_right_and_its_version(simulator: Simulator, tenant: Tenant) -> None:
    vdc = tenant.one("orgVdc", "vdc1")[-36:]
    path = f"/cloudapi/2.0.0/vdcs/urn:vcloud:vdc:{vdc}/computePolicies"
    tenant.version = "34.0"
    assert tenant.send("GET", path, accept="application/json").status == 404
    tenant.version = "36.0"
    simulator.cloud.users["admin"].rights.discard(Right.POLICY_VIEW)
    assert tenant.send("GET", path, accept="application/json").status == 403


def test_a_new_vm_has_the_policies_of_its_item(place: Place) -> None:
    tenant = place.tenant
    tenant.done(add(place, both(tenant, "4core-8gb", "zone-b")))
    vm = tenant.get(place.vapp).findall(f"{V}Children/{V}Vm")[1]
    found = listed(tenant)
    for tag, name in (("VmPlacementPolicy", "zone-b"), ("VmSizingPolicy", "4core-8gb")):
        assert vm.find(f"{V}ComputePolicy/{V}{tag}").get("id") == found[name]["id"]
    two = tenant.control("GET", "state")["vapps"]["demo"]["vms"]["two"]
    assert (two["cpus"], two["memory_mb"]) == (4, 8192)
    assert (two["sizing_policy"], two["placement_policy"]) == ("4core-8gb", "zone-b")


@pytest.mark.parametrize(
    ("sizing", "placement", "refusal"),
    [
        ("zone-a", "zone-b", 'The compute policy "zone-a" is not a VM sizing policy.'),
        ("2core-4gb", "4core-8gb", 'The compute policy "4core-8gb" is not a VM placement policy.'),
    ],
)
def test_a_policy_of_the_other_kind_is_refused(
    place: Place, sizing: str, placement: str, refusal: str
) -> None:
    answer = add(place, both(place.tenant, sizing, placement))
    assert (answer.status, answer.code) == (400, "BAD_REQUEST")
    assert refusal in answer.message


def test_a_policy_of_another_vdc_is_refused(simulator: Simulator, place: Place) -> None:
    wanted = both(place.tenant, "2core-4gb", "zone-a")
    (vdc,) = (one for one in simulator.cloud.vdcs.values() if one.name == "vdc1")
    vdc.policies = [one for one in vdc.policies if one.name != "zone-a"]
    answer = add(place, wanted)
    assert answer.status == 400
    assert "is not available in the VDC" in answer.message


def test_hardware_must_not_contradict_the_sizing_policy(place: Place) -> None:
    tenant = place.tenant
    sizing = f"<ComputePolicy>{policy('VmSizingPolicy', tenant, '4core-8gb')}</ComputePolicy>"
    refused = add(place, sizing, CPU.format(2))
    assert (refused.status, refused.code) == (400, "BAD_REQUEST")
    assert 'cannot have 2 CPUs: the VM sizing policy "4core-8gb" defines 4' in refused.message
    tenant.done(add(place, sizing, CPU.format(4)))
    vm = tenant.get(place.vapp).findall(f"{V}Children/{V}Vm")[1].get("href")
    change = vm_body(hardware(CPU.format(8) + DISK.format(16384)))
    refused = tenant.post(f"{vm}/action/reconfigureVm", change, "vm")
    assert (refused.status, refused.code) == (400, "BAD_REQUEST")


def test_linked_clones_keep_the_size_of_their_disks(simulator: Simulator, place: Place) -> None:
    (vdc,) = (one for one in simulator.cloud.vdcs.values() if one.name == "vdc1")
    vdc.fast_provisioning = True
    tenant = place.tenant
    answer = add(place, items=DISK.format(30000))
    task = tenant.get(answer.headers["Location"])
    assert task.get("status") == "error"
    assert "Disks with parents cannot be expanded" in task.find(f"{V}Error").get("message")
    assert len(tenant.get(place.vapp).findall(f"{V}Children/{V}Vm")) == 1
    tenant.done(add(place, items=DISK.format(16384)))
