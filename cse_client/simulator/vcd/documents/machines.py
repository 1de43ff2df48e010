"""vApp and VM documents. Links depend on state and rights [recorded: fog, vcloud-rest]."""

from __future__ import annotations

from lxml import etree

from cse_client.simulator.vcd.documents import common, hardware, sections
from cse_client.simulator.vcd.documents.organization import ip_scope
from cse_client.simulator.vcd.documents.view import View, media
from cse_client.simulator.vcd.entities import Template
from cse_client.simulator.vcd.machines import environment_properties
from cse_client.simulator.vcd.markup import add, boolean, document, moment
from cse_client.simulator.vcd.people import Right
from cse_client.simulator.vcd.vapps import Status, VApp, Vm

__all__ = ["network_config_section", "template_vm", "vapp", "vm"]

_ON_ACTIONS = ("powerOff", "reboot", "reset", "shutdown", "suspend")
_COMPUTE_POLICY_SINCE = (33, 0)


def vapp(view: View, one: VApp) -> etree._Element:
    """Render a vApp with all its VMs."""
    attributes = {
        "ovfDescriptorUploaded": "true",
        "deployed": boolean(one.deployed),
        "status": str(one.status),
        **view.identity(one),
    }
    root = document("VApp", attributes)
    _vapp_links(view, root, one)
    add(root, "Description", one.description)
    common.tasks_of(view, root, one)
    sections.lease(view, root, one)
    _startup_section(view, root, one)
    _network_section(view, root, one)
    network_config_section(view, one, root)
    _snapshot_section(view.href(one), root)
    if one.created is not None:
        add(root, "DateCreated", moment(one.created))
    owner = add(root, "Owner", None, {"type": media("owner")})
    view.user_reference(owner, one.owner)
    add(root, "autoNature", "false")
    add(root, "InMaintenanceMode", boolean(one.maintenance))
    if one.vms:
        children = add(root, "Children")
        for member in one.vms:
            vm(view, one, member, children)
    return root


def _vapp_links(view: View, root: etree._Element, one: VApp) -> None:
    """Add the links of what can be done now, and may be done by this user."""
    href = view.href(one)
    user = view.user
    status = one.status
    if status != Status.UNRESOLVED and not one.expired:
        if user.may(Right.POWER):
            _power_links(
                view,
                root,
                href,
                off=any(not member.on for member in one.vms),
                on=any(member.on for member in one.vms),
                deployed=one.deployed,
            )
        if user.may(Right.COMPOSE):
            view.link(root, "recompose", f"{href}/action/recomposeVApp", "recomposeVAppParams")
    if user.may(Right.DELETE) and status != Status.UNRESOLVED and not one.deployed:
        view.link(root, "remove", href)
    if user.may(Right.EDIT) and status != Status.UNRESOLVED:
        view.link(root, "edit", href, "vApp")
    for network in one.networks:
        view.link(root, "down", f"{view.api}/network/{network.id}", "vAppNetwork", network.name)
    view.link(root, "down", f"{href}/controlAccess/", "controlAccess")
    if user.may(Right.SHARE) and status != Status.UNRESOLVED:
        view.link(root, "controlAccess", f"{href}/action/controlAccess", "controlAccess")
    view.link(root, "up", view.href(one.vdc), "vdc")
    view.link(root, "down", f"{href}/owner", "owner")
    view.link(root, "down", f"{href}/metadata", "metadata")
    view.link(root, "down", f"{href}/productSections/", "productSections")
    view.link(root, "ovf", f"{href}/ovf", "text/xml")


def _power_links(
    view: View, root: etree._Element, href: str, *, off: bool, on: bool, deployed: bool
) -> None:
    if off:
        view.link(root, "power:powerOn", f"{href}/power/action/powerOn")
        view.link(root, "deploy", f"{href}/action/deploy", "deployVAppParams")
    if on:
        for action in _ON_ACTIONS:
            view.link(root, f"power:{action}", f"{href}/power/action/{action}")
    if deployed:
        view.link(root, "undeploy", f"{href}/action/undeploy", "undeployVAppParams")


