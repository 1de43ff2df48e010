"""Edge gateways and the newer network API (JSON), as far as they tell about ways out.

Shapes: VMware Cloud Director OpenAPI (orgVdcNetworks, edgeGateways, nat/rules) and, for NSX-V,
the XML configuration below /network/edges.
"""

from __future__ import annotations

import json
from typing import Any

from cse_client.simulator.http import Response
from cse_client.simulator.vcd.entities import SizingPolicy
from cse_client.simulator.vcd.errors import no_access
from cse_client.simulator.vcd.markup import serialise
from cse_client.simulator.vcd.networks import EdgeGateway, NatRule, OrgNetwork
from cse_client.simulator.vcd.people import Right
from cse_client.simulator.vcd.routes import Call, route


def _json(values: Any) -> Response:
    return Response(200, json.dumps(values).encode(), "application/json")


def _page(call: Call, values: list[dict[str, Any]]) -> Response:
    size = min(int(call.parameters.get("pageSize", "25")), 128)
    page = int(call.parameters.get("page", "1"))
    shown = values[(page - 1) * size : page * size]
    return _json(
        {
            "resultTotal": len(values),
            "pageCount": max(1, -(-len(values) // size)),
            "page": page,
            "pageSize": size,
            "associations": None,
            "values": shown,
        }
    )


_TYPES = {"bridged": "DIRECT", "natRouted": "NAT_ROUTED", "isolated": "ISOLATED"}


def _network(call: Call, one: OrgNetwork) -> dict[str, Any]:
    vdc = call.cloud.vdcs[sorted(one.shared_in)[0]]
    edge = one.edge
    connection = None
    if edge is not None:
        router = {"name": edge.name, "id": f"urn:vcloud:gateway:{edge.id}"}
        connection = {"routerRef": router, "connectionType": "INTERNAL", "connected": True}
    dns = [*one.dns, "", ""]
    subnet = {
        "gateway": one.gateway,
        "prefixLength": one.network.prefixlen,
        "dnsSuffix": "",
        "dnsServer1": dns[0],
        "dnsServer2": dns[1],
        "ipRanges": {"values": [{"startAddress": one.pool[0], "endAddress": one.pool[1]}]},
        "enabled": True,
        "totalIpCount": one.size,
        "usedIpCount": one.size - one.free,
    }
    owner = {"name": vdc.name, "id": f"urn:vcloud:vdc:{vdc.id}"}
    return {
        "id": f"urn:vcloud:network:{one.id}",
        "name": one.name,
        "description": "",
        "status": "REALIZED",
        "networkType": _TYPES[one.fence],
        "subnets": {"values": [subnet]},
        "connection": connection,
        "ownerRef": owner,
        "orgVdc": owner,
        "orgVdcIsNsxTBacked": edge is None or edge.backing == "NSXT",
        "shared": len(one.shared_in) > 1,
        "routeAdvertised": False,
    }


@route("GET", "/cloudapi/1.0.0/orgVdcNetworks")
def _networks(call: Call) -> Response:
    call.user.require(Right.NETWORK_VIEW)
    return _page(call, [_network(call, one) for one in call.cloud.networks.values()])


@route("GET", "/cloudapi/1.0.0/orgVdcNetworks/urn:vcloud:network:{network}")
def _one_network(call: Call) -> Response:
    call.user.require(Right.NETWORK_VIEW)
    return _json(_network(call, call.cloud.network(call.ids["network"])))


@route("GET", "/cloudapi/1.0.0/orgVdcNetworks/urn:vcloud:network:{network}/dhcp")
def _dhcp(call: Call) -> Response:
    """Show the network's DHCP pools (VMware Cloud Director OpenAPI, OrgVdcNetworkDhcpConfig)."""
    call.user.require(Right.NETWORK_VIEW)
    pools = call.cloud.network(call.ids["network"]).dhcp
    values = [
        {
            "enabled": True,
            "ipRange": {"startAddress": first, "endAddress": last},
            "maxLeaseTime": 0,
            "defaultLeaseTime": 0,
        }
        for first, last in pools
    ]
    return _json({"enabled": bool(pools), "leaseTime": 86400, "dhcpPools": values, "mode": "EDGE"})


def _gateway(one: EdgeGateway) -> dict[str, Any]:
    return {
        "id": f"urn:vcloud:gateway:{one.id}",
        "name": one.name,
        "status": "REALIZED",
        "gatewayBacking": {"gatewayType": f"{one.backing}_BACKED"},
        "edgeGatewayUplinks": [{"uplinkName": "internet", "connected": True, "dedicated": False}],
    }


@route("GET", "/cloudapi/1.0.0/edgeGateways")
def _gateways(call: Call) -> Response:
    call.user.require(Right.GATEWAY_VIEW)
    return _page(call, [_gateway(one) for one in call.cloud.edges.values()])


@route("GET", "/cloudapi/1.0.0/edgeGateways/urn:vcloud:gateway:{edge}")
def _one_gateway(call: Call) -> Response:
    call.user.require(Right.GATEWAY_VIEW)
    return _json(_gateway(call.cloud.edge(call.ids["edge"])))


def _rule(one: NatRule) -> dict[str, Any]:
    return {
        "id": one.id,
        "name": one.name,
        "description": "",
        "enabled": one.enabled,
        "type": one.type,
        "externalAddresses": one.external,
        "internalAddresses": one.internal,
        "snatDestinationAddresses": "",
        "logging": False,
        "firewallMatch": "MATCH_INTERNAL_ADDRESS",
        "priority": 0,
    }


@route("GET", "/cloudapi/1.0.0/edgeGateways/urn:vcloud:gateway:{edge}/nat/rules")
def _nat_rules(call: Call) -> Response:
    call.user.require(Right.NAT_VIEW)
    edge = call.cloud.edge(call.ids["edge"])
    if edge.backing != "NSXT":
        raise no_access("gateway", edge.id)
    return _page(call, [_rule(one) for one in edge.nat])


@route("GET", "/network/edges/{edge}/nat/config")
def _nsxv_nat(call: Call) -> Response:
    """Answer with an NSX-V gateway's NAT configuration: XML without a namespace."""
    from lxml import etree

    call.user.require(Right.NAT_VIEW)
    edge = call.cloud.edge(call.ids["edge"])
    if edge.backing != "NSXV":
        raise no_access("gateway", edge.id)
    root = etree.Element("nat")
    etree.SubElement(root, "version").text = "1"
    etree.SubElement(root, "enabled").text = "true"
    rules = etree.SubElement(root, "natRules")
    for number, rule in enumerate(edge.nat, start=1):
        entry = etree.SubElement(rules, "natRule")
        snat = rule.type == "SNAT"
        for tag, value in (
            ("ruleId", str(196608 + number)),
            ("ruleType", "user"),
            ("action", rule.type.lower()),
            ("vnic", "0"),
            ("originalAddress", rule.internal if snat else rule.external),
            ("translatedAddress", rule.external if snat else rule.internal),
            ("loggingEnabled", "false"),
            ("enabled", str(rule.enabled).lower()),
            ("description", rule.name),
            ("protocol", "any"),
        ):
            etree.SubElement(entry, tag).text = value
    return Response(200, serialise(root), "application/xml")


@route(
    "GET",
    "/cloudapi/1.0.0/vdcComputePolicies/urn:vcloud:vdcComputePolicy:{policy}",
    "/cloudapi/2.0.0/vdcComputePolicies/urn:vcloud:vdcComputePolicy:{policy}",
)
def _policy(call: Call) -> Response:
    return _json(_policy_document(_find_policy(call, call.ids["policy"])))


def _find_policy(call: Call, identifier: str) -> SizingPolicy:
    for vdc in call.cloud.vdcs.values():
        for policy in vdc.policies:
            if policy.id == identifier:
                return policy
    raise no_access("vdcComputePolicy", identifier)


@route("GET", "/cloudapi/1.0.0/vdcComputePolicies", "/cloudapi/2.0.0/vdcComputePolicies")
def _policies(call: Call) -> Response:
    policies = [policy for vdc in call.cloud.vdcs.values() for policy in vdc.policies]
    return _page(call, [_policy_document(policy) for policy in policies])


def _policy_document(one: SizingPolicy) -> dict[str, Any]:
    return {
        "id": f"urn:vcloud:vdcComputePolicy:{one.id}",
        "name": one.name,
        "description": one.description,
        "cpuCount": one.cpus or None,
        "memory": one.memory_mb or None,
        "isSizingOnly": True,
    }
