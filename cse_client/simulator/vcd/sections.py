"""Applying the sections of request bodies to a VM or vApp: elements in, state changed.

Order and types of the elements were checked before (`bodies`); here their meaning is.
"""

from __future__ import annotations

import ipaddress
import secrets
from collections.abc import Callable

from lxml import etree

from cse_client.simulator.vcd.cloud import Cloud
from cse_client.simulator.vcd.entities import ComputePolicy
from cse_client.simulator.vcd.errors import bad_request, not_implemented
from cse_client.simulator.vcd.markup import local, name
from cse_client.simulator.vcd.networks import OrgNetwork
from cse_client.simulator.vcd.people import User
from cse_client.simulator.vcd.policies import (
    refuse_other_sizes,
    sizing_policy,
    wanted_policies,
)
from cse_client.simulator.vcd.reading import child, children, last_part, text, truth
from cse_client.simulator.vcd.resources import (
    apply_hardware,
    apply_vm_spec,
    check_disks,
    wanted_profile,
)
from cse_client.simulator.vcd.vapps import GuestProperty, Nic, VApp, Vm

__all__ = [
    "SECTIONS",
    "allocate_addresses",
    "apply_section",
    "check_section",
    "connect",
    "network_configs",
    "reconfigure",
]

_MODES = ("NONE", "DHCP", "POOL", "MANUAL")
_LONGEST_COMPUTER_NAME = 63

#: The sections of a Vm that reconfigureVm and ReconfigureItem change.
SECTIONS = (
    "VirtualHardwareSection",
    "NetworkConnectionSection",
    "GuestCustomizationSection",
    "VmSpecSection",
    "ProductSection",
)


def check_section(
    vapp: VApp, vm: Vm, section: etree._Element, policy: ComputePolicy | None = None
) -> None:
    """Refuse at once what a section must not ask of a VM that is there, or gets a `policy`."""
    if section.get("Modified", "true") not in ("false", "0"):
        check_disks(vm, section)
        refuse_other_sizes(policy or sizing_policy(vapp.vdc, vm), vm, section)


def apply_section(cloud: Cloud, user: User, vapp: VApp, vm: Vm, section: etree._Element) -> None:
    """Apply one section to a VM."""
    tag = local(section)
    if tag == "GuestCustomizationSection":
        _customization(vm, section)
    elif tag == "NetworkConnectionSection":
        _network_connections(cloud, vapp, vm, section)
    elif tag == "VirtualHardwareSection":
        apply_hardware(user, vm, section)
    elif tag == "VmSpecSection":
        apply_vm_spec(vm, section)
    elif tag == "ProductSection":
        _product(vm, section)
    else:
        raise not_implemented(f"the section {tag} of a VM")


def reconfigure(
    cloud: Cloud, user: User, vapp: VApp, vm: Vm, element: etree._Element
) -> Callable[[], None]:
    """Return what a Vm or ReconfigureItem changes: the parts that it holds, and no others.

    What VCD refuses at once, as it does for policies and profiles that are not there, is raised
    here; what the change itself meets, by what is returned.
    """
    profile = wanted_profile(vapp.vdc, element)
    policies = wanted_policies(vapp.vdc, element)
    for section in element:
        if local(section) in SECTIONS:
            check_section(vapp, vm, section, policies.sizing)
    new_name, description = element.get("name"), text(element, "Description")

    def effect() -> None:
        for section in element:
            if local(section) in SECTIONS:
                apply_section(cloud, user, vapp, vm, section)
        policies.apply(vm)
        allocate_addresses(vapp, vm)
        if profile is not None:
            vm.storage_profile_id = profile.id
        vm.name = new_name or vm.name
        if description is not None:
            vm.description = description

    return effect


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
    custom.auto_logon = truth(section, "AdminAutoLogonEnabled", custom.auto_logon)
    custom.auto_logon_count = int(text(section, "AdminAutoLogonCount") or custom.auto_logon_count)
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
        network.release(vm.id, except_for=kept)
    for nic in vm.nics:
        found = vapp.network_named(nic.network)
        if found is None:
            continue
        if nic.mode == "POOL" and not nic.address:
            nic.address = found.allocate(vm.id)
        elif nic.mode in ("POOL", "MANUAL") and nic.address:
            found.reserve(nic.address, vm.id)


def _product(vm: Vm, section: etree._Element) -> None:
    """Replace the guest properties, with everything that describes them."""
    found = {}
    for one in children(section, "Property"):
        key = one.get(name("ovf:key")) or ""
        inner = child(one, "Value")
        default = one.get(name("ovf:value"))
        given = inner.get(name("ovf:value")) if inner is not None else None
        found[key] = GuestProperty(
            type=one.get(name("ovf:type")) or "string",
            qualifiers=one.get(name("ovf:qualifiers")),
            user_configurable=one.get(name("ovf:userConfigurable")) in ("true", "1"),
            password=one.get(name("ovf:password")) in ("true", "1"),
            default=default,
            label=text(one, "Label"),
            description=text(one, "Description"),
            given=given,
        )
    vm.properties = found
    vm.product_info = text(section, "Info") or ""
    vm.product_required = section.get(name("ovf:required")) not in ("false", "0")


def connect(vapp: VApp, networks: list[OrgNetwork], section: etree._Element) -> None:
    """Connect a vApp to networks, with the descriptions that a NetworkConfigSection gives them."""
    vapp.networks = networks
    vapp.network_descriptions = {
        config.get("networkName") or "": text(config, "Description") or ""
        for config in children(section, "NetworkConfig")
    }


def network_configs(cloud: Cloud, vapp: VApp, section: etree._Element) -> list[OrgNetwork]:
    """Read a NetworkConfigSection: the org networks a vApp is connected to directly."""
    found = []
    for config in children(section, "NetworkConfig"):
        label = config.get("networkName") or ""
        configuration = child(config, "Configuration")
        parent = child(configuration, "ParentNetwork") if configuration is not None else None
        if parent is None:
            raise not_implemented("a vApp network without a parent network")
        network = cloud.network(last_part(parent.get("href")))
        if vapp.vdc.id not in network.shared_in:
            raise bad_request(f'The network "{network.name}" is not available in the VDC.')
        if label != network.name or text(configuration, "FenceMode") != "bridged":
            raise not_implemented(
                f'vApp networks other than direct ones: "{label}" must have the name of its parent'
                f' "{network.name}" and the fence mode bridged; that'
            )
        found.append(network)
    return found
