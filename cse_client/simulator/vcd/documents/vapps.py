"""vApp documents. Links depend on state and rights [recorded: fog, vcloud-rest]."""

from __future__ import annotations

from lxml import etree

from cse_client.simulator.vcd.documents import common, machines, sections
from cse_client.simulator.vcd.documents.organization import ip_scope
from cse_client.simulator.vcd.documents.view import View, media
from cse_client.simulator.vcd.markup import add, boolean, document, moment
from cse_client.simulator.vcd.networks import OrgNetwork
from cse_client.simulator.vcd.people import Right
from cse_client.simulator.vcd.vapps import Status, VApp

__all__ = ["network_config_section", "vapp", "vapp_network"]


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
    machines.snapshot_section(view.href(one), root, None)
    if one.created is not None:
        add(root, "DateCreated", moment(one.created))
    owner = add(root, "Owner", None, {"type": media("owner")})
    view.user_reference(owner, one.owner)
    add(root, "autoNature", "false")
    add(root, "InMaintenanceMode", boolean(one.maintenance))
    if one.vms:
        children = add(root, "Children")
        for member in one.vms:
            machines.vm(view, one, member, children)
    return root


def _vapp_links(view: View, root: etree._Element, one: VApp) -> None:
    """Add the links of what can be done now, and may be done by this user."""
    href = view.href(one)
    user = view.user
    status = one.status
    if status != Status.UNRESOLVED and not one.expired:
        if user.may(Right.POWER):
            machines.power_links(
                view,
                root,
                href,
                off=any(not member.on for member in one.vms) or status == Status.RESOLVED,
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
        place = f"{view.api}/network/{one.network_id(network)}"
        view.link(root, "down", place, "vAppNetwork", network.name)
    view.link(root, "down", f"{href}/controlAccess/", "controlAccess")
    if user.may(Right.SHARE) and status != Status.UNRESOLVED:
        view.link(root, "controlAccess", f"{href}/action/controlAccess", "controlAccess")
    view.link(root, "up", view.href(one.vdc), "vdc")
    view.link(root, "down", f"{href}/owner", "owner")
    view.link(root, "down", f"{href}/metadata", "metadata")
    view.link(root, "down", f"{href}/productSections/", "productSections")


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
        # The address of a vApp network stands in this link alone, and clients take it from here
        # (go-vcloud-director: govcd/vapp_network.go) [recorded: fog, jclouds].
        place = f"{view.api}/admin/network/{one.network_id(network)}"
        view.link(config, "repair", f"{place}/action/reset")
        add(config, "Description", one.network_descriptions.get(network.name, ""))
        _network_configuration(view, config, network)
        add(config, "IsDeployed", boolean(one.deployed))
    return section


def _network_configuration(view: View, parent: etree._Element, network: OrgNetwork) -> None:
    configuration = add(parent, "Configuration")
    scope = add(add(configuration, "IpScopes"), "IpScope")
    ip_scope(view, scope, network, inherited=True)
    reference: dict[str, str | None] = {
        "href": view.href(network),
        "id": f"urn:vcloud:network:{network.id}",
        "name": network.name,
    }
    add(configuration, "ParentNetwork", None, reference)
    add(configuration, "FenceMode", "bridged")
    add(configuration, "RetainNetInfoAcrossDeployments", "false")


def vapp_network(view: View, one: VApp, network: OrgNetwork) -> etree._Element:
    """Render a network of a vApp: an entity of its own, connected to the org's."""
    identifier = one.network_id(network)
    root = document(
        "VAppNetwork",
        {
            "name": network.name,
            "id": f"urn:vcloud:network:{identifier}",
            "href": f"{view.api}/network/{identifier}",
            "type": media("vAppNetwork"),
            "deployed": boolean(one.deployed),
        },
    )
    view.link(root, "up", view.href(one), "vApp")
    add(root, "Description", one.network_descriptions.get(network.name, ""))
    _network_configuration(view, root, network)
    return root
