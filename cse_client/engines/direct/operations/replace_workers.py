"""Replacing workers by new ones: a new VM joins and is Ready before an old one is drained.

So there are never fewer Ready workers than before, and at most `surge` more. Which nodes are
replaced is recorded with the operation, and the new VMs carry its mark: whatever ends a run, the
next one counts both and goes on from there.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from cse_client import bounds, suggest
from cse_client.clock import Clock
from cse_client.engines.direct.credentials import API_TIMEOUT, open_api
from cse_client.engines.direct.deletion import out_of_reach
from cse_client.engines.direct.describe import inspect_cluster
from cse_client.engines.direct.existing import ExistingCluster
from cse_client.engines.direct.locked import LockedCluster
from cse_client.engines.direct.machines import Machines
from cse_client.engines.direct.operation import Operation
from cse_client.engines.direct.operations.claimed import ClaimedRun
from cse_client.engines.direct.operations.draining import drain_nodes
from cse_client.engines.direct.operations.failure import ROLLBACK_SECONDS, remove_made
from cse_client.engines.direct.operations.leaving import refuse_stuck_pods
from cse_client.engines.direct.operations.plan import Step
from cse_client.engines.direct.removal import delete_vms
from cse_client.engines.direct.resolved import Resolved
from cse_client.engines.direct.seen_machines import BROKEN
from cse_client.engines.direct.waiting import await_ready
from cse_client.errors import CseError, GuestFailed
from cse_client.guest.pki import ClusterPKI
from cse_client.kube.api import ClusterAPI
from cse_client.kube.drain import delete_node, uncordon
from cse_client.kube.node_marks import mark_node
from cse_client.model import WORKER, Cluster, KubeNode, Progress, RunOptions, Vm, node_kind
from cse_client.model.pools import administrators_labels
from cse_client.plurals import counted, noun

__all__ = ["WorkerReplacement", "failed_workers", "further_workers"]


def further_workers(cluster: ExistingCluster, names: Sequence[str], surge: int, mark: str) -> int:
    """Return how many more VMs must fit into the VDC to replace the workers `names`.

    What earlier runs have made carries `mark`, and counts.
    """
    made = sum(mark in vm.description for vm in cluster.workers)
    present = {vm.name for vm in cluster.workers}
    left = [name in present for name in names]
    most = now = made + sum(left)
    for start in range(0, len(names), surge):
        count = min(start + surge, len(names))
        if made < count:
            most = max(most, count + sum(left[start:]))
    return most - now


def failed_workers(
    new: Sequence[Vm], nodes: Sequence[KubeNode], settled: Collection[str], failed: str
) -> list[Vm]:
    """Return which new workers may be deleted without a drain: `failed` is one that failed.

    Those `settled` before the last batch have taken the pods of old workers: one of them that is
    not Ready stays, unless it is not even a node.
    """
    ready = {node.name: node.ready for node in nodes}
    return [
        vm
        for vm in new
        if vm.name == failed or vm.name not in ready or not (ready[vm.name] or vm.name in settled)
    ]


class WorkerReplacement:
    """One run of replacing the workers `names`, new or resumed.

    New ones are made as `resolved` says (see `resolve_growth`, which checks that there is room for
    `surge` more). Their descriptions contain `mark`, by default the operation's own: one that
    replaces several groups of workers gives each group a mark of its own that begins with it.
    `record` is metadata that is written with the end. `force` evicts pods that nobody would start
    again.
    """

    def __init__(
        self,
        locked: LockedCluster,
        resolved: Resolved,
        operation: Operation,
        options: RunOptions,
        *,
        names: Sequence[str],
        surge: int,
        force: bool,
        pki: ClusterPKI,
        clock: Clock,
        progress: Progress,
        mark: str = "",
        record: Mapping[str, str] | None = None,
    ) -> None:
        self._cluster = locked.existing
        self._resolved = resolved
        self._operation = operation
        self._options = options
        self._names = tuple(names)
        self._surge = max(1, surge)
        self._force = force
        self._pki = pki
        self._clock = clock
        self._progress = progress
        self._record = dict(record or {})
        self._run = ClaimedRun(
            locked,
            operation,
            options,
            doing=f"replacing {counted(len(self._names), 'worker')}",
            clock=clock,
            progress=progress,
        )
        self._machines = Machines.of(
            locked.existing,
            resolved,
            mark=mark or operation.mark(),
            pki=pki,
            clock=clock,
            deadline=self._run.deadline,
        )
        self._tidy = False
        #: New workers that were there before the present batch.
        self._settled: frozenset[str] = frozenset()
        #: How many seconds the replacement of each worker took in this run.
        self.took: list[float] = []

    def check(self) -> None:
        """Refuse what a drain could not move, before anything is touched.

        Raises:
            Refused: some pods would be lost; each is named with the reason.
            ClusterUnreachable: the cluster's API does not answer.
        """
        with self._api() as api:
            if self._force:
                api.version()
            else:
                refuse_stuck_pods(api, self._names)

    def steps(self) -> list[Step]:
        """Return the steps that replace the workers, in order, without claim and record."""
        surge, names = self._surge, self._names
        batches = [names[start : start + surge] for start in range(0, len(names), surge)]
        found = []
        count = 0
        for batch in batches:
            count += len(batch)
            found.append(self._step(batch, count))
        if found:
            found.append(
                Step(
                    "Delete the Kubernetes nodes of the old workers",
                    "Delete the Kubernetes nodes that are left of the old workers.",
                    lambda: self._tidy,
                    self._delete_nodes,
                )
            )
        return found

    def run(self) -> Cluster:
        """Carry it out, with the claim before it and the record after it; return the cluster.

        When a new worker fails, the ones that are not Ready are removed, unless that is disabled.
        """
        count = len(self._names)
        steps = [
            self._run.claim_step(
                f"Record that {counted(count, 'worker')} of cluster '{self._cluster.name}'"
                f" {noun(count, 'is', 'are')} replaced."
            ),
            *self.steps(),
            self._run.end_step(
                "Record the new workers",
                "Write the replacement to the metadata and release the cluster's lock.",
                nodes=self._names,
                values=self._record,
            ),
        ]
        self._run.carry_out(steps, self.look, self._failed)
        self._machines.refresh()
        metadata = self._cluster.vcd.vapp_metadata(self._machines.href)
        return inspect_cluster(self._machines.existing(metadata))

    def look(self) -> None:
        """Read the vApp again, once nothing is changing it any more."""
        self._machines.refresh_when_quiet()

    # The steps

    def _step(self, batch: Sequence[str], count: int) -> Step:
        """Return the step after which `count` workers are new and those in `batch` are gone."""
        old = ", ".join(batch)
        item = self._resolved.template.item
        return Step(
            f"Replace {old}",
            f"Replace {old}: create {len(batch)} from '{item}', wait until"
            f" {noun(len(batch), 'it is', 'they are')} Ready, then drain {old} and delete"
            f" {noun(len(batch), 'its VM', 'their VMs')}.",
            lambda: not self._left(batch) and len(self._made()) >= count,
            lambda: self._replace(batch, count),
        )

    def _replace(self, batch: Sequence[str], count: int) -> None:
        began = self._clock.monotonic()
        machines, sized = self._machines, self._resolved.worker.is_sized
        machines.refresh_when_quiet()
        made = [vm.name for vm in self._made()]
        lacking = count - len(made)
        # what an earlier run has made of this batch cannot be told from the others
        self._settled = frozenset(made)
        if lacking > 0:
            machines.add_workers(count=lacking, power_on=not sized)
        stopped = [vm for vm in self._made() if not vm.is_on]
        if stopped:
            machines.start(stopped)
        names = [vm.name for vm in self._made()]
        await_ready(self._cluster.vcd, machines, progress=self._progress, names=names)
        leaving = self._left(batch)
        with self._api() as api:
            labels = administrators_labels(self._resolved.sources[0].pool)
            for name in names if labels else ():
                mark_node(api, name, labels=labels)
            drain_nodes(
                api,
                leaving,
                at_once=len(leaving),
                force=self._force,
                deadline=machines.deadline,
                clock=self._clock,
                progress=self._progress,
            )
            href = self._cluster.vapp.href
            delete_vms(self._cluster.vcd, href, leaving, deadline=machines.deadline)
            for name in leaving:
                delete_node(api, name)
        machines.refresh()
        self.took += [self._clock.monotonic() - began] * len(leaving)

    def _delete_nodes(self) -> None:
        """Delete Nodes whose VM an earlier run has deleted before it was stopped."""
        with self._api() as api:
            present = {node.name for node in api.nodes()}
            for name in self._names:
                if name in present:
                    delete_node(api, name)
        self._tidy = True

    # What is there

    def _made(self) -> list[Vm]:
        return [vm for vm in self._new() if vm.status not in BROKEN]

    def _new(self) -> list[Vm]:
        # an upgrade marks new control planes as well
        return [vm for vm in self._machines.marked() if node_kind(vm.name) == WORKER]

    def _left(self, names: Sequence[str]) -> list[str]:
        present = set(self._machines.names())
        return [name for name in names if name in present]

    def _api(self) -> ClusterAPI:
        return open_api(self._cluster, self._pki, timeout=API_TIMEOUT)

    # Failure

    def withdraw(self, error: CseError) -> bool:
        """Remove new workers that are not Ready; return whether everything is as it was before.

        What was done, or not, is in notes under `error`.
        """
        if out_of_reach(error) or not self._options.rollback:
            return False
        removed: list[str] = []

        def remove() -> None:
            machines = self._machines
            machines.deadline = self._clock.monotonic() + ROLLBACK_SECONDS
            machines.refresh_when_quiet()
            failed = error.node if isinstance(error, GuestFailed) else ""
            with self._api() as api:
                nodes = api.nodes()
            doomed = failed_workers(self._new(), nodes, self._settled, failed)
            removed.extend(vm.name for vm in doomed)
            machines.remove(doomed)
            self._let_go(removed)

        with bounds.afterwards(ROLLBACK_SECONDS):
            if not remove_made(remove, error, self._progress, advice=suggest.RESUME):
                return False
        if removed:
            error.notes.append(f"Removed the new VMs that are not Ready: {', '.join(removed)}.")
        return self._left(self._names) == list(self._names) and not self._made()

    def _let_go(self, removed: Sequence[str]) -> None:
        """Delete the Nodes of removed VMs, and let the old nodes take pods again.

        The report of a node that never joined goes as well: the next VM gets its name.
        """
        left = set(self._left(self._names))
        with self._api() as api:
            for name in removed:
                delete_node(api, name)
            for node in api.nodes():
                if node.name in left and node.unschedulable:
                    uncordon(api, node.name)

    def _failed(self, error: CseError) -> None:
        if not self.withdraw(error):
            error.notes.append(suggest.RESUME)
            self._run.release()
            return
        error.notes.append("No worker was replaced, so the cluster is as it was.")
        self._run.end_after(error, self._operation.before)
