"""Applying the sections of request bodies to a VM or vApp: elements in, state changed.

Order and types of the elements were checked before (`bodies`); here their meaning is.
"""

from __future__ import annotations

import ipaddress
import secrets
from collections.abc import Iterator

from lxml import etree

from cse_client.simulator.vcd.cloud import Cloud
from cse_client.simulator.vcd.errors import bad_request
from cse_client.simulator.vcd.markup import local, name
from cse_client.simulator.vcd.networks import OrgNetwork
from cse_client.simulator.vcd.people import Right, User
from cse_client.simulator.vcd.vapps import Nic, VApp, Vm

__all__ = [
    "SECTIONS",
    "allocate_addresses",
    "apply_section",
    "child",
    "children",
    "last_part",
    "network_configs",
    "set_cpu_or_memory",
    "text",
    "truth",
]

_MODES = ("NONE", "DHCP", "POOL", "MANUAL")
_LONGEST_COMPUTER_NAME = 63
_VCPUS = 128
_CPU, _MEMORY, _DISK = "3", "4", "17"

#: The sections of a Vm that reconfigureVm and ReconfigureItem change.
SECTIONS = (
    "VirtualHardwareSection",
    "NetworkConnectionSection",
    "GuestCustomizationSection",
    "VmSpecSection",
    "ProductSection",
)


def child(element: etree._Element, tag: str) -> etree._Element | None:
    """Return the first child of this local name."""
    return next((one for one in element if local(one) == tag), None)


def children(element: etree._Element | None, tag: str) -> Iterator[etree._Element]:
    """Yield the children of this local name."""
    if element is not None:
        yield from (one for one in element if local(one) == tag)


def text(element: etree._Element | None, tag: str) -> str | None:
    """Return a child's text, stripped; None where the child is missing, "" where it is empty."""
    found = child(element, tag) if element is not None else None
    return None if found is None else (found.text or "").strip()


def truth(element: etree._Element | None, tag: str, default: bool) -> bool:
    """Return a child's boolean, or the default where it is missing."""
    value = text(element, tag)
    return default if value is None else value in ("true", "1")


def last_part(href: str | None) -> str:
    """Return the identifier at the end of an href: of `.../vApp/vm-ID` the ID."""
    tail = (href or "").rstrip("/").rsplit("/", 1)[-1]
    for prefix in ("vappTemplate-", "vapp-", "vm-"):
        if tail.startswith(prefix):
            return tail[len(prefix) :]
    return tail.rsplit(":", 1)[-1]


def apply_section(
    cloud: Cloud, user: User, vapp: VApp, vm: Vm, section: etree._Element, *, fresh: bool = False
) -> None:
    """Apply one section to a VM; `fresh` for one that is being made, whose parts may be left out.

    Sections that the simulator keeps no state for are refused.
    """
    tag = local(section)
    if tag == "GuestCustomizationSection":
        _customization(vm, section)
    elif tag == "NetworkConnectionSection":
        _network_connections(cloud, vapp, vm, section)
    elif tag == "VirtualHardwareSection":
        _hardware(user, vm, section, fresh=fresh)
    elif tag == "VmSpecSection":
        _vm_spec(vm, section)
    elif tag == "ProductSection":
        _product(vm, section)
    elif tag not in ("OperatingSystemSection", "RuntimeInfoSection", "SnapshotSection"):
        raise bad_request(f"The simulator cannot apply the section {tag}.")


def _customization(vm: Vm, section: etree._Element) -> None:
    """Replace the customization settings: what is left out falls back to its default."""
    computer_name = text(section, "ComputerName")
    if computer_name is not None:
        _check_computer_name(computer_name)
    custom = vm.customization
    renamed = computer_name is not None and computer_name != custom.computer_name
    custom.enabled = truth(section, "Enabled", custom.enabled)
    custom.change_sid = truth(section, "ChangeSid", custom.change_sid)
    custom.password_enabled = truth(section, "AdminPasswordEnabled", custom.password_enabled)
    custom.password_auto = truth(section, "AdminPasswordAuto", custom.password_auto)
    custom.reset_password = truth(section, "ResetPasswordRequired", custom.reset_password)
    password = text(section, "AdminPassword")
    if not custom.password_enabled:
        custom.password = None
    elif custom.password_auto:
        custom.password = custom.password or secrets.token_urlsafe(6)
    elif password:
        custom.password = password
    script = child(section, "CustomizationScript")
    custom.script = script.text if script is not None else None
    if computer_name is not None:
        custom.computer_name = computer_name
    if renamed and not vm.on and vm.guest is not None:
        # A changed computer name makes VCD customize again (vCloud Director User's Guide).
        vm.needs_customization = True


def _check_computer_name(value: str) -> None:
    plain = value.replace("-", "")
    if len(value) > _LONGEST_COMPUTER_NAME or not (plain.isascii() and plain.isalnum()):
        raise bad_request(
            f'The computer name "{value}" is invalid. A computer name may hold letters, digits and'
            " hyphens and is at most 63 characters long."
        )


