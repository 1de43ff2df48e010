"""What administrators read below /api/admin: the cloud, organizations, users, roles, gateways."""

from __future__ import annotations

from lxml import etree

from cse_client.simulator.vcd.documents.view import View
from cse_client.simulator.vcd.entities import Org
from cse_client.simulator.vcd.markup import add, boolean, document
from cse_client.simulator.vcd.networks import EdgeGateway
from cse_client.simulator.vcd.people import User, role_id

__all__ = ["as_admin", "edge_gateway", "org", "role", "user", "vcloud"]

_MEDIA = "application/vnd.vmware.admin."
#: The build that a release says it is: number and date as GET /api/admin of real servers has
#: them, which clients take apart (go-vcloud-director: govcd/api_vcd_versions.go). The numbers are
#: the simulator's.
_BUILD = "{}.0.20000000 Mon Jan 05 10:00:00 UTC 2026"


def vcloud(view: View) -> etree._Element:
    """Render the cloud, with the organizations that the user sees."""
    root = document(
        "VCloud",
        {
            "name": "VMware Cloud Director",
            "href": f"{view.api}/admin/",
            "type": f"{_MEDIA}vcloud+xml",
        },
    )
    add(root, "Description", _BUILD.format(view.cloud.release.name))
    references = add(root, "OrganizationReferences")
    both = (view.cloud.system_org, view.cloud.org) if view.user.is_provider else (view.cloud.org,)
    for one in both:
        add(references, "OrganizationReference", None, _org_identity(view, one))
    return root


def _org_identity(view: View, one: Org) -> dict[str, str | None]:
    return {
        "name": one.name,
        "id": f"urn:vcloud:org:{one.id}",
        "href": f"{view.api}/admin/org/{one.id}",
        "type": f"{_MEDIA}organization+xml",
    }


def org(view: View, one: Org) -> etree._Element:
    """Render an organization with its settings and references to what it holds."""
    cloud = view.cloud
    root = document("AdminOrg", _org_identity(view, one))
    view.link(root, "up", f"{view.api}/admin/", f"{_MEDIA}vcloud+xml")
    view.link(root, "alternate", view.href(one), "org")
    add(root, "Description", one.description)
    add(root, "FullName", one.full_name)
    add(root, "IsEnabled", "true")
    settings = add(root, "Settings")
    _general_settings(settings)
    leases = add(settings, "VAppLeaseSettings")
    add(leases, "DeleteOnStorageLeaseExpiration", boolean(one.expired_vapps_are_deleted))
    add(leases, "DeploymentLeaseSeconds", str(one.longest_deployment_lease))
    add(leases, "StorageLeaseSeconds", str(one.longest_storage_lease))
    leases = add(settings, "VAppTemplateLeaseSettings")
    add(leases, "DeleteOnStorageLeaseExpiration", "false")
    add(leases, "StorageLeaseSeconds", str(one.longest_template_storage_lease))
    users = cloud.users if one is cloud.org else cloud.providers
    holder = add(root, "Users")
    for member in users.values():
        add(holder, "UserReference", None, _user_identity(view, member))
    add(root, "Groups")
    if one is cloud.org:
        _holdings(view, root)
    return root


def _general_settings(settings: etree._Element) -> None:
    general = add(settings, "OrgGeneralSettings")
    for tag, value in (
        ("CanPublishCatalogs", "false"),
        ("DeployedVMQuota", "0"),
        ("StoredVmQuota", "0"),
        ("UseServerBootSequence", "false"),
        ("DelayAfterPowerOnSeconds", "0"),
    ):
        add(general, tag, value)


