"""Session, organization, VDC, storage profile, network, edge gateway."""

from __future__ import annotations

from lxml import etree

from cse_client.simulator.vcd.documents import common
from cse_client.simulator.vcd.documents.view import View, media
from cse_client.simulator.vcd.entities import Org, StorageProfile, Vdc
from cse_client.simulator.vcd.markup import add, boolean, document
from cse_client.simulator.vcd.networks import OrgNetwork
from cse_client.simulator.vcd.people import Right, Session

__all__ = [
    "addresses",
    "network",
    "org",
    "org_list",
    "policies",
    "session",
    "storage_profile",
    "vdc",
]

_QUERY_LINKS_SINCE = (33, 0)
_POLICIES_SINCE = (31, 0)
_LOGOUT_GONE = (38, 0)
_RECORDS = "query.records"
_HARDWARE_VERSIONS = ("vmx-10", "vmx-11", "vmx-13", "vmx-14", "vmx-15", "vmx-18", "vmx-19")


def session(view: View, current: Session) -> etree._Element:
    """Render the Session; a link for each thing that the user may open."""
    user = current.user
    own = view.cloud.org_of(user)
    root = document(
        "Session",
        {
            "org": own.name,
            "user": user.name,
            "userId": f"urn:vcloud:user:{user.id}",
            "roles": user.role,
            "locationId": f"{own.id}@{own.id}",
            "href": f"{view.api}/session",
            "type": media("session"),
        },
    )
    view.link(root, "down", f"{view.api}/org/", "orgList")
    if view.version < _LOGOUT_GONE:
        view.link(root, "remove", f"{view.api}/session")
    if user.is_provider or user.may(Right.ADMIN_QUERIES):
        view.link(root, "down", f"{view.api}/admin/", "application/vnd.vmware.admin.vcloud+xml")
    view.link(root, "down", view.href(own), "org", own.name)
    view.link(root, "down", f"{view.api}/query", "query.queryList")
    view.link(root, "entityResolver", f"{view.api}/entity/", "entity")
    view.link(root, "down:extensibility", f"{view.api}/extensibility", "apiextensibility")
    if view.version >= _QUERY_LINKS_SINCE:
        view.link(root, "openapi", view.cloudapi, "application/json")
    add(root, "AuthorizedLocations")
    return root


def org_list(view: View) -> etree._Element:
    """Render the list of organizations: a tenant sees his own, a system administrator all."""
    root = document("OrgList", {"href": f"{view.api}/org/", "type": media("orgList")})
    if view.user.is_provider:
        view.reference(root, "Org", view.cloud.system_org)
    view.reference(root, "Org", view.cloud.org)
    return root


def org(view: View, which: Org) -> etree._Element:
    """Render an organization; `System` holds nothing.

    From API 33 on VDCs and catalogs are links to queries; pyvcloud takes the first whose address
    holds "vdc", so that one comes first, as on real servers. That a system administrator's links
    lead to the types of administrators is inferred: pyvcloud finds a tenant's VDCs by them.
    """
    cloud = view.cloud
    root = document("Org", view.identity(which))
    if view.version >= _QUERY_LINKS_SINCE:
        query = f"{view.api}/query?type="
        own = f"&filter=(org=={view.href(which)})&links=true"
        kinds = ("adminOrgVdc", "adminCatalog") if view.user.is_provider else ("orgVdc", "catalog")
        view.link(root, "down", f"{query}{kinds[0]}{own}", _RECORDS)
        view.link(root, "down", f"{query}{kinds[1]}{own}", _RECORDS)
        view.link(root, "down", f"{query}orgVdcNetwork{own}", _RECORDS)
    elif which is cloud.org:
        for one in cloud.vdcs.values():
            view.link(root, "down", view.href(one), "vdc", one.name)
        for shelf in cloud.catalogs.values():
            view.link(root, "down", view.href(shelf), "catalog", shelf.name)
        for net in cloud.networks.values():
            view.link(root, "down", view.href(net), "orgNetwork", net.name)
    view.link(root, "down", f"{view.api}/tasksList/{which.id}", "tasksList")
    view.link(root, "down", f"{view.href(which)}/metadata", "metadata")
    add(root, "Description", which.description)
    common.tasks_of(view, root, which)
    add(root, "FullName", which.full_name)
    return root


