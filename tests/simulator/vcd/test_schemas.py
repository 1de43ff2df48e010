"""Every XML answer of a run through all calls is valid by the official schemas."""

from __future__ import annotations

import pytest
from lxml import etree

from cse_client.simulator import Simulator
from cse_client.simulator.http import Request, Response
from cse_client.simulator.vcd.application import VcdApplication
from tests.simulator.client import NAMESPACES, Tenant, V, metadata_body, recompose_body
from tests.simulator.vcd import schemas
from tests.simulator.vcd.links import walk
from tests.support import official_schemas

TEMPLATE = "ubuntu-16.04_k8-1.18_weave-2.6.5_rev2"


class Recorder:
    """Passes requests on and keeps every XML answer."""

    def __init__(self, vcd: VcdApplication) -> None:
        self.vcd = vcd
        self.seen: list[tuple[str, str, bytes]] = []

    def __call__(self, request: Request) -> Response:
        response = self.vcd(request)
        if response.body and not request.path.startswith(("/cloudapi", "/network")):
            self.seen.append((request.method, request.path, response.body))
        return response

    def refusal(self, request: Request, error: Exception) -> Response:
        return self.vcd.refusal(request, error)  # type: ignore[arg-type]


def change_everything(tenant: Tenant) -> None:
    """Make each kind of change once, so that its answers, tasks and errors are seen too."""
    vapp = tenant.vapp("demo")
    tenant.done(tenant.post(f"{vapp}/metadata", metadata_body(cse_a="1"), "metadata"))
    tenant.done(tenant.add_vms(vapp, "cp", "w1", power_on=True))
    vm = tenant.get(vapp).find(f"{V}Children/{V}Vm").get("href")
    tenant.get(f"{vm}/virtualHardwareSection/disks")
    tenant.get(f"{vm}/virtualHardwareSection/networkCards")
    tenant.get(f"{vm}/guestcustomizationstatus/")
    tenant.get(f"{vapp}/metadata/cse.a")
    walk(tenant)
    tenant.done(tenant.post(f"{vm}/power/action/powerOff"))
    undeploy = f"<UndeployVAppParams {NAMESPACES}/>"
    tenant.done(tenant.post(f"{vm}/action/undeploy", undeploy, "undeployVAppParams"))
    properties = (
        f"<ProductSectionList {NAMESPACES}><ovf:ProductSection><ovf:Info>x</ovf:Info><ovf:Property"
        ' ovf:key="user-data" ovf:type="string"><ovf:Value ovf:value="abc"/></ovf:Property>'
        "</ovf:ProductSection></ProductSectionList>"
    )
    tenant.done(tenant.send("PUT", f"{vm}/productSections/", properties, "productSections"))
    hardware = etree.tostring(tenant.get(f"{vm}/virtualHardwareSection/")).decode()
    tenant.done(
        tenant.send("PUT", f"{vm}/virtualHardwareSection/", hardware, "virtualHardwareSection")
    )
    two = [one.get("href") for one in tenant.get(vapp).iterfind(f"{V}Children/{V}Vm")]
    references = "".join(f'<VmReference href="{one}"/>' for one in two)
    rule = (
        f"<VmAffinityRule {NAMESPACES}><Name>x</Name><Polarity>Affinity</Polarity>"
        f"<VmReferences>{references}</VmReferences></VmAffinityRule>"
    )
    rules = f"{tenant.one('orgVdc', 'vdc1')}/vmAffinityRules/"
    tenant.done(tenant.post(rules, rule, "vmaffinityrule"))
    share = (
        f"<ControlAccessParams {NAMESPACES}><IsSharedToEveryone>true</IsSharedToEveryone>"
        "<EveryoneAccessLevel>ReadOnly</EveryoneAccessLevel></ControlAccessParams>"
    )
    assert tenant.post(f"{vapp}/action/controlAccess", share, "controlAccess").status == 200
    tenant.get(f"{vm}/productSections/")
    walk(tenant)
    tenant.control("POST", "faults", {"kind": "task", "operation": "vappDeploy"})
    failed = tenant.post(f"{vm}/power/action/powerOn")
    assert tenant.task(failed).get("status") == "error"
    tenant.get(vm)
    delete = recompose_body(rest=f'<DeleteItem href="{vm}"/>')
    tenant.done(tenant.post(f"{vapp}/action/recomposeVApp", delete, "recomposeVAppParams"))
    assert tenant.compose("demo").status == 400
    assert tenant.send("DELETE", vapp).status == 400
    tenant.done(tenant.send("DELETE", f"{vapp}?force=True"))
    tenant.get("/api/vApp/vapp-00000000-0000-0000-0000-000000000000", 403)
    for form in ("records", "idrecords", "references"):
        for kind in (
            "orgVdc",
            "vApp",
            "vm",
            "catalog",
            "catalogItem",
            "vAppTemplate",
            "orgVdcNetwork",
            "orgVdcStorageProfile",
            "task",
            "edgeGateway",
        ):
            tenant.get(f"/api/query?type={kind}&format={form}&pageSize=1")


