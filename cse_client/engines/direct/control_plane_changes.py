"""Changing the control planes of an existing cluster: which operation is started or resumed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from cse_client import suggest
from cse_client.clock import Clock
from cse_client.engines.direct.credentials import PROBE_TIMEOUT, open_api
from cse_client.engines.direct.custody import find_pki
from cse_client.engines.direct.describe import certificate_warning
from cse_client.engines.direct.existing import ExistingCluster
from cse_client.engines.direct.locked import LockedCluster
from cse_client.engines.direct.members import newest_heads
from cse_client.engines.direct.operation import GROW_HEADS, SHRINK_HEADS, Operation
from cse_client.engines.direct.operations.control_planes import (
    ControlPlaneAddition,
    ControlPlaneRemoval,
)
from cse_client.engines.direct.operations.leaving import removed_before
from cse_client.engines.direct.pending import pending_operation
from cse_client.engines.direct.resolve import resolve_growth
from cse_client.engines.lookup import unknown_nodes
from cse_client.errors import ClusterUnreachable, NotFound, Refused
from cse_client.kube.serving import EXPIRED
from cse_client.model import Event, EventKind, Progress, RunOptions, Template
from cse_client.model.nodes import NodesSpec, Removal, RemovalSpec
from cse_client.plurals import counted

if TYPE_CHECKING:
    from cse_client.guest.pki import ClusterPKI
    from cse_client.vcd.client import VcdClient

__all__ = ["ControlPlaneChanges", "refuse_ended"]


class Recording(Protocol):
    """Records that the cluster is to have the nodes that it has."""

    def __call__(
        self,
        locked: LockedCluster,
        workers: int | None,
        options: RunOptions,
        *,
        heads: int | None = None,
    ) -> None:
        """Claim the cluster and record it."""


@dataclass(frozen=True)
class ControlPlaneChanges:
    """Changes the control planes of clusters with one user's rights.

    With a `plan`, a resize or removal only adds sentences to it, after the same checks.
    """

    vcd: VcdClient
    clock: Clock
    templates: Callable[[], Sequence[Template]]
    record: Recording
    plan: list[str] | None = None

    def resize(
        self, locked: LockedCluster, spec: NodesSpec, options: RunOptions, progress: Progress
    ) -> None:
        """Bring the number of control planes to `spec.control_planes`, or resume what was begun.

        Raises:
            Refused: the cluster has no virtual address, or etcd would not survive it.
            Conflict: an operation of another kind was begun before and did not end.
        """
        wanted = spec.control_planes
        cluster = locked.existing
        pending = pending_operation(cluster, lambda op: op.heads == wanted, heads=True)
        present = len(cluster.control_planes)
        if pending.kind == SHRINK_HEADS if pending else present > wanted:
            surplus = present - wanted
            names = () if pending else newest_heads(cluster, find_pki(cluster), surplus)
            self._shrink(locked, pending, names, wanted, options, progress, force=spec.force)
        elif pending is not None or present < wanted:
            self.grow(locked, spec, pending, options, progress)
        elif self.plan is None:
            if cluster.desired_heads != present:
                self.record(locked, None, options, heads=present)
            has = counted(present, "control plane")
            text = f"Cluster '{spec.cluster}' already has {has}."
            progress(Event(EventKind.NOTE, text))

    def grow(
        self,
        locked: LockedCluster,
        spec: NodesSpec,
        pending: Operation | None,
        options: RunOptions,
        progress: Progress,
    ) -> None:
        """Add control planes, up to `spec.control_planes`, or resume `pending`.

        Raises:
            Refused: the cluster has no virtual address, or etcd would not survive it.
        """
        cluster = locked.existing
        if not cluster.virtual_address:
            raise Refused(
                f"Cluster '{cluster.name}' has no virtual address, so it can have one control plane"
                " only.",
                hint="A virtual address cannot be added later: create the cluster with --vip.",
            )
        operation = pending or Operation.begin(
            GROW_HEADS,
            workers=cluster.desired_workers or len(cluster.workers),
            before=len(cluster.control_planes),
            heads=spec.control_planes,
        )
        pki = find_pki(cluster)
        refuse_ended(cluster, pki, progress)
        found = resolve_growth(
            self.vcd,
            cluster,
            replace(spec, workers=len(cluster.workers)),
            len(cluster.workers),
            self.templates,
            progress,
            heads=operation.heads,
        )
        addition = ControlPlaneAddition(
            locked, found, operation, options, pki=pki, clock=self.clock, progress=progress
        )
        if pending is None:
            addition.check()
        if self.plan is not None:
            self.plan.append(f"Add control planes up to {operation.heads}, one at a time.")
            return
        addition.run()

    def remove(
        self, locked: LockedCluster, spec: RemovalSpec, options: RunOptions, progress: Progress
    ) -> Removal:
        """Take the named control planes out; they are missing from then on.

        Raises:
            NotFound: some names are of no VM.
            Refused: etcd, or pods, would not survive it.
        """
        cluster = locked.existing
        pending = pending_operation(
            cluster, lambda op: op.kind == SHRINK_HEADS and {*spec.nodes} <= {*op.nodes}, heads=True
        )
        vms = {vm.name for vm in cluster.vapp.vms}
        if pending is None and removed_before(cluster, spec.nodes):
            return Removal(cluster=spec.cluster, nodes=(), already_gone=spec.nodes)
        if unknown := [name for name in spec.nodes if name not in vms]:
            raise unknown_nodes(cluster.name, unknown)
        # who is removed is to be replaced, unless another number is wanted
        heads = cluster.desired_heads
        self._shrink(locked, pending, spec.nodes, heads, options, progress, force=spec.force)
        left = len([vm for vm in cluster.control_planes if vm.name not in spec.nodes])
        if left != heads and self.plan is None:
            fewer = suggest.cse("cluster resize", cluster.name, control_planes=1)
            progress(
                Event(
                    EventKind.WARNING,
                    f"Cluster '{cluster.name}' has {left} of {heads} control planes. To replace"
                    f" those that are missing: {suggest.cse('cluster repair', cluster.name)}. To"
                    f" have one only: {fewer}",
                )
            )
        return Removal(spec.cluster, spec.nodes)

    def _shrink(
        self,
        locked: LockedCluster,
        pending: Operation | None,
        names: Sequence[str],
        heads: int,
        options: RunOptions,
        progress: Progress,
        *,
        force: bool,
    ) -> None:
        cluster = locked.existing
        operation = pending or Operation.begin(
            SHRINK_HEADS,
            workers=cluster.desired_workers or len(cluster.workers),
            before=len(cluster.control_planes),
            nodes=tuple(names),
            heads=heads,
        )
        removal = ControlPlaneRemoval(
            locked,
            operation,
            options,
            pki=find_pki(cluster),
            force=force,
            clock=self.clock,
            progress=progress,
        )
        if pending is None:
            removal.check()
        if self.plan is not None:
            listed = ", ".join(operation.nodes)
            self.plan.append(f"Remove the control planes {listed}, one at a time.")
            return
        removal.run()


def refuse_ended(cluster: ExistingCluster, pki: ClusterPKI, progress: Progress) -> None:
    """Refuse to make nodes for a cluster with an expired API certificate; warn a month ahead.

    Raises:
        ClusterUnreachable: the API server's certificate has ended.
    """
    try:
        with open_api(cluster, pki, timeout=PROBE_TIMEOUT) as api:
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
