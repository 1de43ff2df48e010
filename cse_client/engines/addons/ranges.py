"""Which addresses a cluster's load balancer may give out: reading, checking, proposing."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from cse_client.errors import Conflict, CseError, PreflightFailed, Refused, WrongUsage
from cse_client.model.addons import AddressPlan, AddressRange, RecordedAddresses, ranges_text

__all__ = ["NetworkAddresses", "check", "parse_auto", "parse_ranges", "propose"]

_FORM = "Write it as FIRST-LAST[,FIRST-LAST], such as 10.0.0.200-10.0.0.210, or auto:N."
_MOST = 4096


@dataclass(frozen=True)
class NetworkAddresses:
    """What a range must keep clear of. `nodes` maps addresses to the names of this cluster's VMs.

    `others` are the reservations of other clusters in the same network.
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


def parse_auto(text: str) -> int:
    """Return N of `auto:N`, or 0 for any other text.

    Raises:
        WrongUsage: N is not a valid number.
    """
    if not text.lower().startswith("auto"):
        return 0
    found = re.fullmatch(r"auto:([0-9]{1,6})", text.lower())
    if found is None or not 1 <= int(found[1]) <= _MOST:
        raise WrongUsage(
            f"In '{text}', the number of addresses is not between 1 and {_MOST}.", hint=_FORM
        )
    return int(found[1])


def parse_ranges(text: str) -> tuple[AddressRange, ...]:
    """Read `A-B[,C-D]`; a single address stands for itself. Sorted.

    Raises:
        WrongUsage: it is nothing like that, a range is reversed, or two overlap.
    """
    found = []
    for part in text.split(","):
        first, dash, last = (word.strip() for word in part.partition("-"))
        try:
            one = AddressRange.of(first, last if dash else first)
        except ValueError:
            raise WrongUsage(f"'{part.strip()}' is not an address range.", hint=_FORM) from None
        if one.first > one.last:
            raise WrongUsage(
                f"The range {one} is reversed.", hint=f"Did you mean {one.last}-{one.first}?"
            )
        found.append(one)
    found.sort()
    for before, after in zip(found, found[1:]):
        if before.overlaps(after):
            raise WrongUsage(f"The ranges {before} and {after} overlap.")
    return tuple(found)


def check(ranges: Sequence[AddressRange], addresses: NetworkAddresses) -> None:
    """Check ranges against everything that is known.

    Raises:
        PreflightFailed: with every problem that was found; Refused and Conflict among them.
    """
    problems = [problem for one in ranges for problem in _problems(one, addresses)]
    if problems:
        known = f"network '{addresses.plan.network}'"
        raise PreflightFailed(
            f"The addresses {ranges_text(ranges)} cannot be used in {known}.",
            problems,
            hint="To let free addresses be chosen, use --addresses auto:N.",
        )


def _problems(one: AddressRange, addresses: NetworkAddresses) -> Iterable[CseError]:
    plan, subnet = addresses.plan, addresses.subnet
    if one.first not in subnet or one.last not in subnet:
        yield Refused(f"{one} is not in the network's subnet {subnet}.")
        return
    for address, what in _special(addresses).items():
        if address in one:
            yield Refused(f"{one} holds {address}, {what}.")
    for pool in plan.pools:
        if one.overlaps(pool):
            yield Refused(f"{one} overlaps the network's static pool {pool}.")
    for pool in plan.dhcp:
        if one.overlaps(pool):
            yield Refused(f"{one} overlaps the network's DHCP pool {pool}.")
    for text, holder in _taken(addresses).items():
        if ipaddress.IPv4Address(text) in one:
            yield Conflict(f"{one} holds {text}, {holder}.")
    for other in addresses.others:
        for theirs in other.ranges:
            if one.overlaps(theirs):
                yield Conflict(f"{one} overlaps {theirs}, which belongs to {_whose(other)}.")


def _whose(other: RecordedAddresses) -> str:
    return f"the load balancer of cluster '{other.cluster}'"


def _special(addresses: NetworkAddresses) -> dict[ipaddress.IPv4Address, str]:
    subnet = addresses.subnet
    return {
        subnet.network_address: "the network's own address",
        subnet.broadcast_address: "the network's broadcast address",
        ipaddress.IPv4Address(addresses.plan.gateway): "the network's gateway",
    }


def _taken(addresses: NetworkAddresses) -> dict[str, str]:
    """Return the addresses in use, each with words for who has it."""
    found = {}
    for text, holder in addresses.plan.allocated.items():
        found[text] = f"the address of {holder}" if holder else "which VCD has assigned"
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
    special, taken = _special(addresses), _taken(addresses)
    closed = [*addresses.plan.pools, *addresses.plan.dhcp]
    closed += [theirs for other in addresses.others for theirs in other.ranges]
    chosen: list[ipaddress.IPv4Address] = []
    subnet = addresses.subnet
    for number in range(int(subnet.broadcast_address), int(subnet.network_address), -1):
        address = ipaddress.IPv4Address(number)
        if address in special or str(address) in taken or any(address in one for one in closed):
            continue
        chosen.append(address)
        if len(chosen) == count:
            return _joined(chosen)
    raise Refused(
        f"Network '{addresses.plan.network}' has {len(chosen)} free addresses outside its pools,"
        f" not {count}.",
        hint="Ask for fewer, or make the network's static pool smaller in VCD.",
    )


def _joined(addresses: Iterable[ipaddress.IPv4Address]) -> tuple[AddressRange, ...]:
    found: list[AddressRange] = []
    for one in sorted(addresses):
        if found and int(found[-1].last) + 1 == int(one):
            found[-1] = AddressRange(found[-1].first, one)
        else:
            found.append(AddressRange(one, one))
    return tuple(found)
