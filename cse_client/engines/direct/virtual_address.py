"""Choosing a cluster's virtual address: its API is there, whichever machine serves it.

The address cannot be added later, because it is in every certificate, join file and kubeconfig.
keepalived holds it on the control plane, so the template must contain keepalived.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from cse_client import suggest
from cse_client.engines.reserving import (
    NetworkAddresses,
    free_addresses,
    network_addresses,
    problems_of,
)
from cse_client.errors import Conflict, CseError, Refused
from cse_client.model import ClusterSpec, Fence, Network, Template
from cse_client.model.addons import VIRTUAL_ADDRESS, AddressRange
from cse_client.model.endpoints import NO_ADDRESS, is_address, router_id

if TYPE_CHECKING:
    from cse_client.vcd.client import VcdClient

__all__ = ["VirtualAddress", "address_problems", "address_warnings", "choose_address"]

#: Which one of so many is taken follows from the cluster's name: two administrators hardly choose
#: the same, and a creation takes the one that its plan has named.
_CHOICE = 32
_LOOKED_AT = 512
_ANOTHER = "Choose another address for --vip, or auto."


@dataclass(frozen=True)
class VirtualAddress:
    """The address of a cluster's API and the id of its network; or why it has none, a clause.

    `unknown` names what VCD did not show, so that it was not checked.
    """

    address: str = ""
    network_id: str = ""
    why_not: str = ""
    unknown: tuple[str, ...] = ()


def choose_address(
    vcd: VcdClient, spec: ClusterSpec, network: Network, template: Template
) -> tuple[VirtualAddress, list[CseError]]:
    """Return the virtual address of a new cluster, and what is wrong with the one asked for.

    `spec.vip` is an address, `none`, or `auto` (also empty), for which it is no problem when there
    can be none. Up to four requests.
    """
    asked = spec.vip
    if asked == NO_ADDRESS:
        return VirtualAddress(), []
    if is_address(asked):
        return _checked(vcd, asked, network)
    return _free_one(vcd, spec.name, network, template), []


def address_problems(
    spec: ClusterSpec, virtual: VirtualAddress, template: Template
) -> Iterator[CseError]:
    """Yield why a cluster cannot do without the virtual address that it does not get."""
    if spec.control_planes > 1 and not virtual.address:
        why = f", and it gets none: {virtual.why_not}" if virtual.why_not else ""
        build = suggest.cse("template build", help=True)
        with_it = f"Use a template that contains keepalived, for example one of your own: {build}"
        yield Refused(
            f"A cluster with {spec.control_planes} control planes requires a virtual address{why}.",
            hint="Specify one with --vip." if template.facts.keepalived else with_it,
        )


def address_warnings(virtual: VirtualAddress) -> Iterator[str]:
    """Yield what is not known of a virtual address."""
    if virtual.unknown:
        unseen = " and ".join(virtual.unknown)
        yield (
            f"VCD does not show {unseen}, so it was not checked whether the virtual address"
            f" {virtual.address} is free"
        )


def _free_one(vcd: VcdClient, name: str, network: Network, template: Template) -> VirtualAddress:
    if not template.facts.keepalived:
        why = f"the template '{template.item}' is not known to contain keepalived"
        return VirtualAddress(why_not=why)
    if network.fence is Fence.DIRECT:
        why = f"network '{network.name}' is direct, and other organizations may use it"
        return VirtualAddress(why_not=why)
    try:
        addresses = network_addresses(vcd, network)
    except CseError as error:
        return VirtualAddress(why_not=error.clause)
    if addresses.plan.unknown:
        unseen = " and ".join(addresses.plan.unknown)
        return VirtualAddress(why_not=f"VCD does not show {unseen}")
    free = (str(one) for one in free_addresses(addresses))
    candidates = [one for one in islice(free, _LOOKED_AT) if not _routers(addresses, one)]
    return _one_of(candidates, name, addresses)


def _one_of(candidates: list[str], name: str, addresses: NetworkAddresses) -> VirtualAddress:
    plan = addresses.plan
    if not candidates:
        why = f"network '{plan.network}' has no free address outside its pools"
        return VirtualAddress(why_not=why)
    likely = candidates[:_CHOICE]
    return VirtualAddress(likely[zlib.crc32(name.encode()) % len(likely)], plan.network_id)


def _checked(vcd: VcdClient, asked: str, network: Network) -> tuple[VirtualAddress, list[CseError]]:
    try:
        addresses = network_addresses(vcd, network)
    except CseError as error:
        return VirtualAddress(), [error]
    one = AddressRange.of(asked, asked)
    problems = [*problems_of(one, addresses), *_routers(addresses, asked)]
    for problem in problems:
        problem.hint = problem.hint or _ANOTHER
    plan = addresses.plan
    return VirtualAddress(asked, plan.network_id, unknown=plan.unknown), problems


def _routers(addresses: NetworkAddresses, address: str) -> list[CseError]:
    """Return the clusters in the network with another virtual address and the same router id."""
    mine = router_id(address)
    return [
        Conflict(
            f"{address} would have the virtual router id {mine}, as the virtual address"
            f" {one.ranges[0].first} of cluster '{one.cluster}' has.",
        )
        for one in addresses.others
        if one.purpose == VIRTUAL_ADDRESS and router_id(str(one.ranges[0].first)) == mine
        if str(one.ranges[0].first) != address
    ]
