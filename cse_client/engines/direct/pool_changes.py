"""Changes of a cluster's worker pools: which operation is begun or resumed."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from cse_client import bounds, suggest
from cse_client.clock import Clock
from cse_client.engines.direct.custody import find_pki
from cse_client.engines.direct.describe import ask_kubernetes
from cse_client.engines.direct.existing import ExistingCluster
from cse_client.engines.direct.locked import LockedCluster
from cse_client.engines.direct.made_of import made_of, template_named
from cse_client.engines.direct.operation import GROW, REPLACE, SHRINK, UPDATE, Operation
from cse_client.engines.direct.operations.add_workers import WorkerAddition
from cse_client.engines.direct.operations.mark_workers import WorkerMarking
from cse_client.engines.direct.operations.remove_workers import reach
from cse_client.engines.direct.operations.replace_workers import WorkerReplacement, further_workers
from cse_client.engines.direct.pending import (
    finishing_command,
    other_first,
    pending_operation,
)
from cse_client.engines.direct.pool_sources import chosen_template, recorded_pool
from cse_client.engines.direct.pools import total
from cse_client.engines.direct.quiet import quiet_vapp
from cse_client.engines.direct.requirements import pool_problems
from cse_client.engines.direct.resolve import resolve_growth
from cse_client.engines.direct.resolved import Resolved
from cse_client.engines.direct.specs import inherited_spec, same_pool
from cse_client.engines.direct.worker_changes import WorkerChanges, closing
from cse_client.errors import Conflict, NotFound, Refused
from cse_client.model import Event, EventKind, Progress, RunOptions, Template, footprint
from cse_client.model.nodes import NodesSpec, Removal, RemovalSpec
from cse_client.model.pools import MOST_POOLS, Pool, PoolSpec, PoolState

if TYPE_CHECKING:
    from cse_client.vcd.client import VcdClient

__all__ = ["PoolChanges", "pool_states"]


def pool_states(cluster: ExistingCluster) -> list[PoolState]:
    """Return the pools of a cluster, and how many workers each has."""
    asked = ask_kubernetes(cluster)
    nodes = asked.all_nodes(cluster.vapp)
    found = []
    for pool in cluster.pools:
        names = {vm.name for vm in cluster.workers_of(pool.name)}
        ready = sum(
            node.kubernetes_status.startswith("Ready") for node in nodes if node.name in names
        )
        known = ready if asked.kube is not None else None
        found.append(PoolState(**vars(pool), workers=len(names), ready=known))
    return found


def _is_being_created(cluster: ExistingCluster, name: str) -> bool:
    """Return whether the creation of a pool is what has begun and not ended."""
    begun = cluster.unfinished
    known = {one.name for one in cluster.recorded_pools}
    return begun is not None and begun.kind == GROW and begun.pool == name and name not in known


def _is_deletion(pool: str, operation: Operation) -> bool:
    """Return whether an operation deletes this pool with its workers."""
    left = [one.name for one in operation.pools]
    return operation.kind == SHRINK and operation.pool == pool and bool(left) and pool not in left


def _only_pool(cluster: ExistingCluster, pool: str) -> Refused:
    return Refused(
        f"'{pool}' is the only worker pool of cluster '{cluster.name}', and one must remain.",
        hint=f"To remove its workers: {suggest.cse('pool resize', cluster.name, pool, nodes=0)}",
    )


@dataclass(frozen=True)
class PoolChanges:
    """Changes the pools of a locked cluster; with a `plan`, only adds sentences to it."""

    vcd: VcdClient
    clock: Clock
    templates: Callable[[], Sequence[Template]]
    workers: WorkerChanges
    plan: list[str] | None = None

    def create(
        self, locked: LockedCluster, spec: PoolSpec, options: RunOptions, progress: Progress
    ) -> None:
        """Add a pool with its workers, or resume that.

        Raises:
            Conflict: there is a pool of that name, or it was begun with other options.
            Refused: there are too many pools.
        """
        cluster, pool = locked.existing, spec.pool
        pending = pending_operation(cluster, lambda _op: _is_being_created(cluster, pool.name))
        if pending is not None:
            begun = cluster.pool(pool.name)
            if not same_pool(begun, pool, cluster.spec):
                _what, command = finishing_command(cluster.name, pending)
                raise Conflict(
                    f"The unfinished pool '{pool.name}' of cluster '{cluster.name}' was started"
                    " with different options.",
                    hint=f"Finish it first: {command}",
                )
            found = self._resolve(cluster, spec, begun, begun.size, progress)
            self._grow(locked, found, pending, spec, options, progress)
            return
        self._refuse_new(cluster, pool)
        found = self._resolve(cluster, spec, pool, pool.size, progress)
        after = (*cluster.pools, found.sources[0].pool)
        if not pool.size:
            self._record(locked, after, options, f"Record the pool '{pool.name}', without workers.")
            return
        operation = Operation.begin(
            GROW,
            workers=total(after),
            before=total(cluster.pools),
            waited=options.wait,
            pool=pool.name,
            pools=after,
        )
        self._grow(locked, found, operation, spec, options, progress)

    def update(
        self, locked: LockedCluster, spec: PoolSpec, options: RunOptions, progress: Progress
    ) -> None:
        """Give a pool, and its nodes, the labels and taints of `spec`, or resume that.

        Raises:
            NotFound: there is no such pool.
            Conflict: another change was begun before and did not end.
        """
        cluster, wanted = locked.existing, spec.pool
        pool = cluster.pool(wanted.name)
        changed = replace(pool, labels=wanted.labels, taints=wanted.taints)
        pending = cluster.unfinished
        if pending is not None and (
            pending.kind != UPDATE or pending.pool != pool.name or changed not in pending.pools
        ):
            pending = pending_operation(cluster, lambda _op: False)
        after = tuple(changed if one.name == pool.name else one for one in cluster.pools)
        operation = pending or Operation.begin(
            UPDATE, workers=total(after), before=total(after), pool=pool.name, pools=after
        )
        former = {one.name: one for one in cluster.recorded_pools}
        marking = WorkerMarking(
            locked,
            operation,
            options,
            pool=changed,
            former=former.get(pool.name, pool),
            clock=self.clock,
            progress=progress,
        )
        self._carry_out(marking)

    def delete(
        self, locked: LockedCluster, spec: PoolSpec, options: RunOptions, progress: Progress
    ) -> Removal:
        """Remove a pool with its workers, or resume that; also one whose creation has not ended.

        Raises:
            NotFound: there is no such pool.
            Refused: it is the last one, or pods would be lost.
        """
        name = spec.pool.name
        if _is_being_created(locked.existing, name):
            locked = self._without_tasks(locked, options)
            pending = None
        else:
            pending = pending_operation(locked.existing, partial(_is_deletion, name))
        cluster = locked.existing
        if pending is None:
            cluster.pool(name)
        after = tuple(pool for pool in cluster.pools if pool.name != name)
        if not after:
            raise _only_pool(cluster, name)
        names = tuple(vm.name for vm in cluster.workers_of(name))
        if pending is None and not names:
            text = f"Record that cluster '{cluster.name}' has no pool '{name}'."
            self._record(locked, after, options, text)
            return Removal(cluster=spec.cluster, nodes=())
        operation = pending or Operation.begin(
            SHRINK,
            workers=total(after),
            before=total(after) + len(names),
            nodes=names,
            pool=name,
            pools=after,
        )
        wanted = RemovalSpec(
            spec.cluster,
            operation.nodes,
            spec.vdc,
            spec.org,
            force=spec.force,
            max_parallel=spec.max_parallel,
        )
        with closing(reach(cluster, force=spec.force, progress=progress)) as api:
            return self.workers.carry_out(
                *(locked, operation, options, progress, api, wanted),
                new=pending is None,
                plan=self.plan,
            )

    def upgrade(
        self, locked: LockedCluster, spec: PoolSpec, options: RunOptions, progress: Progress
    ) -> None:
        """Replace a pool's workers by new ones, of another template if `spec` names one.

        Without, they are of the cluster's template. Workers that are of it already stay.

        Raises:
            NotFound: there is no such pool.
            Conflict: another change, or one to another template, was begun and did not end.
        """
        cluster = locked.existing
        pool = cluster.pool(spec.pool.name)
        pending = cluster.unfinished
        if pending is not None and (pending.kind != REPLACE or pending.pool != pool.name):
            pending = pending_operation(cluster, lambda _op: False)
        template, revision = spec.pool.template, spec.pool.template_revision
        if pending is not None and not template:
            template, revision = pending.template, None
        wanted = replace(pool, template=template, template_revision=revision, template_id="")
        present = [vm.name for vm in cluster.workers_of(pool.name)]
        offered = list(self.templates())
        names = pending.nodes if pending else self._outdated(cluster, spec, wanted, offered)
        surge = max(1, min(spec.max_surge, len(names)))
        room = surge if names else 0
        if pending is not None:
            room = further_workers(cluster, names, surge, pending.mark())
        found = self._resolve(
            cluster, spec, wanted, len(present) + room, progress, templates=lambda: offered
        )
        if pending is not None and found.template.id != pending.template:
            raise other_first(cluster, pending)
        made = replace(found.sources[0].pool, size=pool.size)
        if pending is not None and not spec.pool.template:
            made = next((one for one in pending.pools if one.name == pool.name), pool)
        after = tuple(made if one.name == pool.name else one for one in cluster.pools)
        if not names:
            self._record_template(locked, pool, after, found.template, options, progress)
            return
        trivial = not cluster.records_pools and after == cluster.default_pools(made.size)
        operation = pending or Operation.begin(
            REPLACE,
            workers=total(after),
            before=total(after),
            nodes=tuple(names),
            template=found.template.id,
            pool=pool.name,
            pools=() if trivial else after,
        )
        replacement = WorkerReplacement(
            locked,
            found,
            operation,
            options,
            names=operation.nodes,
            surge=surge,
            force=spec.force,
            pki=find_pki(cluster),
            clock=self.clock,
            progress=progress,
        )
        if pending is None:
            replacement.check()
        self._carry_out(replacement)

    # Private

    def _carry_out(self, work: WorkerAddition | WorkerMarking | WorkerReplacement) -> None:
        if self.plan is not None:
            self.plan.extend(step.sentence for step in work.steps())
        else:
            work.run()

    def _without_tasks(self, locked: LockedCluster, options: RunOptions) -> LockedCluster:
        """Return the cluster once VCD has ended what an interrupted command has requested."""
        if self.plan is not None:
            return locked
        cluster = locked.existing
        deadline = self.clock.monotonic() + bounds.share(options.timeout)
        vapp = quiet_vapp(self.vcd, cluster.vapp.href, deadline=deadline)
        return replace(locked, existing=replace(cluster, vapp=vapp))

    def _outdated(
        self,
        cluster: ExistingCluster,
        spec: PoolSpec,
        wanted: Pool,
        offered: Sequence[Template],
    ) -> tuple[str, ...]:
        """Return the workers of a pool that are not of the template that is wanted for it."""
        workers = cluster.workers_of(wanted.name)
        if not any(map(template_named, workers)):
            return tuple(vm.name for vm in workers)
        asked = NodesSpec(spec.cluster, len(cluster.workers), spec.vdc, spec.org)
        whole = inherited_spec(cluster, asked, len(cluster.workers), wanted)
        done: frozenset[str] = frozenset()
        # what is not found is reported with all else that is wrong
        with contextlib.suppress(NotFound):
            template = chosen_template(self.vcd, whole, offered)
            done = made_of(cluster, find_pki(cluster), workers, template)
        return tuple(vm.name for vm in workers if vm.name not in done)

    def _record_template(
        self,
        locked: LockedCluster,
        pool: Pool,
        after: tuple[Pool, ...],
        template: Template,
        options: RunOptions,
        progress: Progress,
    ) -> None:
        """Record the template of a pool, no worker of which is replaced."""
        cluster = locked.existing
        text = f"Record the template of the pool '{pool.name}', which has no workers."
        if cluster.workers_of(pool.name):
            already = (
                f"The workers of pool '{pool.name}' of cluster '{cluster.name}' are already of"
                f" template '{template.item}'"
            )
            if after == cluster.pools:
                progress(Event(EventKind.NOTE, f"{already}; nothing was changed."))
                return
            progress(Event(EventKind.NOTE, f"{already}."))
            text = f"Record the template of the pool '{pool.name}'."
        self._record(locked, after, options, text)

    def _refuse_new(self, cluster: ExistingCluster, pool: Pool) -> None:
        if any(one.name == pool.name for one in cluster.pools):
            raise Conflict(
                f"Cluster '{cluster.name}' already has a worker pool '{pool.name}'.",
                hint="To change its size: "
                + suggest.cse("pool resize", cluster.name, pool.name, nodes=pool.size),
            )
        if len(cluster.pools) >= MOST_POOLS:
            raise Refused(
                f"Cluster '{cluster.name}' has {len(cluster.pools)} worker pools, and that is the"
                " maximum.",
                hint="Delete a pool, or resize one.",
            )

    def _resolve(
        self,
        cluster: ExistingCluster,
        spec: PoolSpec,
        pool: Pool,
        size: int,
        progress: Progress,
        templates: Callable[[], Sequence[Template]] | None = None,
    ) -> Resolved:
        """Find what `pool` names and check whether it can have `size` workers.

        Raises:
            Refused: its template does not fit the cluster. See `resolve_growth` for the others.
        """
        present = len(cluster.workers_of(pool.name))
        target = len(cluster.workers) + max(0, size - present)
        asked = NodesSpec(spec.cluster, target, spec.vdc, spec.org, accept_eulas=spec.accept_eulas)
        wanted = replace(pool, size=size)
        found = resolve_growth(
            *(self.vcd, cluster, asked, target, templates or self.templates, progress), pool=wanted
        )
        version = cluster.metadata.get(footprint.KUBERNETES_VERSION, "")
        for problem in pool_problems(found.template, version):
            raise problem
        (source,) = found.pools
        recorded = recorded_pool(source.pool, found.template)
        return replace(found, pools=(replace(source, pool=recorded),))

    def _grow(
        self,
        locked: LockedCluster,
        found: Resolved,
        operation: Operation,
        spec: PoolSpec,
        options: RunOptions,
        progress: Progress,
    ) -> None:
        wanted = NodesSpec(spec.cluster, operation.workers, keep_healthy=spec.keep_healthy)
        addition = self.workers.addition(locked, found, operation, wanted, options, progress)
        self._carry_out(addition)

    def _record(
        self, locked: LockedCluster, pools: tuple[Pool, ...], options: RunOptions, sentence: str
    ) -> None:
        if self.plan is not None:
            self.plan.append(sentence)
        else:
            self.workers.record(locked, total(pools), options, pools=pools)
