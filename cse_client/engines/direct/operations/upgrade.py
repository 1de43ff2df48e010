"""Upgrading a cluster to the Kubernetes release of another template: control planes, then workers.

What is replaced is recorded before the first change, and new VMs carry the operation's mark, so
the same command goes on wherever an earlier one has ended.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from cse_client import suggest
from cse_client.engines.direct.describe import inspect_cluster
from cse_client.engines.direct.locked import LockedCluster
from cse_client.engines.direct.operation import Operation
from cse_client.engines.direct.operations.claimed import ClaimedRun
from cse_client.engines.direct.operations.plan import Step
from cse_client.engines.direct.operations.replace_workers import WorkerReplacement
from cse_client.engines.direct.upgrade_record import pace_entry
from cse_client.errors import CseError, Refused
from cse_client.model import Cluster, Progress

__all__ = ["ClusterUpgrade", "HeadsUpgrade"]


class HeadsUpgrade(Protocol):
    """How the control planes get the new release."""

    #: How many seconds each control plane took in this run.
    took: list[float]

    def check(self) -> None:
        """Refuse what cannot be finished, before anything is changed."""

    def steps(self) -> list[Step]:
        """Return the steps in order."""

    def is_done(self) -> bool:
        """Whether all control planes have the new release, from what was last observed."""

    def is_past_return(self) -> bool:
        """Whether there is no way back any more."""

    def look(self) -> None:
        """Observe again."""

    def withdraw(self, error: CseError) -> bool:
        """Go back after a failure as far as possible; return whether it is all as before."""

    def plan_roll_back(self) -> list[str]:
        """Return what `roll_back` would do, one sentence each; refuse what it would refuse."""

    def roll_back(self) -> None:
        """Go back, before `is_past_return`."""


@dataclass
class ClusterUpgrade:
    """One run of an upgrade, new or resumed.

    `workers` each replace a group of workers; `values` returns the metadata that makes the new
    template the cluster's, from the metadata as it is at the end.
    """

    locked: LockedCluster
    operation: Operation
    claim: ClaimedRun
    heads: HeadsUpgrade
    workers: Sequence[WorkerReplacement]
    values: Callable[[Mapping[str, str]], dict[str, str]]
    progress: Progress

    def check(self) -> None:
        """Refuse what the control planes do not allow, before anything is changed.

        Raises:
            CseError: the reason.
        """
        self.heads.check()

    def node_steps(self) -> list[Step]:
        """Return the steps that change nodes, in order."""
        return [*self.heads.steps(), *(step for one in self.workers for step in one.steps())]

    def run(self) -> Cluster:
        """Carry it out and return the cluster.

        A failed control plane or worker is removed. If no node was replaced, the cluster is as it
        was; otherwise the same command resumes.
        """
        cluster, operation = self.locked.existing, self.operation
        steps = [
            self.claim.claim_step(
                f"Record that cluster '{cluster.name}' is upgraded from"
                f" {operation.before_release} to {operation.release}."
            ),
            *self.node_steps(),
            Step(
                "Record the new release",
                "Write the new template and Kubernetes version to the metadata and release the"
                " cluster's lock.",
                lambda: False,
                self._end,
            ),
        ]
        self.claim.carry_out(steps, self._look, self._failed)
        metadata = cluster.vcd.vapp_metadata(cluster.vapp.href)
        return inspect_cluster(replace(cluster.reread(), metadata=metadata))

    def plan_roll_back(self) -> list[str]:
        """Return what `roll_back` would do.

        Raises:
            Refused: a control plane has left for good.
        """
        self._refuse_late_return()
        return self.heads.plan_roll_back()

    def _refuse_late_return(self) -> None:
        cluster, operation = self.locked.existing, self.operation
        if self.heads.is_past_return():
            how = "replaced" if cluster.virtual_address else "upgraded"
            raise Refused(
                f"The upgrade of cluster '{cluster.name}' to {operation.release} cannot be rolled"
                f" back: a control plane has been {how}.",
                hint=f"Finish it: {suggest.cse('cluster upgrade', cluster.name)}",
            )

    def roll_back(self) -> None:
        """Go back to the release before, as long as no control plane has left for good.

        Raises:
            Refused: one has left.
        """
        self._refuse_late_return()
        cluster, operation = self.locked.existing, self.operation
        done: list[bool] = []

        def back() -> None:
            self.heads.roll_back()
            done.append(True)

        title = f"Go back to Kubernetes {operation.before_release}"
        steps = [
            self.claim.claim_step(f"Claim cluster '{cluster.name}'."),
            Step(title, f"{title}.", lambda: bool(done), back),
            self.claim.end_step(
                "Record that the upgrade is rolled back",
                "Record that the upgrade is rolled back and release the cluster's lock.",
            ),
        ]
        self.claim.carry_out(steps, self._look, self._not_rolled_back)

    def _look(self) -> None:
        self.heads.look()
        for one in self.workers:
            one.look()

    def _end(self) -> None:
        cluster = self.locked.existing
        metadata = cluster.vcd.vapp_metadata(cluster.vapp.href)
        took = [seconds for one in self.workers for seconds in one.took]
        values = {**self.values(metadata), **pace_entry(metadata, self.heads.took, took)}
        self.claim.end(
            self.operation.workers,
            nodes=self.operation.nodes,
            values=values,
            pools=self.operation.pools or None,
        )

    def _failed(self, error: CseError) -> None:
        if not self.heads.is_done():
            if self.heads.withdraw(error):
                error.notes.append("No node was replaced, so the cluster is as it was.")
                try:
                    pools = self.operation.pools or None
                    self.claim.end(self.operation.before, pools=pools)
                except CseError as second:
                    text = f"The cluster's record could not be written: {second.message}"
                    error.notes.append(text)
                return
        else:
            for one in self.workers:
                one.withdraw(error)
        error.notes.append(suggest.RESUME)
        self.claim.release()

    def _not_rolled_back(self, error: CseError) -> None:
        error.notes.append(suggest.RESUME)
        self.claim.release()
