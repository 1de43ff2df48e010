"""The virtual hardware of a VM: OVF items, ExtraConfig, and the VmSpecSection of newer servers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from lxml import etree

from cse_client.simulator.vcd.documents.view import View, media
from cse_client.simulator.vcd.entities import StorageProfile, Template
from cse_client.simulator.vcd.markup import add, boolean, document
from cse_client.simulator.vcd.people import Right
from cse_client.simulator.vcd.vapps import DISK_ID, Nic, Vm

__all__ = ["TOOLS_VERSION", "HardwareOf", "cpu_or_memory", "hardware", "vm_spec"]

_VM_SPEC_SINCE = (30, 0)
TOOLS_VERSION = "10346"


_CONTROLLER = {
    "Address": "0",
    "Description": "SCSI Controller",
    "ElementName": "SCSI Controller 0",
    "InstanceID": "2",
    "ResourceSubType": "VirtualSCSI",
    "ResourceType": "6",
}
_DISK = {
    "AddressOnParent": "0",
    "Description": "Hard disk",
    "ElementName": "Hard disk 1",
    "HostResource": "",
    "InstanceID": "2000",
    "Parent": "2",
    "ResourceType": "17",
    "VirtualQuantity": "",
    "VirtualQuantityUnits": "byte",
}


@dataclass(frozen=True)
class HardwareOf:
    """What a VM, or a template's VM, is made of; memory and disk in MB."""

    name: str
    cpus: int
    cores: int
    memory_mb: int
    disk_mb: int
    nics: Sequence[Nic]
    primary_nic: int
    extra_config: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def vm(cls, one: Vm) -> HardwareOf:
        """Read a VM's."""
        return cls(
            one.name,
            one.cpus,
            one.cores_per_socket,
            one.memory_mb,
            one.disk_mb,
            one.nics,
            one.primary_nic,
            one.extra_config,
        )

    @classmethod
    def template(cls, one: Template) -> HardwareOf:
        """Read a template's."""
        nics = [Nic(0, "VM Network", "DHCP", "00:50:56:00:00:00")] if one.has_nic else []
        cores = one.cores_per_socket
        memory, disk = one.memory_mb, one.disk_mb
        return cls(one.vm_name, one.cpus, cores, memory, disk, nics, 0, one.extra_config)


def hardware(
    view: View,
    parent: etree._Element | None,
    href: str,
    one: HardwareOf,
    *,
    edit: bool,
) -> etree._Element:
    """Render a VirtualHardwareSection; ExtraConfig only for those with the right."""
    name = "virtualHardwareSection"
    place = f"{href}/{name}/"
    attributes: dict[str, str | None] = {
        "ovf:transport": "com.vmware.guestInfo",
        "vcloud:href": place,
        "vcloud:type": media(name),
    }
    tag = "ovf:VirtualHardwareSection"
    root = document(tag, attributes) if parent is None else add(parent, tag, None, attributes)
    add(root, "ovf:Info", "Virtual hardware requirements")
    system = add(root, "ovf:System")
    for label, value in (
        ("ElementName", "Virtual Hardware Family"),
        ("InstanceID", "0"),
        ("VirtualSystemIdentifier", one.name),
        ("VirtualSystemType", "vmx-19"),
    ):
        add(system, f"vssd:{label}", value)
    for nic in one.nics:
        _rasd_item(
            root,
            "ovf:Item",
            _nic_item(nic, one.primary_nic),
            connection=nic,
            primary=nic.index == one.primary_nic,
        )
    _rasd_item(root, "ovf:Item", _CONTROLLER)
    if one.disk_mb:
        _rasd_item(root, "ovf:Item", _DISK, disk_mb=one.disk_mb)
    for part in ("cpu", "memory"):
        item_href = f"{href}/{name}/{part}"
        cpu_or_memory(view, root, "ovf:Item", one, part, item_href, edit=edit)
    if view.user.may(Right.EXTRA_CONFIG):
        for key, value in sorted(one.extra_config.items()):
            extra = {"ovf:required": "false", "vmw:key": key, "vmw:value": value}
            add(root, "vmw:ExtraConfig", None, extra)
    if edit:
        view.link(root, "edit", place, name)
    for part in ("cpu", "memory"):
        view.link(root, "down", f"{href}/{name}/{part}", "rasdItem")
        if edit:
            view.link(root, "edit", f"{href}/{name}/{part}", "rasdItem")
    for part in ("disks", "media", "networkCards", "serialPorts"):
        view.link(root, "down", f"{href}/{name}/{part}", "rasdItemsList")
    return root


