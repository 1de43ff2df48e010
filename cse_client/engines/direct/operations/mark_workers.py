"""Giving the nodes of a worker pool other labels and taints."""

from __future__ import annotations

from collections.abc import Mapping

from cse_client import suggest
from cse_client.clock import Clock
from cse_client.engines.direct.credentials import API_TIMEOUT, open_api
from cse_client.engines.direct.custody import find_pki
from cse_client.engines.direct.locked import LockedCluster
from cse_client.engines.direct.operation import Operation
from cse_client.engines.direct.operations.claimed import ClaimedRun
from cse_client.engines.direct.operations.plan import Step
from cse_client.errors import CseError
from cse_client.kube.node_marks import mark_node
from cse_client.model import Event, EventKind, Progress, RunOptions
from cse_client.model.pools import POOL_LABEL, Pool
from cse_client.plurals import counted

__all__ = ["WorkerMarking"]


class WorkerMarking:
    """One run of marking a pool's nodes, new or resumed.

    `former` is the pool as it was: what its nodes had from it and `pool` does not have is removed.
    """

    def __init__(
        self,
        locked: LockedCluster,
        operation: Operation,
        options: RunOptions,
        *,
        pool: Pool,
        former: Pool,
        clock: Clock,
        progress: Progress,
    ) -> None:
        self._cluster = locked.existing
        self._pool = pool
        self._former = former
        self._progress = progress
        self._names = [vm.name for vm in locked.existing.workers_of(pool.name)]
        self._marked = False
        self._run = ClaimedRun(
            locked,
            operation,
            options,
            doing=f"changing the labels and taints of pool '{pool.name}'",
            clock=clock,
            progress=progress,
        )

    def steps(self) -> list[Step]:
        """Return the steps in order."""
        name, count = self._pool.name, len(self._names)
        marking = Step(
            f"Change the labels and taints of {counted(count, 'node')}",
            f"Change the labels and taints of the {counted(count, 'node')} of pool '{name}'.",
            lambda: self._marked,
            self._mark,
        )
        return [
            self._run.claim_step(f"Record the labels and taints of pool '{name}'."),
            *([marking] if count else []),
            self._run.end_step(
                "Record the end",
                "Write the end to the metadata and release the cluster's lock.",
            ),
        ]

    def run(self) -> None:
        """Carry it out."""
        self._run.carry_out(self.steps(), lambda: None, self._failed)

    def _labels(self) -> Mapping[str, str | None]:
        gone = dict.fromkeys(self._former.labels)
        return {**gone, **self._pool.labels, POOL_LABEL: self._pool.name}

    def _mark(self) -> None:
        absent = []
        with open_api(self._cluster, find_pki(self._cluster), timeout=API_TIMEOUT) as api:
            for name in self._names:
                there = mark_node(
                    api,
                    name,
                    labels=self._labels(),
                    taints=self._pool.taints,
                    former=self._former.taints,
                )
                if not there:
                    absent.append(name)
        if absent:
            repair = suggest.cse("cluster repair", self._cluster.name)
            text = f"Not in the cluster, so not changed: {', '.join(absent)}. To repair: {repair}"
            self._progress(Event(EventKind.WARNING, text))
        self._marked = True

    def _failed(self, error: CseError) -> None:
        error.notes.append(suggest.RESUME)
        self._run.release()
