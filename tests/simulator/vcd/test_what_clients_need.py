"""What genuine clients look for in documents, and unknown calls that say so.

Each is something that go-vcloud-director 3.1.1, pyvcloud or the genuine CSE server 2.6.1 met.
"""

from __future__ import annotations

import json
import re

import pytest
from lxml import etree

from cse_client.simulator import Simulator
from cse_client.simulator.vcd.markup import NS, VCLOUD
from tests.simulator.client import NAMESPACES, Tenant, V, metadata_body, recompose_body
from tests.simulator.vcd.place import Place, vm_body

VE = f"{{{NS['ve']}}}"
VMEXT = f"{{{NS['vmext']}}}"


def test_a_vapp_network_is_found_by_its_own_id(place: Place) -> None:
    tenant = place.tenant
    vapp = tenant.get(place.vapp)
    (link,) = [
        one
        for one in vapp.iterfind(f"{V}Link")
        if (one.get("type") or "").endswith("vAppNetwork+xml")
    ]
    repair = vapp.find(f"{V}NetworkConfigSection/{V}NetworkConfig/{V}Link")
    assert repair.get("rel") == "repair"
    identifier = re.findall("[0-9a-f-]{36}", repair.get("href"))[0]
    assert link.get("href").endswith(identifier)
    assert identifier not in place.network
    network = tenant.get(link.get("href"))
    assert network.tag == f"{V}VAppNetwork"
    parent = network.find(f"{V}Configuration/{V}ParentNetwork")
    assert parent.get("href") == place.network


def test_a_running_vm_shows_its_network_cards_in_the_environment(place: Place) -> None:
    place.tenant.done(place.tenant.post(f"{place.vm}/power/action/powerOn"))
    vm = place.tenant.get(place.vm)
    (adapter,) = vm.iter(f"{VE}Adapter")
    assert adapter.get(f"{VE}mac") == vm.find(f".//{V}MACAddress").text
    assert adapter.get(f"{VE}network") == "net1"


def test_a_running_vm_has_a_picture_of_its_console(place: Place) -> None:
    path = f"{place.vm}/screen"
    assert place.tenant.send("GET", path, accept="image/*").status == 400
    place.tenant.done(place.tenant.post(f"{place.vm}/power/action/powerOn"))
    answer = place.tenant.send("GET", path, accept="image/*")
    assert (answer.status, answer.headers["Content-Type"]) == (200, "image/png")
    assert answer.body.startswith(b"\x89PNG")


def test_a_vm_shows_boot_options_and_where_its_disk_lies(place: Place) -> None:
    vm = place.tenant.get(place.vm)
    assert vm.find(f"{V}BootOptions/{V}EnterBIOSSetup").text == "false"
    profile = vm.find(f"{V}VmSpecSection/{V}DiskSection/{V}DiskSettings/{V}StorageProfile")
    assert profile.get("href") == vm.find(f"{V}StorageProfile").get("href")


def test_vsphere_s_names_are_for_the_system_administrator(place: Place) -> None:
    assert place.tenant.get(place.vm).find(f".//{VMEXT}VmVimInfo") is None
    provider = Tenant(place.tenant.simulator, "administrator").login()
    info = provider.get(place.vm).find(f"{V}VCloudExtension/{VMEXT}VmVimInfo")
    assert info.find(f"{VMEXT}VmVimObjectRef/{VMEXT}MoRef").text.startswith("vm-")
    provider.close()


def test_hardware_versions_have_names(tenant: Tenant) -> None:
    vdc = tenant.get(tenant.one("orgVdc", "vdc1"))
    versions = list(vdc.iter(f"{V}SupportedHardwareVersion"))
    assert versions
    assert [one.get("name") for one in versions] == [one.text for one in versions]


def test_an_admin_vdc_leads_up_to_the_admin_org(tenant: Tenant) -> None:
    vdc = tenant.one("orgVdc", "vdc1")[-36:]
    links = {one.get("rel"): one.get("href") for one in tenant.get(f"/api/admin/vdc/{vdc}")}
    org = tenant.get(links["up"])
    assert org.tag == f"{V}AdminOrg"
    assert links["alternate"].endswith(f"/api/vdc/{vdc}")
    users = {one.get("name") for one in org.iter(f"{V}UserReference")}
    assert users == {"admin", "author", "viewer"}


@pytest.mark.parametrize("user", ["admin", "author", "administrator"])
def test_everybody_learns_the_release(simulator: Simulator, user: str) -> None:
    caller = Tenant(simulator, user).login()
    description = caller.get("/api/admin").findtext(f"{V}Description")
    assert re.fullmatch(r"10\.3\.0\.\d+ \w+ \w+ \d+ .*", description)
    caller.close()


def test_who_reads_users(simulator: Simulator, tenant: Tenant) -> None:
    path = f"/api/admin/user/{simulator.cloud.users['author'].id}"
    user = tenant.get(path)
    assert (user.get("name"), user.find(f"{V}Role").get("name")) == ("author", "vApp Author")
    author = Tenant(simulator, "author").login()
    assert author.send("GET", path).status == 403
    author.close()


