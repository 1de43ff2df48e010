"""Changes of the number of a cluster's workers: which operation is begun or resumed."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from cse_client.clock import Clock
from cse_client.engines.direct.control_plane_changes import refuse_ended
from cse_client.engines.direct.custody import find_pki
from cse_client.engines.direct.existing import ExistingCluster
from cse_client.engines.direct.locked import LockedCluster
from cse_client.engines.direct.operation import GROW, SHRINK, Operation
from cse_client.engines.direct.operations.add_workers import WorkerAddition
from cse_client.engines.direct.operations.leaving import (
    begin_removal,
    check_choice,
    choose_workers,
    removed_before,
)
from cse_client.engines.direct.operations.remove_workers import WorkerRemoval, reach
from cse_client.engines.direct.pending import pending_operation
from cse_client.engines.direct.pools import resized, total
from cse_client.engines.direct.requirements import pool_problems
from cse_client.engines.direct.resolve import resolve_growth
from cse_client.engines.direct.resolved import Resolved
from cse_client.errors import WrongUsage
from cse_client.model import (
    Cluster,
    Event,
    EventKind,
    Progress,
    RunOptions,
    Template,
    footprint,
)
from cse_client.model.nodes import NodesSpec, Removal, RemovalSpec
from cse_client.model.pools import Pool
from cse_client.plurals import counted

if TYPE_CHECKING:
    from cse_client.kube.api import ClusterAPI
    from cse_client.vcd.client import VcdClient

__all__ = ["WorkerChanges", "begin_in_pool", "closing"]


def begin_in_pool(
    cluster: ExistingCluster,
    kind: str,
    size: int,
    pools: Sequence[Pool],
    pool: str,
    **more: Any,
) -> Operation:
    """Return the operation after which `pool` has `size` workers and the cluster has `pools`."""
    after = resized(pools, pool, size)
    present = len(cluster.workers_of(pool))
    if not cluster.records_pools and after == (Pool(pool, size),) == cluster.default_pools(size):
        return Operation.begin(kind, workers=size, before=present, **more)
    workers = total(after)
    before = max(0, workers - (size - present))
    return Operation.begin(kind, workers=workers, before=before, pool=pool, pools=after, **more)


@dataclass(frozen=True)
class WorkerChanges:
    """Adds and removes workers of a locked cluster. `record` writes the sizes that it has.

    With a `plan`, a resize or removal only adds sentences to it, after the same checks.
    """

    vcd: VcdClient
    clock: Clock
    templates: Callable[[], Sequence[Template]]
    record: Callable[..., None]
    plan: list[str] | None = None

    def resize(
        self, locked: LockedCluster, spec: NodesSpec, options: RunOptions, progress: Progress
    ) -> None:
        """Bring the number of a pool's workers to `spec.workers`, or resume what was begun.

        Raises:
            Conflict: an operation of another kind was begun before and did not end.
        """
        cluster = locked.existing
        pool = cluster.pool(spec.pool)
        pending = pending_operation(cluster, lambda op: op.is_for(pool.name, spec.workers))
        present = len(cluster.workers_of(pool.name))
        if pending.kind == SHRINK if pending else present > spec.workers:
            self._shrink(locked, pending, pool, spec, options, progress)
        elif pending is not None or present < spec.workers:
            if spec.remove:
                raise WrongUsage(
                    f"{_named(cluster, pool)} has {counted(present, 'worker')} and grows to"
                    f" {spec.workers}, so no node is removed.",
                    hint="Omit --nodes-to-remove.",
                )
            operation = pending or begin_in_pool(
                *(cluster, GROW, spec.workers, cluster.pools, pool.name), waited=options.wait
            )
            addition = self._growth(locked, spec, pool, operation, options, progress)
            if self.plan is None:
                addition.run()
            else:
                self.plan.extend(step.sentence for step in addition.steps())
        elif self.plan is None:
            if pool.size != present or cluster.desired_workers is None:
                self.record_pool(locked, pool, present, options)
            text = f"{_named(cluster, pool)} already has {counted(present, 'worker')}."
            progress(Event(EventKind.NOTE, text))

    def record_pool(
        self, locked: LockedCluster, pool: Pool, size: int, options: RunOptions
    ) -> None:
        """Record that a pool is to have the workers that it has."""
        cluster = locked.existing
        if not cluster.records_pools:
            if cluster.desired_workers is not None:
                self.record(locked, size, options)
            return
        pools = resized(cluster.pools, pool.name, size)
        self.record(locked, total(pools), options, pools=pools)

    def add(
        self, locked: LockedCluster, spec: NodesSpec, options: RunOptions, progress: Progress
    ) -> Cluster:
        """Add `spec.workers` workers to a pool; the same command again resumes a run that died."""
        cluster = locked.existing
        pool = cluster.pool(spec.pool)
        present = len(cluster.workers_of(pool.name))
        pending = pending_operation(
            cluster,
            lambda op: (
                op.kind == GROW
                and op.asked == spec.workers
                and op.waited
                and op.pool in ("", pool.name)
            ),
        )
        operation = pending or begin_in_pool(
            *(cluster, GROW, present + spec.workers, cluster.pools, pool.name),
            asked=spec.workers,
            waited=options.wait,
        )
        return self.grow(locked, spec, pool, operation, options, progress)

    def remove(
        self, locked: LockedCluster, spec: RemovalSpec, options: RunOptions, progress: Progress
    ) -> Removal:
        """Take the named workers out, whether or not they ever joined or still have a VM.

        Raises:
            NotFound, Refused: unknown names, or names of no workers; nothing was touched.
            Refused: pods would be lost; nothing was touched.
        """
        cluster = locked.existing
        pending = pending_operation(
            cluster, lambda op: op.kind == SHRINK and set(spec.nodes) <= {*op.nodes}
        )
        vms = {vm.name: vm for vm in cluster.vapp.vms}
        if pending is None and removed_before(cluster, spec.nodes):
            return Removal(cluster=spec.cluster, nodes=(), already_gone=spec.nodes)
        cluster.check_workers([name for name in spec.nodes if name in vms])
        cluster.check_pool([vms[name] for name in spec.nodes if name in vms], spec.pool)
        with closing(reach(cluster, force=spec.force, progress=progress)) as api:
            known = {node.name: node for node in api.nodes()} if api is not None else {}
            operation = pending or begin_removal(cluster, spec.nodes, known)
            return self.carry_out(
                *(locked, operation, options, progress, api, spec),
                new=pending is None,
                plan=self.plan,
            )

    def grow(
        self,
        locked: LockedCluster,
        spec: NodesSpec,
        pool: Pool,
        operation: Operation,
        options: RunOptions,
        progress: Progress,
    ) -> Cluster:
        """Make the workers that the operation is about, of `pool`."""
        return self._growth(locked, spec, pool, operation, options, progress).run()

    def _growth(
        self,
        locked: LockedCluster,
        spec: NodesSpec,
        pool: Pool,
        operation: Operation,
        options: RunOptions,
        progress: Progress,
    ) -> WorkerAddition:
        cluster = locked.existing
        sizes = {one.name: one.size for one in operation.pools}
        wanted = replace(pool, size=sizes.get(pool.name, operation.workers))
        found = resolve_growth(
            *(self.vcd, cluster, spec, operation.workers, self.templates, progress), pool=wanted
        )
        version = cluster.metadata.get(footprint.KUBERNETES_VERSION, "")
        for problem in pool_problems(found.template, version):
            raise problem
        return self.addition(locked, found, operation, spec, options, progress)

    def addition(
        self,
        locked: LockedCluster,
        found: Resolved,
        operation: Operation,
        spec: NodesSpec,
        options: RunOptions,
        progress: Progress,
    ) -> WorkerAddition:
        """Return what makes new workers as `found` says."""
        pki = find_pki(locked.existing)
        refuse_ended(locked.existing, pki, progress)
        return WorkerAddition(
            locked,
            found,
            operation,
            options,
            pki=pki,
            clock=self.clock,
            progress=progress,
            keep_healthy=spec.keep_healthy,
        )

    def _shrink(
        self,
        locked: LockedCluster,
        pending: Operation | None,
        pool: Pool,
        spec: NodesSpec,
        options: RunOptions,
        progress: Progress,
    ) -> None:
        cluster = locked.existing
        if pending is None:
            check_choice(cluster, spec, pool.name)
        with closing(reach(cluster, force=spec.force, progress=progress)) as api:
            operation = pending
            if operation is None:
                known = {node.name: node for node in api.nodes()} if api is not None else {}
                workers = cluster.workers_of(pool.name)
                surplus = len(workers) - spec.workers
                names = choose_workers(workers, known, surplus, spec.remove)
                operation = begin_in_pool(
                    *(cluster, SHRINK, spec.workers, cluster.pools, pool.name), nodes=tuple(names)
                )
            self.carry_out(
                *(locked, operation, options, progress, api, spec),
                new=pending is None,
                plan=self.plan,
            )

    def carry_out(
        self,
        locked: LockedCluster,
        operation: Operation,
        options: RunOptions,
        progress: Progress,
        api: ClusterAPI | None,
        spec: NodesSpec | RemovalSpec,
        *,
        new: bool,
        plan: list[str] | None = None,
    ) -> Removal:
        """Take the operation's nodes out; a `new` one is checked before anything is touched.

        With a `plan`, only adds sentences to it.
        """
        removal = WorkerRemoval(
            locked,
            operation,
            options,
            api=api,
            force=spec.force,
            max_parallel=spec.max_parallel,
            clock=self.clock,
            progress=progress,
        )
        if new:
            removal.check()
        if plan is not None:
            plan.extend(step.sentence for step in removal.steps())
            return Removal(spec.cluster, operation.nodes)
        return removal.run()


def _named(cluster: ExistingCluster, pool: Pool) -> str:
    """Return the subject of a sentence on a pool's workers."""
    if len(cluster.pools) > 1:
        return f"Pool '{pool.name}' of cluster '{cluster.name}'"
    return f"Cluster '{cluster.name}'"


@contextlib.contextmanager
def closing(api: ClusterAPI | None) -> Iterator[ClusterAPI | None]:
    """Close the connection to the cluster's API at the end, where there is one."""
    try:
        yield api
    finally:
        if api is not None:
            api.close()
