"""Whatever a request body asks for is carried out, or refused with 501 and its name.

Every element that the schemas allow is put into a body of every call that takes one; so nothing can
be accepted and forgotten. Echoes pass: clients read, change one value and send everything back.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from lxml import etree

from cse_client.simulator.vcd import shapes, supported
from cse_client.simulator.vcd.markup import NS, VCLOUD, local
from tests.simulator.client import (
    NAMESPACES,
    V,
    compose_body,
    metadata_body,
    recompose_body,
    sourced_item,
)
from tests.simulator.vcd.place import Place, vm_body

OVF = f"{{{NS['ovf']}}}"
#: Values that differ from every default and from what the simulator has.
OTHER = {"boolean": "true", "int": "7", "": "other"}


def instantiate_body(place: Place) -> str:
    template = place.tenant.query("type=vAppTemplate")[0].get("href")
    return (
        f'<InstantiateVAppTemplateParams {NAMESPACES} name="second" deploy="false" powerOn="false">'
        f'<Source href="{template}"/></InstantiateVAppTemplateParams>'
    )


SPEC = (
    "<VmSpecSection><ovf:Info/><NumCpus>2</NumCpus><MemoryResourceMb><Configured>2048</Configured>"
    "</MemoryResourceMb><DiskSection><DiskSettings><DiskId>2000</DiskId><SizeMb>16384</SizeMb>"
    "<UnitNumber>0</UnitNumber><BusNumber>0</BusNumber><AdapterType>5</AdapterType>"
    "<ThinProvisioned>true</ThinProvisioned></DiskSettings></DiskSection><HardwareVersion>vmx-19</HardwareVersion></VmSpecSection>"
)


def section(place: Place, name: str) -> str:
    return etree.tostring(place.tenant.get(f"{place.vm}/{name}")).decode()


#: Every call that takes an XML body: method, path, media type, the body.
CALLS: dict[str, Callable[[Place], tuple[str, str, str, str]]] = {
    "ComposeVAppParams": lambda at: (
        "POST",
        f"{at.vdc}/action/composeVApp",
        "composeVAppParams",
        compose_body("second", "net1", at.network).replace(
            "</InstantiationParams>", "</InstantiationParams>" + sourced_item(at.source, "two")
        ),
    ),
    "RecomposeVAppParams": lambda at: (
        "POST",
        f"{at.vapp}/action/recomposeVApp",
        "recomposeVAppParams",
        recompose_body(
            sourced_item(at.source, "two").replace(
                "</SourcedItem>", "<ComputePolicy/></SourcedItem>"
            ),
            f'<ReconfigureItem href="{at.vm}">{SPEC}</ReconfigureItem>',
        ),
    ),
    "InstantiateVAppTemplateParams": lambda at: (
        "POST",
        f"{at.vdc}/action/instantiateVAppTemplate",
        "instantiateVAppTemplateParams",
        instantiate_body(at),
    ),
    "DeployVAppParams": lambda at: (
        "POST",
        f"{at.vapp}/action/deploy",
        "deployVAppParams",
        f'<DeployVAppParams {NAMESPACES} powerOn="false"/>',
    ),
    "UndeployVAppParams": lambda at: (
        "POST",
        f"{at.vapp}/action/undeploy",
        "undeployVAppParams",
        f"<UndeployVAppParams {NAMESPACES}/>",
    ),
    "CreateSnapshotParams": lambda at: (
        "POST",
        f"{at.vm}/action/createSnapshot",
        "createSnapshotParams",
        f'<CreateSnapshotParams {NAMESPACES} name="before" memory="false"/>',
    ),
    "CaptureVAppParams": lambda at: (
        "POST",
        f"{at.tenant.one('catalog', 'cse')}/action/captureVApp",
        "captureVAppParams",
        f'<CaptureVAppParams {NAMESPACES} name="mine"><Source href="{at.vapp}"/>'
        "<CustomizationSection><ovf:Info/><CustomizeOnInstantiate>true</CustomizeOnInstantiate>"
        "</CustomizationSection></CaptureVAppParams>",
    ),
    "UploadVAppTemplateParams": lambda at: (
        "POST",
        f"{at.tenant.one('catalog', 'cse')}/action/upload",
        "uploadVAppTemplateParams",
        f'<UploadVAppTemplateParams {NAMESPACES} name="mine"/>',
    ),
    "VApp": lambda at: ("PUT", at.vapp, "vApp", f'<VApp {NAMESPACES} name="demo"/>'),
    "PUT Vm": lambda at: ("PUT", at.vm, "vm", vm_body()),
    "Vm": lambda at: ("POST", f"{at.vm}/action/reconfigureVm", "vm", vm_body(SPEC)),
    "Metadata": lambda at: ("POST", f"{at.vapp}/metadata", "metadata", metadata_body(a="1")),
    "MetadataValue": lambda at: (
        "PUT",
        f"{at.vapp}/metadata/a",
        "metadata.value",
        f'<MetadataValue {NAMESPACES}><TypedValue xsi:type="MetadataStringValue"><Value>1</Value>'
        "</TypedValue></MetadataValue>",
    ),
    "GuestCustomizationSection": lambda at: (
        "PUT",
        f"{at.vm}/guestCustomizationSection/",
        "guestCustomizationSection",
        section(at, "guestCustomizationSection"),
    ),
    "NetworkConnectionSection": lambda at: (
        "PUT",
        f"{at.vm}/networkConnectionSection/",
        "networkConnectionSection",
        section(at, "networkConnectionSection"),
    ),
    "VirtualHardwareSection": lambda at: (
        "PUT",
        f"{at.vm}/virtualHardwareSection/",
        "virtualHardwareSection",
        section(at, "virtualHardwareSection"),
    ),
    "Item": lambda at: (
        "PUT",
        f"{at.vm}/virtualHardwareSection/cpu",
        "rasdItem",
        section(at, "virtualHardwareSection/cpu"),
    ),
    "NetworkConfigSection": lambda at: (
        "PUT",
        f"{at.vapp}/networkConfigSection/",
        "networkConfigSection",
        etree.tostring(at.tenant.get(f"{at.vapp}/networkConfigSection/")).decode(),
    ),
    "LeaseSettingsSection": lambda at: (
        "PUT",
        f"{at.vapp}/leaseSettingsSection/",
        "leaseSettingsSection",
        f"<LeaseSettingsSection {NAMESPACES}><ovf:Info/></LeaseSettingsSection>",
    ),
    "ControlAccessParams": lambda at: (
        "POST",
        f"{at.vapp}/action/controlAccess",
        "controlAccess",
        f"<ControlAccessParams {NAMESPACES}><IsSharedToEveryone>false</IsSharedToEveryone>"
        f'<AccessSettings><AccessSetting><Subject href="{author(at)}"/><AccessLevel>ReadOnly'
        "</AccessLevel></AccessSetting></AccessSettings></ControlAccessParams>",
    ),
    "VmAffinityRule": lambda at: (
        "POST",
        f"{at.vdc}/vmAffinityRules/",
        "vmaffinityrule",
        f"<VmAffinityRule {NAMESPACES}><Name>apart</Name><IsEnabled>true</IsEnabled>"
        "<IsMandatory>false</IsMandatory><Polarity>Anti-Affinity</Polarity>"
        f"<VmReferences>{vm_references(at)}</VmReferences></VmAffinityRule>",
    ),
    "ProductSectionList": lambda at: (
        "PUT",
        f"{at.vm}/productSections/",
        "productSections",
        f"<ProductSectionList {NAMESPACES}/>",
    ),
}


def vm_references(place: Place) -> str:
    """Return references to two VMs, which a rule needs at least: the place's and another one."""
    place.tenant.done(place.tenant.add_vms(place.vapp, "other"))
    vms = place.tenant.get(place.vapp).iterfind(f"{V}Children/{V}Vm")
    return "".join(f'<VmReference href="{vm.get("href")}"/>' for vm in vms)


