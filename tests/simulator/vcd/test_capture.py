"""Capturing a vApp as a template, deleting templates and their leases, by genuine clients."""

from __future__ import annotations

from typing import Any

import pytest

from cse_client.simulator import Simulator
from tests.simulator.client import (
    NAMESPACES,
    Answer,
    Tenant,
    V,
    pyvcloud_client,
    recompose_body,
    sourced_item,
)
from tests.simulator.vcd.place import Place
from tests.support.waiting import until

OVF = "{http://schemas.dmtf.org/ovf/envelope/1}"
SECTION = (
    "<CustomizationSection><ovf:Info>x</ovf:Info><CustomizeOnInstantiate>{}"
    "</CustomizeOnInstantiate></CustomizationSection>"
)


def catalog(tenant: Tenant, name: str = "cse") -> str:
    return tenant.one("catalog", name)


def capture(
    tenant: Tenant, vapp: str, name: str, *, customize: bool = True, rest: str = ""
) -> Answer:
    section = SECTION.format("true" if customize else "false")
    body = (
        f'<CaptureVAppParams {NAMESPACES} name="{name}"><Description>made here</Description>'
        f'<Source href="{vapp}"/>{section}{rest}</CaptureVAppParams>'
    )
    return tenant.post(f"{catalog(tenant)}/action/captureVApp", body, "captureVAppParams")


def recompose(tenant: Tenant, vapp: str, items: str) -> Answer:
    body = recompose_body(items)
    return tenant.post(f"{vapp}/action/recomposeVApp", body, "recomposeVAppParams")


def customized(tenant: Tenant, name: str) -> None:
    status = f"{tenant.one('vm', name)}/guestcustomizationstatus/"
    until(lambda: tenant.get(status).findtext(f"{V}GuestCustStatus") == "GC_COMPLETE")


def items(tenant: Tenant) -> dict[str, Any]:
    items: dict[str, Any] = tenant.control("GET", "state")["catalogs"]["cse"]["items"]
    return items


def put_section(place: Place, body: str) -> None:
    place.tenant.done(
        place.tenant.send(
            "PUT", f"{place.vm}/guestCustomizationSection/", body, "guestCustomizationSection"
        )
    )


def test_a_template_takes_along_what_its_vm_had(place: Place) -> None:
    tenant = place.tenant
    put_section(
        place,
        f"<GuestCustomizationSection {NAMESPACES}><ovf:Info/><Enabled>true</Enabled>"
        "<AdminPasswordAuto>false</AdminPasswordAuto><AdminPassword>secret1</AdminPassword>"
        "<CustomizationScript>echo secret2</CustomizationScript><ComputerName>build</ComputerName>"
        "</GuestCustomizationSection>",
    )
    product = (
        f"<ProductSectionList {NAMESPACES}><ovf:ProductSection><ovf:Info>i</ovf:Info>"
        '<ovf:Property ovf:key="password" ovf:type="string" ovf:userConfigurable="true">'
        '<ovf:Value ovf:value="secret3"/></ovf:Property></ovf:ProductSection></ProductSectionList>'
    )
    answer = tenant.send("PUT", f"{place.vm}/productSections/", product, "productSections")
    tenant.done(answer)
    answer = capture(tenant, place.vapp, "mine")
    assert answer.status == 202
    task = tenant.done(answer)
    assert task.get("operationName") == "vdcCaptureTemplate"
    owner = task.find(f"{V}Owner")
    template = tenant.get(owner.get("href"))
    assert (template.tag, template.get("status")) == (f"{V}VAppTemplate", "8")
    assert template.findtext(f"{V}Description") == "made here"
    custom = template.find(f"{V}CustomizationSection")
    assert custom.findtext(f"{V}CustomizeOnInstantiate") == "true"
    vm = template.find(f"{V}Children/{V}Vm")
    section = vm.find(f"{V}GuestCustomizationSection")
    assert section.findtext(f"{V}CustomizationScript") == "echo secret2"
    assert section.findtext(f"{V}AdminPassword") == "secret1"
    (value,) = vm.iterfind(f"{OVF}ProductSection/{OVF}Property/{OVF}Value")
    assert value.get(f"{OVF}value") == "secret3"
    # and the next VM gets it, unless its request says something else
    other = tenant.vapp("other")
    source = vm.get("href")
    body = f'<SourcedItem><Source href="{source}" name="copy"/></SourcedItem>'
    tenant.done(recompose(tenant, other, body))
    copy = tenant.get(other).find(f"{V}Children/{V}Vm")
    assert copy.findtext(f"{V}GuestCustomizationSection/{V}CustomizationScript") == "echo secret2"
    assert copy.get("needsCustomization") == "true"
    properties = tenant.get(f"{copy.get('href')}/productSections/")
    (value,) = properties.iter(f"{OVF}Value")
    assert value.get(f"{OVF}value") == "secret3"


