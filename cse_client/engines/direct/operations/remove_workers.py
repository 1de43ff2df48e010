"""Taking workers out of a cluster: drain, stop and delete the VM, delete the Node.

What would prevent it is looked for before the first node is touched. Nodes are drained a few
at a time, so that what they carry finds room elsewhere; each VM stops as soon as its node is
drained, while others still are, and all of them go in one task. A Node object goes after its VM,
because a kubelet that still runs, or boots again, would register it again.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from cse_client import bounds, suggest
from cse_client.clock import Clock
from cse_client.engines.direct.credentials import API_TIMEOUT, open_api
from cse_client.engines.direct.custody import find_pki
from cse_client.engines.direct.existing import ExistingCluster
from cse_client.engines.direct.locked import LockedCluster
from cse_client.engines.direct.operation import Operation
from cse_client.engines.direct.operations.claimed import ClaimedRun
from cse_client.engines.direct.operations.draining import drain_nodes
from cse_client.engines.direct.operations.leaving import refuse_stuck_pods
from cse_client.engines.direct.operations.plan import Step
from cse_client.engines.direct.removal import delete_vms
from cse_client.errors import (
    ClusterUnreachable,
    CseError,
    NotFound,
    Refused,
    SessionInvalid,
)
from cse_client.kube.drain import delete_node, uncordon
from cse_client.model import Event, EventKind, Progress, RunOptions, Vm
from cse_client.model.nodes import Removal
from cse_client.vcd import tasks
from cse_client.vcd.errors import EntityBusy
from cse_client.vcd.tasks import Task

if TYPE_CHECKING:
    from cse_client.kube.api import ClusterAPI

__all__ = [
    "WorkerRemoval",
    "parallel",
    "reach",
]

_ROLLBACK_SECONDS = 60.0


def parallel(asked: int, workers: int) -> int:
    """Return how many nodes are drained at a time: a tenth of the workers, at least one."""
    return asked if asked > 0 else max(1, workers // 10)


class WorkerRemoval:
    """One run of removing nodes, new or resumed. `api` is None where it cannot be reached."""

    def __init__(
        self,
        locked: LockedCluster,
        operation: Operation,
        options: RunOptions,
        *,
        api: ClusterAPI | None,
        force: bool,
        max_parallel: int,
        clock: Clock,
        progress: Progress,
    ) -> None:
        self._cluster = locked.existing
        self._operation = operation
        self._api = api
        self._force = force
        self._max_parallel = parallel(max_parallel, len(locked.existing.workers))
        self._clock = clock
        self._progress = progress
        names = _named(operation.nodes)
        self._run = ClaimedRun(
            locked,
            operation,
            options,
            doing=f"removing {names}",
            clock=clock,
            progress=progress,
            interrupted=lambda: (
                f"the removal of {names} from cluster '{locked.existing.name}' is not finished"
            ),
        )
        self._drained = False
        self._touched = False
        self._stopping: list[Task] = []
        self._removed = False
        self._nodes_deleted = False
        self._gone = tuple(
            name
            for name in operation.nodes
            if name not in {vm.name for vm in locked.existing.vapp.vms}
        )

    def check(self) -> None:
        """Refuse what a drain could not move, before anything is touched.

        Raises:
            Refused: some pods would be lost; each is named with the reason.
        """
        if self._api is None or self._force:
            return
        refuse_stuck_pods(self._api, self._operation.nodes)

    def steps(self) -> list[Step]:
        """Return the steps in order."""
        names = _named(self._operation.nodes)
        steps = [
            self._run.claim_step(f"Record that {names} leave cluster '{self._cluster.name}'."),
        ]
        if self._api is not None:
            steps.append(
                Step(f"Drain {names}", f"Drain {names}.", lambda: self._drained, self._drain)
            )
        steps.append(
            Step(
                "Delete the VMs",
                f"Delete the VMs of {names}.",
                lambda: self._removed,
                self._remove,
            )
        )
        if self._api is not None:
            steps.append(
                Step(
                    "Delete the Kubernetes nodes",
                    f"Delete the Kubernetes nodes {names}.",
                    lambda: self._nodes_deleted,
                    self._delete_nodes,
                )
            )
        return [
            *steps,
            self._run.end_step(
                "Record the new size",
                "Write the new size to the metadata and release the cluster's lock.",
                nodes=self._operation.nodes,
            ),
        ]

    def run(self) -> Removal:
        """Carry it out; return what was removed. Nodes that are already gone are not an error."""
        self._run.carry_out(self.steps(), lambda: None, self._failed)
        return Removal(
            cluster=self._cluster.name,
            nodes=tuple(n for n in self._operation.nodes if n not in self._gone),
            already_gone=self._gone,
        )

    def _drain(self) -> None:
        assert self._api is not None  # noqa: S101  (the step exists only with an API)
        vms = {vm.name: vm for vm in self._cluster.vapp.vms}

        def drained(name: str) -> None:
            vm = vms.get(name)
            if vm is not None and vm.deployed:
                self._begin_stop(vm)

        drain_nodes(
            self._api,
            self._operation.nodes,
            drained,
            at_once=self._max_parallel,
            force=self._force,
            deadline=self._run.deadline,
            clock=self._clock,
            progress=self._progress,
        )
        self._drained = True

    def _begin_stop(self, vm: Vm) -> None:
        """Have a drained node's VM powered off; whatever prevents it is `_remove`'s to notice."""
        vcd = self._cluster.vcd
        self._touched = True
        try:
            self._stopping.append(vcd.undeploy(vm.href))
        except EntityBusy as busy:
            # an earlier run may have begun it
            if busy.task_id:
                with contextlib.suppress(CseError):
                    self._stopping.append(vcd.task(vcd.task_href(busy.task_id)))
        except CseError:
            pass

    def _remove(self) -> None:
        self._touched = True
        stopping, self._stopping = self._stopping, []
        tasks.wait_all(self._cluster.vcd, stopping, deadline=self._run.deadline)
        delete_vms(
            self._cluster.vcd,
            self._cluster.vapp.href,
            self._operation.nodes,
            deadline=self._run.deadline,
        )
        self._removed = True

    def _delete_nodes(self) -> None:
        assert self._api is not None  # noqa: S101  (the step exists only with an API)
        for name in self._operation.nodes:
            delete_node(self._api, name)
        self._nodes_deleted = True

    def _failed(self, error: CseError) -> None:
        if self._touched:
            error.notes.append(suggest.RESUME)
            self._run.release()
        else:
            with bounds.afterwards(_ROLLBACK_SECONDS):
                self._step_back(error)

    def _step_back(self, error: CseError) -> None:
        """Uncordon the nodes and release the cluster: none of the VMs was touched."""
        present = {vm.name for vm in self._cluster.workers}
        if self._api is not None:
            for name in self._operation.nodes:
                self._uncordon(self._api, name, error)
        # pools stay as they were recorded
        self._run.end_after(error, None if self._operation.pools else len(present))
        error.notes.append("No node was removed; all of them take pods again.")

    def _uncordon(self, api: ClusterAPI, name: str, error: CseError) -> None:
        try:
            uncordon(api, name)
        except CseError as second:
            error.notes.append(f"Node {name} may still refuse pods: {second.message}")


def reach(cluster: ExistingCluster, *, force: bool, progress: Progress) -> ClusterAPI | None:
    """Return the cluster's API for a drain; None where `force` lets it go on without.

    Raises:
        ClusterUnreachable, NotFound, Refused: it cannot be reached from here.
    """
    try:
        api = open_api(cluster, find_pki(cluster), timeout=API_TIMEOUT)
        api.version()
    except (ClusterUnreachable, NotFound, Refused) as closed:
        if isinstance(closed, SessionInvalid):
            raise
        if not force:
            closed.notes.append(
                "Without it no node can be drained; --force deletes the VMs all the same."
            )
            raise
        text = f"The nodes are not drained, and stay in Kubernetes: {closed.message}"
        progress(Event(EventKind.WARNING, text))
        return None
    return api


def _named(names: Sequence[str]) -> str:
    if len(names) <= 3:  # noqa: PLR2004 - as many as fit on a line
        return ", ".join(names)
    return f"{len(names)} nodes"