def _nic_item(nic: Nic, primary: int) -> dict[str, str]:
    return {
        "Address": nic.mac,
        "AddressOnParent": str(nic.index),
        "AutomaticAllocation": boolean(nic.connected),
        "Connection": nic.network,
        "Description": f'{nic.adapter} ethernet adapter on "{nic.network}"',
        "ElementName": f"Network adapter {nic.index}",
        "InstanceID": str(nic.index + 10),
        "ResourceSubType": nic.adapter,
        "ResourceType": "10",
    }


def _rasd_item(
    parent: etree._Element,
    tag: str,
    values: Mapping[str, str],
    *,
    connection: Nic | None = None,
    primary: bool = False,
    disk_mb: int = 0,
) -> etree._Element:
    """Add a RASD item; the elements' order is alphabetical in the schema."""
    item = add(parent, tag)
    for label, value in values.items():
        attributes: dict[str, str | None] | None = None
        if label == "Connection" and connection is not None:
            attributes = {
                "vcloud:ipAddress": connection.address or None,
                "vcloud:ipAddressingMode": connection.mode,
                "vcloud:primaryNetworkConnection": boolean(primary),
            }
        elif label == "HostResource":
            attributes = {
                "vcloud:capacity": str(disk_mb),
                "vcloud:busSubType": "VirtualSCSI",
                "vcloud:busType": "6",
            }
        elif label == "VirtualQuantity" and not value:
            value = str(disk_mb * 1024 * 1024)  # noqa: PLW2901
        add(item, f"rasd:{label}", value, attributes)
    return item


def cpu_or_memory(
    view: View,
    parent: etree._Element | None,
    tag: str,
    one: HardwareOf,
    part: str,
    href: str,
    *,
    edit: bool,
) -> etree._Element:
    """Render the item of CPUs or memory, inside a section or as a document."""
    if part == "cpu":
        units, description, element = "hertz * 10^6", "Number of Virtual CPUs", "virtual CPU(s)"
        identifier, kind, quantity = "3", "3", one.cpus
        label = f"{quantity} {element}"
    else:
        units, description = "byte * 2^20", "Memory Size"
        identifier, kind, quantity = "4", "4", one.memory_mb
        label = f"{quantity} MB of memory"
    attributes: dict[str, str | None] = {"vcloud:href": href, "vcloud:type": media("rasdItem")}
    item = document(tag, attributes) if parent is None else add(parent, tag, None, attributes)
    for name, value in (
        ("AllocationUnits", units),
        ("Description", description),
        ("ElementName", label),
        ("InstanceID", identifier),
        ("Reservation", "0"),
        ("ResourceType", kind),
        ("VirtualQuantity", str(quantity)),
        ("Weight", "0"),
    ):
        add(item, f"rasd:{name}", value)
    if part == "cpu":
        add(item, "vmw:CoresPerSocket", str(one.cores), {"ovf:required": "false"})
    if edit:
        view.link(item, "edit", href, "rasdItem")
    return item


def vm_spec(
    view: View,
    root: etree._Element,
    one: HardwareOf,
    template: Template,
    profile: StorageProfile | None = None,
) -> None:
    """Add the VmSpecSection of newer servers; `profile` is where a VM's disk lies."""
    if view.version < _VM_SPEC_SINCE:
        return
    section = add(root, "VmSpecSection", None, {"Modified": "false"})
    add(section, "ovf:Info", "Virtual Machine specification")
    add(section, "OsType", template.os_type)
    add(section, "NumCpus", str(one.cpus))
    add(section, "NumCoresPerSocket", str(one.cores))
    cpu = add(section, "CpuResourceMhz")
    add(cpu, "Configured", "0")
    memory = add(section, "MemoryResourceMb")
    add(memory, "Configured", str(one.memory_mb))
    disks = add(section, "DiskSection")
    if one.disk_mb:
        disk = add(disks, "DiskSettings")
        for tag, value in (
            ("DiskId", DISK_ID),
            ("SizeMb", str(one.disk_mb)),
            ("UnitNumber", "0"),
            ("BusNumber", "0"),
            ("AdapterType", "5"),
            ("ThinProvisioned", "true"),
        ):
            add(disk, tag, value)
        if profile is not None:
            view.reference(disk, "StorageProfile", profile)
            add(disk, "overrideVmDefault", "false")
    add(section, "HardwareVersion", "vmx-19")
    add(section, "VmToolsVersion", TOOLS_VERSION)
