"""Making, sizing and starting the VMs of one cluster.

What is there is in `seen_machines`, and what a new one is made of in `new_nodes`.

Every change is one VCD task for any number of VMs. A failed recompose may leave some of its VMs
behind (VCD does not document which), so nothing is assumed: the vApp is read again after each.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice

from cse_client import suggest
from cse_client.clock import Clock
from cse_client.engines.direct.addresses import is_about
from cse_client.engines.direct.custody import find_pki
from cse_client.engines.direct.existing import ExistingCluster
from cse_client.engines.direct.new_nodes import NewNodes
from cse_client.engines.direct.pool_sources import PoolSource
from cse_client.engines.direct.pools import pool_of
from cse_client.engines.direct.removal import remove_vms
from cse_client.engines.direct.resolved import Resolved
from cse_client.engines.direct.seen_machines import BROKEN, SeenMachines
from cse_client.errors import Conflict, CseError, NotFound, TaskFailed
from cse_client.guest import render
from cse_client.guest.pki import ClusterPKI, mint_pki
from cse_client.model import (
    CONTROL_PLANE,
    WORKER,
    NewVm,
    Vm,
    footprint,
    node_kind,
)
from cse_client.model.cluster import CONTROL_PLANE_PREFIX, WORKER_PREFIX
from cse_client.vcd import tasks
from cse_client.vcd.tasks import Task

__all__ = ["Machines"]


@dataclass
class Machines(SeenMachines):
    """The VMs of `resolved`, and making, sizing and starting them."""

    #: The PKI of an existing cluster, wherever it was found.
    known_pki: ClusterPKI | None = None
    #: The snapshot that the first control plane of a new cluster begins with.
    snapshot: render.AwaitedSnapshot | None = None
    _pki: ClusterPKI | None = None

    @classmethod
    def of(
        cls,
        cluster: ExistingCluster,
        resolved: Resolved,
        *,
        mark: str,
        pki: ClusterPKI,
        clock: Clock,
        deadline: float,
    ) -> Machines:
        """Return the VMs of an existing cluster, to which new ones with `mark` are added."""
        return cls(
            cluster.vcd,
            cluster.session,
            resolved,
            cluster_id=resolved.cluster_id,
            clock=clock,
            deadline=deadline,
            vapp=cluster.vapp,
            stands=True,
            mark=mark,
            known_pki=pki,
        )

    def change(self, call: Callable[[], Task]) -> Task:
        """Make one change and wait for its task; waits for a busy entity first."""
        return tasks.done(self.vcd, call, deadline=self.deadline)

    # Keys and scripts

    def pki(self) -> ClusterPKI:
        """Return the cluster's PKI: from this run, from where it is kept, or a new one.

        Raises CseError when a control plane VM exists and it is not found; see `custody.find_pki`.
        """
        head = self.head
        if self.known_pki is not None:
            return self.known_pki
        if self._pki is None and head is not None and self.vapp is not None:
            metadata = {**self.resolved.metadata, footprint.CLUSTER_ID: self.cluster_id}
            try:
                self._pki = find_pki(self.existing(metadata))
            except NotFound:
                name = self.resolved.spec.name
                raise CseError(
                    f"The CA key of the unfinished cluster '{name}' is not in its"
                    f" control plane VM {head.name}.",
                    hint=f"Remove it and start again: {suggest.cse('cluster delete', name)}",
                ) from None
        if self._pki is None:
            self._pki = mint_pki(self.resolved.spec.name)
        return self._pki

    @property
    def _nodes(self) -> NewNodes:
        return NewNodes(self.resolved, self.cluster_id, self.mark)

    def _fresh_names(self, prefix: str, count: int) -> list[str]:
        return self._nodes.names(prefix, count, self.names())

    def _worker_script(self, name: str, source: PoolSource, address: str = "") -> str:
        head = address
        if not head and not self.resolved.virtual.address:
            head = self.control_plane_address()
        return self._nodes.worker_script(name, source, self.pki(), head)

    def _new_workers(
        self, *, address: str = "", later: bool = False, count: int | None = None
    ) -> list[NewVm]:
        """Return the workers that are missing, or `count` of the first pool.

        With `later`, they get their scripts later. `address` is the control plane's own, where that
        is not made yet.
        """
        lacking = self._lacking() if count is None else [(self.resolved.sources[0], count)]
        names = iter(self._fresh_names(WORKER_PREFIX, sum(count for _source, count in lacking)))
        return [
            self._nodes.worker(
                name, source, "" if later else self._worker_script(name, source, address)
            )
            for source, count in lacking
            for name in islice(names, count)
        ]

    # Making VMs

    def new_vms(self, address: str) -> list[NewVm]:
        """Return all VMs of a new cluster, the first control plane first, which has this address.

        Empty: VCD chooses it.
        """
        spec = self.resolved.spec
        heads = self._fresh_names(CONTROL_PLANE_PREFIX, spec.control_planes)
        vms = [
            replace(self._new_head(heads[0]), address=address),
            *self._nodes.further_control_planes(heads[1:], self.pki(), after=heads[0]),
            *self._new_workers(address=address),
        ]
        return [self._nodes.sized(vm) for vm in vms]

    def make_restored_head(self, name: str, address: str, snapshot: render.AwaitedSnapshot) -> None:
        """Make and start a control plane of that name and address, which waits for a snapshot."""
        self.snapshot = snapshot
        new = replace(self._new_head(name), address=address)
        self._make_heads([new])

    def make_further_heads(self) -> None:
        """Make and start the missing control planes of a cluster that has one."""
        present = [vm.name for vm in self._of_kind(CONTROL_PLANE)]
        names = self._fresh_names(CONTROL_PLANE_PREFIX, self.missing_heads())
        after = present[-1] if present else ""
        self._make_heads(self._nodes.further_control_planes(names, self.pki(), after=after))

    def new_successor(self, replaces: Sequence[str]) -> NewVm:
        """Return one more control plane, see `render.further_control_plane_script`.

        Raises:
            CseError: its script would be too long.
        """
        (name,) = self._fresh_names(CONTROL_PLANE_PREFIX, 1)
        return self._nodes.successor(name, self.pki(), replaces)

    def make_successor(self, replaces: Sequence[str]) -> None:
        """Make and start one more control plane; raises like `new_successor`."""
        self._make_heads([self.new_successor(replaces)])

    def _make_heads(self, new: Sequence[NewVm]) -> None:
        """Make control planes, and start those that VCD has not started."""
        self._add(new, power_on=not self.resolved.head.is_sized)
        names = {vm.name for vm in new}
        stopped = [vm for vm in self.vms() if vm.name in names and not vm.is_on]
        if stopped:
            self.start(stopped)

    def make_control_plane(self) -> None:
        """Make and start the control plane VM."""
        self._drop_strays()
        if self.head is None:
            self._add([self._new_head()], power_on=True)
        try:
            self.ensure_on()
        except TaskFailed as failure:
            if self.head is None or not is_about(failure, self.head.ip):
                raise
            # An earlier run chose it, and a VM of somebody else that has it was started first.
            self.remove([vm for vm in self.vms() if node_kind(vm.name)])
            self._pki = None
            self._add([self._new_head()], power_on=True)
            self.ensure_on()

    def make_workers(self, *, wait: bool) -> None:
        """Make and start the missing workers; without `wait` only until VCD has accepted it."""
        vms = self._new_workers()
        if vms and not wait:
            tasks.change(
                self.vcd, lambda: self._recompose(vms, power_on=True), deadline=self.deadline
            )
            return
        if vms:
            self._add(vms, power_on=True)
        self.ensure_on()

    def make_all_powered_off(self) -> None:
        """Make every missing VM without starting it; workers get their scripts later."""
        self._drop_strays()
        vms = self._new_workers(later=True)
        if self.head is None:
            vms.insert(0, self._new_head())
        self._add(vms, power_on=False)

    def add_workers(self, *, power_on: bool, wait: bool = True, count: int | None = None) -> None:
        """Make workers of an existing cluster; the VMs there stay as they are.

        `count` is how many, by default those that are missing.
        """
        vms = self._new_workers(count=count)
        if wait:
            self._add(vms, power_on=power_on)
            return
        tasks.change(
            self.vcd, lambda: self._recompose(vms, power_on=power_on), deadline=self.deadline
        )

    def start(self, vms: Sequence[Vm]) -> None:
        """Give stopped VMs the wanted sizes, then start them side by side."""
        nodes = self._nodes
        changes = [nodes.sizing(vm) for vm in vms if nodes.hardware(vm).is_sized]
        if changes:
            self.change(lambda: self.vcd.recompose(self.href, change=changes))
        started = [
            tasks.change(self.vcd, partial(self.vcd.deploy, vm.href), deadline=self.deadline)
            for vm in vms
        ]
        tasks.wait_all(self.vcd, started, deadline=self.deadline)
        self.refresh()

    def remove(self, vms: Sequence[Vm]) -> None:
        """Delete VMs of the cluster, whatever their state."""
        remove_vms(self.vcd, self.href, vms, deadline=self.deadline)
        self.refresh()

    def other_sizes(self) -> list[Vm]:
        """Return the VMs that VCD shows with other CPUs, memory or disk than requested."""
        return [vm for vm in self.vms() if self._nodes.has_other_size(vm)]

    def size_again(self) -> None:
        """Stop the VMs that have other sizes than requested, and start them with these."""
        stopped = [
            tasks.change(self.vcd, partial(self.vcd.undeploy, vm.href), deadline=self.deadline)
            for vm in self.other_sizes()
        ]
        tasks.wait_all(self.vcd, stopped, deadline=self.deadline)
        self.refresh()
        self.size_and_start(force_customization=True)

    def size_and_start(self, *, force_customization: bool = False) -> None:
        """Set the sizes and the workers' scripts on all stopped VMs, then start the vApp."""
        changes = []
        for vm in self.vms():
            if not vm.is_on:
                is_worker = node_kind(vm.name) == WORKER
                source = self.resolved.source(pool_of(vm))
                script = self._worker_script(vm.name, source) if is_worker else None
                changes.append(replace(self._nodes.sizing(vm), script=script))
        if changes:
            self.change(lambda: self.vcd.recompose(self.href, change=changes))
        self.change(lambda: self.vcd.deploy(self.href, force_customization))
        self.refresh()

    def _drop_strays(self) -> None:
        """Delete workers whose control plane was not made: they know its address and its keys."""
        if self.head is None:
            nodes = [vm for vm in self.vms() if node_kind(vm.name)]
            if nodes:
                self.remove(nodes)

    def _new_head(self, name: str = "") -> NewVm:
        name = name or self._fresh_names(CONTROL_PLANE_PREFIX, 1)[0]
        return self._nodes.control_plane(name, self.pki(), self.snapshot)

    def _add(self, vms: Sequence[NewVm], *, power_on: bool) -> None:
        broken = [
            vm.href
            for vm in self.vms()
            if vm.status in BROKEN and (not self.mark or self.mark in vm.description)
        ]
        if broken:
            self.change(lambda: self.vcd.recompose(self.href, delete=broken))
        try:
            self.change(lambda: self._recompose(vms, power_on=power_on))
        except Conflict:
            # An earlier run's request, cut off, has reached VCD after all. What it made is what is
            # wanted; the keys that this run would have used are not in it.
            self.refresh_when_quiet()
            if not {vm.name for vm in vms} <= set(self.names()):
                raise
            self._pki = None
            return
        self.refresh()

    def _recompose(self, vms: Sequence[NewVm], *, power_on: bool) -> Task:
        return self.vcd.recompose(
            self.href,
            add=vms,
            power_on=power_on,
            accept_eulas=self.resolved.spec.accept_eulas,
        )

    def ensure_on(self) -> None:
        """Start what VCD made but did not start; normally there is nothing to do."""
        if not all(vm.is_on for vm in self.vms()):
            self.change(lambda: self.vcd.deploy(self.href))
            self.refresh()