def _own(href: str, name: str) -> dict[str, str | None]:
    """Return the attributes of a section in OVF's namespace: vCloud's ones are qualified."""
    return {"vcloud:href": f"{href}/{name}/", "vcloud:type": media(name)}


def _startup_section(view: View, root: etree._Element, one: VApp) -> None:
    href = view.href(one)
    section = add(root, "ovf:StartupSection", None, _own(href, "startupSection"))
    add(section, "ovf:Info", "VApp startup section")
    for member in one.vms:
        add(
            section,
            "ovf:Item",
            None,
            {
                "ovf:id": member.name,
                "ovf:order": "0",
                "ovf:startAction": "powerOn",
                "ovf:startDelay": "0",
                "ovf:stopAction": "powerOff",
                "ovf:stopDelay": "0",
            },
        )
    if view.user.may(Right.EDIT):
        view.link(section, "edit", f"{href}/startupSection/", "startupSection")


def _network_section(view: View, root: etree._Element, one: VApp) -> None:
    section = add(root, "ovf:NetworkSection", None, _own(view.href(one), "networkSection"))
    add(section, "ovf:Info", "The list of logical networks")
    for network in one.networks:
        entry = add(section, "ovf:Network", None, {"ovf:name": network.name})
        add(entry, "ovf:Description", "")


def network_config_section(
    view: View, one: VApp, parent: etree._Element | None = None
) -> etree._Element:
    """Render the networks of a vApp, as a document or inside of it."""
    href = view.href(one)
    section = sections.own_section(parent, "NetworkConfigSection", href)
    add(section, "ovf:Info", "The configuration parameters for logical networks")
    if view.user.may(Right.EDIT):
        view.link(section, "edit", f"{href}/networkConfigSection/", "networkConfigSection")
    for network in one.networks:
        config = add(section, "NetworkConfig", None, {"networkName": network.name})
        add(config, "Description", one.network_descriptions.get(network.name, ""))
        configuration = add(config, "Configuration")
        scope = add(add(configuration, "IpScopes"), "IpScope")
        ip_scope(view, scope, network, inherited=True)
        add(
            configuration,
            "ParentNetwork",
            None,
            {
                "href": view.href(network),
                "id": f"urn:vcloud:network:{network.id}",
                "name": network.name,
            },
        )
        add(configuration, "FenceMode", "bridged")
        add(configuration, "RetainNetInfoAcrossDeployments", "false")
        add(config, "IsDeployed", boolean(one.deployed))
    return section


def _snapshot_section(href: str, root: etree._Element) -> None:
    attributes: dict[str, str | None] = {
        "ovf:required": "false",
        "href": f"{href}/snapshotSection",
        "type": media("snapshotSection"),
    }
    section = add(root, "SnapshotSection", None, attributes)
    add(section, "ovf:Info", "Snapshot information section")


def vm(view: View, holder: VApp, one: Vm, parent: etree._Element | None = None) -> etree._Element:
    """Render a VM, as a document or inside its vApp."""
    attributes = {
        "needsCustomization": boolean(one.needs_customization),
        "nestedHypervisorEnabled": "false",
        "deployed": boolean(one.deployed),
        "status": str(one.status),
        **view.identity(one),
    }
    root = document("Vm", attributes) if parent is None else add(parent, "Vm", None, attributes)
    _vm_links(view, root, holder, one)
    add(root, "Description", one.description)
    common.tasks_of(view, root, one)
    href = view.href(one)
    edit = view.user.may(Right.EDIT) and not holder.expired
    hardware.hardware(view, root, href, hardware.HardwareOf.vm(one), edit=edit)
    sections.operating_system(root, href, one.template)
    sections.network_connections(view, root, one.nics, one.primary_nic, href, edit=edit)
    sections.customization(view, root, one.customization, one.id, href, edit=edit)
    sections.runtime_info(root, href, tools=one.tools_running)
    _snapshot_section(href, root)
    hardware.vm_spec(view, root, hardware.HardwareOf.vm(one), one.template, href)
    if one.created is not None:
        add(root, "DateCreated", moment(one.created))
    add(root, "VAppScopedLocalId", one.local_id)
    if one.on:
        _environment(root, holder, one)
    _capabilities(root, href)
    profile = next(
        (p for p in holder.vdc.storage if p.id == one.storage_profile_id),
        holder.vdc.default_profile,
    )
    view.reference(root, "StorageProfile", profile)
    if view.version >= _COMPUTE_POLICY_SINCE and one.sizing_policy_id:
        urn = f"urn:vcloud:vdcComputePolicy:{one.sizing_policy_id}"
        place = f"{view.cloudapi}/1.0.0/vdcComputePolicies/{urn}"
        policy = add(root, "ComputePolicy")
        add(policy, "VmSizingPolicy", None, {"href": place, "id": urn, "type": "application/json"})
    return root


