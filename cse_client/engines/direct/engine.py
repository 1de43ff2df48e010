"""The direct engine: Kubernetes clusters with nothing but a tenant's VCD credentials.

Each method imports what it needs: a list is not to wait for what creates clusters.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from cse_client import bounds
from cse_client.engines.direct.reader import DirectReader
from cse_client.model import (
    Cluster,
    ClusterRef,
    ClusterSpec,
    Deletion,
    Progress,
    RunOptions,
    Session,
    Template,
    TemplateFacts,
)
from cse_client.vcd.client import VcdClient

if TYPE_CHECKING:
    from cse_client.engines.direct.changes import ClusterChanges
    from cse_client.engines.direct.creations import ClusterCreations
    from cse_client.engines.direct.node_templates.work import TemplateWork
    from cse_client.engines.direct.restores import ClusterRestores
    from cse_client.model.backups import (
        Backup,
        BackupKey,
        BackupLock,
        RestoredSpec,
        RestorePlan,
    )
    from cse_client.model.declared import CreationPlan
    from cse_client.model.nodes import NodesSpec, Removal, RemovalSpec
    from cse_client.model.pools import PoolSpec
    from cse_client.model.server import UpgradeTarget
    from cse_client.model.upgrades import Upgraded, UpgradePlan, UpgradeSpec

__all__ = ["DirectEngine"]


class DirectEngine(DirectReader):
    """Implements `Engine` and the capabilities that need no CSE server."""

    @cached_property
    def _changes(self) -> ClusterChanges:
        from cse_client.engines.direct.changes import ClusterChanges

        return ClusterChanges(self._vcd, self._session, self._clock, self.templates)

    @cached_property
    def _creations(self) -> ClusterCreations:
        from cse_client.engines.direct.creations import ClusterCreations

        return ClusterCreations(self._vcd, self._session, self._clock, self.templates)

    @cached_property
    def _restores(self) -> ClusterRestores:
        from cse_client.engines.direct.restores import ClusterRestores

        return ClusterRestores(self._creations, self._changes)

    @classmethod
    def open(cls, session: Session) -> DirectEngine:
        """Connect with what `vcd login` stored.

        Raises:
            SessionInvalid: the session has expired.
            VcdFault: VCD cannot be reached.
        """
        return cls(VcdClient.open(session), session)

    def register_template(self, catalog: str, item: str, facts: TemplateFacts) -> Template:
        """Mark a prepared vApp template as usable, in metadata that tenants can read."""
        template = self._vcd.surroundings.find_item(catalog, item)
        self._vcd.register_template(template.href, facts)
        return replace(template, facts=facts, registered=True)

    @property
    def template_work(self) -> TemplateWork:
        """Building, showing, checking and deleting node templates."""
        from cse_client.engines.direct.node_templates.work import TemplateWork

        return TemplateWork(self._vcd, self._session, self._clock, self.templates)

    def plan_create(self, spec: ClusterSpec, progress: Progress) -> CreationPlan:
        """Check everything that `create` checks and return its steps as sentences."""
        return self._creations.plan(spec, progress)

    def create(self, spec: ClusterSpec, options: RunOptions, progress: Progress) -> Cluster:
        """Make the cluster, or finish one whose creation was interrupted."""
        return self._creations.create(spec, options, progress)

    def create_pool(self, spec: PoolSpec, options: RunOptions, progress: Progress) -> Cluster:
        """Add a pool with its workers."""
        return self._changes.change_pool("create", spec, options, progress)

    def resize_pool(self, spec: NodesSpec, options: RunOptions, progress: Progress) -> Cluster:
        """Bring the number of a pool's workers to `spec.workers`, up or down."""
        return self._changes.resize(spec, options, progress)

    def update_pool(self, spec: PoolSpec, options: RunOptions, progress: Progress) -> Cluster:
        """Give a pool other labels and taints."""
        return self._changes.change_pool("update", spec, options, progress)

    def upgrade_pool(self, spec: PoolSpec, options: RunOptions, progress: Progress) -> Cluster:
        """Replace a pool's workers by new ones."""
        return self._changes.change_pool("upgrade", spec, options, progress)

    def delete_pool(self, spec: PoolSpec, options: RunOptions, progress: Progress) -> Removal:
        """Delete a pool with its workers."""
        return self._changes.delete_pool(spec, options, progress)

    def plan_pool(
        self, change: str, spec: PoolSpec, options: RunOptions, progress: Progress
    ) -> Sequence[str]:
        """Return what a change of a pool would do, after the same checks."""
        return self._changes.plan_pool(change, spec, options, progress)

    def plan_resize(
        self, spec: NodesSpec, options: RunOptions, progress: Progress
    ) -> Sequence[str]:
        """Return what `resize` or `resize_pool` would do, after the same checks."""
        return self._changes.plan_resize(spec, options, progress)

    def resize(self, spec: NodesSpec, options: RunOptions, progress: Progress) -> Cluster:
        """Bring the number of workers to `spec.workers`, up or down."""
        return self._changes.resize(spec, options, progress)

    def add_nodes(self, spec: NodesSpec, options: RunOptions, progress: Progress) -> Cluster:
        """Add `spec.workers` workers."""
        from cse_client.engines.direct.creations import refuse_nfs

        refuse_nfs(spec)
        return self._changes.add(spec, options, progress)

    def remove_nodes(self, spec: RemovalSpec, options: RunOptions, progress: Progress) -> Removal:
        """Drain workers, take them out of the cluster and delete their VMs."""
        return self._changes.remove(spec, options, progress)

    def plan_remove_nodes(
        self, spec: RemovalSpec, options: RunOptions, progress: Progress
    ) -> Removal:
        """Return the nodes that `remove_nodes` would remove, after the same checks."""
        return self._changes.plan_remove(spec, options, progress)

    def repair(
        self,
        ref: ClusterRef,
        options: RunOptions,
        progress: Progress,
        *,
        carry_out: bool = False,
    ) -> Sequence[str]:
        """Return what there is to do about a drifted cluster; do it when that is asked for."""
        return self._changes.repair(ref, options, progress, carry_out=carry_out)

    def start(self, ref: ClusterRef, options: RunOptions, progress: Progress) -> None:
        """Start a stopped cluster and wait until its nodes are Ready."""
        self._changes.power(ref, options, progress, on=True)

    def plan_stop(self, ref: ClusterRef, options: RunOptions, progress: Progress) -> Sequence[str]:
        """Return what `stop` would do; nothing where all is off already."""
        return self._changes.plan_stop(ref, options, progress)

    def stop(self, ref: ClusterRef, options: RunOptions, progress: Progress) -> None:
        """Shut a cluster down."""
        self._changes.power(ref, options, progress, on=False)

    def check_backup(self, ref: ClusterRef, path: Path) -> None:
        """Check that the cluster's keys are there, and that the file can be made."""
        from cse_client.engines.direct import backup_files
        from cse_client.engines.direct.custody import find_pki

        backup_files.check_new(path)
        find_pki(self._existing(ref))

    def check_restore(self, ref: ClusterRef, path: Path, *, new: bool) -> None:
        """Check that the file is a backup for a passphrase, and that the cluster is there."""
        self._restores.check(ref, path, new=new)

    def back_up(self, ref: ClusterRef, path: Path, lock: BackupLock, progress: Progress) -> Backup:
        """Write an encrypted backup to a new file, and verify it."""
        from cse_client.engines.direct.operations.backup import back_up

        return back_up(self._existing(ref), path, lock, progress=progress)

    def plan_restore(
        self,
        wanted: RestoredSpec,
        path: Path,
        key: BackupKey,
        options: RunOptions,
        progress: Progress,
    ) -> RestorePlan:
        """Return what restoring a cluster would do, and what it would not bring back."""
        return self._restores.plan(wanted, path, key, options, progress)

    def restore(
        self,
        wanted: RestoredSpec,
        path: Path,
        key: BackupKey,
        options: RunOptions,
        progress: Progress,
    ) -> Cluster:
        """Rebuild the control plane of a cluster from a backup of it, and return the cluster."""
        return self._restores.restore(wanted, path, key, options, progress)

    def plan_restore_new(
        self,
        wanted: RestoredSpec,
        path: Path,
        key: BackupKey,
        options: RunOptions,
        progress: Progress,
    ) -> RestorePlan:
        """Return what making a new cluster would do, and what it would not bring back."""
        return self._restores.plan_new(wanted, path, key, options, progress)

    def restore_new(
        self,
        wanted: RestoredSpec,
        path: Path,
        key: BackupKey,
        options: RunOptions,
        progress: Progress,
    ) -> Cluster:
        """Make a new cluster that begins with the objects in a backup, and return it."""
        return self._restores.restore_new(wanted, path, key, options, progress)

    def protect(
        self, ref: ClusterRef, options: RunOptions, progress: Progress, *, on: bool = True
    ) -> None:
        """Protect the cluster against deletion, or end that."""
        self._changes.protect(ref, options, progress, on=on)

    def plan_renew(self, ref: ClusterRef, options: RunOptions, progress: Progress) -> Sequence[str]:
        """Return what `renew` would do, after the same checks."""
        return self._changes.plan_renew(ref, options, progress)

    def renew(self, ref: ClusterRef, options: RunOptions, progress: Progress) -> datetime:
        """Renew the certificates of the control planes; return when the first of them ends."""
        return self._changes.renew(ref, options, progress)

    def upgrade_targets(self, spec: UpgradeSpec) -> Sequence[UpgradeTarget]:
        """List what the cluster can be upgraded to, the newest first and with a plan."""
        return self._changes.upgrades.targets(self._existing(spec.ref), spec)

    def plan_upgrade(self, spec: UpgradeSpec) -> UpgradePlan:
        """Return what upgrading the cluster would do, and what is in the way."""
        return self._changes.upgrades.plan(self._existing(spec.ref), spec)

    def upgrade_to(self, spec: UpgradeSpec, options: RunOptions, progress: Progress) -> Upgraded:
        """Upgrade a cluster by replacing its nodes, or resume that."""
        return self._changes.upgrade(spec, options, progress)

    def plan_roll_back(
        self, spec: UpgradeSpec, options: RunOptions, progress: Progress
    ) -> UpgradePlan:
        """Return what rolling an unfinished upgrade back would do, after the same checks."""
        return self._changes.plan_roll_back(spec, options, progress)

    def roll_back_upgrade(self, spec: UpgradeSpec, options: RunOptions, progress: Progress) -> str:
        """Roll an unfinished upgrade back; return the release that the cluster has again."""
        return self._changes.roll_back_upgrade(spec, options, progress)

    def plan_delete(self, ref: ClusterRef, options: RunOptions) -> Deletion:
        """Return what `delete` would delete, after the same checks."""
        from cse_client.engines.direct.operations.delete import ClusterDeletion

        return ClusterDeletion(self._vcd, self._session, self._clock, ref, options).plan()

    def delete(self, ref: ClusterRef, options: RunOptions, progress: Progress) -> Deletion:
        """Delete the cluster from whatever state it is in, and prove that it is gone."""
        from cse_client.engines.direct.operations.delete import ClusterDeletion

        return ClusterDeletion(self._vcd, self._session, self._clock, ref, options).run(progress)

    def seal(self, ref: ClusterRef, progress: Progress, *, adopted: str = "") -> str:
        """Move the CA key out of VCD. Returns the path of the file that keeps it.

        `adopted` is a CA file that the user says is this cluster's: it is copied, and nothing in
        VCD is changed.
        """
        from cse_client.engines.direct.custody import adopt_ca_file
        from cse_client.engines.direct.operations.seal import seal_cluster

        cluster = self._existing(ref)
        if adopted:
            return str(adopt_ca_file(cluster, Path(adopted)))
        deadline = self._clock.monotonic() + bounds.share(RunOptions().timeout)
        return seal_cluster(cluster, deadline=deadline, progress=progress)
