"""Pools, quotas, power, deletion, leases, recompose (vcd-api 7.2, points 6, 7, 11 and 12)."""

from __future__ import annotations

from typing import Any

import pytest

from cse_client.simulator import Simulator
from tests.simulator.client import NAMESPACES, Answer, Tenant, V, recompose_body, sourced_item


def allocated(tenant: Tenant, network: str = "net1") -> Any:
    return tenant.control("GET", "state")["networks"][network]["allocated"]


def vms(tenant: Tenant) -> dict[str, Any]:
    return {one.get("name"): one for one in tenant.query("type=vm&filter=isVAppTemplate==false")}


def undeploy(tenant: Tenant, href: str, action: str = "powerOff") -> Answer:
    body = (
        f"<UndeployVAppParams {NAMESPACES}><UndeployPowerAction>{action}</UndeployPowerAction>"
        "</UndeployVAppParams>"
    )
    return tenant.post(f"{href}/action/undeploy", body, "undeployVAppParams")


def remove(tenant: Tenant, vapp: str, *hrefs: str) -> Answer:
    body = recompose_body(rest="".join(f'<DeleteItem href="{href}"/>' for href in hrefs))
    return tenant.post(f"{vapp}/action/recomposeVApp", body, "recomposeVAppParams")


def test_an_address_belongs_to_a_vm_from_its_making_to_its_end(tenant: Tenant) -> None:
    vapp = tenant.vapp("demo")
    tenant.done(tenant.add_vms(vapp, "one", "two"))
    assert allocated(tenant) == {"127.20.0.10": "one", "127.20.0.11": "two"}
    found = vms(tenant)
    assert (found["one"].get("ipAddress"), found["one"].get("status")) == (
        "127.20.0.10",
        "POWERED_OFF",
    )
    tenant.done(tenant.post(f"{vapp}/power/action/powerOn"))
    tenant.done(undeploy(tenant, vapp))
    assert allocated(tenant) == {"127.20.0.10": "one", "127.20.0.11": "two"}
    tenant.done(remove(tenant, vapp, found["one"].get("href")))
    assert allocated(tenant) == {"127.20.0.11": "two"}
    tenant.done(tenant.add_vms(vapp, "three"))
    assert allocated(tenant) == {"127.20.0.10": "three", "127.20.0.11": "two"}
    tenant.done(tenant.send("DELETE", vapp))
    assert allocated(tenant) == {}


def test_addresses_in_use_are_listed(tenant: Tenant) -> None:
    vapp = tenant.vapp("demo")
    tenant.done(tenant.add_vms(vapp, "one"))
    root = tenant.get(f"{tenant.network()}/allocatedAddresses/")
    entry = root.find(f"{V}IpAddress")
    assert entry.get("allocationType") == "vmAllocated"
    assert entry.findtext(f"{V}IpAddress") == "127.20.0.10"
    record = tenant.query("type=orgVdcNetwork&filter=name==net1")[0]
    assert (record.get("usedIpCount"), record.get("totalIpCount")) == ("1", "241")


def test_an_exhausted_pool_fails_the_task_and_leaves_nothing(tenant: Tenant) -> None:
    tenant.control("POST", "networks/net1", {"pool": ["127.20.0.10", "127.20.0.11"]})
    vapp = tenant.vapp("demo")
    answer = tenant.add_vms(vapp, "one", "two", "three")
    assert answer.status == 202
    task = tenant.task(answer)
    assert task.get("status") == "error"
    assert "There are insufficient IP addresses to complete operation." in task.find(
        f"{V}Error"
    ).get("message")
    assert vms(tenant) == {}
    assert allocated(tenant) == {}


def test_a_failed_recompose_can_also_leave_what_it_made(tenant: Tenant) -> None:
    tenant.control("POST", "networks/net1", {"pool": ["127.20.0.10", "127.20.0.11"]})
    tenant.control("POST", "org", {"failed_recompose_keeps": True})
    vapp = tenant.vapp("demo")
    assert tenant.task(tenant.add_vms(vapp, "a", "b", "c", "d")).get("status") == "error"
    assert {name: one.get("status") for name, one in vms(tenant).items()} == {
        "a": "POWERED_OFF",
        "b": "POWERED_OFF",
        "c": "FAILED_CREATION",
    }


