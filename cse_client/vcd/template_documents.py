"""Documents of vApp templates: what is read in them, and the bodies that make one of a vApp."""

from __future__ import annotations

import copy
from typing import Any

from lxml import etree

from cse_client.model.templates import TemplateDetails
from cse_client.vcd import reading
from cse_client.vcd.reading import children, moment, text, truth
from cse_client.vcd.writing import checked

__all__ = ["capture", "cleared_customization", "cleared_properties", "details"]

_VCLOUD = "http://www.vmware.com/vcloud/v1.5"
_OVF = "http://schemas.dmtf.org/ovf/envelope/1"
_NSMAP: Any = {None: _VCLOUD, "ovf": _OVF}


def details(root: etree._Element) -> TemplateDetails:
    """Read a VAppTemplate document."""
    vms = list(children(root, "Children/Vm"))
    first = vms[0] if vms else None
    owner = root.find("{*}Owner/{*}User")
    properties: dict[str, str] = {}
    for holder in (root, *vms[:1]):
        properties.update(_properties(holder))
    enabled = text(first, "GuestCustomizationSection/Enabled")
    custom = text(root, "CustomizationSection/CustomizeOnInstantiate")
    return TemplateDetails(
        vm=reading.template_vm(root),
        status=reading.status_name(root),
        vms=len(vms),
        nics=len(list(children(first, "NetworkConnectionSection/NetworkConnection")))
        if first is not None
        else 0,
        description=text(root, "Description"),
        owner=(owner.get("name") or "") if owner is not None else "",
        created=moment(text(root, "DateCreated")),
        hardware_version=_hardware_version(first),
        customizes=truth(custom) if custom else None,
        vm_customizes=truth(enabled) if enabled else None,
        lease_ends=moment(text(root, "LeaseSettingsSection/StorageLeaseExpiration")),
        item_href=reading.link(root, "catalogItem"),
        is_changing=any(not reading.task(one).ended for one in children(root, "Tasks/Task")),
        properties=properties,
    )


def capture(name: str, description: str, vapp_href: str) -> etree._Element:
    """Make the body that captures a vApp into a catalog (CaptureVAppParamsType)."""
    root = etree.Element(f"{{{_VCLOUD}}}CaptureVAppParams", nsmap=_NSMAP)
    root.set("name", checked(name, "the name"))
    _add(root, "Description").text = checked(description, "the description")
    source = _add(root, "Source")
    source.set("href", vapp_href)
    source.set("type", "application/vnd.vmware.vcloud.vApp+xml")
    section = _add(root, "CustomizationSection")
    # without this text VCD refuses the section
    info = etree.SubElement(section, f"{{{_OVF}}}Info")
    info.text = "CustomizeOnInstantiate Settings"
    _add(section, "CustomizeOnInstantiate").text = "true"
    return root


def cleared_customization(section: etree._Element) -> etree._Element:
    """Return a GuestCustomizationSection like `section`, without script and password.

    The script is there, and empty: VCD keeps an old one where none is sent.
    """
    result = copy.deepcopy(section)
    for one in list(result):
        name = etree.QName(one).localname if isinstance(one.tag, str) else ""
        if name in ("Link", "AdminPassword", "DomainUserPassword"):
            result.remove(one)
        elif name in ("AdminPasswordEnabled", "AdminPasswordAuto", "ResetPasswordRequired"):
            one.text = "false"
        elif name == "CustomizationScript":
            one.text = ""
    return result


def cleared_properties(sections: etree._Element) -> etree._Element | None:
    """Return a ProductSectionList without the values that users set; None: there are none."""
    result = copy.deepcopy(sections)
    for one in list(children(result, "Link")):
        result.remove(one)
    changed = False
    for one in children(result, "ProductSection/Property"):
        if not truth(_own(one, "userConfigurable")):
            continue
        for value in list(children(one, "Value")):
            changed = changed or bool(_own(value, "value"))
            one.remove(value)
        if _own(one, "value"):
            one.set(f"{{{_OVF}}}value", "")
            changed = True
    return result if changed else None


def _properties(holder: etree._Element) -> dict[str, str]:
    found = {}
    for one in children(holder, "ProductSection/Property"):
        value = one.find("{*}Value")
        found[_own(one, "key")] = (_own(value, "value") if value is not None else "") or _own(
            one, "value"
        )
    return found


def _hardware_version(vm: etree._Element | None) -> str:
    """Return such as `vmx-10`."""
    if vm is None:
        return ""
    found = text(vm, "VmSpecSection/HardwareVersion")
    return found or text(vm, "VirtualHardwareSection/System/VirtualSystemType")


def _own(element: etree._Element, name: str) -> str:
    return element.get(f"{{{_OVF}}}{name}") or element.get(name) or ""


def _add(parent: etree._Element, name: str) -> etree._Element:
    return etree.SubElement(parent, f"{{{_VCLOUD}}}{name}")
