"""The sections of a vApp or VM besides its hardware: network cards, customization, lease."""

from __future__ import annotations

from collections.abc import Sequence

from lxml import etree

from cse_client.simulator.vcd.documents.hardware import TOOLS_VERSION
from cse_client.simulator.vcd.documents.view import View, media
from cse_client.simulator.vcd.entities import Template
from cse_client.simulator.vcd.markup import add, boolean, document, moment
from cse_client.simulator.vcd.people import Right
from cse_client.simulator.vcd.vapps import Customization, Nic, VApp, Vm

__all__ = [
    "customization",
    "customization_status",
    "lease",
    "network_connections",
    "operating_system",
    "own_section",
    "product",
    "product_list",
    "runtime_info",
    "template_customization",
    "template_lease",
]


def own_section(
    parent: etree._Element | None, tag: str, href: str, name: str | None = None
) -> etree._Element:
    """Add a section of vCloud's namespace, or make it a document of its own."""
    name = name or tag[0].lower() + tag[1:]
    attributes: dict[str, str | None] = {
        "ovf:required": "false",
        "href": f"{href}/{name}/",
        "type": media(name),
    }
    if parent is None:
        return document(tag, attributes)
    return add(parent, tag, None, attributes)


def operating_system(root: etree._Element, href: str, template: Template) -> None:
    """Add the OperatingSystemSection."""
    place = f"{href}/operatingSystemSection/"
    section = add(
        root,
        "ovf:OperatingSystemSection",
        None,
        {
            "ovf:id": "94",
            "vcloud:href": place,
            "vcloud:type": media("operatingSystemSection"),
            "vmw:osType": template.os_type,
        },
    )
    add(section, "ovf:Info", "Specifies the operating system installed")
    add(section, "ovf:Description", template.os_name)


def network_connections(
    view: View,
    parent: etree._Element | None,
    nics: Sequence[Nic],
    primary: int,
    href: str,
    *,
    edit: bool,
) -> etree._Element:
    """Render a NetworkConnectionSection."""
    root = own_section(parent, "NetworkConnectionSection", href)
    add(root, "ovf:Info", "Specifies the available VM network connections")
    if nics:
        add(root, "PrimaryNetworkConnectionIndex", str(primary))
    for nic in nics:
        attributes: dict[str, str | None] = {
            "network": nic.network,
            "needsCustomization": "false",
        }
        one = add(root, "NetworkConnection", None, attributes)
        add(one, "NetworkConnectionIndex", str(nic.index))
        if nic.address:
            add(one, "IpAddress", nic.address)
        add(one, "IsConnected", boolean(nic.connected))
        add(one, "MACAddress", nic.mac)
        add(one, "IpAddressAllocationMode", nic.mode)
        add(one, "NetworkAdapterType", nic.adapter)
    if edit:
        place = f"{href}/networkConnectionSection/"
        view.link(root, "edit", place, "networkConnectionSection")
    return root


def customization(
    view: View,
    parent: etree._Element | None,
    one: Customization,
    vm_id: str,
    href: str,
    *,
    edit: bool,
) -> etree._Element:
    """Render a GuestCustomizationSection, script and password included."""
    root = own_section(parent, "GuestCustomizationSection", href)
    add(root, "ovf:Info", "Specifies Guest OS Customization Settings")
    for tag, value in (
        ("Enabled", boolean(one.enabled)),
        ("ChangeSid", boolean(one.change_sid)),
        ("VirtualMachineId", vm_id),
        ("JoinDomainEnabled", boolean(one.join_domain)),
        ("UseOrgSettings", boolean(one.use_org_settings)),
        ("AdminPasswordEnabled", boolean(one.password_enabled)),
        ("AdminPasswordAuto", boolean(one.password_auto)),
        ("AdminPassword", one.password),
        ("AdminAutoLogonEnabled", boolean(one.auto_logon)),
        ("AdminAutoLogonCount", str(one.auto_logon_count)),
        ("ResetPasswordRequired", boolean(one.reset_password)),
        ("CustomizationScript", one.script),
        ("ComputerName", one.computer_name),
    ):
        if value is not None:
            add(root, tag, value)
    if edit:
        place = f"{href}/guestCustomizationSection/"
        view.link(root, "edit", place, "guestCustomizationSection")
    return root