def test_the_system_administrator_writes_system_metadata(place: Place) -> None:
    body = metadata_body(a="1").replace(
        "<Key>", '<Domain visibility="READONLY">SYSTEM</Domain><Key>'
    )
    assert place.tenant.post(f"{place.vapp}/metadata", body, "metadata").status == 400
    provider = Tenant(place.tenant.simulator, "administrator").login()
    provider.done(provider.post(f"{place.vapp}/metadata", body, "metadata"))
    (entry,) = place.tenant.get(f"{place.vapp}/metadata").iterfind(f"{V}MetadataEntry")
    assert entry.findtext(f"{V}Domain") == "SYSTEM"
    provider.done(provider.send("DELETE", f"{place.vapp}/metadata/SYSTEM/a"))
    provider.close()


@pytest.mark.parametrize("version", ["36.0", "38.0"])
def test_a_session_offers_logout_only_where_there_is_one(version: str) -> None:
    with Simulator(guests=False, release="10.5") as simulator:
        tenant = Tenant(simulator, version=version).login()
        rels = {one.get("rel") for one in tenant.get("/api/session")}
        assert ("remove" in rels) is (version == "36.0")
        tenant.close()


def test_hardware_is_sent_back_word_for_word(place: Place) -> None:
    """As go-vcloud-director's UpdateExtraConfig does: items as text, below prefixes of its own."""
    text = etree.tostring(place.tenant.get(f"{place.vm}/virtualHardwareSection/")).decode()
    items = "".join(
        f"<ovf:Item>{inner}</ovf:Item>"
        for inner in re.findall("<ovf:Item[^>]*>(.*?)</ovf:Item>", text, re.DOTALL)
    )
    body = (
        f'<Vm xmlns="{VCLOUD}" name="one"><ovf:VirtualHardwareSection xmlns="{VCLOUD}"'
        f' xmlns:ovf="{NS["ovf"]}" xmlns:vssd="{NS["vssd"]}" xmlns:rasd="{NS["rasd"]}"'
        f' xmlns:ns2="{VCLOUD}" xmlns:ns3="{VCLOUD}" xmlns:ns4="{VCLOUD}" xmlns:ns5="{VCLOUD}"'
        f' xmlns:vmw="{NS["vmw"]}"><ovf:Info>Virtual hardware requirements</ovf:Info>{items}'
        '<vmw:ExtraConfig vmw:key="guestinfo.userdata" vmw:value="abc" ovf:required="false"/>'
        "</ovf:VirtualHardwareSection></Vm>"
    )
    tenant = place.tenant
    tenant.done(tenant.post(f"{place.vm}/action/reconfigureVm", body, "vm"))
    key = f"{{{NS['vmw']}}}key"
    assert [one.get(key) for one in tenant.get(place.vm).iter(f"{{{NS['vmw']}}}ExtraConfig")] == [
        "guestinfo.userdata"
    ]
    tenant.done(
        tenant.post(
            f"{place.vm}/action/reconfigureVm", body.replace('value="abc"', 'value=""'), "vm"
        )
    )
    assert not list(tenant.get(place.vm).iter(f"{{{NS['vmw']}}}ExtraConfig"))


def test_calls_that_only_vcd_knows_are_not_implemented(place: Place) -> None:
    tenant = place.tenant
    edge = next(iter(tenant.simulator.cloud.edges))
    item = tenant.query("type=catalogItem")[0]
    for method, path in (
        ("PUT", f"{place.vapp}/owner"),
        ("PUT", f"{place.vapp}/productSections/"),
        ("PUT", f"{place.vapp}/startupSection/"),
        ("PUT", f"{place.vm}/virtualHardwareSection/disks"),
        ("PUT", item.get("href")),
        ("PUT", item.get("entity")),
        ("POST", "/cloudapi/1.0.0/orgVdcNetworks"),
        ("POST", "/cloudapi/2.0.0/vdcComputePolicies"),
        ("POST", f"/cloudapi/1.0.0/edgeGateways/urn:vcloud:gateway:{edge}/nat/rules"),
        ("POST", f"{place.vm}/power/action/explode"),
    ):
        assert tenant.send(method, path or "").status == 501, (method, path)
    body = recompose_body(f'<SourcedItem><Source href="{place.vm}"/></SourcedItem>')
    answer = tenant.post(f"{place.vapp}/action/recomposeVApp", body, "recomposeVAppParams")
    assert answer.status == 501


def test_a_property_of_an_entity_that_nothing_carries_out_is_refused(tenant: Tenant) -> None:
    kind = {"vendor": "v", "nss": "n", "version": "1.0.0", "name": "k", "schema": {}}

    def post(values: dict[str, object]) -> int:
        path = "/cloudapi/1.0.0/entityTypes"
        provider = Tenant(tenant.simulator, "administrator").login()
        body = json.dumps(values)
        status = provider.send("POST", path, body, "application/json", "application/json").status
        provider.close()
        return status

    assert post({**kind, "maxImplicitRight": "x"}) == 501
    assert post({**kind, "readonly": False, "externalId": None}) == 201


def test_reading_a_vm_with_another_prefix(place: Place) -> None:
    body = vm_body("<Description>d</Description>")
    prefixed = body.replace(f'xmlns="{VCLOUD}"', f'xmlns:ns2="{VCLOUD}"')
    prefixed = re.sub("<(/?)(Vm|Description)", r"<\1ns2:\2", prefixed)
    assert NAMESPACES.split()[0] not in prefixed
    place.tenant.done(place.tenant.post(f"{place.vm}/action/reconfigureVm", prefixed, "vm"))
    assert place.tenant.get(place.vm).findtext(f"{V}Description") == "d"