def test_an_identical_copy_is_not_customized(place: Place) -> None:
    tenant = place.tenant
    tenant.done(tenant.post(f"{place.vm}/power/action/powerOn"))
    refused = capture(tenant, place.vapp, "on")
    assert (refused.status, refused.code) == (400, "BAD_REQUEST")
    assert "must be powered off" in refused.message
    assert "on" not in items(tenant)
    tenant.done(capture(tenant, place.vapp, "on", customize=False))
    other = tenant.vapp("other")
    source = tenant.template_vm("on")
    body = f'<SourcedItem><Source href="{source}" name="copy"/></SourcedItem>'
    tenant.done(recompose(tenant, other, body))
    assert tenant.get(other).find(f"{V}Children/{V}Vm").get("needsCustomization") == "false"


def test_names_are_taken_once_and_overwritten_on_demand(place: Place) -> None:
    tenant = place.tenant
    tenant.done(capture(tenant, place.vapp, "mine"))
    again = capture(tenant, place.vapp, "mine")
    assert (again.status, again.code) == (400, "DUPLICATE_NAME")
    item = tenant.one("catalogItem", "mine")
    first = tenant.get(item).find(f"{V}Entity").get("href")
    target = f'<TargetCatalogItem href="{item}"/>'
    tenant.done(capture(tenant, place.vapp, "mine", rest=target))
    second = tenant.get(item).find(f"{V}Entity").get("href")
    assert first != second
    assert tenant.send("GET", first).status == 403


def test_who_may_capture(place: Place) -> None:
    tenant = place.tenant
    tenant.control("POST", "catalogs/cse", {"everyone": "FullControl"})
    author = Tenant(tenant.simulator, "author").login()
    kind = "application/vnd.vmware.vcloud.captureVAppParams+xml"

    def link() -> list[str]:
        found = author.get(catalog(author)).iterfind(f"{V}Link")
        return [one.get("href") for one in found if one.get("type") == kind]

    vapp = author.vapp("authors")
    author.done(author.add_vms(vapp, "authors-vm"))
    assert len(link()) == 1
    author.done(capture(author, vapp, "authors"))
    assert items(tenant)["authors"]["owner"] == "author"
    author.control("POST", "catalogs/cse", {"everyone": "ReadOnly"})
    assert not link()
    assert capture(author, vapp, "more").status == 403
    author.control("POST", "catalogs/cse", {"owner": "author"})
    author.control("POST", "users/author", {"rights": {"Catalog: Add vApp from My Cloud": False}})
    assert not link()
    assert "Catalog: Add vApp from My Cloud" in capture(author, vapp, "more").message
    # somebody else's template
    tenant.done(capture(tenant, place.vapp, "admins"))
    assert author.send("DELETE", author.one("catalogItem", "admins")).status == 403
    assert author.send("DELETE", author.one("catalogItem", "authors")).status == 204
    assert set(items(tenant)) & {"admins", "authors"} == {"admins"}
    author.close()


def test_a_failed_capture_leaves_a_template_to_delete(place: Place) -> None:
    tenant = place.tenant
    rule = {"kind": "task", "operation": "vdcCaptureTemplate", "message": "no space"}
    tenant.control("POST", "faults", rule)
    task = tenant.task(capture(tenant, place.vapp, "broken"))
    assert task.get("status") == "error"
    assert items(tenant)["broken"]["status"] == "FAILED_CREATION"
    (row,) = tenant.query("type=vAppTemplate&filter=name==broken")
    assert row.get("status") == "FAILED_CREATION"
    refused = recompose(
        tenant,
        tenant.vapp("other"),
        f'<SourcedItem><Source href="{row.get("href")}"/></SourcedItem>',
    )
    assert refused.status == 400
    tenant.done(tenant.send("DELETE", row.get("href")))
    assert "broken" not in items(tenant)