def _vm_links(view: View, root: etree._Element, holder: VApp, one: Vm) -> None:
    href = view.href(one)
    user = view.user
    usable = one.status not in (Status.UNRESOLVED, Status.FAILED) and not holder.expired
    if usable and user.may(Right.POWER):
        _power_links(view, root, href, off=not one.on, on=one.on, deployed=one.deployed)
    if usable and user.may(Right.EDIT):
        view.link(root, "edit", href, "vm")
    if user.may(Right.DELETE) and not one.deployed and one.status != Status.UNRESOLVED:
        view.link(root, "remove", href)
    view.link(root, "down", f"{href}/metadata", "metadata")
    view.link(root, "down", f"{href}/productSections/", "productSections")
    if usable and user.may(Right.COMPOSE):
        if not one.on:
            view.link(root, "customizeAtNextPowerOn", f"{href}/action/customizeAtNextPowerOn")
        view.link(root, "reconfigureVm", f"{href}/action/reconfigureVm", "vm", one.name)
        view.link(root, "disk:attach", f"{href}/disk/action/attach", "diskAttachOrDetachParams")
        view.link(root, "disk:detach", f"{href}/disk/action/detach", "diskAttachOrDetachParams")
    view.link(root, "up", view.href(holder), "vApp")


def _environment(root: etree._Element, holder: VApp, one: Vm) -> None:
    """Add the OVF environment: script and password in it, for whoever may read the VM."""
    environment = add(
        root, "ovfenv:Environment", None, {"ovfenv:id": "", "ve:vCenterId": f"vm-{one.id[:6]}"}
    )
    platform = add(environment, "ovfenv:PlatformSection")
    for tag, value in (
        ("Kind", "VMware ESXi"),
        ("Version", "7.0.3"),
        ("Vendor", "VMware, Inc."),
        ("Locale", "en"),
    ):
        add(platform, f"ovfenv:{tag}", value)
    properties = add(environment, "ovfenv:PropertySection")
    for key, value in environment_properties(holder, one).items():
        attributes = {"ovfenv:key": key, "ovfenv:value": value}
        add(properties, "ovfenv:Property", None, attributes)


def _capabilities(root: etree._Element, href: str) -> None:
    attributes = {"href": f"{href}/vmCapabilities/", "type": media("vmCapabilitiesSection")}
    holder = add(root, "VmCapabilities", None, attributes)
    add(holder, "MemoryHotAddEnabled", "false")
    add(holder, "CpuHotAddEnabled", "false")


def template_vm(view: View, parent: etree._Element, one: Template) -> None:
    """Add a template's VM to its `Children`."""
    href = f"{view.api}/vAppTemplate/vm-{one.vm_id}"
    root = add(
        parent,
        "Vm",
        None,
        {
            "status": str(one.status),
            "name": one.vm_name,
            "id": f"urn:vcloud:vm:{one.vm_id}",
            "href": href,
            "type": media("vm"),
        },
    )
    view.link(root, "up", view.href(one), "vAppTemplate")
    view.link(root, "storageProfile", f"{view.api}/vdcStorageProfile/", "vdcStorageProfile")
    view.link(root, "down", f"{href}/metadata", "metadata")
    add(root, "Description", "")
    parts = hardware.HardwareOf.template(one)
    sections.network_connections(view, root, parts.nics, 0, href, edit=False)
    sections.template_customization(view, root, one, href)
    sections.operating_system(root, href, one)
    hardware.hardware(view, root, href, parts, edit=False)
    hardware.vm_spec(view, root, parts, one, href)
    add(root, "VAppScopedLocalId", one.vm_name)
