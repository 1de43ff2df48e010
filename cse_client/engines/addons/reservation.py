"""The record of a cluster's load balancer addresses, in its vApp, and what they must not meet."""

from __future__ import annotations

from cse_client.engines.lookup import find_cluster
from cse_client.engines.reserving import NetworkAddresses, check, network_addresses
from cse_client.errors import NotFound, PreflightFailed
from cse_client.model import ClusterRef, Network, footprint
from cse_client.model.addons import LOAD_BALANCER, AddressRange, RecordedAddresses
from cse_client.model.hrefs import href_id
from cse_client.vcd import tasks
from cse_client.vcd.client import VcdClient

__all__ = ["Reservation"]

_SMALL_CHANGE_SECONDS = 300.0


class Reservation:
    """The addresses recorded for one cluster.

    Raises:
        NotFound: there is no such cluster.
    """

    def __init__(self, vcd: VcdClient, ref: ClusterRef) -> None:
        self._vcd = vcd
        self._vdc = vcd.surroundings.vdc(ref.vdc, ref.org)
        self._vapp, _ = find_cluster(vcd, self._vdc, ref.name)
        self._addresses: NetworkAddresses | None = None

    def network_addresses(self) -> NetworkAddresses:
        """Return what load balancer addresses must keep clear of.

        Raises:
            CseError: see `reserving.network_addresses`.
        """
        nodes = {vm.ip: vm.name for vm in self._vapp.vms if vm.ip}
        addresses = network_addresses(
            self._vcd, self._network(), nodes=nodes, without=self._is_mine
        )
        self._addresses = addresses
        return addresses

    def _is_mine(self, one: RecordedAddresses) -> bool:
        same = href_id(one.vapp_href) == href_id(self._vapp.href)
        return same and one.purpose == LOAD_BALANCER

    def reserve(self, ranges: tuple[AddressRange, ...], timeout: float) -> None:
        """Record the ranges in the vApp, unless that is done, and look again whether all is well.

        Raises:
            PreflightFailed: another cluster took one of them at the same time; ours is released.
        """
        addresses = self._addresses or self.network_addresses()
        mine = [one for one in self._vcd.reservations.recorded() if self._is_mine(one)]
        if mine and (mine[0].network_id, mine[0].ranges) == (addresses.plan.network_id, ranges):
            return
        deadline = self._deadline(timeout)
        href, network = self._vapp.href, addresses.plan.network_id
        vcd = self._vcd
        tasks.done(vcd, lambda: vcd.reservations.reserve(href, network, ranges), deadline=deadline)
        try:
            check(ranges, self.network_addresses())
        except PreflightFailed:
            self.release(timeout)
            raise

    def release(self, timeout: float) -> None:
        """Remove the record."""
        deadline = self._deadline(timeout)
        vcd, href = self._vcd, self._vapp.href
        if footprint.ADDRESSES not in vcd.vapp_metadata(href):
            return
        task = vcd.reservations.release(href)
        if task is not None:
            tasks.wait(vcd, task, deadline=deadline)

    def _deadline(self, timeout: float) -> float:
        return self._vcd.clock.monotonic() + max(30.0, min(timeout, _SMALL_CHANGE_SECONDS))

    def _network(self) -> Network:
        names = [vm.network for vm in self._vapp.vms if vm.network] + list(self._vapp.networks)
        if not names:
            raise NotFound(f"Cluster '{self._vapp.name}' is not connected to a network.")
        wanted = names[0]
        for one in self._vcd.surroundings.networks(self._vdc):
            if one.name == wanted:
                return one
        raise NotFound(
            f"Network '{wanted}' of cluster '{self._vapp.name}' cannot be seen in VDC"
            f" '{self._vdc.name}'."
        )
