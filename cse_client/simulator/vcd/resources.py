"""CPUs, memory, disk and storage profile of a VM: what changes them, and limits."""

from __future__ import annotations

from collections.abc import Sequence

from lxml import etree

from cse_client.simulator.vcd.cloud import Cloud
from cse_client.simulator.vcd.entities import StorageProfile, Vdc
from cse_client.simulator.vcd.errors import VcdError, bad_request, not_implemented
from cse_client.simulator.vcd.markup import name
from cse_client.simulator.vcd.people import Right, User
from cse_client.simulator.vcd.reading import child, children, last_part, text
from cse_client.simulator.vcd.vapps import DISK_ID, Vm

__all__ = [
    "apply_hardware",
    "apply_vm_spec",
    "check_disks",
    "check_quotas",
    "check_storage",
    "set_cpu_or_memory",
    "set_disk",
    "wanted_disk_mb",
    "wanted_profile",
]

_VCPUS = 128
_CPU, _MEMORY, _DISK = "3", "4", "17"
_MEGABYTE = 1024 * 1024


def check_disks(vm: Vm, section: etree._Element) -> None:
    """Raise 501 where a section takes the VM's disk away or adds one, 400 where it shrinks it.

    The disks of a VM are those that its hardware items, or the DiskSettings of a VmSpecSection,
    name. A VirtualHardwareSection of ExtraConfig alone leaves the hardware (go-vcloud-director,
    `UpdateExtraConfig`).
    """
    kinds = {text(item, "ResourceType") for item in children(section, "Item")}
    disks = child(section, "DiskSection")
    emptied = disks is not None and child(disks, "DiskSettings") is None
    if vm.disk_mb and (emptied or (kinds and _DISK not in kinds)):
        raise not_implemented(f'removing the hard disk of VM "{vm.name}"')
    wanted_disk_mb(vm, section)


def apply_hardware(user: User, vm: Vm, section: etree._Element) -> None:
    """Apply a VirtualHardwareSection, whose disks were checked before.

    ExtraConfig without a value takes the key away (go-vcloud-director, `DeleteExtraConfig`).
    """
    extra = list(children(section, "ExtraConfig"))
    for item in children(section, "Item"):
        if text(item, "ResourceType") in (_CPU, _MEMORY):
            set_cpu_or_memory(vm, item)
    set_disk(vm, section)
    if extra and user.may(Right.EXTRA_CONFIG):
        # Without the right VCD drops them silently.
        values = dict(vm.extra_config)
        for one in extra:
            key = one.get(name("vmw:key")) or one.get("key") or ""
            value = one.get(name("vmw:value")) or one.get("value") or ""
            if value:
                values[key] = value
            else:
                values.pop(key, None)
        vm.extra_config = values


def set_cpu_or_memory(vm: Vm, item: etree._Element) -> None:
    """Apply a RASD item of CPUs or memory."""
    kind = text(item, "ResourceType")
    quantity = _positive(text(item, "VirtualQuantity"), "VirtualQuantity")
    if kind == _MEMORY:
        _set_memory(vm, quantity)
    elif kind == _CPU:
        cores = int(text(item, "CoresPerSocket") or vm.cores_per_socket)
        _set_cpus(vm, quantity, cores)
    else:
        raise bad_request(f"The resource type {kind} does not belong here.")


def apply_vm_spec(vm: Vm, section: etree._Element) -> None:
    """Apply the VmSpecSection of newer clients, unless it says that it was not modified."""
    if section.get("Modified", "true") in ("false", "0"):
        return
    cpus, cores = text(section, "NumCpus"), text(section, "NumCoresPerSocket")
    if cpus is not None or cores is not None:
        count = _positive(cpus, "NumCpus") if cpus is not None else vm.cpus
        _set_cpus(vm, count, int(cores or vm.cores_per_socket))
    memory = child(section, "MemoryResourceMb")
    if memory is not None:
        _set_memory(vm, _positive(text(memory, "Configured"), "MemoryResourceMb"))
    set_disk(vm, section)


def set_disk(vm: Vm, section: etree._Element) -> None:
    """Make the disk as large as a section wants it.

    That a linked clone's disk cannot grow is vSphere's refusal, in whose words it comes
    (kubernetes-sigs/cluster-api-provider-vsphere issue 1189); terraform-provider-vcd documents the
    case for fast provisioning (vapp_vm, `consolidate_disks_on_create`). That it comes by the task,
    and not at once, is inferred from the workflow that catches it (vCloud Architecture Toolkit,
    "Disk Handler").
    """
    wanted = wanted_disk_mb(vm, section)
    if vm.linked_clone and wanted != vm.disk_mb:
        raise VcdError(
            500,
            "INTERNAL_SERVER_ERROR",
            "Invalid operation for device '0'. Disks with parents cannot be expanded.",
        )
    vm.disk_mb = wanted


