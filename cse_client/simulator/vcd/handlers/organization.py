"""Session, organization, VDCs, networks, storage profiles, queries."""

from __future__ import annotations

from cse_client.simulator.http import Response
from cse_client.simulator.vcd.documents import common, organization, records, vapps
from cse_client.simulator.vcd.entities import StorageProfile
from cse_client.simulator.vcd.errors import no_access
from cse_client.simulator.vcd.markup import add, document
from cse_client.simulator.vcd.people import Right
from cse_client.simulator.vcd.query import Query
from cse_client.simulator.vcd.routes import Call, route


@route("GET", "/api/session")
def _session(call: Call) -> Response:
    return call.xml(organization.session(call.view, call.session), "session")


@route("GET", "/api/org")
def _org_list(call: Call) -> Response:
    return call.xml(organization.org_list(call.view), "orgList")


def _check_org(call: Call) -> None:
    if call.ids["org"] != call.cloud.org.id:
        raise no_access("org", call.ids["org"])


@route("GET", "/api/org/{org}")
def _org(call: Call) -> Response:
    own = call.cloud.org_of(call.user)
    if call.ids["org"] == own.id:
        return call.xml(organization.org(call.view, own), "org")
    if not call.user.is_provider:
        raise no_access("org", call.ids["org"])
    _check_org(call)
    return call.xml(organization.org(call.view, call.cloud.org), "org")


@route("GET", "/api/tasksList/{org}")
def _tasks_list(call: Call) -> Response:
    """List the organization's tasks; `System` has none."""
    if not (call.user.is_provider and call.ids["org"] == call.cloud.system_org.id):
        _check_org(call)
    view = call.view
    href = f"{view.api}/tasksList/{call.ids['org']}"
    attributes = {
        "name": "Tasks Lists",
        "href": href,
        "type": "application/vnd.vmware.vcloud.tasksList+xml",
    }
    root = document("TasksList", attributes)
    of_tenant = call.ids["org"] == call.cloud.org.id
    for task in reversed(call.cloud.tasks.all.values()) if of_tenant else ():
        if call.user.sees_all or task.user is call.user:
            common.task(view, task, root)
    return call.xml(root, "tasksList")


@route("GET", "/api/extensibility")
def _extensibility(call: Call) -> Response:
    view = call.view
    kind = "application/vnd.vmware.vcloud.apiextensibility+xml"
    root = document("ApiExtensibility", {"href": f"{view.api}/extensibility", "type": kind})
    return call.xml(root, "apiextensibility")


@route("GET", "/api/vdc/{vdc}")
def _vdc(call: Call) -> Response:
    return call.xml(organization.vdc(call.view, call.cloud.vdc(call.ids["vdc"])), "vdc")


@route("GET", "/api/vdc/{vdc}/computePolicies")
def _policies(call: Call) -> Response:
    vdc = call.cloud.vdc(call.ids["vdc"])
    root = organization.policies(call.view, vdc)
    return call.xml(root, "vdcComputePolicyReferences")


@route("GET", "/api/vdcStorageProfile/{profile}")
def _storage_profile(call: Call) -> Response:
    return call.xml(
        organization.storage_profile(call.view, _profile(call, call.ids["profile"])),
        "vdcStorageProfile",
    )


def _profile(call: Call, identifier: str) -> StorageProfile:
    for vdc in call.cloud.vdcs.values():
        for profile in vdc.storage:
            if profile.id == identifier:
                return profile
    raise no_access("vdcstorageProfile", identifier)


@route("GET", "/api/network/{network}")
def _network(call: Call) -> Response:
    """Show a network of the organization, or one of a vApp, which has the same kind of address."""
    for vapp in call.cloud.vapps.values():
        for one in vapp.networks:
            if vapp.network_id(one) == call.ids["network"]:
                if not call.cloud.visible(vapp, call.user):
                    raise no_access("network", call.ids["network"])
                return call.xml(vapps.vapp_network(call.view, vapp, one), "vAppNetwork")
    network = call.cloud.network(call.ids["network"])
    return call.xml(organization.network(call.view, network), "orgVdcNetwork")


@route("GET", "/api/admin/network/{network}")
def _admin_network(call: Call) -> Response:
    call.user.require(Right.NETWORK_VIEW)
    return _network(call)


@route(
    "GET",
    "/api/network/{network}/allocatedAddresses",
    "/api/admin/network/{network}/allocatedAddresses",
)
def _addresses(call: Call) -> Response:
    network = call.cloud.network(call.ids["network"])
    return call.xml(organization.addresses(call.view, network), "allocatedNetworkAddress")


@route("GET", "/api/query")
def _query(call: Call) -> Response:
    if "type" not in call.parameters:
        return call.xml(records.query_list(call.view), "query.queryList")
    query = Query(call.parameters)
    root = records.page(call.view, query)
    return call.xml(root, f"query.{query.format}")


@route("GET", "/api/admin/vdc/{vdc}/edgeGateways")
def _edge_gateways(call: Call) -> Response:
    call.cloud.vdc(call.ids["vdc"])
    query = Query({"type": "edgeGateway"})
    return call.xml(records.page(call.view, query), "query.records")


@route("GET", "/api/org/{org}/catalog/{catalog}/controlAccess")
def _catalog_access(call: Call) -> Response:
    _check_org(call)
    catalog = call.cloud.catalog(call.ids["catalog"])
    root = document("ControlAccessParams", {})
    add(root, "IsSharedToEveryone", "true" if catalog.shared else "false")
    if catalog.shared:
        add(root, "EveryoneAccessLevel", "ReadOnly")
    return call.xml(root, "controlAccess")
