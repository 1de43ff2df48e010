"""Rendering VCD's request bodies: model types in, elements out.

VCD validates bodies against its schemas, so the order of elements counts: each function follows
the sequence of its type in vApp.xsd (ComposeVAppParamsType, RecomposeVAppParamsType,
SourcedCompositionItemParamType, GuestCustomizationSectionType ...).
"""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import uuid4

from lxml import etree

from cse_client.content import capitalized
from cse_client.errors import VcdFault, WrongUsage
from cse_client.model import Network, NewVm, VmChange, VmPolicy

__all__ = [
    "COMPOSE",
    "CREATE_SNAPSHOT",
    "CUSTOMIZATION",
    "DEPLOY",
    "LEASE",
    "METADATA",
    "RECOMPOSE",
    "UNDEPLOY",
    "ChangedVm",
    "compose",
    "create_snapshot",
    "deploy",
    "lease",
    "metadata",
    "recompose",
    "undeploy",
    "with_hardware",
    "with_script",
]

_MEDIA = "application/vnd.vmware.vcloud."
COMPOSE = _MEDIA + "composeVAppParams+xml"
RECOMPOSE = _MEDIA + "recomposeVAppParams+xml"
METADATA = _MEDIA + "metadata+xml"
CUSTOMIZATION = _MEDIA + "guestCustomizationSection+xml"
LEASE = _MEDIA + "leaseSettingsSection+xml"
DEPLOY = _MEDIA + "deployVAppParams+xml"
CREATE_SNAPSHOT = _MEDIA + "createSnapshotParams+xml"
UNDEPLOY = _MEDIA + "undeployVAppParams+xml"

_VCLOUD = "http://www.vmware.com/vcloud/v1.5"
_OVF = "http://schemas.dmtf.org/ovf/envelope/1"
_RASD = "http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_ResourceAllocationSettingData"
_VMW = "http://www.vmware.com/schema/ovf"
_XSI = "http://www.w3.org/2001/XMLSchema-instance"
#: lxml takes None for the default namespace, which its stubs do not know.
_NSMAP: Any = {None: _VCLOUD, "ovf": _OVF, "xsi": _XSI}
_HARDWARE_NS: Any = {"rasd": _RASD, "vmw": _VMW}

#: What may come before CustomizationScript in a GuestCustomizationSection, besides ovf:Info.
_BEFORE_SCRIPT = frozenset(
    (
        "Info",
        "Enabled",
        "ChangeSid",
        "VirtualMachineId",
        "JoinDomainEnabled",
        "UseOrgSettings",
        "DomainName",
        "DomainUserName",
        "DomainUserPassword",
        "MachineObjectOU",
        "AdminPasswordEnabled",
        "AdminPasswordAuto",
        "AdminPassword",
        "AdminAutoLogonEnabled",
        "AdminAutoLogonCount",
        "ResetPasswordRequired",
    )
)

#: A carriage return is legal, but parsers turn it into a newline.
# compiled where it is used: that takes 6 ms, and most commands write no script
_NOT_IN_XML = "[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]"

_SCRIPT = "the customization script"
_CPU = "3"
_MEMORY = "4"
_DISK = "17"


class ChangedVm:
    """A `VmChange` with the sections that carry it; the sections came from the VM itself.

    A section replaces the whole of what VCD has, so it must be complete: an item left out of a
    hardware section is a disk removed.
    """

    def __init__(
        self,
        change: VmChange,
        hardware: etree._Element | None,
        customization: etree._Element | None,
    ) -> None:
        self.change = change
        self.hardware = hardware
        self.customization = customization


def compose(
    name: str,
    description: str,
    network: Network,
    *,
    add: Sequence[NewVm] = (),
    accept_eulas: bool = False,
) -> etree._Element:
    """Make the body that composes a vApp, connected to one org VDC network.

    Its VMs, if any, are started by the same task. The vApp network has the org network's name;
    anything else is no direct connection.
    """
    root = etree.Element(f"{{{_VCLOUD}}}ComposeVAppParams", nsmap=_NSMAP)
    root.set("name", checked(name, "the name"))
    root.set("deploy", _boolean(bool(add)))
    root.set("powerOn", _boolean(bool(add)))
    _add(root, "Description", description)
    section = _section(_add(root, "InstantiationParams"), "NetworkConfigSection")
    config = _add(section, "NetworkConfig")
    config.set("networkName", network.name)
    configuration = _add(config, "Configuration")
    _add(configuration, "ParentNetwork").set("href", network.href)
    _add(configuration, "FenceMode", "bridged")
    for new in add:
        _sourced_item(root, new)
    if accept_eulas and add:
        _add(root, "AllEULAsAccepted", "true")
    return root