def _refuse_if_on(vm: Vm, what: str) -> None:
    if vm.on:
        raise bad_request(
            f'The {what} of VM "{vm.name}" cannot be changed while it is powered on: hot add is'
            " not enabled."
        )


def _set_memory(vm: Vm, megabytes: int) -> None:
    if megabytes != vm.memory_mb:
        _refuse_if_on(vm, "memory")
    vm.memory_mb = megabytes


def _set_cpus(vm: Vm, cpus: int, cores: int) -> None:
    if cpus != vm.cpus:
        _refuse_if_on(vm, "number of CPUs")
    if cpus > _VCPUS or cores < 1 or cpus % cores:
        raise bad_request(
            f"The number of CPUs {cpus} is not a multiple of the number of cores per socket"
            f" {cores}, or exceeds {_VCPUS}."
        )
    vm.cpus, vm.cores_per_socket = cpus, cores


def _positive(value: str | None, what: str) -> int:
    number = int(value) if value and value.isdigit() else 0
    if number < 1:
        raise bad_request(f"The value {value} of {what} is invalid.")
    return number


def wanted_disk_mb(vm: Vm, section: etree._Element) -> int:
    """Return the disk's size in MB as a section wants it; a disk may grow, never shrink."""
    sizes = [size for size in _sizes(vm, section) if size != vm.disk_mb]
    if not sizes:
        return vm.disk_mb
    if len(sizes) > 1:
        raise not_implemented("a second hard disk of a VM")
    if sizes[0] < vm.disk_mb:
        raise bad_request(
            f'The hard disk of VM "{vm.name}" has {vm.disk_mb} MB and cannot be made smaller'
            f" ({sizes[0]} MB)."
        )
    return sizes[0]


def _sizes(vm: Vm, section: etree._Element) -> list[int]:
    found = []
    for item in children(section, "Item"):
        resource = child(item, "HostResource")
        if text(item, "ResourceType") == _DISK and resource is not None:
            capacity = resource.get(name("vcloud:capacity")) or resource.get("capacity")
            # The capacity counts; VirtualQuantity is the same in bytes (pyvcloud leaves it).
            found.append(_positive(capacity or str(vm.disk_mb), "capacity"))
    disks = child(section, "DiskSection")
    for settings in children(disks, "DiskSettings"):
        if text(settings, "DiskId") != DISK_ID:
            raise not_implemented("a second hard disk of a VM")
        found.append(_positive(text(settings, "SizeMb"), "SizeMb"))
    return found


def wanted_profile(vdc: Vdc, element: etree._Element) -> StorageProfile | None:
    """Return the storage profile that an element names, None without one; 400 if unknown."""
    reference = child(element, "StorageProfile")
    if reference is None:
        return None
    identifier = last_part(reference.get("href"))
    for profile in vdc.storage:
        if profile.id == identifier and profile.enabled:
            return profile
    raise bad_request(f"The storage policy {identifier} is not available in the VDC.")


def check_quotas(cloud: Cloud, vdc: Vdc, fresh: Sequence[tuple[Vm, int]]) -> None:
    """Raise 400 where new VMs, each with the MB of its disk, do not fit into the VDC's limits."""
    if not fresh:
        return
    present = [vm for vapp, vm in cloud.vms.values() if vapp.vdc is vdc]
    if vdc.vm_quota and len(present) + len(fresh) > vdc.vm_quota:
        raise bad_request(
            f"The requested operation will exceed the VDC's VM quota of {vdc.vm_quota}."
        )
    check_storage(cloud, vdc, fresh)
    known = {profile.id for profile in vdc.storage if profile.enabled}
    for vm, _size in fresh:
        if vm.storage_profile_id not in known:
            raise bad_request(
                f"The storage policy {vm.storage_profile_id} is not available in the VDC."
            )


def check_storage(
    cloud: Cloud, vdc: Vdc, fresh: Sequence[tuple[Vm, int]], *, without: Vm | None = None
) -> None:
    """Raise 400 where so many MB more do not fit; the snapshot of the VM `without` goes."""
    present = [vm for vapp, vm in cloud.vms.values() if vapp.vdc is vdc]
    for profile in vdc.storage:
        need = sum(size for vm, size in fresh if vm.storage_profile_id == profile.id)
        used = sum(
            vm.disk_mb if vm is without else vm.storage_mb
            for vm in present
            if vm.storage_profile_id == profile.id
        )
        if need and profile.limit_mb and used + need > profile.limit_mb:
            raise bad_request(
                "The requested operation will exceed the VDC's storage quota: storage policy"
                f' "{profile.name}" has {profile.limit_mb - used:,} MB remaining, requested'
                f" {need:,} MB."
            )
