"""Whether a VDC has room for new VMs: storage, memory, CPU and the number of VMs.

`made` is the noun for what is made in messages: nodes, of which there may be fewer, or one VM.
"""

from __future__ import annotations

from collections.abc import Sequence

from cse_client.errors import Refused
from cse_client.model import StorageProfile, Vdc
from cse_client.model.capacity import Need
from cse_client.plurals import counted, noun
from cse_client.vcd.client import VcdClient
from cse_client.vcd.findings import Findings, Lot

__all__ = ["NODE", "check_capacity", "check_storage"]

NODE = "node"


def check_storage(lots: Sequence[Lot], findings: Findings, *, made: str = NODE) -> None:
    """Check that each storage profile has room for the VMs that are made there."""
    profiles = {
        lot.storage_profile.name: lot.storage_profile for lot in lots if lot.storage_profile
    }
    for name, profile in profiles.items():
        used_by = [
            lot
            for lot in lots
            if lot.storage_profile is not None and lot.storage_profile.name == name
        ]
        _check_room(profile, used_by, findings, made)


def _check_room(
    profile: StorageProfile, lots: Sequence[Lot], findings: Findings, made: str
) -> None:
    known = [lot.template_vm for lot in lots]
    is_known = all(source is not None and source.disk_mb for source in known)
    needed = sum(lot.count * _disk_mb(lot) for lot in lots)
    left = max(0, profile.limit_mb - profile.used_mb) if profile.limit_mb else None
    findings.needs.append(
        Need(f"storage in {profile.name}", needed if is_known else None, left, "MB")
    )
    if is_known and left is not None and needed > left:
        fewer = "fewer --nodes or " if made == NODE else ""
        findings.problems.append(
            Refused(
                f"The storage profile '{profile.name}' has {left} MB left, "
                f"and {_those(lots, made)} {needed} MB.",
                hint=f"Use {fewer}another --storage-profile, or have the limit raised.",
            )
        )


def _those(lots: Sequence[Lot], made: str) -> str:
    """Return subject and verb of what the VMs need."""
    count = sum(lot.count for lot in lots)
    return f"{counted(count, made)} {noun(count, 'needs', 'need')}"


def _disk_mb(lot: Lot) -> int:
    """Return how much storage a VM takes, as far as its template is known."""
    source = lot.template_vm
    if source is None:
        return 0
    first = next((mb for _id, mb in source.disks), 0)
    return source.disk_mb + max(0, (lot.hardware.disk_mb or 0) - first)


def check_capacity(
    vcd: VcdClient, vdc: Vdc, lots: Sequence[Lot], findings: Findings, *, made: str = NODE
) -> None:
    """Check that the VDC and the user's quota have room for VMs; what is not shown has no limit."""
    nodes = sum(lot.count for lot in lots)
    capacity = findings.collect(lambda: vcd.surroundings.capacity(vdc))
    document = findings.collect(lambda: vcd.surroundings.vdc_document(vdc))
    if capacity is None or document is None:
        return
    if capacity.vms_left is not None and capacity.vms_left < nodes:
        required = f"{nodes} {noun(nodes, 'is', 'are')}"
        fewer = "Use fewer --nodes, delete" if made == NODE else "Delete"
        findings.problems.append(
            Refused(
                f"VDC '{vdc.name}' has room for {counted(capacity.vms_left, 'more VM')}, "
                f"and {required} required.",
                hint=f"{fewer} VMs, or have the VM quota raised.",
            )
        )
    memory = cpus = 0
    for lot in lots:
        source, hardware = lot.template_vm, lot.hardware
        memory += lot.count * (hardware.known_memory_mb or (source.memory_mb if source else 0))
        cpus += lot.count * (hardware.known_cpus or (source.cpus if source else 0))
    speed = document.vcpu_mhz or 0
    mhz = cpus * speed
    cpus_left = None
    if speed and capacity.cpu_mhz_left is not None:
        cpus_left = max(0, capacity.cpu_mhz_left) // speed
    findings.needs += [
        Need("VMs", nodes, capacity.vms_left),
        Need("vCPUs", cpus or None, cpus_left),
        Need("memory", memory or None, capacity.memory_mb_left, "MB"),
    ]
    whose = f"the {noun(nodes, made)} {noun(nodes, 'needs', 'need')}"
    short = [
        _short("memory", "MB", capacity.memory_mb_left, memory, vdc, whose),
        _short("CPU", "MHz", capacity.cpu_mhz_left, mhz, vdc, whose),
    ]
    smaller = "fewer or smaller nodes" if made == NODE else f"a smaller {made}"
    for text in filter(None, short):
        if document.overcommits:
            findings.warnings.append(text)
        else:
            hint = f"Use {smaller}, or have the limit raised."
            findings.problems.append(Refused(text, hint=hint))


def _short(what: str, unit: str, left: int | None, needed: int, vdc: Vdc, whose: str) -> str:
    """Return what does not fit into the VDC's limit; empty when it fits or nothing is known."""
    if left is None or needed <= left:
        return ""
    return f"VDC '{vdc.name}' has {left} {unit} of {what} left, but {whose} {needed} {unit}."
