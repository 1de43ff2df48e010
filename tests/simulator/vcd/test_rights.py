"""Links and answers depend on state and rights (vcd-api 7.2, points 2 and 9)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from cse_client.simulator import Simulator
from cse_client.simulator.vcd.people import Right
from tests.simulator.client import NAMESPACES, Tenant, V, metadata_body

ZERO = "00000000-0000-0000-0000-000000000000"


@pytest.fixture
def users(simulator: Simulator) -> Iterator[dict[str, Tenant]]:
    made = {name: Tenant(simulator, name).login() for name in ("author", "viewer")}
    yield made
    for one in made.values():
        one.close()


def rels(root: Any) -> set[str | None]:
    return {link.get("rel") for link in root.iterfind(f"{V}Link")}


def test_links_of_a_vapp_follow_its_state(tenant: Tenant) -> None:
    vapp = tenant.vapp("demo")
    assert "remove" in rels(tenant.get(vapp))
    tenant.done(tenant.add_vms(vapp, "one"))
    off = rels(tenant.get(vapp))
    assert {"power:powerOn", "deploy", "recompose", "remove", "edit"} <= off
    assert not {"power:powerOff", "undeploy"} & off
    tenant.done(tenant.post(f"{vapp}/power/action/powerOn"))
    on = rels(tenant.get(vapp))
    assert {"power:powerOff", "power:reset", "undeploy", "recompose"} <= on
    assert not {"remove", "power:powerOn", "deploy"} & on


def test_links_of_a_vm_follow_its_state(tenant: Tenant) -> None:
    vapp = tenant.vapp("demo")
    tenant.done(tenant.add_vms(vapp, "one"))
    vm = tenant.one("vm", "one")
    assert {"customizeAtNextPowerOn", "reconfigureVm", "remove"} <= rels(tenant.get(vm))
    tenant.done(tenant.post(f"{vm}/power/action/powerOn"))
    on = rels(tenant.get(vm))
    assert {"power:shutdown", "undeploy", "reconfigureVm"} <= on
    assert not {"remove", "power:powerOn", "customizeAtNextPowerOn"} & on


def test_newer_servers_double_typed_links_with_json_twins(tenant: Tenant) -> None:
    types = [link.get("type") for link in tenant.get("/api/session").iterfind(f"{V}Link")]
    assert "application/vnd.vmware.vcloud.orgList+json" in types


def test_a_viewer_reads_and_changes_nothing(tenant: Tenant, users: dict[str, Tenant]) -> None:
    vapp = tenant.vapp("demo")
    viewer = users["viewer"]
    seen = rels(viewer.get(vapp))
    assert seen == {"down", "up"}
    vdc = viewer.get(viewer.one("orgVdc", "vdc1"))
    assert "add" not in rels(vdc)
    answer = viewer.compose("mine")
    assert (answer.status, answer.code) == (403, "ACCESS_TO_RESOURCE_IS_FORBIDDEN")
    assert Right.COMPOSE in answer.message
    assert viewer.send("DELETE", vapp).status == 403
    assert viewer.post(f"{vapp}/metadata", metadata_body(a="1"), "metadata").status == 403
    assert viewer.post(f"{vapp}/power/action/powerOn").status == 403


def test_vapps_of_others_are_seen_only_when_shared(
    tenant: Tenant, users: dict[str, Tenant]
) -> None:
    vapp = tenant.vapp("demo")
    author = users["author"]
    assert author.send("GET", vapp).status == 403
    assert author.query("type=vApp") == []
    share = (
        f"<ControlAccessParams {NAMESPACES}><IsSharedToEveryone>true</IsSharedToEveryone>"
        "<EveryoneAccessLevel>ReadOnly</EveryoneAccessLevel></ControlAccessParams>"
    )
    assert tenant.post(f"{vapp}/action/controlAccess", share, "controlAccess").status == 200
    author.get(vapp)
    assert len(author.query("type=vApp")) == 1


@pytest.mark.parametrize(
    "path", ["vApp/vapp-", "vApp/vm-", "vdc/", "network/", "catalogItem/", "task/", "org/"]
)
def test_an_unknown_id_is_forbidden_and_not_missing(tenant: Tenant, path: str) -> None:
    answer = tenant.send("GET", f"/api/{path}{ZERO}")
    assert (answer.status, answer.code) == (403, "ACCESS_TO_RESOURCE_IS_FORBIDDEN")
    assert "No access to entity" in answer.message


def test_an_author_makes_and_removes_his_own(users: dict[str, Tenant]) -> None:
    author = users["author"]
    vapp = author.vapp("mine")
    author.done(author.add_vms(vapp, "one", power_on=True))
    assert author.query("type=vApp")[0].get("ownerName") == "author"
    author.done(author.send("DELETE", f"{vapp}?force=true"))


def test_a_right_taken_away_takes_its_links_along(tenant: Tenant) -> None:
    vapp = tenant.vapp("demo")
    tenant.control("POST", "users/admin", {"rights": {Right.DELETE: False, Right.POWER: False}})
    assert not {"remove", "deploy", "power:powerOn"} & rels(tenant.get(vapp))
    assert tenant.send("DELETE", vapp).status == 403


def extra_config(root: Any) -> set[str | None]:
    keys = root.iter("{http://www.vmware.com/schema/ovf}ExtraConfig")
    return {one.get("{http://www.vmware.com/schema/ovf}key") for one in keys}


def test_extra_config_is_shown_and_taken_only_with_the_right(
    simulator: Simulator, tenant: Tenant
) -> None:
    vapp = tenant.vapp("demo")
    tenant.done(tenant.add_vms(vapp, "one"))
    vm = tenant.one("vm", "one")
    body = (
        f'<Vm {NAMESPACES} xmlns:vmw="http://www.vmware.com/schema/ovf" name="one">'
        "<ovf:VirtualHardwareSection><ovf:Info/>%s"
        '<vmw:ExtraConfig vmw:key="guestinfo.a" vmw:value="1" ovf:required="false"/>'
        "</ovf:VirtualHardwareSection></Vm>"
    )
    hardware = tenant.get(vm).find("{*}VirtualHardwareSection")
    items = "".join(
        etree_text(item)
        for item in hardware.iterfind("{http://schemas.dmtf.org/ovf/envelope/1}Item")
    )
    tenant.done(tenant.post(f"{vm}/action/reconfigureVm", body % items, "vm"))
    assert extra_config(tenant.get(vm)) == {"guestinfo.a"}
    tenant.control("POST", "users/admin", {"rights": {Right.EXTRA_CONFIG: False}})
    assert extra_config(tenant.get(vm)) == set()
    tenant.done(
        tenant.post(f"{vm}/action/reconfigureVm", (body % items).replace('"1"', '"2"'), "vm")
    )
    tenant.control("POST", "users/admin", {"rights": {Right.EXTRA_CONFIG: True}})
    assert simulator.cloud.vms[vm[-36:]][1].extra_config == {"guestinfo.a": "1"}


def etree_text(element: Any) -> str:
    from lxml import etree

    return etree.tostring(element, with_tail=False).decode()


def test_gateways_are_shown_only_with_the_right(tenant: Tenant, users: dict[str, Tenant]) -> None:
    record = tenant.query("type=edgeGateway")[0]
    assert record.get("edgeGatewayType") == "NSXT_BACKED"
    edge = record.get("href").rpartition("/")[2]
    rules = f"/cloudapi/1.0.0/edgeGateways/urn:vcloud:gateway:{edge}/nat/rules"
    values = tenant.send("GET", rules, accept="application/json").json["values"]
    assert [(rule["type"], rule["internalAddresses"]) for rule in values] == [
        ("SNAT", "127.20.0.0/24")
    ]
    assert users["author"].send("GET", "/api/query?type=edgeGateway").status == 403
    answer = users["author"].send("GET", rules, accept="application/json")
    assert answer.status == 403
    assert answer.json["minorErrorCode"] == "ACCESS_TO_RESOURCE_IS_FORBIDDEN"


def test_an_nsx_v_gateway_tells_in_its_own_xml(tenant: Tenant) -> None:
    tenant.control("POST", "networks/net1", {"backing": "NSXV"})
    record = tenant.query("type=edgeGateway")[0]
    assert record.get("edgeGatewayType") == "NSXV_BACKED"
    edge = record.get("href").rpartition("/")[2]
    root = tenant.get(f"/network/edges/{edge}/nat/config")
    assert root.findtext("natRules/natRule/originalAddress") == "127.20.0.0/24"
    tenant.control("POST", "networks/net1", {"egress": False})
    root = tenant.get(f"/network/edges/{edge}/nat/config")
    assert root.find("natRules/natRule") is None
