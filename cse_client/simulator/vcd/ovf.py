"""OVF descriptors: the files of a package, and the virtual machines that it describes.

DMTF DSP0243 1.1: an Envelope has References, DiskSection and one VirtualSystem, or a collection of
them; sizes of disks are in `capacityAllocationUnits`, those of memory in `AllocationUnits`. The
`vmw:osType` is VMware's (what `ovftool` and Ubuntu's cloud images write).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from lxml import etree

from cse_client.simulator.vcd.markup import local
from cse_client.simulator.vcd.reading import child, children, text

__all__ = ["InvalidDescriptor", "Machine", "Package", "read"]

_CPU, _MEMORY, _NIC, _DISK = "3", "4", "10", "17"
_UNITS = re.compile(r"(?P<factor>(?:\d+ \* )?byte)(?: \* (?P<base>\d+)\^(?P<power>\d+))?", re.ASCII)
_NAMED_UNITS = {"kilobytes": 2**10, "megabytes": 2**20, "gigabytes": 2**30}
_MEGABYTE = 1024 * 1024


class InvalidDescriptor(ValueError):
    """This is not an OVF descriptor; the text says why."""


@dataclass(frozen=True)
class Machine:
    """A virtual machine of a package; memory and disks in MB."""

    name: str
    cpus: int
    memory_mb: int
    disk_mb: int
    nics: int
    os_name: str
    os_type: str
    eula: str


@dataclass(frozen=True)
class Package:
    """A package: its files with their sizes (-1: not known), and its machines."""

    files: tuple[tuple[str, int], ...]
    machines: tuple[Machine, ...]


def read(content: bytes) -> Package:
    """Read a descriptor.

    Raises:
        InvalidDescriptor: it is none.
    """
    try:
        root = etree.fromstring(content, etree.XMLParser(resolve_entities=False, no_network=True))
    except etree.XMLSyntaxError as error:
        raise InvalidDescriptor(str(error)) from None
    if local(root) != "Envelope":
        raise InvalidDescriptor(f"the document element is {local(root)}")
    files = tuple(
        (_attribute(one, "href"), int(_attribute(one, "size") or -1))
        for one in children(child(root, "References"), "File")
    )
    names = {_attribute(one, "id") for one in children(child(root, "References"), "File")}
    disks = {}
    for one in children(child(root, "DiskSection"), "Disk"):
        reference = _attribute(one, "fileRef")
        if reference and reference not in names:
            raise InvalidDescriptor(f"the file {reference} of a disk is not in the references")
        units = _attribute(one, "capacityAllocationUnits") or "byte"
        disks[_attribute(one, "diskId")] = int(_attribute(one, "capacity")) * _bytes(units)
    systems = [one for one in root.iter() if local(one) == "VirtualSystem"]
    if not systems:
        raise InvalidDescriptor("it describes no virtual machine")
    return Package(files, tuple(_machine(one, disks) for one in systems))


def _machine(system: etree._Element, disks: dict[str, int]) -> Machine:
    hardware = child(system, "VirtualHardwareSection")
    cpus, memory, size, nics = 1, 0, 0, 0
    for item in children(hardware, "Item"):
        kind = text(item, "ResourceType")
        if kind == _CPU:
            cpus = int(text(item, "VirtualQuantity") or 1)
        elif kind == _MEMORY:
            units = text(item, "AllocationUnits") or "byte * 2^20"
            memory = int(text(item, "VirtualQuantity") or 0) * _bytes(units)
        elif kind == _NIC:
            nics += 1
        elif kind == _DISK:
            size += disks.get((text(item, "HostResource") or "").rpartition("/")[2], 0)
    system_section = child(system, "OperatingSystemSection")
    return Machine(
        name=text(system, "Name") or _attribute(system, "id"),
        cpus=cpus,
        memory_mb=memory // _MEGABYTE,
        disk_mb=-(-size // _MEGABYTE),
        nics=nics,
        os_name=text(system_section, "Description") or "Other",
        os_type=_attribute(system_section, "osType") or "otherGuest",
        eula=text(child(system, "EulaSection"), "License") or "",
    )


def _attribute(element: etree._Element | None, name: str) -> str:
    for key, value in element.attrib.items() if element is not None else ():
        if str(key).rpartition("}")[2] == name:
            return str(value)
    return ""


def _bytes(units: str) -> int:
    named = _NAMED_UNITS.get(units.strip().lower())
    if named:
        return named
    found = _UNITS.fullmatch(units.strip())
    if found is None:
        raise InvalidDescriptor(f"the units {units!r} are not known")
    factor = int(found["factor"].split(" ")[0]) if " * " in found["factor"] else 1
    scale: int = int(found["base"] or 1) ** int(found["power"] or 1)
    return factor * scale