def author(place: Place) -> str:
    return place.tenant.query("type=user&filter=name==author")[0].get("href") or ""


WILDCARDS = {"(SECTION)": "OddSection", "(OTHER)": "Odd", "(FOREIGN)": "Odd"}


def additions(root: Any, method: str) -> Iterator[tuple[list[str], bytes]]:
    """Yield bodies with one more element or attribute each, that no handler carries out.

    With each come the names that the refusal may give: the part's own, or that of a whole that can
    only be left as it is.
    """
    tree = root.getroottree()
    for element in root.iter("*"):
        if supported.UNREAD & {local(one) for one in (element, *element.iterancestors())}:
            continue
        place = tree.getpath(element)
        around = [local(one) for one in (element, *element.iterancestors())]
        yield ["unheard", *around], changed(root, place, lambda target: target.set("unheard", "of"))
        form = form_of(element, method)
        allowed = shapes.particles(shapes.ALIASES.get(local(element), local(element)))
        for number, particle in enumerate(allowed):
            name = WILDCARDS.get(particle.name, particle.name)
            taken = particle.most == 1 and any(particle.takes(one) for one in element)
            if taken or name in supported.parts(form) or name in supported.UNREAD:
                continue
            before = sum(position(allowed, one) <= number for one in element)
            new = addition(name, particle)
            yield (
                [name, *around],
                changed(root, place, partial(inserted, before, new)),
            )


