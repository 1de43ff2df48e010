"""VM documents. Links depend on state and rights [recorded: fog, vcloud-rest]."""

from __future__ import annotations

from lxml import etree

from cse_client.simulator.vcd.documents import common, hardware, sections
from cse_client.simulator.vcd.documents.view import View, media
from cse_client.simulator.vcd.entities import Template
from cse_client.simulator.vcd.machines import environment_properties
from cse_client.simulator.vcd.markup import add, boolean, document, moment
from cse_client.simulator.vcd.people import Right
from cse_client.simulator.vcd.vapps import Snapshot, Status, VApp, Vm

__all__ = ["power_links", "snapshot_section", "template_vm", "vm"]

_ON_ACTIONS = ("powerOff", "reboot", "reset", "shutdown", "suspend")
#: The id of the vCenter Server behind the cloud; the simulator has none.
VIM_SERVER = "6e1f4ad4-0b7b-4b6e-9a38-5a1c1c9f3b11"
_COMPUTE_POLICY_SINCE = (33, 0)


def power_links(
    view: View, root: etree._Element, href: str, *, off: bool, on: bool, deployed: bool
) -> None:
    """Add the links of the power actions that are possible."""
    if off:
        view.link(root, "power:powerOn", f"{href}/power/action/powerOn")
        view.link(root, "deploy", f"{href}/action/deploy", "deployVAppParams")
    if on:
        for action in _ON_ACTIONS:
            view.link(root, f"power:{action}", f"{href}/power/action/{action}")
    if deployed:
        view.link(root, "undeploy", f"{href}/action/undeploy", "undeployVAppParams")


def snapshot_section(
    href: str, root: etree._Element | None, one: Snapshot | None
) -> etree._Element:
    """Render the SnapshotSection of a vApp or VM, as a document or as a part [recorded: fog]."""
    attributes: dict[str, str | None] = {
        "ovf:required": "false",
        "href": f"{href}/snapshotSection",
        "type": media("snapshotSection"),
    }
    section = (
        document("SnapshotSection", attributes)
        if root is None
        else add(root, "SnapshotSection", None, attributes)
    )
    add(section, "ovf:Info", "Snapshot information section")
    if one is not None:
        values: dict[str, str | None] = {
            "created": moment(one.created),
            "poweredOn": boolean(one.powered_on),
            "size": str(one.size_mb * 1024 * 1024),
        }
        add(section, "Snapshot", None, values)
    return section


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
    if view.user.is_provider:
        _vim_info(view, root, one)
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
    snapshot_section(href, root, one.snapshot)
    profile = next(
        (p for p in holder.vdc.storage if p.id == one.storage_profile_id),
        holder.vdc.default_profile,
    )
    hardware.vm_spec(view, root, hardware.HardwareOf.vm(one), one.template, profile)
    if one.created is not None:
        add(root, "DateCreated", moment(one.created))
    add(root, "VAppScopedLocalId", one.local_id)
    if one.on:
        _environment(root, holder, one)
    _capabilities(root, href)
    view.reference(root, "StorageProfile", profile)
    _policy_and_boot(view, root, one)
    return root


def _policy_and_boot(view: View, root: etree._Element, one: Vm) -> None:
    policies = {
        "VmPlacementPolicy": one.placement_policy_id,
        "VmSizingPolicy": one.sizing_policy_id,
    }
    if view.version >= _COMPUTE_POLICY_SINCE and any(policies.values()):
        holder = add(root, "ComputePolicy")
        for tag, identifier in policies.items():
            if identifier:
                urn = f"urn:vcloud:vdcComputePolicy:{identifier}"
                place = f"{view.cloudapi}/1.0.0/vdcComputePolicies/{urn}"
                add(holder, tag, None, {"href": place, "id": urn, "type": "application/json"})
    boot = add(root, "BootOptions")
    add(boot, "BootDelay", "0")
    add(boot, "EnterBIOSSetup", "false")


def _vim_info(view: View, root: etree._Element, one: Vm) -> None:
    """Add what vSphere calls a VM and where it is, for system administrators alone.

    The genuine CSE server finds the VM in vCenter by its MoRef (vsphere-guest-run).
    """
    extension = add(root, "VCloudExtension", None, {"required": "false"})
    info = add(extension, "vmext:VmVimInfo")
    for tag, kind, reference in (
        ("VmVimObjectRef", "VIRTUAL_MACHINE", f"vm-{one.id[:6]}"),
        ("DatastoreVimObjectRef", "DATASTORE", "datastore-1"),
        ("HostVimObjectRef", "HOST", "host-1"),
    ):
        entry = add(info, f"vmext:{tag}")
        server = f"{view.api}/admin/extension/vimServer/{VIM_SERVER}"
        add(entry, "vmext:VimServerRef", None, {"href": server, "name": "vc1"})
        add(entry, "vmext:MoRef", reference)
        add(entry, "vmext:VimObjectType", kind)
    add(info, "vmext:VirtualDisksMaxChainLength", "1")


def _vm_links(view: View, root: etree._Element, holder: VApp, one: Vm) -> None:
    href = view.href(one)
    user = view.user
    usable = one.status not in (Status.UNRESOLVED, Status.FAILED) and not holder.expired
    if usable and user.may(Right.POWER):
        power_links(view, root, href, off=not one.on, on=one.on, deployed=one.deployed)
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
    if usable and user.may(Right.SNAPSHOT):
        _snapshot_links(view, root, href, one)
    view.link(root, "up", view.href(holder), "vApp")


def _snapshot_links(view: View, root: etree._Element, href: str, one: Vm) -> None:
    """Add the links for snapshots, of a VM and not of a vApp."""
    view.link(root, "snapshot:create", f"{href}/action/createSnapshot", "createSnapshotParams")
    if one.snapshot is not None:
        for action in ("revertToCurrent", "removeAll"):
            path = f"{action}Snapshot{'s' if action == 'removeAll' else ''}"
            view.link(root, f"snapshot:{action}", f"{href}/action/{path}")


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
    adapters = add(environment, "ve:EthernetAdapterSection")
    for nic in one.nics:
        values = {"ve:mac": nic.mac, "ve:network": nic.network, "ve:unitNumber": str(7 + nic.index)}
        add(adapters, "ve:Adapter", None, values)


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
    profile = view.href(view.cloud.vdcs[one.vdc_id].default_profile)
    view.link(root, "storageProfile", profile, "vdcStorageProfile")
    view.link(root, "down", f"{href}/metadata", "metadata")
    add(root, "Description", "")
    parts = hardware.HardwareOf.template(one)
    sections.network_connections(view, root, parts.nics, 0, href, edit=False)
    sections.template_customization(view, root, one, href)
    sections.product(root, one)
    sections.operating_system(root, href, one)
    hardware.hardware(view, root, href, parts, edit=False)
    hardware.vm_spec(view, root, parts, one)
    add(root, "VAppScopedLocalId", one.vm_name)