@pytest.mark.parametrize(("keep", "left"), [(None, set()), (0, {"a"}), (1, {"a", "b"})])
def test_a_fault_can_fail_a_recompose_both_ways(
    tenant: Tenant, keep: int | None, left: Any
) -> None:
    rule = {"kind": "task", "operation": "vdcRecomposeVapp", "keep": keep}
    tenant.control("POST", "faults", rule)
    vapp = tenant.vapp("demo")
    assert tenant.task(tenant.add_vms(vapp, "a", "b", "c")).get("status") == "error"
    assert set(vms(tenant)) == left


def add_manual(
    tenant: Tenant, vapp: str, name: str, address: str, *, power_on: bool = False
) -> Any:
    item = sourced_item(tenant.template_vm(), name, mode="MANUAL", address=address)
    body = recompose_body(item, power_on=power_on)
    return tenant.task(tenant.post(f"{vapp}/action/recomposeVApp", body, "recomposeVAppParams"))


def text_of(task: Any) -> str:
    return str(task.find(f"{V}Error").get("message"))


def test_a_manual_address_must_be_in_the_subnet_and_may_be_outside_of_the_pool(
    tenant: Tenant,
) -> None:
    vapp = tenant.vapp("demo")
    assert add_manual(tenant, vapp, "a", "127.20.0.251").get("status") == "success"
    outside = add_manual(tenant, vapp, "b", "10.0.0.1")
    assert 'Specified IP address "10.0.0.1" is invalid.' in text_of(outside)
    assert allocated(tenant) == {"127.20.0.251": "a"}


def test_an_address_that_a_stopped_vm_has_can_be_assigned_again_but_not_be_used_by_both(
    tenant: Tenant,
) -> None:
    first, second = tenant.vapp("first"), tenant.vapp("second")
    tenant.done(tenant.add_vms(first, "a"))
    assert add_manual(tenant, second, "b", "127.20.0.10").get("status") == "success"
    assert allocated(tenant) == {"127.20.0.10": "a, b"}
    listed = tenant.get(f"{tenant.network()}/allocatedAddresses/").findall(f"{V}IpAddress")
    assert [one.findtext(f"{V}IpAddress") for one in listed] == ["127.20.0.10"] * 2
    tenant.done(tenant.post(f"{second}/power/action/powerOn"))
    refused = tenant.task(tenant.post(f"{first}/power/action/powerOn"))
    assert "IP addresses: 127.20.0.10" in text_of(refused)
    assert vms(tenant)["a"].get("status") == "POWERED_OFF"
    tenant.done(undeploy(tenant, second))
    tenant.done(tenant.post(f"{first}/power/action/powerOn"))
    tenant.done(tenant.send("DELETE", second))
    assert allocated(tenant) == {"127.20.0.10": "a"}


def test_a_composition_makes_and_starts_all_its_vms(tenant: Tenant) -> None:
    source = tenant.template_vm()
    head = sourced_item(source, "a", mode="MANUAL", address="127.20.0.99")
    tenant.done(tenant.compose("demo", items=head + sourced_item(source, "b")))
    assert allocated(tenant) == {"127.20.0.10": "b", "127.20.0.99": "a"}
    assert {one.get("status") for one in vms(tenant).values()} == {"POWERED_ON"}


def test_a_composition_that_cannot_be_powered_on_leaves_its_vms_off(tenant: Tenant) -> None:
    tenant.done(tenant.add_vms(tenant.vapp("other"), "other", power_on=True))
    item = sourced_item(tenant.template_vm(), "a", mode="MANUAL", address="127.20.0.10")
    task = tenant.task(tenant.compose("demo", items=item))
    assert "already been used by running virtual machines" in text_of(task)
    assert vms(tenant)["a"].get("status") == "POWERED_OFF"
    (vapp,) = tenant.query("type=vApp&filter=name==demo")
    assert vapp.get("status") == "POWERED_OFF"


@pytest.mark.parametrize(("keep", "left"), [(None, set()), (0, {"a"}), (1, {"a", "b"})])
def test_a_fault_can_fail_a_composition_both_ways(
    tenant: Tenant, keep: int | None, left: Any
) -> None:
    rule = {"kind": "task", "operation": "vdcComposeVapp", "keep": keep}
    tenant.control("POST", "faults", rule)
    source = tenant.template_vm()
    items = "".join(sourced_item(source, name) for name in "abc")
    assert tenant.task(tenant.compose("demo", items=items)).get("status") == "error"
    assert set(vms(tenant)) == left
    (vapp,) = tenant.query("type=vApp&filter=name==demo")
    assert vapp.get("status") == "FAILED_CREATION"