def inserted(at: int, new: Any, target: Any) -> None:
    target.insert(at, new)


def changed(root: Any, place: str, change: Callable[[Any], object]) -> bytes:
    tree = copy.deepcopy(root).getroottree()
    namespaces = {str(key): value for key, value in root.nsmap.items() if key}
    change(tree.xpath(place, namespaces=namespaces)[0])
    return etree.tostring(tree)


def position(allowed: tuple[shapes.Particle, ...], element: Any) -> int:
    return next(at for at, particle in enumerate(allowed) if particle.takes(element))


def addition(name: str, particle: shapes.Particle) -> Any:
    namespace = "urn:odd" if name == "Odd" else VCLOUD
    new = etree.Element(f"{{{namespace}}}{name}")
    if shapes.particles(shapes.ALIASES.get(name, name)):
        new.set("name", "other")
    else:
        new.text = OTHER[particle.kind]
    return new


def form_of(element: Any, method: str) -> str:
    parent = element.getparent()
    prefix = f"{method} " if parent is None else f"{local(parent)}/"
    name = prefix + local(element)
    return name if supported.parts(name) else local(element)


def test_every_kind_of_body_is_tried() -> None:
    assert {name.removeprefix("PUT ") for name in CALLS} == set(shapes.MEDIA_TYPES)


@pytest.mark.parametrize("name", CALLS)
def test_what_nothing_carries_out_is_refused_by_name(place: Place, name: Any) -> None:
    method, path, kind, body = CALLS[name](place)
    state = place.tenant.control("GET", "state")
    tried = 0
    for names, changed_body in additions(etree.fromstring(body), method):
        answer = place.tenant.send(method, path, changed_body, kind)
        assert answer.status == 501, (names, answer, changed_body)
        assert any(f" {one} of " in answer.message for one in names), (names, answer.message)
        tried += 1
    assert tried
    assert place.tenant.control("GET", "state") == state
    if name == "UndeployVAppParams":
        place.tenant.done(place.tenant.post(f"{place.vapp}/power/action/powerOn"))
    answer = place.tenant.send(method, path, body, kind)
    assert answer.status in (200, 201, 202), answer


def test_everything_that_was_read_can_be_sent_back(place: Place) -> None:
    """As pyvcloud does: the whole document, or a whole section, with one value changed or none."""
    tenant = place.tenant
    state = tenant.control("GET", "state")["vapps"]
    vm = etree.tostring(tenant.get(place.vm))
    tenant.done(tenant.post(f"{place.vm}/action/reconfigureVm", vm.decode(), "vm"))
    tenant.done(tenant.send("PUT", place.vm, vm, "vm"))
    tenant.done(tenant.send("PUT", place.vapp, etree.tostring(tenant.get(place.vapp)), "vApp"))
    for name in ("guestCustomizationSection", "networkConnectionSection", "virtualHardwareSection"):
        body = section(place, name)
        tenant.done(tenant.send("PUT", f"{place.vm}/{name}/", body, name))
    for name in ("networkConfigSection", "leaseSettingsSection"):
        document = etree.tostring(tenant.get(f"{place.vapp}/{name}/"))
        tenant.done(tenant.send("PUT", f"{place.vapp}/{name}/", document, name))
    assert tenant.control("GET", "state")["vapps"] == state
