"""Adding workers to a cluster: one recompose for all of them, whatever their number.

Three tasks are awaited in sequence: the claim with the record of what is being done, the recompose
that makes and starts the VMs, and the final record. Where sizes differ from the template's, VMs
are made off, changed and started: two more.
"""

from __future__ import annotations

from collections.abc import Sequence

from cse_client import suggest
from cse_client.clock import Clock
from cse_client.engines.direct.credentials import API_TIMEOUT, open_api
from cse_client.engines.direct.describe import inspect_cluster
from cse_client.engines.direct.evidence import Verdict
from cse_client.engines.direct.locked import LockedCluster
from cse_client.engines.direct.machines import Machines
from cse_client.engines.direct.operation import Operation
from cse_client.engines.direct.operations.claimed import ClaimedRun
from cse_client.engines.direct.operations.failure import (
    CLAIM_WITHOUT_WAITING,
    ROLLBACK_SECONDS,
    after_failure,
    remove_made,
)
from cse_client.engines.direct.operations.plan import Step
from cse_client.engines.direct.pools import pool_of, resized, total
from cse_client.engines.direct.resolved import Resolved
from cse_client.engines.direct.waiting import await_ready
from cse_client.errors import (
    CseError,
    GuestFailed,
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
from cse_client.model.pools import administrators_labels
from cse_client.plurals import counted

__all__ = ["WorkerAddition"]


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
        self._resolved = resolved
        self._operation = operation
        self._options = options
        self._pki = pki
        self._clock = clock
        self._progress = progress
        self._keep_healthy = keep_healthy
        self._pool = resolved.sources[0].pool
        self._run = ClaimedRun(
            locked,
            operation,
            options,
            doing=f"growing to {counted(self._size, 'worker')}",
            clock=clock,
            progress=progress,
            seconds=None if options.wait else CLAIM_WITHOUT_WAITING,
            interrupted=self._state,
            resume=self._next_step,
        )
        self._machines = Machines.of(
            locked.existing,
            resolved,
            mark=operation.mark(),
            pki=pki,
            clock=clock,
            deadline=self._run.deadline,
        )
        self._verdict: Verdict | None = None
        self._labeled = False

    def steps(self) -> list[Step]:
        """Return the steps in order."""
        operation, cluster = self._operation, f"cluster '{self._cluster.name}'"
        count = operation.workers - operation.before
        grows = f"pool '{operation.pool}' of {cluster}" if operation.pool else cluster
        workers = counted(count, "worker VM")
        sized = self._resolved.workers_are_sized
        machines = self._machines
        steps = [
            self._run.claim_step(
                f"Record that {grows} grows to {counted(self._size, 'worker')}.",
                machines.refresh_when_quiet,
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
            self._run.end_step(
                "Record the new size",
                "Write the new size to the metadata and release the cluster's lock.",
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
        self._run.carry_out(self.steps(), self._machines.refresh_when_quiet, self._after_failure)
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

    def _state(self) -> str:
        """Return how an interruption leaves the cluster."""
        nodes = "all its new nodes" if self._verdict is not None else "not all its new nodes yet"
        return f"cluster '{self._cluster.name}' has {nodes}"

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

    def _stopped(self) -> list[Vm]:
        return [vm for vm in self._machines.marked() if not vm.is_on]

    def _await_ready(self) -> None:
        names = [vm.name for vm in self._machines.marked()]
        self._verdict = await_ready(
            self._cluster.vcd,
            self._machines,
            progress=self._progress,
            names=names,
        )

    # Failure

    def _after_failure(self, error: CseError) -> None:
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
            self._run.release()
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
        """Record the size that the cluster has after all, and release it.

        Workers that were missing before are still missing.
        """
        cluster, operation = self._cluster, self._operation
        present = [vm for vm in self._machines.vms() if node_kind(vm.name) == WORKER]
        pools = operation.pools
        workers = max(len(present), min(cluster.recorded_workers, operation.workers))
        if pools:
            before = {pool.name: pool.size for pool in cluster.recorded_pools}
            wanted = {pool.name: pool.size for pool in pools}
            missing = min(before.get(self._pool.name, 0), wanted.get(self._pool.name, 0))
            left = max(sum(1 for vm in present if pool_of(vm) == self._pool.name), missing)
            pools = resized(pools, self._pool.name, left)
            if not left and self._pool.name not in before:
                pools = tuple(pool for pool in pools if pool.name != self._pool.name)
            workers = total(pools)
        self._run.end_after(error, workers, pools=pools)

    def _outcome(self) -> Cluster:
        self._machines.refresh()
        metadata = self._cluster.vcd.vapp_metadata(self._machines.href)
        return inspect_cluster(self._machines.existing(metadata))