def recompose(
    *,
    add: Sequence[NewVm] = (),
    delete: Sequence[str] = (),
    change: Sequence[ChangedVm] = (),
    power_on: bool = False,
    accept_eulas: bool = False,
) -> etree._Element:
    """Make the body that adds, deletes and changes VMs of a vApp in one task."""
    root = etree.Element(f"{{{_VCLOUD}}}RecomposeVAppParams", nsmap=_NSMAP)
    root.set("deploy", _boolean(power_on))
    root.set("powerOn", _boolean(power_on))
    for new in add:
        _sourced_item(root, new)
    if accept_eulas:
        _add(root, "AllEULAsAccepted", "true")
    for href in delete:
        _add(root, "DeleteItem").set("href", href)
    for changed in change:
        _reconfigure_item(root, changed)
    return root


def metadata(values: Mapping[str, str]) -> etree._Element:
    """Make the body that merges GENERAL text entries into an entity's metadata."""
    root = etree.Element(f"{{{_VCLOUD}}}Metadata", nsmap=_NSMAP)
    for key, value in values.items():
        entry = _add(root, "MetadataEntry")
        domain = _add(entry, "Domain", "GENERAL")
        domain.set("visibility", "READWRITE")
        _add(entry, "Key", key)
        typed = _add(entry, "TypedValue")
        typed.set(f"{{{_XSI}}}type", "MetadataStringValue")
        _add(typed, "Value", value)
    return root


def lease(deployment_seconds: int, storage_seconds: int) -> etree._Element:
    """Make the body that sets a vApp's leases; 0 is for ever."""
    root = etree.Element(f"{{{_VCLOUD}}}LeaseSettingsSection", nsmap=_NSMAP)
    root.append(_info())
    _add(root, "DeploymentLeaseInSeconds", str(deployment_seconds))
    _add(root, "StorageLeaseInSeconds", str(storage_seconds))
    return root


def deploy(*, power_on: bool, force_customization: bool) -> etree._Element:
    """Make the body that deploys a vApp or VM."""
    root = etree.Element(f"{{{_VCLOUD}}}DeployVAppParams", nsmap=_NSMAP)
    root.set("powerOn", _boolean(power_on))
    root.set("forceCustomization", _boolean(force_customization))
    return root


def undeploy(action: str) -> etree._Element:
    """Make the body that undeploys a vApp or VM: `powerOff`, `shutdown`, `force`, `default`."""
    root = etree.Element(f"{{{_VCLOUD}}}UndeployVAppParams", nsmap=_NSMAP)
    _add(root, "UndeployPowerAction", action)
    return root


def create_snapshot(name: str) -> etree._Element:
    """Make the body that creates a snapshot of a VM, without its memory."""
    root = etree.Element(f"{{{_VCLOUD}}}CreateSnapshotParams", nsmap=_NSMAP)
    root.set("name", checked(name, "the name"))
    root.set("memory", _boolean(False))
    root.set("quiesce", _boolean(False))
    return root


def with_script(section: etree._Element, script: str) -> etree._Element:
    """Return a GuestCustomizationSection like `section`, with this script instead of its own.

    The section's Links are left out: they are the server's.
    """
    result = copy.deepcopy(section)
    for one in list(result.iterfind("{*}Link")) + list(result.iterfind("{*}CustomizationScript")):
        result.remove(one)
    position = 0
    for index, one in enumerate(result):
        if isinstance(one.tag, str) and etree.QName(one).localname in _BEFORE_SCRIPT:
            position = index + 1
    element = etree.Element(f"{{{_VCLOUD}}}CustomizationScript")
    element.text = checked(script, _SCRIPT)
    result.insert(position, element)
    return result