def test_templates_have_a_storage_lease(place: Place) -> None:
    tenant = place.tenant
    tenant.done(capture(tenant, place.vapp, "mine"))
    href = tenant.one("vAppTemplate", "mine")
    lease = tenant.get(f"{href}/leaseSettingsSection/")
    assert lease.findtext(f"{V}StorageLeaseInSeconds") == "7776000"
    assert lease.find(f"{V}StorageLeaseExpiration") is not None
    assert lease.find(f"{V}DeploymentLeaseInSeconds") is None

    def set_lease(seconds: int) -> None:
        body = (
            f"<LeaseSettingsSection {NAMESPACES}><ovf:Info/><StorageLeaseInSeconds>{seconds}"
            "</StorageLeaseInSeconds></LeaseSettingsSection>"
        )
        place = f"{href}/leaseSettingsSection/"
        tenant.done(tenant.send("PUT", place, body, "leaseSettingsSection"))

    set_lease(600)
    tenant.control("POST", "clock", {"advance": 700})
    (row,) = tenant.query("type=vAppTemplate&filter=name==mine")
    assert row.get("isExpired") == "true"
    source = f'<SourcedItem><Source href="{href}"/></SourcedItem>'
    assert "has expired" in recompose(tenant, tenant.vapp("other"), source).message
    tenant.control("POST", "org", {"longest_template_storage_lease": 7200})
    set_lease(0)
    section = tenant.get(href).find(f"{V}LeaseSettingsSection")
    assert section.findtext(f"{V}StorageLeaseInSeconds") == "7200"
    (row,) = tenant.query("type=vAppTemplate&filter=name==mine")
    assert row.get("isExpired") == "false"


def test_pyvcloud_captures(place: Place, pyvcloud: Any) -> None:
    from pyvcloud.vcd.org import Org

    org = Org(pyvcloud, resource=pyvcloud.get_org())
    for overwrite in (False, True):
        task = org.capture_vapp(
            org.get_catalog("cse"), place.vapp, "pyvcloud's", "d", True, overwrite=overwrite
        )
        pyvcloud.get_task_monitor().wait_for_success(task)
        org.reload()
    found = items(place.tenant)["pyvcloud's"]
    assert found["customize_on_instantiate"] is True
    org.delete_catalog_item("cse", "pyvcloud's")
    assert "pyvcloud's" not in items(place.tenant)


def test_the_disk_goes_along(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    """What a guest wrote is in every VM of the template; what a boot makes anew is not."""
    with Simulator(guest_speed=20) as simulator:
        tenant = Tenant(simulator).login()
        vapp = tenant.vapp("source")
        script = "echo written &gt;/root/kept; rm -f /root/pipe; mkfifo /root/pipe"
        tenant.done(tenant.add_vms(vapp, "source-vm", power_on=True, script=script))
        customized(tenant, "source-vm")
        tenant.done(tenant.post(f"{vapp}/power/action/shutdown"))
        with pyvcloud_client(simulator, monkeypatch, tmp_path) as client:
            from pyvcloud.vcd.org import Org

            org = Org(client, resource=client.get_org())
            task = org.capture_vapp(org.get_catalog("cse"), vapp, "captured", "", True)
            client.get_task_monitor().wait_for_success(task)
        tenant.done(tenant.send("DELETE", f"{vapp}?force=true"))
        copies = tenant.vapp("copies")
        source = tenant.template_vm("captured")
        tenant.done(recompose(tenant, copies, sourced_item(source, "copy-1")))
        # a VM that was never powered on keeps its disk when the template goes
        assert tenant.send("DELETE", tenant.one("catalogItem", "captured")).status == 204
        tenant.done(tenant.post(f"{copies}/power/action/powerOn"))
        customized(tenant, "copy-1")

        read = {"read": "/root/kept"}
        assert tenant.control("POST", "guests/copy-1", read)["text"] == "written\n"
        tenant.close()