def vdc(view: View, org_vdc: Vdc) -> etree._Element:
    """Render an org VDC."""
    root = document("Vdc", {**view.identity(org_vdc), "status": "1"})
    _vdc_links(view, root, org_vdc)
    add(root, "Description", org_vdc.description)
    common.tasks_of(view, root, org_vdc)
    add(root, "AllocationModel", "AllocationVApp")
    vms = [vm for vapp, vm in view.cloud.vms.values() if vapp.vdc is org_vdc]
    on = [vm for vm in vms if vm.on]
    compute = add(root, "ComputeCapacity")
    _capacity(
        compute, "Cpu", "MHz", org_vdc.cpu_limit_mhz, sum(v.cpus for v in on) * org_vdc.vcpu_mhz
    )
    _capacity(compute, "Memory", "MB", org_vdc.memory_limit_mb, sum(v.memory_mb for v in on))
    entities = add(root, "ResourceEntities")
    for _catalog, item in view.cloud.items():
        if item.template is not None and item.template.vdc_id == org_vdc.id:
            view.reference(entities, "ResourceEntity", item.template)
    for vapp in view.cloud.vapps.values():
        if vapp.vdc is org_vdc and view.cloud.visible(vapp, view.user):
            view.reference(entities, "ResourceEntity", vapp)
    available = add(root, "AvailableNetworks")
    for net in view.cloud.networks.values():
        if org_vdc.id in net.shared_in:
            attributes = {**view.identity(net), "type": media("network")}
            add(available, "Network", None, attributes)
    capabilities = add(root, "Capabilities")
    versions = add(capabilities, "SupportedHardwareVersions")
    for version in _HARDWARE_VERSIONS:
        add(versions, "SupportedHardwareVersion", version, {"name": version})
    add(root, "NicQuota", "0")
    add(root, "NetworkQuota", "1000")
    add(root, "UsedNetworkCount", str(len(available)))
    add(root, "VmQuota", str(org_vdc.vm_quota))
    add(root, "IsEnabled", boolean(org_vdc.enabled))
    profiles = add(root, "VdcStorageProfiles")
    for profile in org_vdc.storage:
        view.reference(profiles, "VdcStorageProfile", profile)
    if view.version >= _POLICIES_SINCE:
        policy = org_vdc.policies[0]
        attributes = {
            "href": f"{view.cloudapi}/1.0.0/vdcComputePolicies/urn:vcloud:vdcComputePolicy:"
            f"{policy.id}",
            "id": f"urn:vcloud:vdcComputePolicy:{policy.id}",
            "name": policy.name,
            "type": "application/json",
        }
        add(root, "DefaultComputePolicy", None, attributes)
    add(root, "VCpuInMhz2", str(org_vdc.vcpu_mhz))
    return root


def _vdc_links(view: View, root: etree._Element, one: Vdc) -> None:
    href = view.href(one)
    view.link(root, "up", view.href(view.cloud.org), "org")
    view.link(root, "down", f"{href}/metadata", "metadata")
    if view.user.may(Right.COMPOSE):
        view.link(
            root, "add", f"{href}/action/instantiateVAppTemplate", "instantiateVAppTemplateParams"
        )
        view.link(root, "add", f"{href}/action/composeVApp", "composeVAppParams")
    if view.version >= _POLICIES_SINCE:
        view.link(root, "down", f"{href}/computePolicies", "vdcComputePolicyReferences")
    view.link(root, "down", f"{href}/vmAffinityRules/", "vmaffinityrules")
    if view.user.may(Right.AFFINITY_EDIT):
        view.link(root, "add", f"{href}/vmAffinityRules/", "vmaffinityrule")
    if view.user.may(Right.GATEWAY_VIEW):
        view.link(root, "edgeGateways", f"{view.api}/admin/vdc/{one.id}/edgeGateways", _RECORDS)


def _capacity(parent: etree._Element, tag: str, units: str, limit: int, used: int) -> None:
    holder = add(parent, tag)
    for name, value in (
        ("Units", units),
        ("Allocated", "0"),
        ("Limit", str(limit)),
        ("Reserved", "0"),
        ("Used", str(used)),
        ("Overhead", "0"),
    ):
        add(holder, name, value)