def _network_connections(cloud: Cloud, vapp: VApp, vm: Vm, section: etree._Element) -> None:
    """Replace the VM's network cards; addresses are given out by `allocate_addresses`."""
    before = {nic.index: nic for nic in vm.nics}
    nics = []
    for one in children(section, "NetworkConnection"):
        mode = text(one, "IpAddressAllocationMode") or "NONE"
        if mode not in _MODES:
            raise bad_request(f"Unknown IP Addressing Mode {mode}.")
        network = one.get("network") or "none"
        if network != "none" and vapp.network_named(network) is None:
            raise bad_request(f'The VCD entity network "{network}" does not exist.')
        index = int(text(one, "NetworkConnectionIndex") or 0)
        old = before.get(index)
        same = old is not None and (old.network, old.mode) == (network, mode)
        nics.append(
            Nic(
                index=index,
                network=network,
                mode=mode,
                mac=text(one, "MACAddress") or (old.mac if old else cloud.next_mac()),
                address=_wanted_address(one, mode, old if same else None),
                connected=truth(one, "IsConnected", True),
                adapter=text(one, "NetworkAdapterType") or (old.adapter if old else "VMXNET3"),
            )
        )
    vm.nics = nics
    primary = text(section, "PrimaryNetworkConnectionIndex")
    if primary:
        vm.primary_nic = int(primary)
    elif nics:
        vm.primary_nic = nics[0].index


def _wanted_address(element: etree._Element, mode: str, old: Nic | None) -> str:
    if mode == "MANUAL":
        address = text(element, "IpAddress") or ""
        try:
            return str(ipaddress.IPv4Address(address))
        except ValueError as error:
            raise bad_request(f"The IP address {address} is invalid.") from error
    return old.address if old is not None and mode == "POOL" else ""


def allocate_addresses(vapp: VApp, vm: Vm) -> None:
    """Give the VM's network cards their addresses, and take back those it no longer has.

    Raises VCD's error when a pool is exhausted; then nothing is held for this VM.
    """
    kept = {nic.address for nic in vm.nics if nic.address}
    for network in vapp.networks:
        for address in [one for one, holder in network.allocated.items() if holder == vm.id]:
            if address not in kept:
                del network.allocated[address]
    for nic in vm.nics:
        found = vapp.network_named(nic.network)
        if found is None:
            continue
        if nic.mode == "POOL" and not nic.address:
            nic.address = found.allocate(vm.id)
        elif nic.mode in ("POOL", "MANUAL") and nic.address:
            found.reserve(nic.address, vm.id)


def _refuse_if_on(vm: Vm, what: str) -> None:
    if vm.on:
        raise bad_request(
            f'The {what} of VM "{vm.name}" cannot be changed while it is powered on: hot add is'
            " not enabled."
        )


def _hardware(user: User, vm: Vm, section: etree._Element, *, fresh: bool) -> None:
    for item in children(section, "Item"):
        kind = text(item, "ResourceType")
        if kind in (_CPU, _MEMORY):
            set_cpu_or_memory(vm, item)
    kinds = {text(item, "ResourceType") for item in children(section, "Item")}
    if vm.disk_mb and not fresh and _DISK not in kinds:
        raise bad_request(
            f'The hard disk of VM "{vm.name}" is missing in the VirtualHardwareSection: the'
            " simulator does not remove disks."
        )
    extra = list(children(section, "ExtraConfig"))
    if extra and user.may(Right.EXTRA_CONFIG):
        # Without the right VCD drops them silently.
        values = dict(vm.extra_config)
        for one in extra:
            key = one.get(name("vmw:key")) or one.get("key") or ""
            values[key] = one.get(name("vmw:value")) or one.get("value") or ""
        vm.extra_config = values


def set_cpu_or_memory(vm: Vm, item: etree._Element) -> None:
    """Apply a RASD item of CPUs or memory."""
    kind = text(item, "ResourceType")
    quantity = _positive(text(item, "VirtualQuantity"), "VirtualQuantity")
    if kind == _MEMORY:
        if quantity != vm.memory_mb:
            _refuse_if_on(vm, "memory")
        vm.memory_mb = quantity
        return
    if kind != _CPU:
        raise bad_request(f"The resource type {kind} does not belong here.")
    cores = int(text(item, "CoresPerSocket") or vm.cores_per_socket)
    _set_cpus(vm, quantity, cores)


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


def _vm_spec(vm: Vm, section: etree._Element) -> None:
    cpus = text(section, "NumCpus")
    if cpus is not None:
        cores = int(text(section, "NumCoresPerSocket") or vm.cores_per_socket)
        _set_cpus(vm, _positive(cpus, "NumCpus"), cores)
    memory = child(section, "MemoryResourceMb")
    if memory is not None:
        wanted = _positive(text(memory, "Configured"), "MemoryResourceMb")
        if wanted != vm.memory_mb:
            _refuse_if_on(vm, "memory")
        vm.memory_mb = wanted


def _product(vm: Vm, section: etree._Element) -> None:
    values = {}
    for one in children(section, "Property"):
        key = one.get(name("ovf:key")) or ""
        inner = child(one, "Value")
        given = inner.get(name("ovf:value")) if inner is not None else None
        values[key] = given if given is not None else one.get(name("ovf:value")) or ""
    vm.properties = values
    vm.product_info = text(section, "Info") or ""


def network_configs(cloud: Cloud, vapp: VApp, section: etree._Element) -> list[OrgNetwork]:
    """Read a NetworkConfigSection: the org networks a vApp is connected to directly."""
    found = []
    for config in children(section, "NetworkConfig"):
        label = config.get("networkName") or ""
        configuration = child(config, "Configuration")
        parent = child(configuration, "ParentNetwork") if configuration is not None else None
        if parent is None:
            raise bad_request("The simulator has no vApp networks without a parent network.")
        network = cloud.network(last_part(parent.get("href")))
        if vapp.vdc.id not in network.shared_in:
            raise bad_request(f'The network "{network.name}" is not available in the VDC.')
        if label != network.name or text(configuration, "FenceMode") != "bridged":
            raise bad_request(
                f'The simulator connects vApps directly only: the vApp network "{label}" must have'
                f' the name of its parent "{network.name}" and the fence mode bridged.'
            )
        found.append(network)
    return found
