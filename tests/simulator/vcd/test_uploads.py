"""OVF packages that clients upload into a catalog, in pieces, and what goes wrong meanwhile."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
from pyvcloud.vcd.org import Org

from cse_client.simulator import Simulator
from tests.simulator.client import Answer, Tenant, V
from tests.support.ova import DISK, cloud_image, descriptor, machine, write_ova

IMAGE = b"0123456789" * 100


def begin(tenant: Tenant, name: str = "noble", catalog: str = "cse") -> Answer:
    href = tenant.get(tenant.one("catalog", catalog)).find(
        f"{V}Link[@rel='add'][@type='application/vnd.vmware.vcloud.uploadVAppTemplateParams+xml']"
    )
    assert href is not None
    body = (
        f'<UploadVAppTemplateParams xmlns="http://www.vmware.com/vcloud/v1.5" name="{name}">'
        "<Description>d</Description></UploadVAppTemplateParams>"
    )
    return tenant.post(href.get("href"), body, "uploadVAppTemplateParams")


def template_of(answer: Answer) -> str:
    assert answer.status == 201, answer
    return answer.xml.find(f"{V}Entity").get("href") or ""


def files_of(tenant: Tenant, template: str) -> dict[str, Any]:
    root = tenant.get(template)
    return {
        one.get("name"): (
            one.find(f"{V}Link[@rel='upload:default']").get("href"),
            int(one.get("size")),
            int(one.get("bytesTransferred")),
        )
        for one in root.iterfind(f"{V}Files/{V}File")
    }


def put(tenant: Tenant, href: str, content: bytes, first: int = -1, total: int = 0) -> Answer:
    headers = {}
    if first >= 0:
        last = first + len(content) - 1
        headers["Content-Range"] = f"bytes {first}-{last}/{total}"
    return tenant.send("PUT", href, content, "text/xml" if first < 0 else "", headers=headers)


def described(tenant: Tenant, text: str = "") -> str:
    """Begin an upload and send the descriptor; return the template's address."""
    template = template_of(begin(tenant))
    ((href, size, received),) = files_of(tenant, template).values()
    assert (size, received) == (-1, 0)
    content = text or descriptor({DISK: f'ovf:size="{len(IMAGE)}"'})
    assert put(tenant, href, content.encode()).status == 200
    return template


def error_of(tenant: Tenant, template: str) -> str:
    root = tenant.get(template)
    assert root.get("status") == "-1"
    task = root.find(f"{V}Tasks/{V}Task")
    assert task.get("status") == "error"
    return str(task.find(f"{V}Error").get("message"))


def test_a_package_becomes_a_template(tenant: Tenant) -> None:
    template = described(tenant)
    root = tenant.get(template)
    assert (root.get("status"), root.get("ovfDescriptorUploaded")) == ("0", "true")
    assert root.find(f"{V}Children/{V}Vm") is None
    files = files_of(tenant, template)
    assert list(files) == ["descriptor.ovf", DISK]
    href, size, received = files[DISK]
    assert (size, received) == (1000, 0)
    assert put(tenant, href, IMAGE[:300], 0, 1000).status == 200
    assert files_of(tenant, template)[DISK][2] == 300
    again = put(tenant, href, IMAGE[:300], 0, 1000)
    assert (again.status, again.headers.get("X-VMWARE-VCLOUD-REQUEST-ID")) == (416, None)
    assert "Request must begin at the last byte stored" in again.message
    assert put(tenant, href, IMAGE[300:], 300, 1000).status == 200
    root = tenant.get(template)
    assert root.get("status") == "8"
    assert root.find(f"{V}Files") is None
    assert root.find(f"{V}Children/{V}Vm").get("name") == "noble"
    sizes = [one.text for one in root.iter(f"{V}NumCpus", f"{V}Configured", f"{V}SizeMb")]
    assert sizes == ["2", "0", "1024", "10240"]
    assert put(tenant, href, b"x", 0, 1).status == 404