def policies(view: View, one: Vdc) -> etree._Element:
    """Render the VDC's VM sizing and placement policies as references."""
    root = document(
        "VdcComputePolicyReferences",
        {
            "href": f"{view.href(one)}/computePolicies",
            "type": media("vdcComputePolicyReferences"),
        },
    )
    for policy in one.policies:
        urn = f"urn:vcloud:vdcComputePolicy:{policy.id}"
        attributes: dict[str, str | None] = {
            "href": f"{view.cloudapi}/1.0.0/vdcComputePolicies/{urn}",
            "id": urn,
            "name": policy.name,
        }
        add(root, "VdcComputePolicyReference", None, attributes)
    return root


def storage_profile(view: View, one: StorageProfile) -> etree._Element:
    """Render a storage profile of a VDC."""
    root = document("VdcStorageProfile", view.identity(one))
    view.link(root, "up", f"{view.api}/vdc/{one.vdc_id}", "vdc")
    view.link(root, "down", f"{view.href(one)}/metadata", "metadata")
    add(root, "Enabled", boolean(one.enabled))
    add(root, "Units", "MB")
    add(root, "Limit", str(one.limit_mb))
    add(root, "Default", boolean(one.is_default))
    settings = add(root, "IopsSettings")
    for name, value in (("Enabled", "false"), ("DiskIopsMax", "0"), ("DiskIopsDefault", "0")):
        add(settings, name, value)
    used = sum(
        vm.storage_mb for _vapp, vm in view.cloud.vms.values() if vm.storage_profile_id == one.id
    )
    add(root, "StorageUsedMB", str(used))
    return root


def network(view: View, one: OrgNetwork) -> etree._Element:
    """Render an org VDC network."""
    href = view.href(one)
    root = document("OrgVdcNetwork", {**view.identity(one), "status": "1"})
    vdc_id = next(iter(sorted(one.shared_in)), "")
    view.link(root, "up", f"{view.api}/vdc/{vdc_id}", "vdc")
    view.link(root, "down", f"{href}/metadata", "metadata")
    view.link(root, "down", f"{href}/allocatedAddresses/", "allocatedNetworkAddress")
    add(root, "Description", "")
    configuration = add(root, "Configuration")
    scope = add(add(configuration, "IpScopes"), "IpScope")
    ip_scope(view, scope, one, inherited=False)
    add(configuration, "FenceMode", one.fence)
    add(configuration, "RetainNetInfoAcrossDeployments", "false")
    if one.edge is not None:
        gateway = f"{view.api}/admin/edgeGateway/{one.edge.id}"
        kind = "application/vnd.vmware.admin.edgeGateway+xml"
        add(root, "EdgeGateway", None, {"href": gateway, "name": one.edge.name, "type": kind})
    add(root, "IsShared", boolean(len(one.shared_in) > 1))
    return root


def ip_scope(view: View, scope: etree._Element, one: OrgNetwork, *, inherited: bool) -> None:
    """Fill an IpScope: gateway, mask, DNS, static pool."""
    add(scope, "IsInherited", boolean(inherited))
    add(scope, "Gateway", one.gateway)
    add(scope, "Netmask", str(one.network.netmask))
    if view.version >= _POLICIES_SINCE:
        add(scope, "SubnetPrefixLength", str(one.network.prefixlen))
    for position, server in enumerate(one.dns[:2], start=1):
        add(scope, f"Dns{position}", server)
    add(scope, "IsEnabled", "true")
    pool = add(add(scope, "IpRanges"), "IpRange")
    add(pool, "StartAddress", one.pool[0])
    add(pool, "EndAddress", one.pool[1])


def addresses(view: View, one: OrgNetwork) -> etree._Element:
    """Render the addresses that are in use."""
    root = document(
        "AllocatedIpAddresses",
        {
            "href": f"{view.href(one)}/allocatedAddresses/",
            "type": media("allocatedNetworkAddress"),
        },
    )
    view.link(root, "up", view.href(one), "network")
    pairs = [(address, holder) for address, all_ in one.allocated.items() for holder in all_]
    for address, holder in pairs:
        found = view.cloud.vms.get(holder)
        entry = add(
            root,
            "IpAddress",
            None,
            {
                "allocationType": "vmAllocated" if found else "natRouted",
                "isDeployed": boolean(found is not None and found[1].deployed),
            },
        )
        if found is not None:
            view.link(entry, "down", view.href(found[1]), "vm", found[1].name)
        add(entry, "IpAddress", address)
    return root