def template_customization(view: View, parent: etree._Element, one: Template, href: str) -> None:
    """Add a template VM's GuestCustomizationSection."""
    customization(view, parent, one.vm_customization(), one.vm_id, href, edit=False)


def customization_status(href: str, status: str) -> etree._Element:
    """Render the state of guest customization: GC_PENDING ... GC_COMPLETE or GC_FAILED.

    A document of its own: the VM's does not hold it.
    """
    root = own_section(None, "GuestCustomizationStatusSection", href, "guestcustomizationstatus")
    root.set("type", media("guestcustomizationstatussection"))
    add(root, "ovf:Info", "Specifies guest customization status")
    add(root, "GuestCustStatus", status)
    return root


def runtime_info(root: etree._Element, href: str, *, tools: bool) -> None:
    """Add the RuntimeInfoSection: the version of VMware Tools, where they run."""
    attributes: dict[str, str | None] = {
        "vcloud:href": f"{href}/runtimeInfoSection",
        "vcloud:type": media("virtualHardwareSection"),
    }
    section = add(root, "RuntimeInfoSection", None, attributes)
    add(section, "ovf:Info", "Specifies Runtime info")
    if tools:
        add(section, "VMWareTools", None, {"version": TOOLS_VERSION})


def lease(view: View, parent: etree._Element | None, one: VApp) -> etree._Element:
    """Render a vApp's LeaseSettingsSection."""
    href = view.href(one)
    root = own_section(parent, "LeaseSettingsSection", href)
    add(root, "ovf:Info", "Lease settings section")
    if view.user.may(Right.EDIT):
        view.link(root, "edit", f"{href}/leaseSettingsSection/", "leaseSettingsSection")
    add(root, "DeploymentLeaseInSeconds", str(one.deployment_lease))
    add(root, "StorageLeaseInSeconds", str(one.storage_lease))
    if one.deployment_ends is not None:
        add(root, "DeploymentLeaseExpiration", moment(one.deployment_ends))
    if one.storage_ends is not None:
        add(root, "StorageLeaseExpiration", moment(one.storage_ends))
    return root


def template_lease(view: View, parent: etree._Element | None, one: Template) -> etree._Element:
    """Render a template's LeaseSettingsSection: it has a storage lease only."""
    href = view.href(one)
    root = own_section(parent, "LeaseSettingsSection", href)
    add(root, "ovf:Info", "Lease settings section")
    if view.user.may(Right.CATALOG_EDIT) or view.user.name == one.owner:
        view.link(root, "edit", f"{href}/leaseSettingsSection/", "leaseSettingsSection")
    add(root, "StorageLeaseInSeconds", str(one.storage_lease))
    if one.storage_ends is not None:
        add(root, "StorageLeaseExpiration", moment(one.storage_ends))
    return root


def product_list(view: View, vm: Vm | Template | None, href: str, *, edit: bool) -> etree._Element:
    """Render the guest properties of a VM, or a template's VM; None for what has none."""
    place = f"{href}/productSections/"
    root = document("ProductSectionList", {"href": place, "type": media("productSections")})
    if edit:
        view.link(root, "edit", place, "productSections")
    if vm is not None:
        product(root, vm)
    return root


def product(root: etree._Element, vm: Vm | Template) -> None:
    """Add the ProductSection with a VM's guest properties, where it has one."""
    if not (vm.properties or vm.product_info):
        return
    needed = vm.product_required if isinstance(vm, Vm) else True
    required: dict[str, str | None] = {"ovf:required": boolean(needed)}
    section = add(root, "ovf:ProductSection", None, required)
    add(section, "ovf:Info", vm.product_info)
    for key, value in vm.properties.items():
        attributes: dict[str, str | None] = {
            "ovf:key": key,
            "ovf:type": value.type,
            "ovf:qualifiers": value.qualifiers,
            "ovf:userConfigurable": boolean(value.user_configurable),
            "ovf:password": "true" if value.password else None,
            "ovf:value": value.default,
        }
        one = add(section, "ovf:Property", None, attributes)
        if value.label is not None:
            add(one, "ovf:Label", value.label)
        if value.description is not None:
            add(one, "ovf:Description", value.description)
        if value.given is not None:
            add(one, "ovf:Value", None, {"ovf:value": value.given})
