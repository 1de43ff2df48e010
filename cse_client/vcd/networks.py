"""Org VDC networks: what they are, what is free in them, and whether they lead out.

The query record's `linkType` is not used beyond 0 (direct): clients disagree whether 1 or 2 means
routed (pyvcloud `LogicalNetworkLinkType` against govcd `QueryResultOrgVdcNetworkRecordType`).
A routed network names its gateway in `connectedTo`; the network's own document has the last word.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Iterator
from dataclasses import replace
from typing import Any

from lxml import etree

from cse_client.errors import CseError, NotFound, Refused, SessionInvalid, VcdFault
from cse_client.model import Fence, Network, Vdc
from cse_client.model.hrefs import href_id
from cse_client.vcd import addresses, queries
from cse_client.vcd.errors import Action
from cse_client.vcd.reading import VdcDocument, children, number, text
from cse_client.vcd.transport import Transport

__all__ = ["details", "egress", "network_document", "networks"]

_VIEW_NAT = "Organization vDC Gateway: View NAT"
_DIRECT = "0"


def networks(transport: Transport, vdc: Vdc, document: VdcDocument) -> list[Network]:
    """List the networks that vApps of this VDC can use; one request, more only for hidden ones.

    The VDC's own list decides what can be used (networks of VDC groups included); the query adds
    the details.
    """
    found: dict[str, Network] = {}
    action = Action("list the networks")
    # A tenant's query is not narrowed to the VDC, because it would miss networks of VDC groups.
    mine = [queries.equals("vdc", vdc.href)] if transport.as_administrator else []
    for record in queries.records(transport, "orgVdcNetwork", action, conditions=mine):
        found[href_id(record.get("href") or "")] = _from_record(record)
    result = []
    for name, href in document.networks.items():
        known = found.get(href_id(href))
        if known is None:
            known = _by_document(transport, name, href)
        result.append(replace(known, name=name, href=href))
    return sorted(result, key=lambda network: network.name)


def details(transport: Transport, network: Network) -> Network:
    """Return the network with fence, DNS and free addresses from its own document.

    Two requests: the document, and the addresses in use where no counts are known.
    """
    try:
        root = transport.get(
            network.href, Action(f"read network '{network.name}'"), "OrgVdcNetwork"
        )
    except SessionInvalid:
        raise
    except (NotFound, Refused):
        return network
    detailed = network_document(root, network)
    if detailed.free_addresses is None and detailed.total_addresses is not None:
        used = addresses.in_use(transport, detailed.name, detailed.addresses_href)
        if used is not None:
            count = _in_pools({address for address, _holder in used}, detailed)
            detailed = replace(detailed, free_addresses=max(0, detailed.total_addresses - count))
    return detailed


def network_document(root: etree._Element, known: Network) -> Network:
    """Read an OrgVdcNetwork document over what is known already."""
    configuration = root.find("{*}Configuration")
    scope = root.find("{*}Configuration/{*}IpScopes/{*}IpScope")
    edge = root.find("{*}EdgeGateway")
    try:
        fence = Fence(text(configuration, "FenceMode"))
    except ValueError:
        fence = known.fence
    dns = tuple(name for name in (text(scope, "Dns1"), text(scope, "Dns2")) if name)
    pools = tuple(
        (text(one, "StartAddress"), text(one, "EndAddress"))
        for one in children(root, "Configuration/IpScopes/IpScope/IpRanges/IpRange")
    )
    total = known.total_addresses
    if total is None and scope is not None:
        total = sum(_range_size(*pool) for pool in pools)
    return replace(
        known,
        fence=fence,
        gateway=text(scope, "Gateway") or known.gateway,
        netmask=text(scope, "Netmask") or known.netmask,
        dns=dns or known.dns,
        total_addresses=total,
        edge_href=(edge.get("href") or "") if edge is not None else known.edge_href,
        subnets=tuple(_subnets(root)) or known.subnets,
        pools=pools,
        addresses_href=addresses.list_href(root),
    )


def _subnets(root: etree._Element) -> Iterator[str]:
    for scope in children(root, "Configuration/IpScopes/IpScope"):
        gateway, size = text(scope, "Gateway"), text(scope, "SubnetPrefixLength")
        size = text(scope, "Netmask") or size
        if gateway and size:
            yield f"{gateway}/{size}"


def egress(transport: Transport, network: Network) -> Network:
    """Return whether the network can be seen to have a way to the Internet.

    `egress` becomes True (a NAT rule covers it), False (the gateway shows none) or None (cannot
    tell), with a reason. Never raises for a missing right: that is a "cannot tell".
    """
    if network.fence is Fence.ISOLATED:
        return replace(network, egress=False, egress_reason="the network is isolated")
    if network.fence is Fence.DIRECT:
        reason = "the network is direct: its way out is the provider's affair"
        return replace(network, egress=None, egress_reason=reason)
    try:
        verdict, reason = _ask_gateway(transport, network)
    except SessionInvalid:
        raise
    except Refused:
        verdict, reason = None, f'the gateway\'s NAT rules are hidden (right "{_VIEW_NAT}")'
    except CseError as error:
        verdict, reason = None, f"the gateway's NAT rules cannot be read: {error.clause}"
    return replace(network, egress=verdict, egress_reason=reason)


def _from_record(record: etree._Element) -> Network:
    connected = record.get("connectedTo") or ""
    if record.get("linkType") == _DIRECT:
        fence = Fence.DIRECT
    else:
        fence = Fence.ROUTED if connected else Fence.ISOLATED
    used = number(record.get("usedIpCount"))
    total = number(record.get("totalIpCount"))
    gateway, netmask = record.get("defaultGateway") or "", record.get("netmask") or ""
    dns = tuple(name for name in (record.get("dns1"), record.get("dns2")) if name)
    return Network(
        name=record.get("name") or "",
        href=record.get("href") or "",
        fence=fence,
        gateway=gateway,
        netmask=netmask,
        dns=dns,
        free_addresses=max(0, total - used) if used is not None and total is not None else None,
        total_addresses=total,
        subnets=(f"{gateway}/{netmask}",) if gateway and netmask else (),
    )


def _by_document(transport: Transport, name: str, href: str) -> Network:
    """Read a network that the query did not show; unreadable ones count as routed, unknown."""
    bare = Network(name=name, href=href, fence=Fence.ROUTED)
    try:
        root = transport.get(href, Action(f"read network '{name}'"), "OrgVdcNetwork")
    except SessionInvalid:
        raise
    except (NotFound, Refused):
        return bare
    return network_document(root, bare)


def _ask_gateway(transport: Transport, network: Network) -> tuple[bool | None, str]:
    edge = _edge(transport, network)
    if edge is None:
        return None, "the network's gateway is hidden from you"
    name, href, is_nsxt = edge
    if is_nsxt:
        if _nsxt_snat(transport, href, network):
            return True, f"a SNAT rule of gateway '{name}' covers it"
        if _is_advertised(transport, network):
            return None, "the network is advertised to the provider's routers"
    elif _nsxv_snat(transport, href, network):
        return True, f"a SNAT rule of gateway '{name}' covers it"
    return False, f"no SNAT rule of gateway '{name}' covers it"


def _edge(transport: Transport, network: Network) -> tuple[str, str, bool] | None:
    """Find the network's gateway: its name, href and whether NSX-T backs it."""
    action = Action("list the gateways", right="Organization vDC Gateway: View")
    wanted = href_id(network.edge_href) or _router_id(transport, network)
    gateways = list(queries.records(transport, "edgeGateway", action))
    for record in gateways:
        href = record.get("href") or ""
        if wanted and href_id(href) == wanted:
            kind = record.get("edgeGatewayType") or record.get("gatewayType") or ""
            return record.get("name") or "", href, kind.startswith("NSXT")
    return None


