"""What request bodies ask for happens."""

from __future__ import annotations

from typing import Any

import pytest
from lxml import etree

from cse_client.simulator.vcd.markup import NS, VCLOUD
from tests.simulator.client import (
    NAMESPACES,
    Answer,
    V,
    metadata_body,
    recompose_body,
    sourced_item,
)
from tests.simulator.vcd.place import Place, vm_body

OVF = f"{{{NS['ovf']}}}"


def text(root: Any, name: str) -> str:
    found = [one for one in root.iter(f"{V}{name}")]
    assert len(found) == 1, (name, found)
    return found[0].text or ""


def spec(inner: str, *, modified: str = "true") -> str:
    return (
        f'<VmSpecSection Modified="{modified}"><ovf:Info/>{inner}'
        "<HardwareVersion>vmx-19</HardwareVersion></VmSpecSection>"
    )


def customization(inner: str) -> str:
    return f"<GuestCustomizationSection><ovf:Info/>{inner}</GuestCustomizationSection>"


DISK = (
    "<DiskSection><DiskSettings><DiskId>2000</DiskId><SizeMb>{}</SizeMb><UnitNumber>0</UnitNumber>"
    "<BusNumber>0</BusNumber><AdapterType>5</AdapterType></DiskSettings></DiskSection>"
)


@pytest.mark.parametrize(
    ("body", "element", "value"),
    [
        (spec("<NumCpus>4</NumCpus>"), "NumCpus", "4"),
        (spec("<NumCoresPerSocket>2</NumCoresPerSocket>"), "NumCoresPerSocket", "2"),
        (spec(DISK.format(20000)), "SizeMb", "20000"),
        (spec("<NumCpus>4</NumCpus>", modified="false"), "NumCpus", "2"),
        (
            customization("<AdminAutoLogonEnabled>true</AdminAutoLogonEnabled>"),
            "AdminAutoLogonEnabled",
            "true",
        ),
        (
            customization("<AdminAutoLogonCount>3</AdminAutoLogonCount>"),
            "AdminAutoLogonCount",
            "3",
        ),
        (customization("<ComputerName>other</ComputerName>"), "ComputerName", "other"),
    ],
)
def test_what_is_supported_has_its_effect(
    place: Place, body: Any, element: str, value: str
) -> None:
    place.tenant.done(place.tenant.post(f"{place.vm}/action/reconfigureVm", vm_body(body), "vm"))
    assert text(place.tenant.get(place.vm), element) == value


@pytest.mark.parametrize("call", ["reconfigureVm", "recomposeVApp"])
def test_a_vm_gets_another_storage_profile_and_compute_policy(place: Place, call: str) -> None:
    tenant = place.tenant
    silver = tenant.query("type=orgVdcStorageProfile&filter=name==silver;vdcName==vdc1")[0]
    policies = tenant.get(f"{place.vdc}/computePolicies")
    policy = next(one for one in policies if one.get("name") == "4core-8gb")
    parts = (
        f'<StorageProfile href="{silver.get("href")}"/><ComputePolicy><VmSizingPolicy'
        f' href="{policy.get("href")}"/></ComputePolicy>'
    )

    def change(inner: str) -> Answer:
        if call == "reconfigureVm":
            return tenant.post(f"{place.vm}/action/reconfigureVm", vm_body(inner), "vm")
        body = recompose_body(rest=f'<ReconfigureItem href="{place.vm}">{inner}</ReconfigureItem>')
        return tenant.post(f"{place.vapp}/action/recomposeVApp", body, "recomposeVAppParams")

    tenant.done(change(parts))
    vm = tenant.get(place.vm)
    assert vm.find(f"{V}StorageProfile").get("name") == "silver"
    assert vm.find(f"{V}ComputePolicy/{V}VmSizingPolicy").get("href") == policy.get("href")
    assert text(vm, "NumCpus") == "4"
    unknown = change(parts.replace(policy.get("href")[-36:], "0" * 8 + policy.get("href")[-28:]))
    assert (unknown.status, unknown.code) == (400, "BAD_REQUEST")


