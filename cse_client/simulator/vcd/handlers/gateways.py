"""Edge gateways and the newer network API (JSON), as far as they show ways out.

Shapes: VMware Cloud Director OpenAPI (orgVdcNetworks, edgeGateways, nat/rules) and, for NSX-V,
the XML configuration below /network/edges.
"""

from __future__ import annotations

from typing import Any

from cse_client.simulator.http import Response
from cse_client.simulator.vcd.errors import no_access
from cse_client.simulator.vcd.markup import serialize
from cse_client.simulator.vcd.networks import EdgeGateway, NatRule, OrgNetwork
from cse_client.simulator.vcd.openapi import answer, page
from cse_client.simulator.vcd.people import Right
from cse_client.simulator.vcd.routes import Call, route

#: What a filter of each list may name first (VMware Cloud Director OpenAPI).
_FILTERS = {
    "network": (
        *("id", "name", "description", "status", "networkType", "ownerRef", "orgVdc"),
        *("connection", "shared", "backingNetworkId", "backingNetworkType", "subnets"),
    ),
    "gateway": (
        *("id", "name", "description", "status", "ownerRef", "orgVdc", "orgRef"),
        *("gatewayBacking", "edgeGatewayUplinks", "usingIpSpace"),
    ),
    "rule": ("id", "name", "enabled", "type"),
}
#: What lies under a network of NSX-T and NSX-V gateways, of no gateway, and of a provider's.
_BACKINGS = {
    "NSXT": "NSXT_FLEXIBLE_SEGMENT",
    "NSXV": "VIRTUAL_WIRE",
    "isolated": "NSXT_FLEXIBLE_SEGMENT",
    "bridged": "DV_PORTGROUP",
    "natRouted": "NSXT_FLEXIBLE_SEGMENT",
}
_TYPES = {"bridged": "DIRECT", "natRouted": "NAT_ROUTED", "isolated": "ISOLATED"}


def _network(call: Call, network: OrgNetwork) -> dict[str, Any]:
    vdc = call.cloud.vdcs[sorted(network.shared_in)[0]]
    edge = network.edge
    connection = None
    if edge is not None:
        router = {"name": edge.name, "id": f"urn:vcloud:gateway:{edge.id}"}
        connection = {"routerRef": router, "connectionType": "INTERNAL", "connected": True}
    dns = [*network.dns, "", ""]
    subnet = {
        "gateway": network.gateway,
        "prefixLength": network.network.prefixlen,
        "dnsSuffix": "",
        "dnsServer1": dns[0],
        "dnsServer2": dns[1],
        "ipRanges": {"values": [{"startAddress": network.pool[0], "endAddress": network.pool[1]}]},
        "enabled": True,
        "totalIpCount": network.size,
        "usedIpCount": network.size - network.free,
    }
    owner = {"name": vdc.name, "id": f"urn:vcloud:vdc:{vdc.id}"}
    return {
        "id": f"urn:vcloud:network:{network.id}",
        "name": network.name,
        "description": "",
        "status": "REALIZED",
        "networkType": _TYPES[network.fence],
        "subnets": {"values": [subnet]},
        "connection": connection,
        "ownerRef": owner,
        "orgVdc": owner,
        "orgVdcIsNsxTBacked": edge is None or edge.backing == "NSXT",
        "backingNetworkId": network.id,
        "backingNetworkType": _BACKINGS[edge.backing if edge is not None else network.fence],
        "parentNetworkId": None,
        "guestVlanTaggingAllowed": False,
        "enableDualSubnetNetwork": False,
        "totalIpCount": network.size,
        "usedIpCount": network.size - network.free,
        "shared": len(network.shared_in) > 1,
        "routeAdvertised": False,
    }


@route("GET", "/cloudapi/1.0.0/orgVdcNetworks")
def _networks(call: Call) -> Response:
    call.user.require(Right.NETWORK_VIEW)
    networks = list(call.cloud.networks.values())
    return page(call, networks, lambda one: _network(call, one), _FILTERS["network"])


@route("GET", "/cloudapi/1.0.0/orgVdcNetworks/urn:vcloud:network:{network}")
def _one_network(call: Call) -> Response:
    call.user.require(Right.NETWORK_VIEW)
    return answer(call, _network(call, call.cloud.network(call.ids["network"])))


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
    body = {"enabled": bool(pools), "leaseTime": 86400, "dhcpPools": values, "mode": "EDGE"}
    return answer(call, body)


def _gateway(call: Call, edge: EdgeGateway) -> dict[str, Any]:
    cloud = call.cloud
    networks = edge.networks(cloud.networks.values())
    vdc = edge.vdc_in(cloud.networks.values(), cloud.vdcs)
    owner = {"name": vdc.name, "id": f"urn:vcloud:vdc:{vdc.id}"}
    address = edge.external_address
    subnet = {
        "gateway": str(edge.outside.network_address + 1),
        "prefixLength": edge.outside.prefixlen,
        "dnsSuffix": None,
        "dnsServer1": "",
        "dnsServer2": "",
        "ipRanges": {"values": [{"startAddress": address, "endAddress": address}]},
        "enabled": True,
        "totalIpCount": 1,
        "usedIpCount": 1,
        "primaryIp": address,
        "autoAllocateIpRanges": False,
    }
    uplink = {
        "uplinkId": f"urn:vcloud:network:{edge.uplink_id}",
        "uplinkName": edge.uplink,
        "subnets": {"values": [subnet]},
        "connected": True,
        "quickAddAllocatedIpCount": None,
        "dedicated": False,
        "usingIpSpace": False,
        "backingType": "NSXT_TIER0" if edge.backing == "NSXT" else "DV_PORTGROUP",
    }
    return {
        "id": f"urn:vcloud:gateway:{edge.id}",
        "name": edge.name,
        "description": "",
        "status": "REALIZED",
        "ownerRef": owner,
        "orgVdc": owner,
        "orgRef": {"name": cloud.org.name, "id": f"urn:vcloud:org:{cloud.org.id}"},
        "edgeGatewayUplinks": [uplink],
        "distributedRoutingEnabled": False,
        "orgVdcNetworkCount": len(networks),
        "gatewayBacking": {
            "backingId": edge.id,
            "gatewayType": f"{edge.backing}_BACKED",
            "networkProvider": None,
        },
        "usingIpSpace": False,
    }


@route("GET", "/cloudapi/1.0.0/edgeGateways")
def _gateways(call: Call) -> Response:
    call.user.require(Right.GATEWAY_VIEW)
    edges = list(call.cloud.edges.values())
    return page(call, edges, lambda one: _gateway(call, one), _FILTERS["gateway"])


@route("GET", "/cloudapi/1.0.0/edgeGateways/urn:vcloud:gateway:{edge}")
def _one_gateway(call: Call) -> Response:
    call.user.require(Right.GATEWAY_VIEW)
    return answer(call, _gateway(call, call.cloud.edge(call.ids["edge"])))


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
    return page(call, edge.nat, _rule, _FILTERS["rule"])


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
    return Response(200, serialize(root), "application/xml")