@pytest.mark.parametrize(
    ("limits", "text"),
    [
        ({"vm_quota": 1}, "VM quota"),
        ({"storage": {"gold": {"limit_mb": 20000}}}, "storage quota"),
    ],
)
def test_quotas_are_refused_at_once(tenant: Tenant, limits: Any, text: str) -> None:
    tenant.control("POST", "vdcs/vdc1", limits)
    vapp = tenant.vapp("demo")
    answer = tenant.add_vms(vapp, "one", "two")
    assert (answer.status, answer.code) == (400, "BAD_REQUEST")
    assert text in answer.message
    assert vms(tenant) == {}


def test_a_name_is_taken_once_per_vdc(tenant: Tenant) -> None:
    tenant.vapp("demo")
    answer = tenant.compose("demo")
    assert (answer.status, answer.code) == (400, "DUPLICATE_NAME")
    assert answer.message.endswith("The VCD entity demo already exists.")


def test_a_license_must_be_accepted(tenant: Tenant) -> None:
    tenant.control(
        "POST", "templates/ubuntu-16.04_k8-1.18_weave-2.6.5_rev2", {"eula": "Do no harm."}
    )
    vapp = tenant.vapp("demo")
    answer = tenant.add_vms(vapp, "one")
    assert answer.status == 400
    assert "End User License" in answer.message


def test_what_runs_is_deleted_only_by_force(tenant: Tenant) -> None:
    vapp = tenant.vapp("demo")
    tenant.done(tenant.add_vms(vapp, "one", power_on=True))
    answer = tenant.send("DELETE", vapp)
    assert answer.status == 400
    assert answer.message.endswith(
        'The requested operation could not be executed on vApp "demo". Stop the vApp and try again.'
    )
    assert remove(tenant, vapp, tenant.one("vm", "one")).status == 400
    # Powered off is not undeployed.
    tenant.done(tenant.post(f"{vapp}/power/action/powerOff"))
    root = tenant.get(vapp)
    assert (root.get("status"), root.get("deployed")) == ("8", "true")
    assert tenant.send("DELETE", vapp).status == 400
    tenant.done(undeploy(tenant, vapp))
    assert tenant.get(vapp).get("deployed") == "false"
    deleted = tenant.send("DELETE", vapp)
    assert deleted.xml.find(f"{V}Owner").get("name") == ""
    tenant.done(deleted)
    assert tenant.send("GET", vapp).status == 403


def test_force_deletes_in_one_go(tenant: Tenant) -> None:
    vapp = tenant.vapp("demo")
    tenant.done(tenant.add_vms(vapp, "one", power_on=True))
    tenant.done(tenant.send("DELETE", f"{vapp}?force=True&recursive=False"))
    assert tenant.control("GET", "state")["vapps"] == {}


def test_status_numbers_sum_up_the_vms(tenant: Tenant) -> None:
    vapp = tenant.vapp("demo")
    assert tenant.get(vapp).get("status") == "1"
    tenant.done(tenant.add_vms(vapp, "one", "two"))
    assert tenant.get(vapp).get("status") == "8"
    tenant.done(tenant.post(f"{tenant.one('vm', 'one')}/power/action/powerOn"))
    assert tenant.get(vapp).get("status") == "10"
    tenant.done(tenant.post(f"{vapp}/power/action/powerOn"))
    assert tenant.get(vapp).get("status") == "4"
    tenant.done(tenant.post(f"{vapp}/power/action/suspend"))
    assert tenant.get(vapp).get("status") == "3"


def test_reset_needs_something_that_runs(tenant: Tenant) -> None:
    vapp = tenant.vapp("demo")
    tenant.done(tenant.add_vms(vapp, "one"))
    answer = tenant.post(f"{vapp}/power/action/reset")
    assert answer.message.endswith('vApp "demo" does not have any powered on VMs.')


def test_shutdown_needs_tools(tenant: Tenant) -> None:
    tenant.control(
        "POST", "templates/ubuntu-16.04_k8-1.18_weave-2.6.5_rev2", {"image": {"tools": False}}
    )
    vapp = tenant.vapp("demo")
    tenant.done(tenant.add_vms(vapp, "one", power_on=True))
    assert tenant.post(f"{vapp}/power/action/shutdown").status == 500
    assert tenant.task(undeploy(tenant, vapp, "shutdown")).get("status") == "error"
    tenant.done(undeploy(tenant, vapp))


