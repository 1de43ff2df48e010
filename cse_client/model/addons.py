"""Add-ons of a cluster: what is asked for, what is there, and addresses for load balancers."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from cse_client.model.cluster import ClusterRef

__all__ = [
    "LOAD_BALANCER",
    "VIRTUAL_ADDRESS",
    "AddonInfo",
    "AddonOptions",
    "AddonRemoval",
    "AddressPlan",
    "AddressRange",
    "ManifestSource",
    "RecordedAddresses",
    "ranges_text",
]


@dataclass(frozen=True, order=True)
class AddressRange:
    """IPv4 addresses from `first` to `last`, both included; a reversed one holds nothing."""

    first: ipaddress.IPv4Address
    last: ipaddress.IPv4Address

    @classmethod
    def of(cls, first: str, last: str) -> AddressRange:
        """Make one of two texts.

        Raises:
            ValueError: one of them is not an IPv4 address.
        """
        return cls(ipaddress.IPv4Address(first), ipaddress.IPv4Address(last))

    def __str__(self) -> str:
        return f"{self.first}-{self.last}"

    def __len__(self) -> int:
        return max(0, int(self.last) - int(self.first) + 1)

    def __contains__(self, address: object) -> bool:
        if not isinstance(address, ipaddress.IPv4Address):
            return False
        return self.first <= address <= self.last

    def __iter__(self) -> Iterator[ipaddress.IPv4Address]:
        for number in range(int(self.first), int(self.last) + 1):
            yield ipaddress.IPv4Address(number)

    def overlaps(self, other: AddressRange) -> bool:
        """Return whether both hold an address."""
        return max(self.first, other.first) <= min(self.last, other.last)


def ranges_text(ranges: Iterable[AddressRange]) -> str:
    """Return ranges as they are typed: `A-B,C-D`."""
    return ",".join(str(one) for one in ranges)


@dataclass(frozen=True)
class AddressPlan:
    """What VCD knows of the addresses of one network.

    `allocated` maps an address to who has it, as far as VCD tells. `unknown` names what this user
    could not see and what therefore was not checked.
    """

    network: str
    network_id: str
    gateway: str
    netmask: str
    pools: tuple[AddressRange, ...] = ()
    dhcp: tuple[AddressRange, ...] = ()
    allocated: dict[str, str] = field(default_factory=dict)
    unknown: tuple[str, ...] = ()
    dns: tuple[str, ...] = ()


#: What addresses are reserved for.
LOAD_BALANCER = "load balancer"
VIRTUAL_ADDRESS = "virtual address"


@dataclass(frozen=True)
class RecordedAddresses:
    """What the vApp of a cluster says of addresses that it has reserved, and for what."""

    cluster: str
    vapp_href: str
    network_id: str
    ranges: tuple[AddressRange, ...]
    purpose: str = LOAD_BALANCER


@dataclass(frozen=True)
class ManifestSource:
    """Where an add-on's manifest comes from: a file, a mirror's URL, or else the project itself.

    `checksum` (64 hexadecimal digits of a SHA-256) replaces the pinned one when given.
    """

    file: str = ""
    mirror: str = ""
    checksum: str = ""


@dataclass(frozen=True)
class AddonOptions:
    """What is asked for: an add-on for a cluster. Empty: the default.

    `addresses` is as typed: `A-B[,C-D]` or `auto:N`. `timeout` is in seconds.
    """

    cluster: str
    addon: str
    addresses: str = ""
    address: str = ""
    version: str = ""
    source: ManifestSource = field(default_factory=ManifestSource)
    force: bool = False
    timeout: float = 600.0
    vdc: str = ""
    org: str = ""

    @property
    def ref(self) -> ClusterRef:
        """Which cluster is meant."""
        return ClusterRef(self.cluster, self.vdc, self.org)


@dataclass(frozen=True)
class AddonInfo:
    """One add-on, in general or in a cluster.

    `state` is `ready`, `not ready`, `not installed`, `incomplete` or `not ours` (somebody else
    installed it). `changed` says whether this run changed anything.
    """

    name: str
    available: str
    installed: str = ""
    state: str = ""
    addresses: str = ""
    address: str = ""
    detail: tuple[str, ...] = ()
    changed: bool = False
    kubernetes: str = ""
    manifest: str = ""


@dataclass(frozen=True)
class AddonRemoval:
    """What was removed, as `kind name`, and what stays on purpose."""

    cluster: str
    addon: str
    removed: tuple[str, ...]
    kept: tuple[str, ...] = ()