def with_hardware(
    section: etree._Element,
    *,
    cpus: int | None,
    memory_mb: int | None,
    disk_mb: int | None = None,
) -> etree._Element:
    """Return a VirtualHardwareSection like `section`, other CPUs, memory (MiB), first disk (MB)."""
    result = copy.deepcopy(section)
    for one in list(result.iterfind("{*}Link")):
        result.remove(one)
    for item in result.iterfind("{*}Item"):
        kind = (item.findtext("{*}ResourceType") or "").strip()
        if kind == _CPU and cpus is not None:
            _set_quantity(item, cpus)
            cores = item.find("{*}CoresPerSocket")
            if cores is not None:
                # Any number of cores per socket that does not divide the CPUs is refused.
                cores.text = str(cpus)
            _set_text(item, "ElementName", f"{cpus} virtual CPU(s)")
        elif kind == _MEMORY and memory_mb is not None:
            _set_quantity(item, memory_mb)
            _set_text(item, "ElementName", f"{memory_mb} MB of memory")
        elif kind == _DISK and disk_mb is not None:
            _set_capacity(item, disk_mb)
            disk_mb = None
    return result


def checked(text: str, what: str) -> str:
    """Return the text if XML can carry it unharmed.

    Raises:
        WrongUsage: it holds a carriage return or another character that XML would lose or refuse.
    """
    found = re.search(_NOT_IN_XML, text)
    if found:
        raise WrongUsage(
            f"{capitalized(what)} holds the character U+{ord(found.group()):04X}, which VCD's XML"
            " cannot carry."
        )
    return text


def _sourced_item(root: etree._Element, new: NewVm) -> None:
    item = _add(root, "SourcedItem")
    source = _add(item, "Source")
    source.set("href", new.source.href)
    if new.source.id:
        source.set("id", new.source.id)
    source.set("type", "application/vnd.vmware.vcloud.vm+xml")
    source.set("name", new.source.name)
    general = _add(item, "VmGeneralParams")
    _add(general, "Name", new.name)
    if new.description:
        _add(general, "Description", new.description)
    _add(general, "NeedsCustomization", "true")
    # Clones keep the template's BIOS UUID otherwise, and kubeadm wants it to differ.
    _add(general, "RegenerateBiosUuid", "true")
    _sections_of(_add(item, "InstantiationParams"), new)
    if new.storage_profile is not None:
        profile = _add(item, "StorageProfile")
        profile.set("href", new.storage_profile.href)
        profile.set("type", "application/vnd.vmware.vcloud.vdcStorageProfile+xml")
        profile.set("name", new.storage_profile.name)
    if new.placement_policy is not None or new.sizing_policy is not None:
        policies = _add(item, "ComputePolicy")
        _policy(policies, "VmPlacementPolicy", new.placement_policy)
        _policy(policies, "VmSizingPolicy", new.sizing_policy)


def _policy(parent: etree._Element, tag: str, policy: VmPolicy | None) -> None:
    if policy is not None:
        reference = _add(parent, tag)
        reference.set("href", policy.href)
        reference.set("id", policy.id)
        reference.set("type", "application/json")


def _sections_of(parameters: etree._Element, new: NewVm) -> None:
    network = _section(parameters, "NetworkConnectionSection")
    _add(network, "PrimaryNetworkConnectionIndex", str(new.source.nic_index))
    nic = _add(network, "NetworkConnection")
    nic.set("network", new.network)
    _add(nic, "NetworkConnectionIndex", str(new.source.nic_index))
    if new.address:
        _add(nic, "IpAddress", new.address)
    _add(nic, "IsConnected", "true")
    _add(nic, "IpAddressAllocationMode", "MANUAL" if new.address else "POOL")
    guest = _section(parameters, "GuestCustomizationSection")
    _add(guest, "Enabled", "true")
    _add(guest, "AdminPasswordEnabled", "true")
    _add(guest, "AdminPasswordAuto", "true")
    _add(guest, "ResetPasswordRequired", "false")
    if new.script:
        _add(guest, "CustomizationScript", new.script)
    _add(guest, "ComputerName", new.name)
    if new.cpus is not None or new.memory_mb is not None or new.disk_mb is not None:
        _hardware(parameters, new)


