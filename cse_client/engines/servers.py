"""The capabilities of engines in front of a CSE server, see `base`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:  # every command loads this module, and few load all of these
    from cse_client.model import (
        Cluster,
        ClusterRef,
        Progress,
        RunOptions,
    )
    from cse_client.model.server import (
        ComputePolicy,
        OvdcState,
        ServedCluster,
        ServedRemoval,
        Share,
        UpgradeTarget,
    )
    from cse_client.yamlplaces import Path, Position

__all__ = ["Entities", "Provider", "Upgrading"]


@runtime_checkable
class Upgrading(Protocol):
    """Upgrading a cluster to a newer template."""

    def upgrade_plan(self, ref: ClusterRef) -> Sequence[UpgradeTarget]:
        """List the templates that the cluster can be upgraded to; may be empty."""

    def upgrade(
        self,
        ref: ClusterRef,
        template: str,
        revision: str,
        options: RunOptions,
        progress: Progress,
    ) -> Cluster:
        """Upgrade the cluster and return it."""


@runtime_checkable
class Entities(Protocol):
    """Clusters that are entities of VCD: described by files, known by ids, shared with users.

    Wherever such an engine takes a cluster's name, it takes its id as well.
    """

    #: The version of the entities' type, such as `2.1.0`.
    entity_type: str

    def apply(
        self,
        document: Any,
        options: RunOptions,
        progress: Progress,
        *,
        identity: str = "",
        org: str = "",
        positions: Mapping[Path, Position] | None = None,
    ) -> ServedCluster:
        """Create or update the cluster that a file describes; `positions` are of its values."""

    def server_config(self) -> Mapping[str, Any]:
        """Return the configuration that the server shows to system administrators."""

    def reload_templates(self, options: RunOptions, progress: Progress) -> str:
        """Ask the server to reload its templates; return the href of the task."""

    def delete_nfs(
        self,
        ref: ClusterRef,
        node: str,
        options: RunOptions,
        progress: Progress,
    ) -> ServedRemoval:
        """Delete an NFS node."""

    def shares(self, ref: ClusterRef) -> Sequence[Share]:
        """List the users a cluster is shared with."""

    def share(self, ref: ClusterRef, users: Sequence[str], level: str) -> Sequence[Share]:
        """Share a cluster with users; return all users it is shared with."""

    def unshare(self, ref: ClusterRef, users: Sequence[str]) -> Sequence[Share]:
        """Stop sharing a cluster with users; return those it is still shared with."""


@runtime_checkable
class Provider(Protocol):
    """Administration of a CSE server and of org VDCs."""

    def check_control(self, action: str) -> None:
        """Refuse what `control` would refuse."""

    def control(self, action: str) -> str:
        """Enable, disable or stop the server (which is `action`); return its message."""

    def ovdcs(self) -> Sequence[OvdcState]:
        """List the org VDCs and the clusters they are enabled for."""

    def ovdc(self, name: str, *, org: str = "") -> OvdcState:
        """Return which clusters one org VDC is enabled for."""

    def enable_ovdc(
        self,
        name: str,
        options: RunOptions,
        progress: Progress,
        *,
        org: str = "",
        runtimes: Sequence[str] = ("native",),
    ) -> str:
        """Enable cluster creation in an org VDC; return the href of the task."""

    def disable_ovdc(
        self,
        name: str,
        options: RunOptions,
        progress: Progress,
        *,
        org: str = "",
        runtimes: Sequence[str] = ("native",),
        force: bool = False,
    ) -> str:
        """Disable cluster creation in an org VDC; return the href of the task."""

    def compute_policies(self, vdc: str, org: str) -> Sequence[ComputePolicy]:
        """List the compute policies of an org VDC."""

    def add_compute_policy(self, policy: str, vdc: str, org: str) -> str:
        """Add a compute policy to an org VDC; return the server's message."""

    def remove_compute_policy(
        self,
        policy: str,
        vdc: str,
        org: str,
        options: RunOptions,
        progress: Progress,
        *,
        force: bool = False,
    ) -> str:
        """Remove a compute policy from an org VDC; return the href of the task."""
