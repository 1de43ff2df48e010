"""The protocols that commands speak: `Engine`, which every engine implements, and capabilities.

Those about templates are in `template_work`, those of CSE servers in `servers`.

Engines take and give model types only; they never print and never read the profile. A method
raises `cse_client.errors.CseError` and nothing else on purpose.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:  # every command loads this module, and few load all of these
    import pathlib
    from datetime import datetime

    from cse_client.errors import CseError
    from cse_client.model import (
        Cluster,
        ClusterRef,
        ClusterSpec,
        ClusterSummary,
        Deletion,
        Node,
        Progress,
        RunOptions,
        SystemInfo,
        Template,
    )
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
    from cse_client.model.grants import KubeconfigSpec
    from cse_client.model.identity import ClusterIdentity
    from cse_client.model.nodes import NodesSpec, Removal, RemovalSpec
    from cse_client.model.pools import Pool, PoolSpec, PoolState
    from cse_client.model.server import (
        UpgradeTarget,
    )
    from cse_client.model.upgrades import Upgraded, UpgradePlan, UpgradeSpec

__all__ = [
    "BackingUp",
    "Declaring",
    "Engine",
    "Maintaining",
    "NodeDetails",
    "Planning",
    "Pooling",
    "Protecting",
    "Replacing",
    "Sealing",
]


class Engine(Protocol):
    """Kubernetes clusters of one organization, with one user's rights."""

    #: `direct` or `server`, for `system info`.
    name: str
    #: Whether a CSE server carries changes out, which then go on without this client.
    has_server: bool

    def system_info(self) -> SystemInfo:
        """Return which product, engine and cloud are in use."""

    def templates(self) -> Sequence[Template]:
        """List the templates available for nodes; exactly one has `is_default`."""

    def create(self, spec: ClusterSpec, options: RunOptions, progress: Progress) -> Cluster:
        """Create the cluster, or resume its creation, and return it."""

    def clusters(self, *, vdc: str = "", org: str = "") -> Iterable[ClusterSummary]:
        """Yield the clusters that this user can see, as they come in."""

    def cluster(self, ref: ClusterRef) -> Cluster:
        """Return everything known about one cluster."""

    def kubeconfig(self, ref: ClusterRef, *, spec: KubeconfigSpec | None = None) -> str:
        """Return a kubeconfig, as YAML text ending in one newline.

        An administrator's, or the limited one of `spec`: an engine that cannot sign certificates
        for a cluster raises Refused for that.
        """

    def identity(self, ref: ClusterRef) -> ClusterIdentity:
        """Return which cluster that is, its names as VCD spells them."""

    def location(self, ref: ClusterRef) -> ClusterIdentity:
        """Return the identity of a cluster that may no longer exist: without its vApp."""

    def gone(self, identity: ClusterIdentity) -> bool:
        """Return whether a cluster is known not to exist any longer; see `identity.is_gone`."""

    def plan_delete(self, ref: ClusterRef, options: RunOptions) -> Deletion:
        """Return what `delete` would delete, and raise what it would refuse."""

    def delete(self, ref: ClusterRef, options: RunOptions, progress: Progress) -> Deletion:
        """Delete the cluster and verify that nothing is left."""

    def nodes(self, ref: ClusterRef) -> Sequence[Node]:
        """Return a cluster's nodes."""

    def resize(self, spec: NodesSpec, options: RunOptions, progress: Progress) -> Cluster:
        """Scale the cluster to `spec.workers` workers and return it."""

    def add_nodes(self, spec: NodesSpec, options: RunOptions, progress: Progress) -> Cluster:
        """Add `spec.workers` nodes and return the cluster."""

    def plan_remove_nodes(
        self, spec: RemovalSpec, options: RunOptions, progress: Progress
    ) -> Removal:
        """Return the nodes that `remove_nodes` would remove, and raise what it would refuse."""

    def remove_nodes(self, spec: RemovalSpec, options: RunOptions, progress: Progress) -> Removal:
        """Drain nodes, remove them from the cluster and delete their VMs."""


