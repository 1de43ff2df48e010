"""Addresses of a network: its pools, those in use, and those that DHCP gives out.

DHCP pools: VMware Cloud Director OpenAPI `orgVdcNetworks/{id}/dhcp` (`dhcpPools[].ipRange`), and
in the XML document `Configuration/Features/DhcpService/IpRange` of older networks.
"""

from __future__ import annotations

import ipaddress
from typing import Any

from lxml import etree

from cse_client import bounds
from cse_client.errors import CseError, SessionInvalid
from cse_client.model import Network
from cse_client.model.addons import (
    AddressPlan,
    AddressRange,
)
from cse_client.model.hrefs import href_id
from cse_client.vcd.errors import Action
from cse_client.vcd.reading import children, text
from cse_client.vcd.transport import Transport

__all__ = ["in_use", "list_href", "plan"]

_NOT_FOUND = 404
_OK = 200


def plan(transport: Transport, network: Network) -> AddressPlan:
    """Return what VCD knows of a network's addresses; up to three requests.

    Raises:
        NotFound, Refused: the network cannot be read.
    """
    action = Action(f"read network '{network.name}'")
    root = transport.get(network.href, action, "OrgVdcNetwork")
    scope = root.find("{*}Configuration/{*}IpScopes/{*}IpScope")
    unknown = []
    allocated = in_use(transport, network.name, list_href(root))
    if allocated is None:
        unknown.append("the addresses that VCD has assigned")
    dhcp = _dhcp(transport, root, network)
    if dhcp is None:
        unknown.append("the network's DHCP pools")
    return AddressPlan(
        network=network.name,
        network_id=href_id(network.href),
        gateway=text(scope, "Gateway") or network.gateway,
        netmask=text(scope, "Netmask") or network.netmask,
        pools=_xml_ranges(scope, "IpRanges/IpRange", "StartAddress", "EndAddress"),
        dhcp=dhcp or (),
        allocated=dict(allocated or ()),
        unknown=tuple(unknown),
        dns=tuple(filter(_is_address, (text(scope, "Dns1"), text(scope, "Dns2")))),
    )


def _is_address(value: str) -> bool:
    try:
        ipaddress.IPv4Address(value)
    except ValueError:
        return False
    return True


def _xml_ranges(
    element: etree._Element | None, path: str, first: str, last: str
) -> tuple[AddressRange, ...]:
    found = []
    for one in children(element, path) if element is not None else ():
        try:
            found.append(AddressRange.of(text(one, first), text(one, last)))
        except ValueError:
            continue
    return tuple(found)


def list_href(network: etree._Element) -> str:
    """Return where VCD lists the addresses in use in a network, empty where it does not say."""
    for one in children(network, "Link"):
        kind = (one.get("type") or "").lower()
        if one.get("rel") == "down" and "allocatednetworkaddress+xml" in kind:
            return one.get("href") or ""
    return ""


def in_use(transport: Transport, name: str, href: str) -> list[tuple[str, str]] | None:
    """Return the addresses in use in network `name`, each with who has it; None if hidden.

    Those of stopped VMs count. An address that was assigned by hand may have several holders.
    `href` is that of `list_href`.
    """
    if not href:
        return None
    action = Action(f"read the addresses in use in network '{name}'")
    try:
        answer = transport.get(href, action, "AllocatedIpAddresses")
    except SessionInvalid:
        raise
    except CseError:
        return None
    found = []
    for one in children(answer, "IpAddress"):
        link = one.find("{*}Link")
        holder = (link.get("name") or "") if link is not None else ""
        found.append((text(one, "IpAddress"), holder))
    return found


def _dhcp(
    transport: Transport, root: etree._Element, network: Network
) -> tuple[AddressRange, ...] | None:
    """Return the DHCP pools, or None where this VCD or this user cannot tell."""
    features = root.find("{*}Configuration/{*}Features")
    known = _xml_ranges(features, "DhcpService/IpRange", "StartAddress", "EndAddress")
    identifier = href_id(network.href)
    path = f"/cloudapi/1.0.0/orgVdcNetworks/urn:vcloud:network:{identifier}/dhcp"
    try:
        answer = transport.ask_json(
            "GET", transport.origin + path, Action("read the network's DHCP pools")
        )
    except SessionInvalid:
        raise
    except CseError:
        return known or None
    if answer.status == _NOT_FOUND:
        return known
    try:
        value = bounds.load_json(answer.text) if answer.status == _OK else None
    except ValueError:
        value = None
    return known + _json_ranges(value) if isinstance(value, dict) else known or None


def _json_ranges(answer: dict[str, Any]) -> tuple[AddressRange, ...]:
    if answer.get("enabled") is False:
        return ()
    found = []
    for pool in answer.get("dhcpPools") or ():
        one: Any = pool.get("ipRange") if isinstance(pool, dict) else None
        try:
            found.append(AddressRange.of(one["startAddress"], one["endAddress"]))
        except (ValueError, TypeError, KeyError):
            continue
    return tuple(found)