@pytest.fixture(scope="module")
def answers() -> list[tuple[str, str, bytes]]:
    with Simulator(guests=False) as simulator:
        recorder = Recorder(simulator.vcd)
        simulator.vcd = recorder  # type: ignore[assignment]
        tenant = Tenant(simulator).login()
        tenant.control("POST", f"templates/{TEMPLATE}", {"eula": "Do no harm."})
        tenant.send("GET", "/api/versions")
        walk(tenant)
        tenant.control("POST", f"templates/{TEMPLATE}", {"eula": ""})
        change_everything(tenant)
        tenant.done(tenant.add_vms(tenant.vapp("left"), "vm"))
        administrator = Tenant(simulator, "administrator").login()
        walk(administrator)
        administrator.close()
        tenant.close()
        old = Tenant(simulator, version="31.0").login()
        walk(old)
        old.close()
        return recorder.seen


def test_the_run_saw_every_kind_of_document(answers: list[tuple[str, str, bytes]]) -> None:
    roots = {etree.QName(etree.fromstring(body)).localname for _m, _p, body in answers}
    assert roots >= {
        "SupportedVersions", "Session", "OrgList", "Org", "Vdc", "VdcComputePolicyReferences",
        "VdcStorageProfile", "OrgVdcNetwork", "AllocatedIpAddresses", "Catalog", "CatalogItem",
        "VAppTemplate", "VApp", "Vm", "Task", "TasksList", "Metadata", "MetadataValue", "Owner",
        "ControlAccessParams", "LeaseSettingsSection", "NetworkConfigSection",
        "GuestCustomizationSection", "GuestCustomizationStatusSection",
        "NetworkConnectionSection", "VirtualHardwareSection", "Item", "RasdItemsList",
        "AdminOrg", "AdminVdc", "AdminCatalog", "EdgeGateway", "Role", "User", "VAppNetwork",
        "VCloud", "SnapshotSection", "StartupSection", "RuntimeInfoSection", "VmCapabilities",
        "ProductSectionList", "VmAffinityRules", "VmAffinityRule", "QueryList",
        "QueryResultRecords", "VAppReferences", "Error",
    }  # fmt: skip


def test_every_answer_is_valid(answers: list[tuple[str, str, bytes]]) -> None:
    if not official_schemas.present():
        pytest.skip(f"VMware's schemas are not in {official_schemas.FOLDER} (VCD_API_SCHEMAS)")
    schema, versions = schemas.load()
    wrong: dict[str, str] = {}
    for method, path, body in answers:
        root = etree.fromstring(body)
        stripped = schemas.without_newer(root)
        if stripped is None:
            continue
        judge = versions if etree.QName(root).localname == "SupportedVersions" else schema
        if not judge.validate(stripped):
            for line in judge.error_log:  # type: ignore[attr-defined]
                wrong.setdefault(line.message, f"{method} {path}")
    assert not wrong, "\n".join(f"{place}: {text}" for text, place in wrong.items())