@runtime_checkable
class NodeDetails(Protocol):
    """Showing more of one node than `Engine.nodes` does."""

    def node(self, ref: ClusterRef, name: str) -> Node:
        """Return everything known about one node.

        Raises:
            NotFound: there is no such cluster or node.
        """


@runtime_checkable
class Planning(Protocol):
    """Showing what a creation, or a change of sizes, would do."""

    def plan_create(self, spec: ClusterSpec, progress: Progress) -> CreationPlan:
        """Return what `create` would do, after the same checks."""

    def plan_resize(
        self, spec: NodesSpec, options: RunOptions, progress: Progress
    ) -> Sequence[str]:
        """Return what `resize` or `resize_pool` would do, as sentences, after the same checks."""


@runtime_checkable
class Declaring(Protocol):
    """Telling what a cluster is to be, for files that declare clusters."""

    def declared(self, ref: ClusterRef, *, required: bool = False) -> Declared | None:
        """Return what an existing cluster is to be; None if there is none of that name.

        Raises:
            NotFound: it is `required` and there is none.
        """


@runtime_checkable
class Sealing(Protocol):
    """Removing a cluster's CA key from VCD."""

    def seal(self, ref: ClusterRef, progress: Progress, *, adopted: str = "") -> str:
        """Remove the CA key from VCD and return the path of the file that keeps it.

        `adopted` is a file that keeps the key of a vApp which this one replaces.
        """


@runtime_checkable
class Protecting(Protocol):
    """Protecting clusters against deletion."""

    def protect(
        self, ref: ClusterRef, options: RunOptions, progress: Progress, *, on: bool = True
    ) -> None:
        """Let `delete` refuse to delete the cluster from now on, or no longer."""


@runtime_checkable
class Recounting(Protocol):
    """Telling what happened to a cluster."""

    def events(self, ref: ClusterRef, *, all_: bool = False) -> Sequence[ClusterEvent]:
        """Return what happened to a cluster, the oldest first; `all_`: also to its metadata."""


@runtime_checkable
class BackingUp(Protocol):
    """Backing clusters up to files."""

    def check_backup(self, ref: ClusterRef, path: pathlib.Path) -> None:
        """Raise what `back_up` would refuse at once, before somebody is asked for a passphrase."""

    def check_restore(self, ref: ClusterRef, path: pathlib.Path, *, new: bool) -> None:
        """Raise what restoring with a passphrase would refuse at once, before it is asked for."""

    def back_up(
        self, ref: ClusterRef, path: pathlib.Path, lock: BackupLock, progress: Progress
    ) -> Backup:
        """Write an encrypted backup to a new file, verify it, and return what it holds."""

    def restore(
        self,
        wanted: RestoredSpec,
        path: pathlib.Path,
        key: BackupKey,
        options: RunOptions,
        progress: Progress,
    ) -> Cluster:
        """Rebuild the control plane of a cluster from a backup of it, and return the cluster."""

    def plan_restore(
        self,
        wanted: RestoredSpec,
        path: pathlib.Path,
        key: BackupKey,
        options: RunOptions,
        progress: Progress,
    ) -> RestorePlan:
        """Return what `restore` would do, and what it would not bring back."""

    def plan_restore_new(
        self,
        wanted: RestoredSpec,
        path: pathlib.Path,
        key: BackupKey,
        options: RunOptions,
        progress: Progress,
    ) -> RestorePlan:
        """Return what `restore_new` would do, and what it would not bring back."""

    def restore_new(
        self,
        wanted: RestoredSpec,
        path: pathlib.Path,
        key: BackupKey,
        options: RunOptions,
        progress: Progress,
    ) -> Cluster:
        """Make a new cluster that begins with the objects in a backup, or resume that."""


@runtime_checkable
class Diagnosing(Protocol):
    """Finding out why a cluster does not work."""

    def diagnose(self, ref: ClusterRef, failure: Mapping[str, Any] | None) -> Diagnosis:
        """Look at a cluster from all sides; `failure` is the last one that was recorded here.

        A cluster that is gone has its failure alone. Raises NotFound where there is neither.
        """