def test_the_disk_of_a_new_vm_is_as_large_as_asked_for(place: Place) -> None:
    """As pyvcloud's `disk_size` asks: the item's HostResource, nothing else changed."""
    rasd = NS["rasd"]
    hardware = (
        f'<ovf:VirtualHardwareSection xmlns:rasd="{rasd}" xmlns:vcloud="{VCLOUD}"><ovf:Info/>'
        "<ovf:Item><rasd:ElementName>Hard disk 1</rasd:ElementName><rasd:HostResource"
        ' vcloud:capacity="30000"/><rasd:InstanceID>2000</rasd:InstanceID>'
        "<rasd:ResourceType>17</rasd:ResourceType></ovf:Item></ovf:VirtualHardwareSection>"
    )
    tenant = place.tenant
    item = sourced_item(place.source, "two").replace(
        "<GuestCustomizationSection>", hardware + "<GuestCustomizationSection>"
    )
    body = recompose_body(item)
    tenant.done(tenant.post(f"{place.vapp}/action/recomposeVApp", body, "recomposeVAppParams"))
    vms = tenant.get(place.vapp).findall(f"{V}Children/{V}Vm")
    assert [text(vm, "SizeMb") for vm in vms] == ["16384", "30000"]


def test_a_source_names_its_vm_and_a_template_decides_on_customization(place: Place) -> None:
    """Without VmGeneralParams: two such items are no duplicates, and their scripts run."""
    tenant = place.tenant
    items = "".join(
        f'<SourcedItem><Source href="{place.source}" name="{name}"/></SourcedItem>'
        for name in ("two", "three")
    )
    vapp = place.vapp
    body = recompose_body(items)
    tenant.done(tenant.post(f"{vapp}/action/recomposeVApp", body, "recomposeVAppParams"))
    tenant.done(tenant.post(f"{vapp}/power/action/powerOn"))
    vms = tenant.control("GET", "state")["vapps"]["demo"]["vms"]
    assert {name: vm["customization"] for name, vm in vms.items()} == dict.fromkeys(
        ("one", "two", "three"), "GC_COMPLETE"
    )


def test_a_product_section_comes_back_as_it_was_sent(place: Place) -> None:
    properties = (
        '<ovf:Property ovf:key="a" ovf:type="string" ovf:userConfigurable="false" ovf:value="x">'
        "<ovf:Label>Label of a</ovf:Label><ovf:Description>What a is</ovf:Description>"
        '</ovf:Property><ovf:Property ovf:key="b" ovf:type="int" ovf:userConfigurable="true">'
        '<ovf:Label>B</ovf:Label><ovf:Value ovf:value="2"/></ovf:Property>'
    )
    body = (
        f"<ProductSectionList {NAMESPACES}><ovf:ProductSection><ovf:Info>why</ovf:Info>"
        f"{properties}</ovf:ProductSection></ProductSectionList>"
    )
    place.tenant.done(
        place.tenant.send("PUT", f"{place.vm}/productSections/", body, "productSections")
    )
    found = place.tenant.get(f"{place.vm}/productSections/").find(f"{OVF}ProductSection")
    sent = etree.fromstring(body).find(f"{OVF}ProductSection")
    assert sent is not None
    assert [_plain(one) for one in found] == [_plain(one) for one in sent]


def _plain(element: Any) -> tuple[object, ...]:
    kids = tuple(_plain(one) for one in element)
    return (element.tag, element.text, dict(element.attrib), kids)


@pytest.mark.parametrize(
    ("kind", "wrong", "right"),
    [
        ("Number", "notANumber", "42"),
        ("Boolean", "perhaps", "true"),
        ("DateTime", "yesterday", "2026-11-26T12:00:00.000Z"),
    ],
)
def test_a_metadata_value_is_of_its_type(place: Place, kind: str, wrong: str, right: str) -> None:
    body = metadata_body(a="VALUE").replace("StringValue", f"{kind}Value")

    def send_value(value: str) -> Answer:
        return place.tenant.post(f"{place.vapp}/metadata", body.replace("VALUE", value), "metadata")

    assert (send_value(wrong).status, send_value(wrong).code) == (400, "BAD_REQUEST")
    place.tenant.done(send_value(right))


def test_a_vapp_network_keeps_its_description(place: Place) -> None:
    tenant = place.tenant
    section_url = f"{place.vapp}/networkConfigSection/"
    root = tenant.get(section_url)
    root.find(f"{V}NetworkConfig/{V}Description").text = "what it is for"
    tenant.done(tenant.send("PUT", section_url, etree.tostring(root), "networkConfigSection"))
    found = tenant.get(place.vapp).find(f"{V}NetworkConfigSection/{V}NetworkConfig/{V}Description")
    assert found.text == "what it is for"
