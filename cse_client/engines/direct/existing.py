"""An existing cluster as it was found in VCD: vApp and metadata, and the session that read them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from cse_client import suggest
from cse_client.engines.direct.deletion import noticing_deletion
from cse_client.engines.direct.journal import Journal, read_journal
from cse_client.engines.direct.metadata import (
    RecordedSpec,
    recorded_control_plane_ip,
    recorded_spec,
)
from cse_client.engines.direct.operation import Operation
from cse_client.engines.direct.pools import pool_of, resized
from cse_client.engines.lookup import find_cluster, unknown_pool
from cse_client.errors import NotFound, Refused, WrongUsage
from cse_client.model import (
    CONTROL_PLANE,
    WORKER,
    Session,
    VApp,
    Vdc,
    Vm,
    footprint,
    node_kind,
)
from cse_client.model.pools import DEFAULT_POOL, Pool
from cse_client.plurals import noun

if TYPE_CHECKING:
    from cse_client.vcd.client import VcdClient

__all__ = ["ExistingCluster", "control_plane_vm", "find_existing"]


@dataclass(frozen=True)
class ExistingCluster:
    """A cluster as it was found. To change it, lock it first, see `locked`."""

    vcd: VcdClient
    session: Session
    vdc: Vdc
    vapp: VApp
    metadata: Mapping[str, str]

    @property
    def name(self) -> str:
        """The cluster's name."""
        return self.vapp.name

    @property
    def org(self) -> str:
        """The organization that the cluster is in."""
        return self.vdc.org or self.session.org

    @property
    def cluster_id(self) -> str:
        """The id in the cluster's metadata, whoever wrote it; empty where there is none."""
        return self.metadata.get(footprint.CLUSTER_ID, "")

    @cached_property
    def spec(self) -> RecordedSpec:
        """What was requested when the cluster was created, as far as its record can be read."""
        return recorded_spec(self.metadata)

    @cached_property
    def journal(self) -> Journal:
        """The records of operations that began and ended."""
        return read_journal(self.metadata)

    @property
    def unfinished(self) -> Operation | None:
        """The operation that an earlier command began and did not end."""
        return self.journal.operation

    @property
    def desired_workers(self) -> int | None:
        """How many workers the cluster is to have, None where that is not known."""
        return self.journal.desired_workers(self.spec.workers)

    @property
    def desired_heads(self) -> int:
        """How many control planes the cluster is to have."""
        return self.journal.desired_heads(self.spec.control_planes or 1)

    @property
    def recorded_workers(self) -> int:
        """How many workers it was to have before the unfinished operation; 0: not known."""
        return self.journal.recorded_workers(self.spec.workers) or 0

    @property
    def recorded_heads(self) -> int:
        """How many control planes it was to have before the unfinished operation."""
        return self.journal.recorded_heads(self.spec.control_planes or 1)

    @property
    def control_plane(self) -> Vm | None:
        """The first control plane VM, or None."""
        return control_plane_vm(self.vapp)

    @property
    def control_planes(self) -> list[Vm]:
        """The VMs that are control planes, in VCD's order."""
        return [vm for vm in self.vapp.vms if node_kind(vm.name) == CONTROL_PLANE]

    @property
    def workers(self) -> list[Vm]:
        """The VMs that are workers, in VCD's order."""
        return [vm for vm in self.vapp.vms if node_kind(vm.name) == WORKER]

    @cached_property
    def pools(self) -> tuple[Pool, ...]:
        """The worker pools that the cluster is to have, with their sizes."""
        desired = self.desired_workers
        found = self.journal.desired_pools(self.spec.pools, desired)
        if desired is not None:
            return found
        return resized(found, DEFAULT_POOL, len(self.workers_of(DEFAULT_POOL)))

    @property
    def recorded_pools(self) -> tuple[Pool, ...]:
        """The pools as they were before the unfinished operation."""
        return self.journal.pools or self.spec.pools or self.default_pools()

    @staticmethod
    def default_pools(size: int = 0) -> tuple[Pool, ...]:
        """Return the pools of a cluster that was created without any."""
        return (Pool(DEFAULT_POOL, size),)

    @property
    def records_pools(self) -> bool:
        """Whether its pools are recorded: the default one alone need not be."""
        begun = self.unfinished is not None and self.unfinished.pools
        return bool(begun or self.journal.pools or self.spec.pools)

    def workers_of(self, pool: str) -> list[Vm]:
        """Return the VMs that are workers of this pool, in VCD's order."""
        return [vm for vm in self.workers if pool_of(vm) == pool]

    def pool(self, name: str = "") -> Pool:
        """Return one of the pools; its name may be omitted where there is only one.

        Raises:
            NotFound: there is no such pool.
            WrongUsage: there are several, and no name.
        """
        found = {pool.name: pool for pool in self.pools}
        if not name:
            if len(found) == 1:
                return self.pools[0]
            raise WrongUsage(
                f"Cluster '{self.name}' has {len(found)} worker pools: {', '.join(found)}.",
                hint="Specify one of them with --pool.",
            )
        if name not in found:
            raise unknown_pool(self.name, name, found)
        return found[name]

    def check_pool(self, vms: Sequence[Vm], pool: str) -> None:
        """Refuse workers of other pools than `pool`, if that is not empty.

        Raises:
            NotFound: there is no such pool.
            WrongUsage: some are of another one.
        """
        others = [vm for vm in vms if pool and pool_of(vm) != self.pool(pool).name]
        if others:
            listed = ", ".join(f"{vm.name} (pool '{pool_of(vm)}')" for vm in others)
            raise WrongUsage(
                f"{listed} {noun(len(others), 'is', 'are')} not in pool '{pool}' of cluster"
                f" '{self.name}'.",
                hint=f"List its nodes: {suggest.cse('node list', self.name)}",
            )

    @property
    def endpoint(self) -> str:
        """The API's address, HOST or HOST:PORT; empty where none is known."""
        return self.spec.endpoint or self.node_endpoint

    @property
    def virtual_address(self) -> str:
        """The address of the API that belongs to no machine; empty where there is none.

        A row of a list has no record of what was requested, only the recorded address.
        """
        recorded = recorded_control_plane_ip(self.metadata)
        return self.spec.vip or (recorded if len(self.control_planes) > 1 else "")

    @property
    def node_endpoint(self) -> str:
        """The API's address for nodes, and for whom no other was requested; may be empty."""
        vm = self.control_plane
        address = self.virtual_address or (vm.ip if vm is not None else "")
        return address or recorded_control_plane_ip(self.metadata)

    def require_control_plane(self) -> Vm:
        """Return the first control plane VM.

        Raises:
            NotFound: there is none.
        """
        vm = self.control_plane
        if vm is None:
            raise NotFound(
                f"Cluster '{self.name}' has no control plane VM.",
                hint="Restore it from a backup: "
                f"`{suggest.cse('cluster restore', self.name, 'FILE')}`, or delete what is left:"
                f" `{suggest.cse('cluster delete', self.name)}`.",
            )
        return vm

    def reread(self) -> ExistingCluster:
        """Return the cluster with its vApp read again; the metadata is that of before."""
        return replace(self, vapp=self.vcd.vapp(self.vapp.href))

    def noticing_deletion(self) -> AbstractContextManager[None]:
        """Report failures that come of the cluster's deletion as such, see `lookup`."""
        return noticing_deletion(self.vcd, self.name, lambda: self.vapp.href)

    def leaving_heads(self, names: Sequence[str]) -> bool:
        """Return whether these are control planes, of a cluster that may have several.

        Raises:
            WrongUsage: workers are among them.
        """
        heads = [name for name in names if node_kind(name) == CONTROL_PLANE]
        if not heads or not self.virtual_address:
            return False
        others = [name for name in names if name not in heads]
        if others:
            raise WrongUsage(
                f"{', '.join(heads)} and {', '.join(others)} are control planes and workers of"
                f" cluster '{self.name}'.",
                hint="Delete them with two commands.",
            )
        return True

    def check_workers(self, names: Sequence[str]) -> None:
        """Refuse control plane VMs and VMs that are not nodes, all of them named.

        Raises:
            Refused: some of the names are of such VMs.
        """
        heads = [name for name in names if node_kind(name) == CONTROL_PLANE]
        if heads:
            raise Refused(
                f"{', '.join(heads)} is the control plane of cluster '{self.name}' and cannot be"
                " removed.",
                hint="To delete the whole cluster: " + suggest.cse("cluster delete", self.name),
            )
        foreign = [name for name in names if node_kind(name) != WORKER]
        if foreign:
            raise Refused(
                f"{', '.join(foreign)} is not a worker of cluster '{self.name}'.",
                hint=f"List its nodes: {suggest.cse('node list', self.name)}",
            )


def find_existing(vcd: VcdClient, session: Session, vdc: Vdc, name: str) -> ExistingCluster:
    """Find a cluster, whatever its state.

    Raises:
        NotFound, Conflict: see `lookup.find_cluster`.
    """
    vapp, metadata = find_cluster(vcd, vdc, name)
    return ExistingCluster(vcd, session, vdc, vapp, metadata)


def control_plane_vm(vapp: VApp) -> Vm | None:
    """Return the first control plane VM of a cluster, or None."""
    return next((vm for vm in vapp.vms if node_kind(vm.name) == CONTROL_PLANE), None)