def _hardware(parameters: etree._Element, new: NewVm) -> None:
    """Add the CPUs, memory and disk that a new VM is to have; the template's other items stay.

    What InstantiationParams may hold: documentation of SourcedCompositionItemParamType. Such a
    part of a hardware section: fog-vcloud-director, `compose_common.rb`.
    """
    section = etree.SubElement(parameters, f"{{{_OVF}}}VirtualHardwareSection", nsmap=_HARDWARE_NS)
    section.append(_info())
    if new.memory_mb is not None:
        _rasd_item(section, _MEMORY, "byte * 2^20", new.memory_mb, f"{new.memory_mb} MB of memory")
    if new.cpus is not None:
        name = f"{new.cpus} virtual CPU(s)"
        item = _rasd_item(section, _CPU, "hertz * 10^6", new.cpus, name)
        # a number of cores per socket that does not divide the CPUs is refused
        cores = etree.SubElement(item, f"{{{_VMW}}}CoresPerSocket")
        cores.set(f"{{{_OVF}}}required", "false")
        cores.text = str(new.cpus)
    if new.disk_mb is not None:
        identifier = new.source.disks[0][0] if new.source.disks else ""
        item = etree.SubElement(section, f"{{{_OVF}}}Item")
        for tag, value in (
            ("ElementName", identifier),
            ("HostResource", None),
            ("InstanceID", identifier),
            ("ResourceType", _DISK),
        ):
            etree.SubElement(item, f"{{{_RASD}}}{tag}").text = value
        _set_capacity(item, new.disk_mb)


def _rasd_item(
    section: etree._Element, kind: str, units: str, quantity: int, name: str
) -> etree._Element:
    item = etree.SubElement(section, f"{{{_OVF}}}Item")
    for tag, value in (
        ("AllocationUnits", units),
        ("ElementName", name),
        ("InstanceID", str(uuid4())),
        ("ResourceType", kind),
        ("VirtualQuantity", str(quantity)),
    ):
        etree.SubElement(item, f"{{{_RASD}}}{tag}").text = value
    return item


def _reconfigure_item(root: etree._Element, changed: ChangedVm) -> None:
    item = _add(root, "ReconfigureItem")
    item.set("href", changed.change.href)
    item.set("name", changed.change.name)
    item.set("type", "application/vnd.vmware.vcloud.vm+xml")
    for section in (changed.hardware, changed.customization):
        if section is not None:
            item.append(section)


def _add(parent: etree._Element, name: str, content: str | None = None) -> etree._Element:
    element = etree.SubElement(parent, f"{{{_VCLOUD}}}{name}")
    if content is not None:
        element.text = checked(content, _SCRIPT if name == "CustomizationScript" else name)
    return element


def _section(parent: etree._Element, name: str) -> etree._Element:
    """Add an OVF section; `ovf:Info` must be its first child."""
    section = _add(parent, name)
    section.append(_info())
    return section


def _info() -> etree._Element:
    return etree.Element(f"{{{_OVF}}}Info")


def _boolean(value: bool) -> str:
    return "true" if value else "false"


def _set_quantity(item: etree._Element, value: int) -> None:
    _set_text(item, "VirtualQuantity", str(value))


def _set_capacity(item: etree._Element, size_mb: int) -> None:
    """Set a disk's size: `capacity` of the HostResource in MB, VirtualQuantity in bytes."""
    host = item.find(f"{{{_RASD}}}HostResource")
    if host is None:
        raise VcdFault("A disk item of the VM has no HostResource.")
    host.set(f"{{{_VCLOUD}}}capacity", str(size_mb))
    quantity = item.find(f"{{{_RASD}}}VirtualQuantity")
    if quantity is not None:
        quantity.text = str(size_mb * 1024 * 1024)


def _set_text(item: etree._Element, name: str, value: str) -> None:
    found = item.find(f"{{{_RASD}}}{name}")
    if found is None:
        raise VcdFault(f"A hardware item of the VM has no {name}.")
    found.text = value
