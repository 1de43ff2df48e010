"""Which addresses of a network may be reserved: for load balancers, and as virtual addresses.

Such addresses are outside of the network's pools, so that VCD gives them to nobody, and are
recorded in the vApp of the cluster that has them.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING

from cse_client.errors import Conflict, CseError, PreflightFailed, Refused
from cse_client.model import Network
from cse_client.model.addons import AddressPlan, AddressRange, RecordedAddresses, ranges_text
from cse_client.plurals import counted

if TYPE_CHECKING:
    from cse_client.vcd.client import VcdClient

__all__ = [
    "NetworkAddresses",
    "check",
    "free_addresses",
    "network_addresses",
    "problems_of",
    "propose",
]

#: How many addresses, and pools, of a network are looked at for free ones.
_LOOKED_AT = 65536


@dataclass(frozen=True)
class NetworkAddresses:
    """What a range must keep clear of. `nodes` maps addresses to the names of this cluster's VMs.

    `others` are the other reservations in the same network.
    """

    plan: AddressPlan
    nodes: Mapping[str, str] = field(default_factory=dict)
    others: Sequence[RecordedAddresses] = ()

    @property
    def subnet(self) -> ipaddress.IPv4Network:
        """The network's subnet.

        Raises:
            ValueError: VCD does not show it.
        """
        return ipaddress.IPv4Network(f"{self.plan.gateway}/{self.plan.netmask}", strict=False)


def network_addresses(
    vcd: VcdClient,
    network: Network,
    *,
    nodes: Mapping[str, str] | None = None,
    without: Callable[[RecordedAddresses], bool] = lambda _one: False,
) -> NetworkAddresses:
    """Read what reserved addresses must keep clear of; up to four requests.

    `without` leaves reservations out, for example those that are to be replaced.

    Raises:
        CseError: VCD does not tell the network's subnet, so that nothing can be checked.
    """
    plan = vcd.surroundings.address_plan(network)
    others = [
        one
        for one in vcd.reservations.recorded()
        if one.network_id == plan.network_id and not without(one)
    ]
    addresses = NetworkAddresses(plan, nodes or {}, others)
    try:
        addresses.subnet  # noqa: B018 - raises
    except ValueError:
        raise CseError(
            f"VCD does not show the subnet of network '{plan.network}', so no address can be"
            " checked."
        ) from None
    return addresses


def check(ranges: Sequence[AddressRange], addresses: NetworkAddresses) -> None:
    """Check ranges against everything that is known.

    Raises:
        PreflightFailed: with every problem that was found; Refused and Conflict among them.
    """
    problems = [problem for one in ranges for problem in problems_of(one, addresses)]
    if problems:
        known = f"network '{addresses.plan.network}'"
        raise PreflightFailed(
            f"The addresses {ranges_text(ranges)} cannot be used in {known}.",
            problems,
            hint="To let free addresses be chosen, use --addresses auto:N.",
        )


def problems_of(one: AddressRange, addresses: NetworkAddresses) -> Iterator[CseError]:
    """Yield why a range, or a single address, cannot be reserved: Refused, or Conflict."""
    plan, subnet = addresses.plan, addresses.subnet
    single = len(one) == 1
    shown = str(one.first) if single else str(one)
    meets = f"{shown} {'is in' if single else 'overlaps'}"
    holds = f"{shown} is" if single else f"{shown} holds"
    if one.first not in subnet or one.last not in subnet:
        yield Refused(f"{shown} is not in the network's subnet {subnet}.")
        return
    for address, what in _special(addresses).items():
        if address in one:
            yield Refused(f"{holds} {what if single else f'{address}, {what}'}.")
    for pool in plan.pools:
        if one.overlaps(pool):
            yield Refused(f"{meets} the network's static pool {pool}.")
    for pool in plan.dhcp:
        if one.overlaps(pool):
            yield Refused(f"{meets} the network's DHCP pool {pool}.")
    for text, holder in _taken(addresses).items():
        if ipaddress.IPv4Address(text) in one:
            yield Conflict(f"{holds} {holder if single else f'{text}, {holder}'}.")
    for other in addresses.others:
        for theirs in other.ranges:
            if one.overlaps(theirs):
                what = f"{meets} {theirs}, which belongs to" if one != theirs else f"{shown} is"
                yield Conflict(f"{what} {_whose(other)}.")


def _whose(other: RecordedAddresses) -> str:
    return f"the {other.purpose} of cluster '{other.cluster}'"


def _special(addresses: NetworkAddresses) -> dict[ipaddress.IPv4Address, str]:
    subnet = addresses.subnet
    return {
        **{ipaddress.IPv4Address(one): "a DNS server" for one in addresses.plan.dns},
        subnet.network_address: "the network's own address",
        subnet.broadcast_address: "the network's broadcast address",
        ipaddress.IPv4Address(addresses.plan.gateway): "the network's gateway",
    }


def _taken(addresses: NetworkAddresses) -> dict[str, str]:
    """Return the addresses in use, each with words for who has it."""
    found = {}
    for text, holder in addresses.plan.allocated.items():
        found[text] = f"the address of {holder}" if holder else "assigned by VCD"
    for text, name in addresses.nodes.items():
        found[text] = f"the address of node {name}"
    valid = {}
    for text, words in found.items():
        try:
            valid[str(ipaddress.IPv4Address(text))] = words
        except ValueError:
            continue
    return valid


def propose(count: int, addresses: NetworkAddresses) -> tuple[AddressRange, ...]:
    """Return `count` free addresses, the highest ones, in as few ranges as that takes.

    Raises:
        Refused: there are not that many.
    """
    chosen = list(islice(free_addresses(addresses), count))
    if len(chosen) == count:
        return _joined(chosen)
    raise Refused(
        f"Network '{addresses.plan.network}' has"
        f" {counted(len(chosen), 'free address', 'free addresses')} outside its pools, not"
        f" {count}.",
        hint="Ask for fewer, or make the network's static pool smaller in VCD.",
    )


def free_addresses(addresses: NetworkAddresses) -> Iterator[ipaddress.IPv4Address]:
    """Yield the addresses that may be reserved, the highest first; looks at some thousands."""
    special, taken = _special(addresses), _taken(addresses)
    closed = [*addresses.plan.pools, *addresses.plan.dhcp]
    closed += [theirs for other in addresses.others for theirs in other.ranges]
    subnet = addresses.subnet
    address = subnet.broadcast_address
    for _ in range(_LOOKED_AT):
        if address <= subnet.network_address:
            return
        pool = next((one for one in closed if address in one), None)
        if pool is not None:
            address = pool.first - 1
            continue
        if address not in special and str(address) not in taken:
            yield address
        address -= 1


def _joined(addresses: Iterable[ipaddress.IPv4Address]) -> tuple[AddressRange, ...]:
    found: list[AddressRange] = []
    for one in sorted(addresses):
        if found and int(found[-1].last) + 1 == int(one):
            found[-1] = AddressRange(found[-1].first, one)
        else:
            found.append(AddressRange(one, one))
    return tuple(found)
