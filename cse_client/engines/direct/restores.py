"""Restoring clusters from backups: in place, or as new clusters."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from cse_client import suggest
from cse_client.engines.direct.age_files import check_passphrase_opens
from cse_client.engines.direct.changes import ClusterChanges, looking_again
from cse_client.engines.direct.creations import ClusterCreations
from cse_client.engines.direct.existing import ExistingCluster, find_existing
from cse_client.engines.direct.operation import HEAD_KINDS
from cse_client.engines.direct.operations.incoming import Incoming, Recorded
from cse_client.engines.direct.operations.restore import Restoration, prepare_restoration
from cse_client.engines.direct.restorable import read_restorable
from cse_client.errors import NotFound
from cse_client.model import (
    Cluster,
    ClusterRef,
    Event,
    EventKind,
    Progress,
    RunOptions,
    footprint,
)
from cse_client.model.backups import RestorePlan
from cse_client.model.nodes import NodesSpec
from cse_client.model.pools import Pool, PoolSpec

if TYPE_CHECKING:
    from pathlib import Path

    from cse_client.model.backups import BackupKey, RestoredSpec

__all__ = ["ClusterRestores"]

_DOING = "restoring it from a backup"


@dataclass(frozen=True)
class ClusterRestores:
    """Restores clusters with one user's rights."""

    creations: ClusterCreations
    changes: ClusterChanges

    def check(self, ref: ClusterRef, path: Path, *, new: bool) -> None:
        """Check that the file is a backup for a passphrase, and that the cluster is there."""
        check_passphrase_opens(path)
        if not new:
            self._refuse_absent(ref)

    def plan(
        self,
        wanted: RestoredSpec,
        path: Path,
        key: BackupKey,
        options: RunOptions,
        progress: Progress,
    ) -> RestorePlan:
        """Return what a restore of a cluster would do, and what it would not bring back."""
        self._refuse_absent(wanted.ref)
        with self.changes.locked(wanted.ref, options) as locked:
            return self._restoration(locked.existing, wanted, path, key, options, progress).plan()

    @looking_again
    def restore(
        self,
        wanted: RestoredSpec,
        path: Path,
        key: BackupKey,
        options: RunOptions,
        progress: Progress,
    ) -> Cluster:
        """Restore a cluster from a backup of it, or resume that."""
        self._refuse_absent(wanted.ref)
        with self.changes.locked(wanted.ref, options) as locked:
            cluster = locked.existing
            restoration = self._restoration(cluster, wanted, path, key, options, progress)
            with locked.claimed(_DOING, options) as write:
                write({footprint.RESTORE: restoration.mark})
                restoration.run()
                write(restoration.ending())
                if cluster.unfinished is not None and cluster.unfinished.kind in HEAD_KINDS:
                    # what was going on is over: there are as many control planes as wanted
                    locked.lock.end(cluster.vapp.href, write, heads=restoration.heads)
            return self.changes.inspect(cluster)

    def plan_new(
        self,
        wanted: RestoredSpec,
        path: Path,
        key: BackupKey,
        options: RunOptions,
        progress: Progress,
    ) -> RestorePlan:
        """Return what making a new cluster would do, and what it would not bring back."""
        backup = read_restorable(path, key)
        recorded = Recorded(backup)
        incoming = Incoming(backup, progress)
        steps: list[str] = []
        ref = wanted.ref
        if not self._is_being_restored(ref, incoming.mark):
            creation = self.creations.prepare(recorded.spec(wanted), options, progress, incoming)
            steps = [step.sentence for step in creation.steps() if not step.done()]
        return RestorePlan((*steps, *recorded.steps(wanted)), recorded.lost())

    def restore_new(
        self,
        wanted: RestoredSpec,
        path: Path,
        key: BackupKey,
        options: RunOptions,
        progress: Progress,
    ) -> Cluster:
        """Make a new cluster that begins with the objects in a backup, and return it.

        First with its control plane alone; the other nodes are added to it as to any cluster.
        """
        backup = read_restorable(path, key)
        incoming, recorded = Incoming(backup, progress), Recorded(backup)
        waiting = replace(options, wait=True)
        ref = wanted.ref
        pools = recorded.pools(wanted)
        if not self._is_being_restored(ref, incoming.mark):
            _note(progress, "Create a control plane with the objects in the backup.")
            self.creations.create(recorded.spec(wanted), waiting, progress, incoming)
        if backup.heads > 1:
            _note(progress, recorded.heads_sentence())
            spec = NodesSpec(ref.name, 0, ref.vdc, ref.org, control_planes=backup.heads)
            self.changes.resize(spec, waiting, progress)
        present = {one.name for one in self._find(ref).pools}
        for pool in pools:
            _note(progress, recorded.pool_sentence(pool))
            self._complete_pool(ref, pool, waiting, progress, is_there=pool.name in present)
        with self.changes.locked(ref, waiting) as locked:
            with locked.claimed(_DOING, waiting) as write:
                write({footprint.RESTORE: "-"})
            return self.changes.inspect(locked.existing)

    # Private

    def _restoration(
        self,
        cluster: ExistingCluster,
        wanted: RestoredSpec,
        path: Path,
        key: BackupKey,
        options: RunOptions,
        progress: Progress,
    ) -> Restoration:
        return prepare_restoration(
            *(cluster, wanted, path, key, self.changes.templates, options),
            clock=self.changes.clock,
            progress=progress,
        )

    def _is_being_restored(self, ref: ClusterRef, mark: str) -> bool:
        """Return whether a new cluster has its control plane from this backup, and no more yet."""
        try:
            metadata = self._find(ref).metadata
        except NotFound:
            return False
        made = metadata.get(footprint.PHASE) == footprint.PHASE_READY
        return made and metadata.get(footprint.RESTORE) == mark

    def _complete_pool(
        self,
        ref: ClusterRef,
        pool: Pool,
        options: RunOptions,
        progress: Progress,
        *,
        is_there: bool,
    ) -> None:
        """Give a pool of a new cluster its workers, or resume that."""
        if is_there:
            nodes = NodesSpec(ref.name, pool.size, ref.vdc, ref.org, pool=pool.name)
            self.changes.resize(nodes, options, progress)
        else:
            spec = PoolSpec(ref.name, pool, ref.vdc, ref.org)
            self.changes.change_pool("create", spec, options, progress)

    def _refuse_absent(self, ref: ClusterRef) -> None:
        try:
            self._find(ref)
        except NotFound as absent:
            absent.hint = f"To make a new cluster from the backup: {suggest.again(new=True)}"
            raise

    def _find(self, ref: ClusterRef) -> ExistingCluster:
        vcd = self.changes.vcd
        vdc = vcd.surroundings.vdc(ref.vdc, ref.org)
        return find_existing(vcd, self.changes.session, vdc, ref.name)


def _note(progress: Progress, text: str) -> None:
    progress(Event(EventKind.NOTE, text))
