"""The changes of an existing cluster: which operation a command starts or resumes, if any.

Each finds the cluster, locks it and hands it to one of the `operations`.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

from cse_client.clock import Clock
from cse_client.engines.direct.control_plane_changes import ControlPlaneChanges
from cse_client.engines.direct.custody import find_pki
from cse_client.engines.direct.describe import inspect_cluster
from cse_client.engines.direct.existing import ExistingCluster
from cse_client.engines.direct.holders import PROTECTING, UNPROTECTING
from cse_client.engines.direct.lock import ChangedMeanwhile
from cse_client.engines.direct.locked import LockedCluster, locked_cluster
from cse_client.engines.direct.metadata import is_protected
from cse_client.engines.direct.operation import GROW
from cse_client.engines.direct.operations.plan import Step, carry_out
from cse_client.engines.direct.operations.power import PowerChange
from cse_client.engines.direct.operations.renew import Renewal
from cse_client.engines.direct.operations.repair import Repair
from cse_client.engines.direct.pending import (
    pending_operation,
    refuse_during_upgrade,
    refuse_to_start,
)
from cse_client.engines.direct.pool_changes import PoolChanges
from cse_client.engines.direct.upgrades import ClusterUpgrades, only_recorded
from cse_client.engines.direct.worker_changes import WorkerChanges, begin_in_pool
from cse_client.model import (
    Cluster,
    ClusterRef,
    Event,
    EventKind,
    Progress,
    RunOptions,
    Session,
    Template,
    footprint,
)
from cse_client.model.nodes import NodesSpec, Removal, RemovalSpec
from cse_client.model.pools import Pool, PoolSpec
from cse_client.model.upgrades import Upgraded, UpgradePlan, UpgradeSpec

if TYPE_CHECKING:
    from datetime import datetime

    from cse_client.vcd.client import VcdClient

__all__ = ["ClusterChanges", "looking_again"]

#: How often a change looks at the cluster before it gives up against others.
_LOOKS = 3

_Method = TypeVar("_Method", bound=Callable[..., Any])


def looking_again(method: _Method) -> _Method:
    """Start a change again when the cluster was changed by another command before its claim."""

    @functools.wraps(method)
    def change(*arguments: Any, **options: Any) -> Any:
        for _attempt in range(_LOOKS - 1):
            with contextlib.suppress(ChangedMeanwhile):
                return method(*arguments, **options)
        return method(*arguments, **options)

    return change  # type: ignore[return-value]


@dataclass(frozen=True)
class ClusterChanges:
    """Changes clusters with one user's rights."""

    vcd: VcdClient
    session: Session
    clock: Clock
    templates: Callable[[], Sequence[Template]]

    @looking_again
    def resize(self, spec: NodesSpec, options: RunOptions, progress: Progress) -> Cluster:
        """Bring the number of workers to `spec.workers`, or resume what was begun.

        Raises:
            Conflict: an operation of another kind was begun before and did not end.
        """
        if spec.control_planes:
            with self.locked(spec.ref, options) as locked:
                self._heads.resize(locked, spec, options, progress)
                return self.inspect(locked.existing)
        with self.locked(spec.ref, options) as locked:
            self._workers.resize(locked, spec, options, progress)
            return self.inspect(locked.existing)

    def plan_resize(
        self, spec: NodesSpec, options: RunOptions, progress: Progress
    ) -> Sequence[str]:
        """Return what `resize` would do, after the same checks."""
        plan: list[str] = []
        with self.locked(spec.ref, options) as locked:
            if spec.control_planes:
                replace(self._heads, plan=plan).resize(locked, spec, options, progress)
            else:
                replace(self._workers, plan=plan).resize(locked, spec, options, progress)
        return plan

    @looking_again
    def add(self, spec: NodesSpec, options: RunOptions, progress: Progress) -> Cluster:
        """Add `spec.workers` workers; the same command again resumes a run that died."""
        with self.locked(spec.ref, options) as locked:
            return self._workers.add(locked, spec, options, progress)

    @looking_again
    def remove(self, spec: RemovalSpec, options: RunOptions, progress: Progress) -> Removal:
        """Take the named workers out, whether or not they ever joined or still have a VM.

        Raises:
            NotFound, Refused: unknown names, or names of no workers; nothing was touched.
            Refused: pods would be lost; nothing was touched.
        """
        with self.locked(spec.ref, options) as locked:
            cluster = locked.existing
            if cluster.leaving_heads(spec.nodes):
                return self._heads.remove(locked, spec, options, progress)
            return self._workers.remove(locked, spec, options, progress)

    def plan_remove(self, spec: RemovalSpec, options: RunOptions, progress: Progress) -> Removal:
        """Return the nodes that `remove` would take out, after the same checks."""
        with self.locked(spec.ref, options) as locked:
            if locked.existing.leaving_heads(spec.nodes):
                return replace(self._heads, plan=[]).remove(locked, spec, options, progress)
            return replace(self._workers, plan=[]).remove(locked, spec, options, progress)

    @looking_again
    def change_pool(
        self, change: str, spec: PoolSpec, options: RunOptions, progress: Progress
    ) -> Cluster:
        """Create, update or upgrade a worker pool, or resume that."""
        with self.locked(_cluster_of(spec), options) as locked:
            self._pools(change)(locked, spec, options, progress)
            return self.inspect(locked.existing)

    @looking_again
    def delete_pool(self, spec: PoolSpec, options: RunOptions, progress: Progress) -> Removal:
        """Delete a worker pool with its workers, or resume that."""
        with self.locked(_cluster_of(spec), options) as locked:
            removal: Removal = self._pools("delete")(locked, spec, options, progress)
            return removal

    def plan_pool(
        self, change: str, spec: PoolSpec, options: RunOptions, progress: Progress
    ) -> Sequence[str]:
        """Return what a change of a worker pool would do."""
        plan: list[str] = []
        with self.locked(_cluster_of(spec), options) as locked:
            self._pools(change, plan)(locked, spec, options, progress)
        return plan

    def _pools(self, change: str, plan: list[str] | None = None) -> Callable[..., Any]:
        pools = PoolChanges(self.vcd, self.clock, self.templates, self._workers, plan)
        return {
            "create": pools.create,
            "update": pools.update,
            "upgrade": pools.upgrade,
            "delete": pools.delete,
        }[change]

    @looking_again
    def repair(
        self,
        ref: ClusterRef,
        options: RunOptions,
        progress: Progress,
        *,
        carry_out: bool,
    ) -> Sequence[str]:
        """Return what there is to do about a cluster, having done it on request."""
        with self.locked(ref, options) as locked:
            cluster = locked.existing

            def grow(name: str, workers: int) -> None:
                # what an operation before this one has recorded counts, too
                fresh = replace(locked, existing=self._reread(cluster))
                pool = fresh.existing.pool(name)
                operation = begin_in_pool(
                    *(fresh.existing, GROW, workers, fresh.existing.pools, name)
                )
                spec = NodesSpec(ref.name, workers, ref.vdc, ref.org)
                self._workers.grow(fresh, spec, pool, operation, options, progress)

            def grow_heads(heads: int) -> None:
                fresh = replace(locked, existing=cluster.reread())
                spec = NodesSpec(ref.name, 0, ref.vdc, ref.org, control_planes=heads)
                self._heads.grow(fresh, spec, None, options, progress)

            pending_operation(cluster, lambda _op: False)
            repair = Repair(
                cluster,
                options,
                grow=grow,
                grow_heads=grow_heads,
                clock=self.clock,
                progress=progress,
            )
            if carry_out and repair.plan:
                with locked.claimed("repairing it", options):
                    repair.carry_out()
            return repair.plan

    @looking_again
    def power(
        self,
        ref: ClusterRef,
        options: RunOptions,
        progress: Progress,
        *,
        on: bool,
    ) -> None:
        """Start or stop a whole cluster."""
        with self.locked(ref, options) as locked:
            cluster = locked.existing
            if on and not cluster.virtual_address:
                refuse_to_start(cluster)
            power = PowerChange(cluster, options, clock=self.clock, progress=progress)
            with locked.claimed("starting it" if on else "stopping it", options):
                if on:
                    power.start()
                else:
                    power.stop()

    def plan_stop(self, ref: ClusterRef, options: RunOptions, progress: Progress) -> Sequence[str]:
        """Return what stopping a cluster would do; nothing where all is off already."""
        with self.locked(ref, options) as locked:
            power = PowerChange(locked.existing, options, clock=self.clock, progress=progress)
            return power.plan_stop()

    def plan_renew(self, ref: ClusterRef, options: RunOptions, progress: Progress) -> Sequence[str]:
        """Return what renewing the certificates would do, after the same checks."""
        with self.locked(ref, options) as locked:
            return self._renewal(locked, options, progress).plan()

    def _renewal(self, locked: LockedCluster, options: RunOptions, progress: Progress) -> Renewal:
        cluster = locked.existing
        refuse_during_upgrade(cluster)
        pki = find_pki(cluster)
        renewal = Renewal(cluster, pki, options, clock=self.clock, progress=progress)
        renewal.check()
        return renewal

    @looking_again
    def renew(self, ref: ClusterRef, options: RunOptions, progress: Progress) -> datetime:
        """Renew the certificates of the control planes; return when the first of them ends."""
        with self.locked(ref, options) as locked:
            renewal = self._renewal(locked, options, progress)
            with locked.claimed("renewing its certificates", options):
                return renewal.run()

    @looking_again
    def upgrade(self, spec: UpgradeSpec, options: RunOptions, progress: Progress) -> Upgraded:
        """Upgrade a cluster by replacing its nodes, or resume that."""
        with self.locked(spec.ref, options) as locked:
            return self.upgrades.upgrade(locked, spec, options, progress)

    def plan_roll_back(
        self, spec: UpgradeSpec, options: RunOptions, progress: Progress
    ) -> UpgradePlan:
        """Return what rolling an unfinished upgrade back would do, after the same checks."""
        with self.locked(spec.ref, options) as locked:
            return self.upgrades.plan_roll_back(locked, spec, options, progress)

    @looking_again
    def roll_back_upgrade(self, spec: UpgradeSpec, options: RunOptions, progress: Progress) -> str:
        """Roll an unfinished upgrade back; return the release that the cluster has again."""
        with self.locked(spec.ref, options) as locked:
            record = only_recorded(locked.existing)
            if record is None:
                return self.upgrades.roll_back(locked, spec, options, progress)
            way = self.upgrades.recorded(locked.existing, spec, record, options, progress)
            title = "Go back to what was there before the upgrade"
            step = Step(title, f"{title}.", lambda: False, way.roll_back)
            with locked.claimed("rolling its upgrade back", options):
                carry_out([step], progress, way.look)
            return way.release()

    @property
    def upgrades(self) -> ClusterUpgrades:
        """Upgrades with these rights."""
        return ClusterUpgrades(self.vcd, self.clock, self.templates)

    @looking_again
    def protect(
        self, ref: ClusterRef, options: RunOptions, progress: Progress, *, on: bool
    ) -> None:
        """Protect a cluster against deletion, or end that."""
        with self.locked(ref, options) as locked:
            cluster = locked.existing
            if is_protected(cluster.metadata) == on:
                already = "is already" if on else "is not"
                text = f"Cluster '{ref.name}' {already} protected against deletion."
                progress(Event(EventKind.NOTE, text))
                if locked.lock.left_behind(cluster.metadata):
                    with locked.claimed("ending what was interrupted", options):
                        return
                return
            doing = PROTECTING if on else UNPROTECTING
            with locked.claimed(doing, options) as write:
                write({footprint.PROTECTED: "true" if on else "false"})

    def locked(self, ref: ClusterRef, options: RunOptions) -> AbstractContextManager[LockedCluster]:
        """Find a cluster and lock it, see `locked_cluster`."""
        return locked_cluster(
            self.vcd,
            self.session,
            self.vcd.surroundings.vdc(ref.vdc, ref.org),
            ref.name,
            clock=self.clock,
            break_lock=options.break_lock,
        )

    def inspect(self, cluster: ExistingCluster) -> Cluster:
        """Return everything known of a cluster after a change."""
        return inspect_cluster(self._reread(cluster))

    # Private

    @property
    def _heads(self) -> ControlPlaneChanges:
        return ControlPlaneChanges(self.vcd, self.clock, self.templates, self._record_size)

    @property
    def _workers(self) -> WorkerChanges:
        return WorkerChanges(self.vcd, self.clock, self.templates, self._record_size)

    def _record_size(
        self,
        locked: LockedCluster,
        workers: int | None,
        options: RunOptions,
        *,
        heads: int | None = None,
        pools: tuple[Pool, ...] | None = None,
    ) -> None:
        """Record that the cluster is to have the nodes that it has."""
        with locked.claimed("recording its size", options) as write:
            href = locked.existing.vapp.href
            locked.lock.end(href, write, workers, (), heads, pools)

    def _reread(self, cluster: ExistingCluster) -> ExistingCluster:
        metadata = self.vcd.vapp_metadata(cluster.vapp.href)
        return replace(cluster.reread(), metadata=metadata)


def _cluster_of(spec: PoolSpec) -> ClusterRef:
    return ClusterRef(spec.cluster, spec.vdc, spec.org)
