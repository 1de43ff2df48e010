"""Org VDC networks and their static pools, and the edge gateway behind the routed ones."""

from __future__ import annotations

import ipaddress
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar
from uuid import uuid4

from cse_client.simulator.vcd.errors import bad_request
from cse_client.simulator.vcd.tasks import Task

__all__ = ["EdgeGateway", "NatRule", "OrgNetwork"]

_Vdc = TypeVar("_Vdc")


@dataclass
class NatRule:
    """A NAT rule of an edge gateway; addresses are single ones or CIDR blocks."""

    name: str
    type: str
    external: str
    internal: str
    enabled: bool = True
    id: str = field(default_factory=lambda: str(uuid4()))


@dataclass
class EdgeGateway:
    """An edge gateway. `backing` is NSXT (JSON API only) or NSXV (XML configuration)."""

    name: str
    external_address: str
    backing: str = "NSXT"
    nat: list[NatRule] = field(default_factory=list)
    #: The provider's network behind it, and the name of the gateway's way there.
    external_cidr: str = "203.0.113.0/24"
    uplink: str = "internet"
    id: str = field(default_factory=lambda: str(uuid4()))
    uplink_id: str = field(default_factory=lambda: str(uuid4()))

    @property
    def outside(self) -> ipaddress.IPv4Network:
        """The subnet of the uplink."""
        return ipaddress.IPv4Network(self.external_cidr)

    def networks(self, every: Iterable[OrgNetwork]) -> list[OrgNetwork]:
        """Return the networks that it routes."""
        return [one for one in every if one.edge is self]

    def vdc_in(self, every: Iterable[OrgNetwork], vdcs: Mapping[str, _Vdc]) -> _Vdc:
        """Return the VDC that it belongs to: that of its networks."""
        ids = sorted({vdc for one in self.networks(every) for vdc in one.shared_in})
        return vdcs[ids[0]] if ids else next(iter(vdcs.values()))

    def leads_out(self, network: ipaddress.IPv4Network) -> bool:
        """Return whether a SNAT rule covers the whole network."""
        for rule in self.nat:
            if rule.type != "SNAT" or not rule.enabled:
                continue
            inside = ipaddress.ip_network(rule.internal, strict=False)
            if isinstance(inside, ipaddress.IPv4Network) and network.subnet_of(inside):
                return True
        return False


@dataclass
class OrgNetwork:
    """An org VDC network.

    `fence` is bridged (direct), natRouted or isolated. `pool` is the static pool, first and last
    address; `dhcp` are DHCP pools likewise. `allocated` maps addresses to the ids of the VMs that
    have them: several where addresses were assigned by hand. `shared_in` are the ids of the VDCs
    that can use it. `proxy` is the host and port of an HTTP proxy that leads out, if there is one;
    `registries` are the hosts of container registries inside, each with the PEM of the CA that
    issued its certificate, empty for one that every guest knows.
    """

    name: str
    cidr: str
    fence: str
    pool: tuple[str, str]
    dns: tuple[str, ...] = ("127.0.0.53",)
    edge: EdgeGateway | None = None
    direct_egress: bool = True
    proxy: str = ""
    registries: dict[str, str] = field(default_factory=dict)
    shared_in: set[str] = field(default_factory=set)
    allocated: dict[str, list[str]] = field(default_factory=dict)
    dhcp: list[tuple[str, str]] = field(default_factory=list)
    id: str = field(default_factory=lambda: str(uuid4()))
    kind: str = "network"
    tasks: list[Task] = field(default_factory=list)
    metadata: dict[tuple[str, str], tuple[str, str]] = field(default_factory=dict)

    @property
    def network(self) -> ipaddress.IPv4Network:
        """The subnet."""
        return ipaddress.IPv4Network(self.cidr)

    @property
    def gateway(self) -> str:
        """The gateway's address: the first of the subnet."""
        return str(self.network.network_address + 1)

    @property
    def egress(self) -> bool:
        """Whether a packet to the Internet would come back."""
        if self.fence == "bridged":
            return self.direct_egress
        return self.edge is not None and self.edge.leads_out(self.network)

    @property
    def size(self) -> int:
        """How many addresses the pool holds."""
        return self._last() - self._first() + 1

    @property
    def free(self) -> int:
        """How many addresses of the pool are free."""
        return self.size - sum(1 for address in self.allocated if self.holds(address))

    def holds(self, address: str) -> bool:
        """Return whether an address lies in the pool."""
        return self._first() <= int(ipaddress.IPv4Address(address)) <= self._last()

    def allocate(self, vm_id: str) -> str:
        """Give a VM the lowest free address of the pool.

        An empty pool raises VCD's text [terraform-provider-vcd issues 49, 216].
        """
        for number in range(self._first(), self._last() + 1):
            address = str(ipaddress.IPv4Address(number))
            if address not in self.allocated:
                self.allocated[address] = [vm_id]
                return address
        error = bad_request(
            "Following errors occurred while updating network connections: There are insufficient"
            " IP addresses to complete operation. You need to add IP addresses to the network that"
            " is associated with the object being created or deployed."
        )
        error.message = f"[400:BAD_REQUEST] - {error.message}"
        raise error

    def reserve(self, address: str, vm_id: str) -> None:
        """Give a VM the address that it asks for (MANUAL).

        It must lie in the subnet, in the static pool or not, and may be another VM's: both are
        recorded, and only one of them can be powered on (VMware, vCloud Architecture Toolkit,
        "Architecting Tenant Networking with NSX", 5.2.2). The text for an address outside is that
        of terraform-provider-vcd issue 807.
        """
        if ipaddress.IPv4Address(address) not in self.network:
            raise bad_request(
                "Following errors occurred while updating network connections: - Invalid network"
                f' parameter: Specified IP address "{address}" is invalid.'
            )
        holders = self.allocated.setdefault(address, [])
        if vm_id not in holders:
            holders.append(vm_id)

    def release(self, vm_id: str, *, except_for: Container[str] = ()) -> None:
        """Take back a VM's addresses."""
        for address, holders in list(self.allocated.items()):
            if vm_id in holders and address not in except_for:
                holders.remove(vm_id)
                if not holders:
                    del self.allocated[address]

    def _first(self) -> int:
        return int(ipaddress.IPv4Address(self.pool[0]))

    def _last(self) -> int:
        return int(ipaddress.IPv4Address(self.pool[1]))