def _holdings(view: View, root: etree._Element) -> None:
    """Add references to the organization's catalogs, VDCs and networks, in the schema's order."""
    for tag, inner, entities, place, kind in (
        ("Catalogs", "CatalogReference", view.cloud.catalogs, "catalog", "catalog"),
        ("Vdcs", "Vdc", view.cloud.vdcs, "vdc", "vdc"),
        ("Networks", "Network", view.cloud.networks, "network", "network"),
    ):
        holder = add(root, tag)
        own = [one for one in entities.values() if not getattr(one, "org_id", "")]
        for one in own:
            attributes: dict[str, str | None] = {
                "name": one.name,
                "id": f"urn:vcloud:{place}:{one.id}",
                "href": f"{view.api}/admin/{place}/{one.id}",
                "type": f"{_MEDIA}{kind}+xml",
            }
            add(holder, inner, None, attributes)


def as_admin(view: View, root: etree._Element, tag: str, place: str, up: Org) -> etree._Element:
    """Turn the tenants' document of a VDC or catalog into the administrators'.

    Its links lead up to the organization as administrators see it, and across to the tenants'
    document. What only administrators see, such as allocations, is left out.
    """
    tenants = root.get("href") or ""
    kind = root.get("type")
    root.tag = str(root.tag).rpartition("}")[0] + "}" + tag
    root.set("href", f"{view.api}/admin/{place}")
    root.set("type", f"{_MEDIA}{place.partition('/')[0]}+xml")
    for link in [one for one in root if one.get("rel") == "up"]:
        root.remove(link)
    links = document("Links", {})
    view.link(links, "up", f"{view.api}/admin/org/{up.id}", f"{_MEDIA}organization+xml")
    view.link(links, "alternate", tenants, kind)
    for position, link in enumerate(list(links)):
        root.insert(position, link)
    return root


def _user_identity(view: View, one: User) -> dict[str, str | None]:
    return {
        "name": one.name,
        "id": f"urn:vcloud:user:{one.id}",
        "href": f"{view.api}/admin/user/{one.id}",
        "type": f"{_MEDIA}user+xml",
    }


def user(view: View, one: User) -> etree._Element:
    """Render a user."""
    root = document("User", _user_identity(view, one))
    add(root, "FullName", "")
    add(root, "IsEnabled", "true")
    add(root, "IsLocked", "false")
    add(root, "IsExternal", "false")
    add(root, "StoredVmQuota", "0")
    add(root, "DeployedVmQuota", "0")
    add(root, "Role", None, _role_identity(view, one.role))
    return root


def _role_identity(view: View, name: str) -> dict[str, str | None]:
    return {
        "name": name,
        "id": f"urn:vcloud:role:{role_id(name)}",
        "href": f"{view.api}/admin/role/{role_id(name)}",
        "type": f"{_MEDIA}role+xml",
    }


def role(view: View, name: str) -> etree._Element:
    """Render a role, without its rights."""
    root = document("Role", _role_identity(view, name))
    add(root, "Description", f"The predefined role {name}")
    return root


def edge_gateway(view: View, one: EdgeGateway) -> etree._Element:
    """Render an edge gateway: its uplink; services are shown by the newer APIs alone."""
    root = document(
        "EdgeGateway",
        {
            "name": one.name,
            "id": f"urn:vcloud:gateway:{one.id}",
            "href": f"{view.api}/admin/edgeGateway/{one.id}",
            "type": f"{_MEDIA}edgeGateway+xml",
            "status": "1",
        },
    )
    vdc = one.vdc_in(view.cloud.networks.values(), view.cloud.vdcs)
    view.link(root, "up", f"{view.api}/admin/vdc/{vdc.id}", f"{_MEDIA}vdc+xml")
    add(root, "Description", "")
    configuration = add(root, "Configuration")
    add(configuration, "GatewayBackingConfig", "compact")
    uplink = add(add(configuration, "GatewayInterfaces"), "GatewayInterface")
    add(uplink, "Name", one.uplink)
    add(uplink, "DisplayName", one.uplink)
    add(uplink, "InterfaceType", "uplink")
    subnet = add(uplink, "SubnetParticipation")
    add(subnet, "Gateway", str(one.outside.network_address + 1))
    add(subnet, "Netmask", str(one.outside.netmask))
    add(subnet, "IpAddress", one.external_address)
    add(uplink, "UseForDefaultRoute", "true")
    return root
