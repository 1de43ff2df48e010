"""The direct engine: Kubernetes clusters with nothing but a tenant's VCD credentials.

Each method imports what it needs: a list is not to wait for what creates clusters.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cse_client import DESCRIPTION, PRODUCT, __version__, bounds, suggest
from cse_client.clock import SYSTEM_CLOCK, Clock
from cse_client.errors import CseError, NotFound
from cse_client.model import (
    Cluster,
    ClusterRef,
    ClusterSpec,
    ClusterSummary,
    Deletion,
    Node,
    Progress,
    RunOptions,
    Session,
    SystemInfo,
    Template,
    TemplateFacts,
)
from cse_client.model.grants import KubeconfigSpec
from cse_client.vcd.client import VcdClient

if TYPE_CHECKING:
    from cse_client.engines.direct.changes import ClusterChanges
    from cse_client.engines.direct.creations import ClusterCreations
    from cse_client.engines.direct.existing import ExistingCluster
    from cse_client.engines.direct.node_templates.work import TemplateWork
    from cse_client.engines.direct.restores import ClusterRestores
    from cse_client.model.backups import (
        Backup,
        BackupKey,
        BackupLock,
        RestoredSpec,
        RestorePlan,
    )
    from cse_client.model.declared import CreationPlan, Declared
    from cse_client.model.diagnosis import Diagnosis
    from cse_client.model.events import ClusterEvent
    from cse_client.model.identity import ClusterIdentity
    from cse_client.model.nodes import NodesSpec, Removal, RemovalSpec
    from cse_client.model.pools import Pool, PoolSpec, PoolState
    from cse_client.model.server import UpgradeTarget
    from cse_client.model.upgrades import Upgraded, UpgradePlan, UpgradeSpec

__all__ = ["DirectEngine"]

#: Names the default template where the guide's is not wanted.
DEFAULT_TEMPLATE_VARIABLE = "CSE_DEFAULT_TEMPLATE"


class DirectEngine:
    """Implements `Engine` and the capabilities that need no CSE server."""

    name = "direct"
    has_server = False

    def __init__(
        self,
        vcd: VcdClient,
        session: Session,
        *,
        clock: Clock = SYSTEM_CLOCK,
        reason: Callable[[], str] = str,
    ) -> None:
        self._vcd = vcd
        self._session = session
        self._clock = clock
        self._reason = reason

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

    def system_info(self) -> SystemInfo:
        """Return which product, engine and cloud are in use, and whether a CSE server is there."""
        return SystemInfo(
            product=PRODUCT,
            version=__version__,
            description=DESCRIPTION,
            engine=self.name,
            engine_reason=self._reason(),
            host=self._session.host,
            vcd_version=self._vcd.session.vcd_version(),
            api_version=self._vcd.session.api_version,
            org=self._session.org,
            vdc=self._session.vdc,
            user=self._session.user,
        )

    def templates(self) -> Sequence[Template]:
        """List the templates in every catalog this user can see, the default one marked."""
        from cse_client.engines.direct.templates import with_default

        return with_default(
            list(self._vcd.surroundings.templates()), os.environ.get(DEFAULT_TEMPLATE_VARIABLE, "")
        )

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

    def clusters(self, *, vdc: str = "", org: str = "") -> Iterator[ClusterSummary]:
        """List clusters; those of one VDC too are compared with all, to find copies elsewhere."""
        from cse_client.engines.direct.summary import summarize
        from cse_client.engines.identity import with_same_ids

        wanted = self._vcd.surroundings.vdc(vdc, org) if vdc else None
        records = list(self._vcd.cluster_records(None, org))
        summaries = with_same_ids(summarize(one, org or self._session.org) for one in records)
        for record, summary in zip(records, summaries):
            if wanted is None or record.vdc_href == wanted.href:
                yield summary

    def cluster(self, ref: ClusterRef) -> Cluster:
        """Return everything known of one cluster.

        Raises:
            NotFound, Conflict: see `lookup.find_cluster`.
        """
        from cse_client.engines.direct.custody import same_id_vapps
        from cse_client.engines.direct.describe import inspect_cluster
        from cse_client.engines.identity import named

        cluster = self._existing(ref)
        found = inspect_cluster(cluster)
        others = same_id_vapps(cluster)
        same_id = tuple(named(other.name, other.vdc) for other in others)
        return replace(found, summary=replace(found.summary, same_id=same_id))

    def kubeconfig(self, ref: ClusterRef, *, spec: KubeconfigSpec | None = None) -> str:
        """Mint and return a kubeconfig.

        Raises:
            NotFound: there is no such cluster, or it has no API address yet.
            Refused: its CA key is not available, or the user name is reserved.
            WrongUsage: the lifetime is not allowed.
        """
        from cse_client.engines.direct.credentials import administrator_name, mint_kubeconfig
        from cse_client.engines.direct.custody import find_pki, identity_of
        from cse_client.guest.pki import fingerprint
        from cse_client.kube.kubeconfig.mark import Mark

        cluster = self._existing(ref)
        pki = find_pki(cluster)
        if not cluster.endpoint:
            raise NotFound(
                f"Cluster '{ref.name}' has no known API address yet.",
                hint=f"Show its state: {suggest.cse('cluster info', ref.name)}",
            )
        org = self._vcd.session.organization(ref.org)
        identity = identity_of(replace(cluster, vdc=replace(cluster.vdc, org=org)))
        return mint_kubeconfig(
            pki,
            spec or KubeconfigSpec(),
            mark=Mark.of(identity, fingerprint(pki.ca_cert)),
            host=cluster.endpoint,
            administrator=administrator_name(self._session.user, org),
        )

    def identity(self, ref: ClusterRef) -> ClusterIdentity:
        """Return which cluster that is.

        Raises:
            NotFound, Conflict: see `lookup.find_cluster`.
        """
        from cse_client.engines.direct.custody import identity_of

        cluster = self._existing(ref)
        org = self._vcd.session.organization(ref.org)
        return identity_of(replace(cluster, vdc=replace(cluster.vdc, org=org)))

    def location(self, ref: ClusterRef) -> ClusterIdentity:
        """Return where a cluster of that name is or was."""
        from cse_client.engines.identity import identify

        vdc = self._vcd.surroundings.vdc(ref.vdc, ref.org)
        org = self._vcd.session.organization(ref.org)
        return identify(self._vcd, cluster=ref.name, vdc=vdc.name, org=org)

    def gone(self, identity: ClusterIdentity) -> bool:
        """Return whether a cluster is known to be deleted; one request."""
        from cse_client.engines.identity import is_gone

        return is_gone(self._vcd, identity)

    def nodes(self, ref: ClusterRef) -> Sequence[Node]:
        """Return a cluster's nodes, in fewer requests than everything known of it takes."""
        from cse_client.engines.direct.describe import list_nodes

        vdc = self._vcd.surroundings.vdc(ref.vdc, ref.org)
        return list_nodes(self._vcd, self._session, vdc, ref.name)

    def pools(self, ref: ClusterRef) -> Sequence[PoolState]:
        """Return the worker pools of a cluster, and how many workers each has."""
        from cse_client.engines.direct.pool_changes import pool_states

        return pool_states(self._existing(ref))

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

    def room_problems(
        self, ref: ClusterRef, pools: Sequence[Pool], heads: int
    ) -> Sequence[CseError]:
        """Return why there is no room for the growth of several pools and control planes."""
        from cse_client.engines.direct.pool_sources import growth_problems

        return growth_problems(self._existing(ref), pools, heads, self.templates())

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
        """Return whom `remove_nodes` would remove, after the same checks."""
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
        ref: ClusterRef,
        path: Path,
        key: BackupKey,
        options: RunOptions,
        progress: Progress,
    ) -> RestorePlan:
        """Return what restoring a cluster would do, and what it would not bring back."""
        return self._restores.plan(ref, path, key, options, progress)

    def restore(
        self,
        ref: ClusterRef,
        path: Path,
        key: BackupKey,
        options: RunOptions,
        progress: Progress,
    ) -> Cluster:
        """Rebuild the control plane of a cluster from a backup of it, and return the cluster."""
        return self._restores.restore(ref, path, key, options, progress)

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

    def declared(self, ref: ClusterRef, *, required: bool = False) -> Declared | None:
        """Return what an existing cluster is to be, from its record; None if there is none.

        Raises:
            Conflict: the name is that of a vApp which is not a cluster.
            NotFound: the cluster is `required` and there is none.
        """
        from cse_client.engines.direct.declared import declared_of, find_settled

        vdc = self._vcd.surroundings.vdc(ref.vdc, ref.org)
        try:
            cluster = find_settled(self._vcd, self._session, vdc, ref.name)
        except NotFound:
            if required:
                raise
            return None
        return declared_of(cluster, self.templates)

    def events(self, ref: ClusterRef, *, all_: bool = False) -> Sequence[ClusterEvent]:
        """Return what happened to a cluster, from the tasks that VCD keeps."""
        from cse_client.engines.direct.history import events_of

        return events_of(self._existing(ref), all_=all_)

    def diagnose(self, ref: ClusterRef, failure: Mapping[str, Any] | None) -> Diagnosis:
        """Find out why a cluster does not work; of one that is gone, why it was not made."""
        from cse_client.engines.direct.diagnosis import diagnose, of_failure
        from cse_client.model.diagnosis import Diagnosis

        try:
            cluster = self._existing(ref)
        except NotFound:
            if failure is None:
                raise
            facts = {"last failure": dict(failure)}
            return Diagnosis(ref.name, tuple(of_failure(failure)), facts, ("There is no cluster.",))
        return diagnose(cluster, failure)

    def _existing(self, ref: ClusterRef) -> ExistingCluster:
        from cse_client.engines.direct.existing import find_existing

        return find_existing(
            self._vcd, self._session, self._vcd.surroundings.vdc(ref.vdc, ref.org), ref.name
        )
