"""OVA files as Ubuntu's cloud images and VMware's exports are, with disks of a few bytes."""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import Mapping
from pathlib import Path

_NAMESPACES = (
    'xmlns="http://schemas.dmtf.org/ovf/envelope/1"'
    ' xmlns:ovf="http://schemas.dmtf.org/ovf/envelope/1"'
    ' xmlns:rasd="http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/'
    'CIM_ResourceAllocationSettingData"'
    ' xmlns:vssd="http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_VirtualSystemSettingData"'
    ' xmlns:vmw="http://www.vmware.com/schema/ovf"'
)
DISK = "noble.vmdk"
TPM = (
    '<Item ovf:required="false"><rasd:AutomaticAllocation>false</rasd:AutomaticAllocation>'
    "<rasd:ElementName>Virtual TPM</rasd:ElementName><rasd:InstanceID>14</rasd:InstanceID>"
    "<rasd:ResourceSubType>vmware.vtpm</rasd:ResourceSubType>"
    "<rasd:ResourceType>1</rasd:ResourceType></Item>"
)


def item(kind: int, identifier: int, **values: object) -> str:
    """Return a hardware item; its elements are in alphabetical order."""
    rest = {"ElementName": f"item {identifier}", "InstanceID": identifier, **values}
    rest["ResourceType"] = kind
    parts = (f"<rasd:{name}>{value}</rasd:{name}>" for name, value in sorted(rest.items()))
    return f"<Item>{''.join(parts)}</Item>"


def machine(name: str = "noble", extra: str = "") -> str:
    """Return a VirtualSystem with 2 CPUs, 1 GB, a disk and a network adapter."""
    items = [
        item(3, 1, VirtualQuantity=2, AllocationUnits="hertz * 10^6"),
        item(4, 2, VirtualQuantity=1024, AllocationUnits="byte * 2^20"),
        item(6, 3, ResourceSubType="VirtualSCSI"),
        item(17, 4, HostResource="ovf:/disk/vmdisk1", Parent=3),
        item(10, 5, Connection="VM Network", ResourceSubType="VmxNet3"),
        extra,
    ]
    return (
        f'<VirtualSystem ovf:id="{name}"><Info>A virtual machine</Info><Name>{name}</Name>'
        '<OperatingSystemSection ovf:id="94" vmw:osType="ubuntu64Guest"><Info/>'
        "<Description>Ubuntu Linux (64-bit)</Description></OperatingSystemSection>"
        '<VirtualHardwareSection ovf:transport="iso"><Info/><System>'
        "<vssd:ElementName>Virtual Hardware Family</vssd:ElementName>"
        "<vssd:InstanceID>0</vssd:InstanceID>"
        "<vssd:VirtualSystemType>vmx-10</vssd:VirtualSystemType></System>"
        f"{''.join(items)}</VirtualHardwareSection></VirtualSystem>"
    )


def descriptor(
    files: Mapping[str, str] | None = None, machines: str | None = None, capacity: int = 10
) -> str:
    """Return an OVF descriptor; `files` are names with further attributes."""
    known = {DISK: ""} if files is None else files
    references = "".join(
        f'<File ovf:id="file{number}" ovf:href="{name}" {attributes}/>'
        for number, (name, attributes) in enumerate(known.items(), 1)
    )
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><Envelope {_NAMESPACES}>'
        f"<References>{references}</References><DiskSection><Info/>"
        f'<Disk ovf:capacity="{capacity}" ovf:capacityAllocationUnits="byte * 2^30"'
        ' ovf:diskId="vmdisk1" ovf:fileRef="file1"/></DiskSection>'
        f"<NetworkSection><Info/></NetworkSection>{machine() if machines is None else machines}"
        "</Envelope>"
    )


def manifest(files: Mapping[str, bytes], kind: str = "SHA256") -> bytes:
    """Return a manifest of files."""
    lines = (
        f"{kind}({name})= {hashlib.new(kind.lower(), content).hexdigest()}\n"
        for name, content in files.items()
    )
    return "".join(lines).encode()


def write_ova(path: Path, files: Mapping[str, bytes]) -> Path:
    """Write a tar archive of these files, in this order."""
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def cloud_image(path: Path, disk: bytes = b"vmdk" * 1000) -> Path:
    """Write an OVA like that of Ubuntu's cloud image."""
    described = descriptor({DISK: f'ovf:size="{len(disk)}"'}).encode()
    files = {"noble.ovf": described, DISK: disk}
    return write_ova(path, {"noble.ovf": described, "noble.mf": manifest(files), DISK: disk})