def lease(tenant: Tenant, vapp: str, deployment: int, storage: int) -> Any:
    body = (
        f"<LeaseSettingsSection {NAMESPACES}><ovf:Info/><DeploymentLeaseInSeconds>{deployment}"
        f"</DeploymentLeaseInSeconds><StorageLeaseInSeconds>{storage}</StorageLeaseInSeconds>"
        "</LeaseSettingsSection>"
    )
    place = f"{vapp}/leaseSettingsSection/"
    tenant.done(tenant.send("PUT", place, body, "leaseSettingsSection"))
    section = tenant.get(place)
    return (
        section.findtext(f"{V}DeploymentLeaseInSeconds"),
        section.findtext(f"{V}StorageLeaseInSeconds"),
    )


def test_leases_stop_the_vapp_and_then_expire_it(simulator: Simulator, tenant: Tenant) -> None:
    vapp = tenant.vapp("demo")
    tenant.control("POST", "sessions", {"idle_timeout": 1e9, "lifetime": 1e9})
    tenant.done(tenant.add_vms(vapp, "one", power_on=True))
    tenant.control("POST", "clock", {"advance": 6 * 86400})
    assert tenant.get(vapp).get("status") == "4"
    tenant.control("POST", "clock", {"advance": 86400 + 1})
    root = tenant.get(vapp)
    assert (root.get("status"), root.get("deployed")) == ("8", "false")
    tenant.control("POST", "clock", {"advance": 31 * 86400})
    assert tenant.query("type=vApp")[0].get("isExpired") == "true"
    rels = {link.get("rel") for link in tenant.get(vapp).iterfind(f"{V}Link")}
    assert not rels & {"power:powerOn", "deploy", "recompose"}
    assert tenant.post(f"{vapp}/power/action/powerOn").status == 400
    assert lease(tenant, vapp, 0, 0) == ("0", "0")
    tenant.done(tenant.post(f"{vapp}/power/action/powerOn"))


def test_a_lease_without_end_is_kept_and_an_organization_may_cap_it(tenant: Tenant) -> None:
    vapp = tenant.vapp("demo")
    tenant.control("POST", "sessions", {"idle_timeout": 1e9, "lifetime": 1e9})
    tenant.done(tenant.add_vms(vapp, "one", power_on=True))
    assert lease(tenant, vapp, 0, 0) == ("0", "0")
    tenant.control("POST", "clock", {"advance": 400 * 86400})
    assert tenant.get(vapp).get("status") == "4"
    tenant.control("POST", "org", {"longest_deployment_lease": 86400})
    assert lease(tenant, vapp, 0, 0) == ("86400", "0")


def test_expired_vapps_may_be_deleted(tenant: Tenant) -> None:
    tenant.control("POST", "org", {"expired_vapps_are_deleted": True})
    tenant.control("POST", "sessions", {"idle_timeout": 1e9, "lifetime": 1e9})
    tenant.vapp("demo")
    tenant.control("POST", "clock", {"advance": 40 * 86400})
    assert tenant.query("type=vApp") == []


def test_reconfigure_items_change_vms_and_power_on_with_the_same_recompose(tenant: Tenant) -> None:
    vapp = tenant.vapp("demo")
    tenant.done(tenant.add_vms(vapp, "one", "two"))
    items = ""
    for name in ("one", "two"):
        vm = tenant.one("vm", name)
        spec = (
            "<VmSpecSection><ovf:Info/><NumCpus>4</NumCpus><MemoryResourceMb>"
            "<Configured>8192</Configured></MemoryResourceMb><HardwareVersion>vmx-19"
            "</HardwareVersion></VmSpecSection>"
        )
        custom = (
            "<GuestCustomizationSection><ovf:Info/><Enabled>true</Enabled><CustomizationScript>"
            f"echo {name}</CustomizationScript><ComputerName>{name}</ComputerName>"
            "</GuestCustomizationSection>"
        )
        items += f'<ReconfigureItem href="{vm}" name="{name}">{custom}{spec}</ReconfigureItem>'
    body = recompose_body(rest=items, power_on=True)
    tenant.done(tenant.post(f"{vapp}/action/recomposeVApp", body, "recomposeVAppParams"))
    for name, record in vms(tenant).items():
        assert (record.get("numberOfCpus"), record.get("memoryMB")) == ("4", "8192")
        assert record.get("status") == "POWERED_ON"
        section = tenant.get(f"{record.get('href')}/guestCustomizationSection/")
        assert section.findtext(f"{V}CustomizationScript") == f"echo {name}"


def test_hardware_of_a_running_vm_stays(tenant: Tenant) -> None:
    vapp = tenant.vapp("demo")
    tenant.done(tenant.add_vms(vapp, "one", power_on=True))
    vm = tenant.one("vm", "one")
    item = tenant.send("GET", f"{vm}/virtualHardwareSection/cpu").body
    more = item.replace(b"VirtualQuantity>2<", b"VirtualQuantity>4<")
    assert more != item
    answer = tenant.send("PUT", f"{vm}/virtualHardwareSection/cpu", more, "rasdItem")
    assert tenant.task(answer).get("status") == "error"