@runtime_checkable
class Maintaining(Protocol):
    """Repairing, starting and stopping clusters."""

    def repair(
        self,
        ref: ClusterRef,
        options: RunOptions,
        progress: Progress,
        *,
        carry_out: bool = False,
    ) -> Sequence[str]:
        """Return the repairs that a cluster needs, as sentences; with `carry_out` make them."""

    def start(self, ref: ClusterRef, options: RunOptions, progress: Progress) -> None:
        """Start a stopped cluster and wait until its nodes are Ready."""

    def plan_stop(self, ref: ClusterRef, options: RunOptions, progress: Progress) -> Sequence[str]:
        """Return what `stop` would do, as sentences; nothing where all is off already."""

    def stop(self, ref: ClusterRef, options: RunOptions, progress: Progress) -> None:
        """Shut a cluster down."""

    def plan_renew(self, ref: ClusterRef, options: RunOptions, progress: Progress) -> Sequence[str]:
        """Return what `renew` would do, as sentences, after the same checks."""

    def renew(self, ref: ClusterRef, options: RunOptions, progress: Progress) -> datetime:
        """Renew the certificates of the control planes; return when the first of them ends."""


@runtime_checkable
class Pooling(Protocol):
    """Worker pools."""

    def pools(self, ref: ClusterRef) -> Sequence[PoolState]:
        """Return the worker pools of a cluster."""

    def create_pool(self, spec: PoolSpec, options: RunOptions, progress: Progress) -> Cluster:
        """Add a pool with its workers and return the cluster."""

    def resize_pool(self, spec: NodesSpec, options: RunOptions, progress: Progress) -> Cluster:
        """Scale the pool `spec.pool` to `spec.workers` workers and return the cluster."""

    def update_pool(self, spec: PoolSpec, options: RunOptions, progress: Progress) -> Cluster:
        """Give a pool the labels and taints of `spec`; change nothing else. Return the cluster."""

    def upgrade_pool(self, spec: PoolSpec, options: RunOptions, progress: Progress) -> Cluster:
        """Replace a pool's workers by new ones of the template of `spec`; return the cluster.

        Without a template, of the cluster's.
        """

    def delete_pool(self, spec: PoolSpec, options: RunOptions, progress: Progress) -> Removal:
        """Drain and delete a pool's workers, and delete the pool."""

    def plan_pool(
        self, change: str, spec: PoolSpec, options: RunOptions, progress: Progress
    ) -> Sequence[str]:
        """Return what `create`, `update`, `upgrade` or `delete` (`change`) would do, as sentences.

        After the same checks.
        """

    def room_problems(
        self, ref: ClusterRef, pools: Sequence[Pool], heads: int
    ) -> Sequence[CseError]:
        """Return why the VDC has no room for all that pools and control planes grow by together.

        `pools` have the sizes that they are to have, `heads` is how many control planes are added.
        """


@runtime_checkable
class Replacing(Protocol):
    """Upgrading a cluster by replacing its nodes, one after the other, without a CSE server."""

    def upgrade_targets(self, spec: UpgradeSpec) -> Sequence[UpgradeTarget]:
        """List the templates that the cluster can be upgraded to; the first one has a plan."""

    def plan_upgrade(self, spec: UpgradeSpec) -> UpgradePlan:
        """Return what `upgrade_to` would do, and what is in the way."""

    def upgrade_to(self, spec: UpgradeSpec, options: RunOptions, progress: Progress) -> Upgraded:
        """Upgrade a cluster, or resume its upgrade, and return it."""

    def plan_roll_back(
        self, spec: UpgradeSpec, options: RunOptions, progress: Progress
    ) -> UpgradePlan:
        """Return what `roll_back_upgrade` would do: from which release to which, and the steps."""

    def roll_back_upgrade(self, spec: UpgradeSpec, options: RunOptions, progress: Progress) -> str:
        """Roll an unfinished upgrade back; return the Kubernetes release as it is again."""
