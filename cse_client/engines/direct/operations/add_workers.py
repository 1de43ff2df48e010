"""Adding workers to a cluster: one recompose for all of them, whatever their number.

Three tasks are awaited in sequence: the claim with the record of what is being done, the recompose
that makes and starts the VMs, and the final record. Where sizes differ from the template's, VMs
are made off, changed and started: two more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cse_client import bounds, suggest
from cse_client.clock import Clock
from cse_client.engines.direct.credentials import API_TIMEOUT, open_api
from cse_client.engines.direct.deletion import DeletedMeanwhile
from cse_client.engines.direct.describe import inspect_cluster
from cse_client.engines.direct.evidence import Verdict
from cse_client.engines.direct.locked import LockedCluster
from cse_client.engines.direct.machines import Machines
from cse_client.engines.direct.operation import Operation
from cse_client.engines.direct.operations.failure import (
    CLAIM_WITHOUT_WAITING,
    ROLLBACK_SECONDS,
    after_failure,
    remove_made,
)
from cse_client.engines.direct.operations.plan import Step, carry_out
from cse_client.engines.direct.pools import pool_of, resized, total
from cse_client.engines.direct.resolved import Resolved
from cse_client.engines.direct.waiting import await_ready
from cse_client.errors import (
    CseError,
    GuestFailed,
    Interrupted,
    NotFinished,
    SessionInvalid,
)
from cse_client.guest.pki import ClusterPKI
from cse_client.kube.drain import delete_node
from cse_client.kube.node_marks import mark_node
from cse_client.model import (
    WORKER,
    Cluster,
    Event,
    EventKind,
    Progress,
    RunOptions,
    Vm,
    node_kind,
)
from cse_client.model.pools import Pool, administrators_labels

__all__ = ["WorkerAddition"]

_ON = "POWERED_ON"


class WorkerAddition:
    """One run of adding workers, new or resumed."""

    def __init__(
        self,
        locked: LockedCluster,
        resolved: Resolved,
        operation: Operation,
        options: RunOptions,
        *,
        pki: ClusterPKI,
        clock: Clock,
        progress: Progress,
        keep_healthy: bool = False,
    ) -> None:
        self._cluster = locked.existing
        self._lock = locked.lock
        self._adoption = locked.adoption
        self._vcd = locked.existing.vcd
        self._resolved = resolved
        self._operation = operation
        self._options = options
        self._pki = pki
        self._clock = clock
        self._progress = progress
        self._keep_healthy = keep_healthy
        self._deadline = clock.monotonic() + bounds.share(options.timeout)
        self._metadata = dict(locked.existing.metadata)
        self._machines = Machines(
            locked.existing.vcd,
            locked.existing.session,
            resolved,
            cluster_id=resolved.cluster_id,
            clock=clock,
            deadline=self._deadline,
            vapp=locked.existing.vapp,
            mark=operation.mark(),
            known_pki=pki,
        )
        self._claimed = False
        self._verdict: Verdict | None = None
        self._recorded = False
        self._labeled = False
        self._pool = resolved.sources[0].pool

    def steps(self) -> list[Step]:
        """Return the steps in order."""
        operation, cluster = self._operation, f"cluster '{self._cluster.name}'"
        count = operation.workers - operation.before
        grows = f"pool '{operation.pool}' of {cluster}" if operation.pool else cluster
        workers = f"{count} worker VM{'' if count == 1 else 's'}"
        sized = self._resolved.workers_are_sized
        machines = self._machines
        steps = [
            Step(
                "Claim the cluster",
                f"Record that {grows} grows to {self._size} workers.",
                lambda: self._claimed,
                self._claim,
            ),
            Step(
                f"Create {workers}",
                f"Create {workers} from '{self._resolved.template.item}'.",
                lambda: machines.missing_workers() == 0,
                lambda: machines.add_workers(power_on=not sized, wait=self._options.wait or sized),
            ),
        ]
        if not self._options.wait and not sized:
            return steps
        steps.append(
            Step(
                "Start the new VMs",
                f"Start {workers}.",
                lambda: not self._stopped(),
                lambda: machines.start(self._stopped()),
            )
        )
        if self._options.wait:
            steps += self._final_steps()
        return steps

    @property
    def _size(self) -> int:
        """How many workers the pool is to have."""
        return self._pool.size

    def _final_steps(self) -> list[Step]:
        ready = Step(
            "Wait until the new nodes are Ready",
            "Wait until the new nodes are Ready in the cluster's own Kubernetes API.",
            lambda: self._verdict is not None,
            self._await_ready,
        )
        labels = ", ".join(self._labels)
        marked = Step(
            "Label the new nodes",
            f"Give the new nodes the labels that they may not set themselves: {labels}.",
            lambda: self._labeled,
            self._label,
        )
        return [
            ready,
            *([marked] if labels else []),
            Step(
                "Record the new size",
                "Write the new size to the metadata and release the cluster's lock.",
                lambda: self._recorded,
                self._record,
            ),
        ]

    @property
    def _labels(self) -> dict[str, str]:
        """The pool's labels that only an administrator may set."""
        return administrators_labels(self._pool)

    def _label(self) -> None:
        with open_api(self._cluster, self._pki, timeout=API_TIMEOUT) as api:
            for vm in self._machines.marked():
                mark_node(api, vm.name, labels=self._labels)
        self._labeled = True

    def run(self) -> Cluster:
        """Carry it out and return the cluster; on failure roll back unless that is disabled.

        Raises what failed first; what the rollback could not remove is in its notes.
        """
        try:
            with self._cluster.noticing_deletion():
                carry_out(self.steps(), self._progress, self._refresh)
        except KeyboardInterrupt:
            self._lock.release(self._machines.href)
            state = (
                "all its new nodes" if self._verdict is not None else "not all its new nodes yet"
            )
            raise Interrupted(
                f"Interrupted; cluster '{self._cluster.name}' has {state}.",
                hint=self._next_step(),
            ) from None
        except NotFinished as late:
            late.notes.append(self._next_step())
            self._lock.release(self._machines.href)
            raise
        except (SessionInvalid, DeletedMeanwhile):
            raise
        except CseError as error:
            self._after_failure(error)
            raise
        self._warn_of_labels()
        return self._outcome()

    def _warn_of_labels(self) -> None:
        """Name the labels that nobody sets where the nodes are not waited for."""
        if self._options.wait or not self._labels:
            return
        command = suggest.cse("pool update", self._cluster.name, self._pool.name)
        labels = ", ".join(self._labels)
        text = f"Once the nodes are Ready, set their labels {labels}: {command}"
        self._progress(Event(EventKind.WARNING, text))

    def _next_step(self) -> str:
        """Return how to resume a run that ended early.

        Once all new nodes are Ready the record may have been written, and the same `node create`
        would be a new one.
        """
        if self._verdict is None:
            return suggest.RESUME
        of_pool = {"pool": self._operation.pool} if self._operation.pool else {}
        command = suggest.cse("cluster resize", self._cluster.name, nodes=self._size, **of_pool)
        return f"To make sure that this is recorded: {command}"

    def _claim(self) -> None:
        lock = self._lock
        if lock.held:
            first = lock.begun(self._operation)
        else:
            lock.claim(
                self._machines.href,
                self._cluster.metadata,
                doing=f"growing to {self._size} workers",
                deadline=self._deadline,
                seconds=None if self._options.wait else CLAIM_WITHOUT_WAITING,
                operation=self._operation,
                break_lock=self._options.break_lock,
            )
            first = {**self._adoption, **lock.ending_broken()}
        if first:
            self._write(first)
        self._claimed = True

    def _write(self, values: Mapping[str, str]) -> None:
        self._machines.change(lambda: self._vcd.write_metadata(self._machines.href, values))
        self._metadata.update(values)

    def _stopped(self) -> list[Vm]:
        return [vm for vm in self._machines.marked() if vm.status != _ON]

    def _refresh(self) -> None:
        """Read the vApp again, once nothing is changing it any more."""
        self._machines.refresh_when_quiet()
        self._metadata = self._vcd.vapp_metadata(self._machines.href)

    def _await_ready(self) -> None:
        names = [vm.name for vm in self._machines.marked()]
        self._verdict = await_ready(
            self._vcd,
            self._machines,
            progress=self._progress,
            names=names,
        )

    def _record(self) -> None:
        self._end(self._operation.workers, self._operation.pools)
        self._recorded = True

    def _end(self, workers: int, pools: tuple[Pool, ...]) -> None:
        """Record the size that the cluster has now, and release it."""
        self._lock.end(self._machines.href, self._write, workers, pools=pools)

    # Failure

    def _after_failure(self, error: CseError) -> None:
        if not self._claimed:
            self._lock.release(self._machines.href)
            return
        remove = suggest.cse("node delete", self._cluster.name, "NODE")
        after_failure(
            error,
            all_ready=self._verdict is not None,
            rollback=self._options.rollback,
            resume=self._next_step(),
            kept=f"The new VMs were kept as requested; remove them with `{remove}`",
            keep=lambda: self._settle(error),
            roll_back=lambda: self._roll_back(error),
        )

    def _roll_back(self, error: CseError) -> None:
        def remove() -> None:
            self._machines.deadline = self._clock.monotonic() + ROLLBACK_SECONDS
            self._machines.refresh_when_quiet()
            made.extend(self._machines.marked())
            if self._keep_healthy:
                healthy.update(self._healthy(error, made))
            doomed = [vm for vm in made if vm.name not in healthy]
            self._machines.remove(doomed)
            self._delete_nodes([vm.name for vm in doomed], error)

        made: list[Vm] = []
        healthy: set[str] = set()
        if not remove_made(remove, error, self._progress, advice=suggest.RESUME):
            self._lock.release(self._machines.href)
            return
        kept = f"; kept the healthy ones: {', '.join(sorted(healthy))}" if healthy else ""
        if made:
            error.notes.append(f"Removed {len(made) - len(healthy)} of the new VMs{kept}.")
        else:
            error.notes.append("No new VM had been made, so the cluster is as it was.")
        self._settle(error)

    def _healthy(self, error: CseError, made: Sequence[Vm]) -> set[str]:
        failed = error.node if isinstance(error, GuestFailed) else ""
        try:
            with open_api(self._cluster, self._pki, timeout=API_TIMEOUT) as api:
                ready = {node.name for node in api.nodes() if node.ready}
        except CseError:
            return set()
        return {vm.name for vm in made if vm.name in ready and vm.name != failed}

    def _delete_nodes(self, names: Sequence[str], error: CseError) -> None:
        """Delete the Node objects of removed VMs, as far as the API can be reached."""
        try:
            with open_api(self._cluster, self._pki, timeout=API_TIMEOUT) as api:
                for name in names:
                    delete_node(api, name)
        except CseError as second:
            error.notes.append(f"Their Node objects may be left: {second.message}")

    def _settle(self, error: CseError) -> None:
        """Record the size that the cluster has after all, and release it."""
        present = [vm for vm in self._machines.vms() if node_kind(vm.name) == WORKER]
        workers, pools = len(present), self._operation.pools
        if pools:
            left = sum(1 for vm in present if pool_of(vm) == self._pool.name)
            pools = resized(pools, self._pool.name, left)
            before = {pool.name for pool in self._cluster.recorded_pools}
            if not left and self._pool.name not in before:
                pools = tuple(pool for pool in pools if pool.name != self._pool.name)
            workers = total(pools)
        try:
            self._end(workers, pools)
        except CseError as second:
            error.notes.append(f"The cluster's record could not be written: {second.message}")

    def _outcome(self) -> Cluster:
        self._machines.refresh()
        return inspect_cluster(self._machines.existing(self._metadata))
