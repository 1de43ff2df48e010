"""Request bodies: schema-valid, in order, complete."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from lxml import etree

from cse_client.errors import WrongUsage
from cse_client.model import (
    Fence,
    Network,
    NewVm,
    StorageProfile,
    TemplateVm,
    VmChange,
)
from cse_client.vcd import writing
from tests.unit.vcd.schema import complaints
from tests.unit.vcd.sections import CUSTOMIZATION

NETWORK = Network("net1", "https://h/api/network/1", Fence.ROUTED)
SOURCE = TemplateVm("https://h/api/vAppTemplate/vm-1", "tpl", "urn:vcloud:vm:1", nic_index=2)
GOLD = StorageProfile("gold", "https://h/api/vdcStorageProfile/1")
HARDWARE = etree.fromstring(
    b"""<ovf:VirtualHardwareSection xmlns:ovf="http://schemas.dmtf.org/ovf/envelope/1"
      xmlns:rasd="http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_ResourceAllocationSettingData"
      xmlns:vcloud="http://www.vmware.com/vcloud/v1.5" xmlns:vmw="http://www.vmware.com/schema/ovf">
      <ovf:Info>Virtual hardware requirements</ovf:Info>
      <ovf:Item><rasd:ElementName>Hard disk 1</rasd:ElementName><rasd:InstanceID>2</rasd:InstanceID>
        <rasd:ResourceType>17</rasd:ResourceType></ovf:Item>
      <ovf:Item><rasd:ElementName>1 virtual CPU(s)</rasd:ElementName>
        <rasd:InstanceID>4</rasd:InstanceID><rasd:ResourceType>3</rasd:ResourceType>
        <rasd:VirtualQuantity>1</rasd:VirtualQuantity>
        <vmw:CoresPerSocket ovf:required="false">1</vmw:CoresPerSocket></ovf:Item>
      <ovf:Item><rasd:ElementName>1024 MB of memory</rasd:ElementName>
        <rasd:InstanceID>5</rasd:InstanceID><rasd:ResourceType>4</rasd:ResourceType>
        <rasd:VirtualQuantity>1024</rasd:VirtualQuantity></ovf:Item>
      <vcloud:Link rel="edit" href="https://h/y"/>
    </ovf:VirtualHardwareSection>"""
)


def names(element: etree._Element) -> list[str]:
    return [etree.QName(child).localname for child in element]


def a_vm(name: str = "mstr-ab12", script: str = "#!/bin/sh\ntrue\n") -> NewVm:
    return NewVm(name, SOURCE, "net1", script, GOLD, "control plane")


def part(element: etree._Element, path: str) -> etree._Element:
    found = element.find(path)
    assert found is not None, path
    return found


def test_compose_names_the_org_network_and_starts_nothing() -> None:
    body = writing.compose("demo", "cluster 'demo' & <id>", NETWORK)
    assert complaints(body) == []
    assert body.get("powerOn") == "false"
    assert body.findtext("{*}Description") == "cluster 'demo' & <id>"
    config = part(body, "{*}InstantiationParams/{*}NetworkConfigSection/{*}NetworkConfig")
    assert config.get("networkName") == "net1"
    assert part(config, "{*}Configuration/{*}ParentNetwork").get("href") == NETWORK.href
    assert config.findtext("{*}Configuration/{*}FenceMode") == "bridged"


def test_compose_makes_and_starts_vms_of_given_address_and_size() -> None:
    head = replace(a_vm(), address="10.0.0.7", cpus=4, memory_mb=8192)
    body = writing.compose("demo", "", NETWORK, add=[head, a_vm("node-cd34")], accept_eulas=True)
    assert complaints(body) == []
    assert (body.get("deploy"), body.get("powerOn")) == ("true", "true")
    assert names(body) == [
        "Description",
        "InstantiationParams",
        "SourcedItem",
        "SourcedItem",
        "AllEULAsAccepted",
    ]
    first, second = body.iterfind("{*}SourcedItem/{*}InstantiationParams")
    nic = part(first, "{*}NetworkConnectionSection/{*}NetworkConnection")
    assert (nic.findtext("{*}IpAddress"), nic.findtext("{*}IpAddressAllocationMode")) == (
        "10.0.0.7",
        "MANUAL",
    )
    items = first.findall("{*}VirtualHardwareSection/{*}Item")
    assert [(i.findtext("{*}ResourceType"), i.findtext("{*}VirtualQuantity")) for i in items] == [
        ("4", "8192"),
        ("3", "4"),
    ]
    assert second.find("{*}VirtualHardwareSection") is None


def test_recompose_of_everything_follows_the_schema() -> None:
    change = writing.ChangedVm(
        VmChange("https://h/api/vApp/vm-9", "node-ab12"),
        writing.with_hardware(HARDWARE, cpus=4, memory_mb=8192),
        writing.with_script(CUSTOMIZATION, "x"),
    )
    body = writing.recompose(
        add=[a_vm(), a_vm("node-cd34")],
        delete=["https://h/api/vApp/vm-3"],
        change=[change],
        power_on=True,
        accept_eulas=True,
    )
    assert complaints(body) == []
    assert names(body) == [
        "SourcedItem",
        "SourcedItem",
        "AllEULAsAccepted",
        "DeleteItem",
        "ReconfigureItem",
    ]
    assert (body.get("deploy"), body.get("powerOn")) == ("true", "true")


def test_a_new_vm_gets_a_pool_address_its_script_and_a_uuid_of_its_own() -> None:
    item = writing.recompose(add=[a_vm()])[0]
    general = part(item, "{*}VmGeneralParams")
    assert general.findtext("{*}RegenerateBiosUuid") == "true"
    assert general.findtext("{*}NeedsCustomization") == "true"
    nic = part(item, "{*}InstantiationParams/{*}NetworkConnectionSection/{*}NetworkConnection")
    assert nic.get("network") == "net1"
    assert nic.findtext("{*}NetworkConnectionIndex") == "2"
    assert nic.findtext("{*}IpAddressAllocationMode") == "POOL"
    guest = part(item, "{*}InstantiationParams/{*}GuestCustomizationSection")
    assert guest.findtext("{*}CustomizationScript") == "#!/bin/sh\ntrue\n"
    assert guest.findtext("{*}ComputerName") == "mstr-ab12"
    assert part(item, "{*}StorageProfile").get("href") == GOLD.href


def test_nothing_is_accepted_or_started_unless_asked() -> None:
    body = writing.recompose(add=[a_vm()])
    assert body.find("{*}AllEULAsAccepted") is None
    assert (body.get("deploy"), body.get("powerOn")) == ("false", "false")


def test_a_script_lands_between_its_neighbours_and_leaves_the_rest() -> None:
    section = writing.with_script(CUSTOMIZATION, "#!/bin/sh\n")
    assert complaints(section) == []
    assert names(section)[-3:] == ["ResetPasswordRequired", "CustomizationScript", "ComputerName"]
    assert section.findtext("{*}AdminPassword") == "hunter2"
    again = writing.with_script(section, "second")
    assert [one.text for one in again.iterfind("{*}CustomizationScript")] == ["second"]


def test_a_script_finds_its_place_in_an_empty_section() -> None:
    empty = etree.fromstring(
        b'<GuestCustomizationSection xmlns="http://www.vmware.com/vcloud/v1.5"'
        b' xmlns:ovf="http://schemas.dmtf.org/ovf/envelope/1"><ovf:Info/>'
        b'<Link rel="edit" href="https://h/x"/></GuestCustomizationSection>'
    )
    assert names(writing.with_script(empty, "x")) == ["Info", "CustomizationScript"]


@pytest.mark.parametrize("character", ["\r", "\x00", "\x1b", "\ufffe", "\ud800"])
def test_a_script_that_xml_would_damage_is_refused(character: str) -> None:
    with pytest.raises(WrongUsage, match=f"U\\+{ord(character):04X}"):
        writing.with_script(CUSTOMIZATION, f"#!/bin/sh{character}\n")


@given(st.text(st.characters(exclude_categories=("Cs", "Cc")) | st.sampled_from("\n\t<&>\"']]>")))
def test_any_other_text_arrives_as_it_was_sent(text: str) -> None:
    assume("\ufffe" not in text)
    assume("\uffff" not in text)
    body = etree.fromstring(etree.tostring(writing.recompose(add=[a_vm(script=f"#{text}")])))
    assert part(body, ".//{*}CustomizationScript").text == f"#{text}"
    body = etree.fromstring(etree.tostring(writing.metadata({"k": text})))
    assert (part(body, ".//{*}Value").text or "") == text


@pytest.mark.parametrize(
    "make", [lambda: writing.metadata({"k": "a\x07"}), lambda: a_compose("\x07")]
)
def test_control_characters_elsewhere_are_refused_as_well(make: Callable[[], object]) -> None:
    with pytest.raises(WrongUsage, match=r"U\+0007"):
        make()


def a_compose(name: str) -> object:
    return writing.compose(name, "", NETWORK)


def test_other_cpus_and_memory_keep_the_disks() -> None:
    section = writing.with_hardware(HARDWARE, cpus=4, memory_mb=None)
    assert complaints(section) == []
    items = section.findall("{*}Item")
    assert [one.findtext("{*}ResourceType") for one in items] == ["17", "3", "4"]
    assert items[1].findtext("{*}VirtualQuantity") == "4"
    assert items[1].findtext("{*}CoresPerSocket") == "4"
    assert items[2].findtext("{*}VirtualQuantity") == "1024"
    assert HARDWARE.findall("{*}Item")[1].findtext("{*}VirtualQuantity") == "1"


def test_the_small_bodies_follow_the_schema() -> None:
    for body in (
        writing.metadata({"cse.cluster.id": "a", "cse.version": "2.6.1"}),
        writing.lease(0, 0),
        writing.deploy(power_on=True, force_customization=True),
        writing.undeploy("powerOff"),
    ):
        assert complaints(body) == []


def test_metadata_is_general_text_that_every_tenant_may_read() -> None:
    entry = writing.metadata({"cse.cluster.id": "a<b"})[0]
    assert part(entry, "{*}Domain").get("visibility") == "READWRITE"
    assert entry.findtext("{*}Domain") == "GENERAL"
    assert entry.findtext("{*}TypedValue/{*}Value") == "a<b"