def _nsxt_snat(transport: Transport, edge_href: str, network: Network) -> bool:
    urn = f"urn:vcloud:gateway:{href_id(edge_href)}"
    url = f"{transport.cloudapi}/1.0.0/edgeGateways/{urn}/nat/rules?pageSize=128"
    answer = transport.get_json(url, Action("read the NAT rules", right=_VIEW_NAT))
    rules = answer.get("values")
    if not isinstance(rules, list):
        raise VcdFault("The answer has no list of rules.")
    return any(_nsxt_rule_covers(rule, network) for rule in rules if isinstance(rule, dict))


def _nsxt_rule_covers(rule: dict[str, Any], network: Network) -> bool:
    kind = rule.get("type") or rule.get("ruleType") or ""
    # A rule for certain destinations only is no way to the Internet.
    if kind != "SNAT" or rule.get("enabled") is False or rule.get("snatDestinationAddresses"):
        return False
    inner = str(rule.get("internalAddresses") or "0.0.0.0/0")
    return any(_covers(part.strip(), network) for part in inner.split(","))


def _is_advertised(transport: Transport, network: Network) -> bool:
    return _in_cloudapi(transport, network).get("routeAdvertised") is True


def _router_id(transport: Transport, network: Network) -> str:
    """Ask the newer API for the gateway where the network's XML document does not name it."""
    connection = _in_cloudapi(transport, network).get("connection")
    router = connection.get("routerRef") if isinstance(connection, dict) else None
    urn = str(router.get("id") or "") if isinstance(router, dict) else ""
    return urn.rsplit(":", 1)[-1]


