"""The protocol that commands speak and every engine implements.

Engines take and give model types only; they never print and never read the profile. A method
raises `cse_client.errors.CseError` and nothing else on purpose.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from cse_client.model import (
    Cluster,
    ClusterSpec,
    ClusterSummary,
    Deletion,
    Node,
    Progress,
    RunOptions,
    SystemInfo,
    Template,
    TemplateFacts,
)
from cse_client.model.access import KubeconfigSpec
from cse_client.model.scaling import NodesSpec, Removal, RemovalSpec


class Engine(Protocol):
    """Kubernetes clusters in one organisation, seen with one user's rights."""

    name: str

    def system_info(self) -> SystemInfo:
        """Say which product, engine and cloud are in use."""

    def templates(self) -> Sequence[Template]:
        """List the templates that nodes can be made from; exactly one has `is_default`."""

    def register_template(self, catalog: str, item: str, facts: TemplateFacts) -> Template:
        """Mark a prepared vApp template as usable and return it."""

    def plan_create(self, spec: ClusterSpec, progress: Progress) -> Sequence[str]:
        """Return what `create` would do, one sentence a step, after the same checks."""

    def create(self, spec: ClusterSpec, options: RunOptions, progress: Progress) -> Cluster:
        """Make the cluster, or finish making it, and return it."""

    def clusters(self, *, vdc: str = "", org: str = "") -> Iterable[ClusterSummary]:
        """Yield the clusters that this user can see, as they come in."""

    def cluster(self, name: str, *, vdc: str = "", org: str = "") -> Cluster:
        """Return everything known of one cluster."""

    def kubeconfig(
        self, name: str, *, vdc: str = "", org: str = "", spec: KubeconfigSpec | None = None
    ) -> str:
        """Return a kubeconfig, as YAML text ending in one newline.

        An administrator's, or the limited one of `spec`: an engine that cannot sign certificates
        for a cluster raises Refused for that.
        """

    def delete(
        self, name: str, options: RunOptions, progress: Progress, *, vdc: str = "", org: str = ""
    ) -> Deletion:
        """Delete the cluster and prove that nothing of it is left."""

    def seal(self, name: str, progress: Progress, *, vdc: str = "", org: str = "") -> str:
        """Take the CA key out of VCD; return where it is kept from now on."""

    def nodes(self, name: str, *, vdc: str = "", org: str = "") -> Sequence[Node]:
        """Return a cluster's nodes."""

    def resize(self, spec: NodesSpec, options: RunOptions, progress: Progress) -> Cluster:
        """Bring the number of workers to `spec.workers`, up or down; return the cluster."""

    def add_nodes(self, spec: NodesSpec, options: RunOptions, progress: Progress) -> Cluster:
        """Add `spec.workers` nodes and return the cluster."""

    def remove_nodes(self, spec: RemovalSpec, options: RunOptions, progress: Progress) -> Removal:
        """Take nodes out of the cluster and delete their VMs."""