def test_only_templates_that_are_ready_are_used(tenant: Tenant) -> None:
    tenant.control("POST", "templates/ubuntu-16.04_k8-1.18_weave-2.6.5_rev2", {"status": 0})
    vapp = tenant.vapp("demo")
    assert tenant.add_vms(vapp, "one").status == 400


def test_customization_states_without_tools_or_with_scripts_disabled(tenant: Tenant) -> None:
    template = "templates/ubuntu-16.04_k8-1.18_weave-2.6.5_rev2"
    vapp = tenant.vapp("demo")
    states = []
    for number, image in enumerate(
        ({}, {"tools": False}, {"tools": True, "custom_scripts": False})
    ):
        tenant.control("POST", template, {"image": image})
        tenant.done(tenant.add_vms(vapp, f"vm{number}", power_on=True))
        vm = tenant.one("vm", f"vm{number}")
        root = tenant.get(f"{vm}/guestcustomizationstatus/")
        states.append(root.findtext(f"{V}GuestCustStatus"))
        assert vms(tenant)[f"vm{number}"].get("gcStatus") == states[-1]
    assert states == ["GC_COMPLETE", "GC_PENDING", "GC_FAILED"]


def test_the_environment_of_a_running_vm_shows_script_and_password(tenant: Tenant) -> None:
    import base64

    vapp = tenant.vapp("demo")
    tenant.done(tenant.add_vms(vapp, "one", script="echo secret"))
    vm = tenant.one("vm", "one")
    ovfenv = "{http://schemas.dmtf.org/ovf/environment/1}"
    assert tenant.get(vm).find(f"{ovfenv}Environment") is None
    tenant.done(tenant.post(f"{vm}/power/action/powerOn"))
    values = {
        one.get(f"{ovfenv}key"): one.get(f"{ovfenv}value")
        for one in tenant.get(vm).iter(f"{ovfenv}Property")
    }
    assert base64.b64decode(values["vCloud_CustomizationInfo"]) == b"echo secret"
    assert values["vCloud_adminPassword"]
    assert values["vCloud_ip_0"] == "127.20.0.10"
    assert values["vCloud_dns1_0"] == "127.0.0.53"


def test_metadata_of_the_wrong_kind_or_place(tenant: Tenant) -> None:
    vapp = tenant.vapp("demo")
    answer = tenant.send("GET", f"{vapp}/metadata/missing")
    assert (answer.status, answer.code) == (403, "ACCESS_TO_RESOURCE_IS_FORBIDDEN")
    body = (
        f'<Metadata {NAMESPACES}><MetadataEntry><Domain visibility="READONLY">SYSTEM</Domain>'
        '<Key>a</Key><TypedValue xsi:type="MetadataStringValue"><Value>1</Value></TypedValue>'
        "</MetadataEntry></Metadata>"
    )
    assert tenant.post(f"{vapp}/metadata", body, "metadata").status == 400


def test_a_vapp_without_vms_is_powered_on_and_off(tenant: Tenant) -> None:
    vapp = tenant.vapp("demo")
    tenant.done(tenant.post(f"{vapp}/power/action/powerOn"))
    root = tenant.get(vapp)
    assert (root.get("status"), root.get("deployed")) == ("4", "true")
    assert "undeploy" in {one.get("rel") for one in root.iter(f"{V}Link")}
    assert tenant.post(f"{vapp}/power/action/powerOn").status == 400
    body = f"<UndeployVAppParams {NAMESPACES}/>"
    tenant.done(tenant.post(f"{vapp}/action/undeploy", body, "undeployVAppParams"))
    assert (tenant.get(vapp).get("status"), tenant.get(vapp).get("deployed")) == ("1", "false")
    tenant.done(tenant.send("DELETE", vapp))


def test_sharing_needs_no_content_type(tenant: Tenant) -> None:
    body = (
        f"<ControlAccessParams {NAMESPACES}><IsSharedToEveryone>true</IsSharedToEveryone>"
        "<EveryoneAccessLevel>ReadOnly</EveryoneAccessLevel></ControlAccessParams>"
    )
    vapp = tenant.vapp("demo")
    assert tenant.send("POST", f"{vapp}/action/controlAccess", body).status == 200
    wrong = tenant.send("POST", f"{vapp}/action/controlAccess", body, "text/plain")
    assert wrong.status == 415
