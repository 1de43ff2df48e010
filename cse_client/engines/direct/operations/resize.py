"""What `cluster resize` and `node create|delete` come to: growing, shrinking, or nothing at all."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from cse_client import bounds, suggest
from cse_client.clock import Clock
from cse_client.engines.direct.describe import certificate_warning, look_at_cluster
from cse_client.engines.direct.existing import Standing, find_standing
from cse_client.engines.direct.lock import ChangedMeanwhile
from cse_client.engines.direct.operation import GROW, SHRINK, Operation
from cse_client.engines.direct.operations.add_workers import Growth
from cse_client.engines.direct.operations.power import Power
from cse_client.engines.direct.operations.remove_workers import (
    Shrinking,
    begin_removal,
    choose_workers,
    reach,
    removed_before,
)
from cse_client.engines.direct.operations.repair import Repair
from cse_client.engines.direct.resolve import check_growth
from cse_client.errors import ClusterUnreachable, Conflict, CseError, NotFound, WrongUsage
from cse_client.kube.serving import EXPIRED
from cse_client.model import (
    Cluster,
    Event,
    EventKind,
    Progress,
    RunOptions,
    Session,
    Template,
)
from cse_client.model.nodes import NodesSpec, Removal, RemovalSpec
from cse_client.vcd import tasks

_PROBE_TIMEOUT = 3.0
#: How often a change looks at the cluster before it gives up against others.
_LOOKS = 3

if TYPE_CHECKING:
    from cse_client.guest.pki import ClusterPKI
    from cse_client.kube.api import ClusterAPI
    from cse_client.vcd.client import VcdClient

__all__ = ["Scaling"]


_Method = TypeVar("_Method", bound=Callable[..., Any])


def _looking_again(method: _Method) -> _Method:
    """Let a change begin anew when the cluster was changed by somebody else before its claim."""

    @functools.wraps(method)
    def change(*arguments: Any, **options: Any) -> Any:
        for _attempt in range(_LOOKS - 1):
            with contextlib.suppress(ChangedMeanwhile):
                return method(*arguments, **options)
        return method(*arguments, **options)

    return change  # type: ignore[return-value]


@dataclass(frozen=True)
class Scaling:
    """Changes of one cluster's nodes with one user's rights."""

    vcd: VcdClient
    session: Session
    clock: Clock
    templates: Callable[[], Sequence[Template]]

    @_looking_again
    def resize(self, spec: NodesSpec, options: RunOptions, progress: Progress) -> Cluster:
        """Bring the number of workers to `spec.workers`, or carry on with what was begun.

        Raises:
            Conflict: an operation of another kind was begun before and did not end.
        """
        with self._standing(spec.cluster, spec.vdc, spec.org, options) as standing:
            pending = pending_operation(standing, lambda op: op.workers == spec.workers)
            present = len(standing.workers)
            if pending.kind == SHRINK if pending else present > spec.workers:
                self._shrink(standing, pending, spec, options, progress)
            elif pending is not None or present < spec.workers:
                if spec.remove:
                    raise WrongUsage(
                        f"Cluster '{spec.cluster}' has {present} workers and grows to"
                        f" {spec.workers}, so no node is removed.",
                        hint="Leave --nodes-to-remove out.",
                    )
                operation = pending or Operation.begin(
                    GROW, workers=spec.workers, before=present, waited=options.wait
                )
                return self._grow(standing, spec, operation, options, progress)
            else:
                if standing.wanted_workers not in (None, present):
                    self._record_size(standing, present, options)
                text = f"Cluster '{spec.cluster}' has {present} workers already."
                progress(Event(EventKind.NOTE, text))
            return self._look(standing)

    @_looking_again
    def add(self, spec: NodesSpec, options: RunOptions, progress: Progress) -> Cluster:
        """Add `spec.workers` workers; the same command again resumes a run that died."""
        with self._standing(spec.cluster, spec.vdc, spec.org, options) as standing:
            pending = pending_operation(
                standing, lambda op: op.kind == GROW and op.asked == spec.workers and op.waited
            )
            present = len(standing.workers)
            operation = pending or Operation.begin(
                GROW,
                workers=present + spec.workers,
                before=present,
                asked=spec.workers,
                waited=options.wait,
            )
            return self._grow(standing, spec, operation, options, progress)

    @_looking_again
    def remove(self, spec: RemovalSpec, options: RunOptions, progress: Progress) -> Removal:
        """Take the named workers out, whether or not they ever joined or still have a VM.

        Raises:
            NotFound, Conflict: unknown names, or names of no workers; nothing was touched.
            Refused: pods would be lost; nothing was touched.
        """
        with self._standing(spec.cluster, spec.vdc, spec.org, options) as standing:
            pending = pending_operation(
                standing, lambda op: op.kind == SHRINK and set(spec.nodes) <= {*op.nodes}
            )
            vms = {vm.name for vm in standing.vapp.vms}
            if pending is None and removed_before(standing, spec.nodes):
                return Removal(cluster=spec.cluster, nodes=(), already_gone=spec.nodes)
            standing.check_workers([name for name in spec.nodes if name in vms])
            with _closing(reach(standing, force=spec.force, progress=progress)) as api:
                known = {node.name: node for node in api.nodes()} if api is not None else {}
                operation = pending or begin_removal(standing, spec.nodes, known)
                return self._carry_out(
                    standing,
                    operation,
                    options,
                    progress,
                    api,
                    spec,
                    new=pending is None,
                )

    @_looking_again
    def repair(
        self,
        name: str,
        options: RunOptions,
        progress: Progress,
        *,
        vdc: str,
        org: str,
        carry_out: bool,
    ) -> Sequence[str]:
        """Return what there is to do about a cluster, having done it when that is asked for."""
        with self._standing(name, vdc, org, options) as standing:

            def grow(workers: int) -> None:
                fresh = standing.again()
                operation = Operation.begin(GROW, workers=workers, before=len(fresh.workers))
                spec = NodesSpec(name, workers)
                self._grow(fresh, spec, operation, options, progress)

            pending_operation(standing, lambda _op: False)
            repair = Repair(standing, options, grow=grow, clock=self.clock, progress=progress)
            if carry_out and repair.plan:
                with self._claimed(standing, "repairing it", options):
                    repair.carry_out()
            return repair.plan

    @_looking_again
    def power(
        self,
        name: str,
        options: RunOptions,
        progress: Progress,
        *,
        vdc: str,
        org: str,
        on: bool,
    ) -> None:
        """Start or stop a whole cluster."""
        with self._standing(name, vdc, org, options) as standing:
            power = Power(standing, options, clock=self.clock, progress=progress)
            with self._claimed(standing, "starting it" if on else "stopping it", options):
                if on:
                    power.start()
                else:
                    power.stop()

    # ---- inner ----------------------------------------------------------------------------

    @contextlib.contextmanager
    def _standing(self, name: str, vdc: str, org: str, options: RunOptions) -> Iterator[Standing]:
        place = self.vcd.vdc(vdc, org)
        standing = find_standing(
            self.vcd,
            self.session,
            place,
            name,
            clock=self.clock,
            break_lock=options.break_lock,
        )
        try:
            with standing.noticing_deletion():
                yield standing
        finally:
            standing.lock.leave_here()

    @contextlib.contextmanager
    def _claimed(self, standing: Standing, doing: str, options: RunOptions) -> Iterator[None]:
        """Hold the cluster while something short is done that leaves no record of its own."""
        href, lock = standing.vapp.href, standing.lock
        deadline = self.clock.monotonic() + bounds.share(options.timeout)
        lock.claim(
            href,
            standing.metadata,
            doing=doing,
            deadline=deadline,
            break_lock=options.break_lock,
        )
        try:
            first = {**standing.adoption, **lock.ending_broken()}
            if first:
                self._write(standing, first, deadline)
            yield
        finally:
            lock.release(href, ended=True)

    def _record_size(self, standing: Standing, workers: int, options: RunOptions) -> None:
        """Record that the cluster is to have the workers that it has."""
        with self._claimed(standing, "recording its size", options):
            values = standing.lock.ended(standing.vapp.href, workers)
            deadline = self.clock.monotonic() + bounds.share(options.timeout)
            self._write(standing, values, deadline)
            standing.lock.left()

    def _write(self, standing: Standing, values: Mapping[str, str], deadline: float) -> None:
        href = standing.vapp.href
        tasks.done(self.vcd, lambda: self.vcd.write_metadata(href, values), deadline=deadline)

    def _grow(
        self,
        standing: Standing,
        spec: NodesSpec,
        operation: Operation,
        options: RunOptions,
        progress: Progress,
    ) -> Cluster:
        pki = standing.pki()
        _refuse_ended(standing, pki, progress)
        found = check_growth(self.vcd, standing, spec, operation.workers, self.templates, progress)
        return Growth(
            standing,
            found,
            operation,
            options,
            pki=pki,
            clock=self.clock,
            progress=progress,
            keep_healthy=spec.keep_healthy,
        ).run()

    def _shrink(
        self,
        standing: Standing,
        pending: Operation | None,
        spec: NodesSpec,
        options: RunOptions,
        progress: Progress,
    ) -> None:
        if pending is None:
            _check_choice(standing, spec)
        with _closing(reach(standing, force=spec.force, progress=progress)) as api:
            operation = pending
            if operation is None:
                known = {node.name: node for node in api.nodes()} if api is not None else {}
                surplus = len(standing.workers) - spec.workers
                names = choose_workers(standing.workers, known, surplus, spec.remove)
                operation = Operation.begin(
                    SHRINK,
                    workers=spec.workers,
                    before=len(standing.workers),
                    nodes=tuple(names),
                )
            self._carry_out(standing, operation, options, progress, api, spec, new=pending is None)

    def _carry_out(
        self,
        standing: Standing,
        operation: Operation,
        options: RunOptions,
        progress: Progress,
        api: ClusterAPI | None,
        spec: NodesSpec | RemovalSpec,
        *,
        new: bool,
    ) -> Removal:
        shrinking = Shrinking(
            standing,
            operation,
            options,
            api=api,
            force=spec.force,
            max_parallel=spec.max_parallel,
            clock=self.clock,
            progress=progress,
        )
        if new:
            shrinking.check()
        return shrinking.run()

    def _look(self, standing: Standing) -> Cluster:
        fresh = standing.again()
        return look_at_cluster(
            self.vcd,
            fresh.vdc,
            fresh.vapp,
            self.vcd.vapp_metadata(fresh.vapp.href),
            org=self.session.org,
            user=self.session.user,
        )


def _refuse_ended(standing: Standing, pki: ClusterPKI, progress: Progress) -> None:
    """Refuse to make nodes for a cluster whose API nobody can use any more; warn a month ahead.

    Raises:
        ClusterUnreachable: the API server's certificate has ended.
    """
    try:
        with standing.api(pki, timeout=_PROBE_TIMEOUT) as api:
            api.version()
            warning = certificate_warning(api)
    except ClusterUnreachable as silence:
        if silence.reason == EXPIRED:
            silence.notes.append("Nothing was changed.")
            raise
        # a node may join although its cluster cannot be reached from here
        return
    except NotFound:
        return
    if warning:
        progress(Event(EventKind.WARNING, f"{warning}."))


@contextlib.contextmanager
def _closing(api: ClusterAPI | None) -> Iterator[ClusterAPI | None]:
    try:
        yield api
    finally:
        if api is not None:
            api.close()


def pending_operation(standing: Standing, fits: Callable[[Operation], bool]) -> Operation | None:
    """Return the unfinished operation that a command resumes.

    One that has made all its VMs and did not wait for them stands in nobody's way.

    Raises:
        Conflict: another one must be finished first.
    """
    unfinished = standing.unfinished
    if unfinished is None or fits(unfinished):
        return unfinished
    if unfinished.kind == GROW and len(standing.workers) >= unfinished.workers:
        return None
    raise _other_first(standing, unfinished)


def _check_choice(standing: Standing, spec: NodesSpec) -> None:
    """Refuse names for --nodes-to-remove that are no workers, or too many."""
    vms = {vm.name for vm in standing.vapp.vms}
    unknown = [name for name in spec.remove if name not in vms]
    if unknown:
        raise NotFound(
            f"Cluster '{standing.name}' has no node {', '.join(unknown)}; nothing was touched.",
            hint=f"See its nodes: {suggest.cse('node list', standing.name)}",
        )
    standing.check_workers(spec.remove)
    surplus = len(standing.workers) - spec.workers
    if len(spec.remove) > surplus:
        raise WrongUsage(
            f"--nodes-to-remove names {len(spec.remove)} nodes, but {surplus} must go to leave"
            f" {spec.workers}.",
            hint=f"Name at most {surplus}, or change --nodes.",
        )


def _other_first(standing: Standing, unfinished: Operation) -> CseError:
    name = standing.name
    if unfinished.kind == SHRINK:
        what = f"removing {', '.join(unfinished.nodes)}"
        command = suggest.cse("node delete", name, *unfinished.nodes)
    elif unfinished.asked:
        what = f"adding {unfinished.asked} nodes"
        command = suggest.cse("node create", name, nodes=unfinished.asked)
    else:
        what = f"growing to {unfinished.workers} workers"
        command = suggest.cse("cluster resize", name, nodes=unfinished.workers)
    return Conflict(
        f"An operation on cluster '{name}' was begun and did not end: {what}.",
        hint=f"Finish it first: {command}",
    )