def _in_cloudapi(transport: Transport, network: Network) -> dict[str, Any]:
    """Read the network's JSON document; empty where this VCD or this user has none."""
    url = f"{transport.cloudapi}/1.0.0/orgVdcNetworks/urn:vcloud:network:{href_id(network.href)}"
    try:
        return transport.get_json(url, Action(f"read network '{network.name}'"))
    except SessionInvalid:
        raise
    except CseError:
        return {}


def _nsxv_snat(transport: Transport, edge_href: str, network: Network) -> bool:
    url = f"{transport.origin}/network/edges/{href_id(edge_href)}/nat/config"
    root = transport.get(url, Action("read the NAT rules", right=_VIEW_NAT), "nat")
    if text(root, "enabled") == "false":
        return False
    for rule in children(root, "natRules/natRule"):
        if text(rule, "action") != "snat" or text(rule, "enabled") == "false":
            continue
        if _covers(text(rule, "originalAddress"), network):
            return True
    return False


def _covers(addresses: str, network: Network) -> bool:
    """Return whether an address, range or subnet of a NAT rule covers the network's subnet.

    `any` does; a part of the subnet counts too, since the pool may lie in it, but a single host
    does not.
    """
    if addresses.lower() == "any":
        return True
    try:
        subnet = ipaddress.ip_network(f"{network.gateway}/{network.netmask}", strict=False)
        if "-" in addresses:
            first, last = (ipaddress.ip_address(part.strip()) for part in addresses.split("-"))
            return first in subnet and last in subnet and first != last
        rule = ipaddress.ip_network(addresses, strict=False)
    except ValueError:
        return False
    return rule.num_addresses > 1 and rule.overlaps(subnet)


def _in_pools(used: Collection[str], network: Network) -> int:
    return sum(1 for one in used if any(_within(one, *pool) for pool in network.pools))


def _range_size(first: str, last: str) -> int:
    try:
        return int(ipaddress.ip_address(last)) - int(ipaddress.ip_address(first)) + 1
    except ValueError:
        return 0


def _within(address: str, first: str, last: str) -> bool:
    try:
        low, high = int(ipaddress.ip_address(first)), int(ipaddress.ip_address(last))
        return low <= int(ipaddress.ip_address(address)) <= high
    except ValueError:
        return False
