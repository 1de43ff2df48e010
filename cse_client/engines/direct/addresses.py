"""Choosing the control plane's address before its VM is made.

VCD chooses an address of the network's static pool only while it makes a VM, and the workers'
scripts need the control plane's. With an address that is chosen here all VMs can be made at once.
"""

from __future__ import annotations

import ipaddress
import random
import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from cse_client.errors import VcdFault
from cse_client.model import Fence, Network

if TYPE_CHECKING:
    from cse_client.vcd.client import VcdClient

__all__ = ["AddressPool", "is_about", "read_pool"]

#: How many addresses of a pool are looked at.
_MOST = 65536


@dataclass(frozen=True)
class AddressPool:
    """The free addresses of a network's static pool; without any, `why_not` gives the reason.

    The reason is a clause.
    """

    free: tuple[str, ...] = ()
    why_not: str = ""

    def choose(self, nodes: int, *, refused: Collection[str] = ()) -> str:
        """Return an address that is free for the control plane, empty where there is none.

        VCD gives the lowest addresses to VMs that ask for any, so as many of these as there are
        `nodes` are left to them as long as there are others. A random one of the others, so that
        two administrators do not choose the same.
        """
        free = [one for one in self.free if one not in refused]
        candidates = free[nodes:] or free
        return random.choice(candidates) if candidates else ""  # noqa: S311 - no secret


def read_pool(vcd: VcdClient, network: Network) -> AddressPool:
    """Read which addresses of a network's static pool are free; one request."""
    if network.fence is Fence.DIRECT:
        # its addresses are those of a provider's network, and the list may leave out other tenants'
        return AddressPool(
            why_not=f"network '{network.name}' is direct, and other organizations may use it"
        )
    in_use = vcd.surroundings.addresses_in_use(network)
    if in_use is None:
        return AddressPool(
            why_not=f"VCD does not show which addresses are in use in network '{network.name}'"
        )
    taken = {address for address, _holder in in_use} | {network.gateway, *network.dns}
    free = tuple(one for one in islice(_addresses(network.pools), _MOST) if one not in taken)
    if not free:
        return AddressPool(
            why_not=f"the static pool of network '{network.name}' has no free address"
        )
    return AddressPool(free)


def is_about(failure: VcdFault, address: str) -> bool:
    """Return whether VCD names this address in its reason for a failure."""
    return bool(address) and bool(
        re.search(rf"(?<![\d.]){re.escape(address)}(?!\.?\d)", failure.message)
    )


def _addresses(pools: Iterable[tuple[str, str]]) -> Iterator[str]:
    for first, last in pools:
        try:
            low, high = ipaddress.IPv4Address(first), ipaddress.IPv4Address(last)
        except ValueError:
            continue
        for number in range(int(low), int(high) + 1):
            yield str(ipaddress.IPv4Address(number))