def test_pyvcloud_uploads(
    pyvcloud: Any, tenant: Tenant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    ova = cloud_image(tmp_path / "noble.ova", IMAGE * 10)
    org = Org(pyvcloud, resource=pyvcloud.get_org())
    assert org.upload_ovf("cse", str(ova), "noble", chunk_size=4096) > len(IMAGE) * 10
    item = tenant.control("GET", "state")["catalogs"]["cse"]["items"]["noble"]
    assert item["status"] == "POWERED_OFF"
    assert item["uploaded"][DISK] == hashlib.sha256(IMAGE * 10).hexdigest()


def test_pyvcloud_uploads_disks_in_parts(
    pyvcloud: Any, tenant: Tenant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    text = descriptor({DISK: 'ovf:size="1000" ovf:chunkSize="600"'})
    parts = {f"{DISK}.000000000": IMAGE[:600], f"{DISK}.000000001": IMAGE[600:]}
    ova = write_ova(tmp_path / "noble.ova", {"noble.ovf": text.encode(), **parts})
    Org(pyvcloud, resource=pyvcloud.get_org()).upload_ovf("cse", str(ova), "noble")
    item = tenant.control("GET", "state")["catalogs"]["cse"]["items"]["noble"]
    assert item["uploaded"][DISK] == hashlib.sha256(IMAGE).hexdigest()


@pytest.mark.parametrize(
    "text", ["no XML", "<a/>", descriptor(machines=""), descriptor({"other.vmdk": ""}, "")]
)
def test_a_descriptor_that_is_not_valid_fails_the_task(tenant: Tenant, text: str) -> None:
    template = described(tenant, text)
    assert "Invalid OVF descriptor" in error_of(tenant, template)
    item = tenant.one("catalogItem", "noble")
    assert tenant.send("DELETE", item).status == 204


def test_an_upload_that_is_canceled_leaves_no_item(tenant: Tenant) -> None:
    template = described(tenant)
    item = tenant.one("catalogItem", "noble")
    refused = tenant.send("DELETE", item)
    assert (refused.status, refused.code) == (400, "BUSY_ENTITY")
    task = tenant.get(template).find(f"{V}Tasks/{V}Task").get("href")
    assert tenant.post(f"{task}/action/cancel").status == 204
    assert tenant.query("type=catalogItem&filter=name==noble") == []


def test_an_upload_that_nobody_goes_on_with_ends(simulator: Simulator, tenant: Tenant) -> None:
    template = described(tenant)
    href = files_of(tenant, template)[DISK][0]
    simulator.cloud.sessions.idle_timeout = 1e6
    tenant.control("POST", "clock", {"advance": 3500})
    assert put(tenant, href, IMAGE[:300], 0, 1000).status == 200
    tenant.control("POST", "clock", {"advance": 3500})
    assert tenant.get(template).get("status") == "0"
    tenant.control("POST", "clock", {"advance": 200})
    assert error_of(tenant, template) == "Timed out."


def test_who_may_upload_what(simulator: Simulator, tenant: Tenant) -> None:
    assert template_of(begin(tenant))
    again = begin(tenant)
    assert (again.status, again.code) == (400, "DUPLICATE_NAME")
    href = files_of(tenant, tenant.query("type=vAppTemplate&filter=name==noble")[0].get("href"))
    author = Tenant(simulator, "author").login()
    kinds = [one.get("type") for one in author.get(author.one("catalog", "cse"))]
    assert "application/vnd.vmware.vcloud.uploadVAppTemplateParams+xml" not in kinds
    author.token = "expired"
    assert put(author, href["descriptor.ovf"][0], b"x").status == 401
    author.close()


def test_several_machines_are_beyond_the_simulator(tenant: Tenant) -> None:
    template = template_of(begin(tenant))
    ((href, _size, _received),) = files_of(tenant, template).values()
    two = descriptor(machines=machine("a") + machine("b"))
    assert put(tenant, href, two.encode()).status == 501
