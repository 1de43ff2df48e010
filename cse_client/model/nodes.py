"""What is asked of an existing cluster's nodes, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass

from cse_client.model.cluster import ClusterRef

__all__ = ["NodesSpec", "Removal", "RemovalSpec"]


@dataclass(frozen=True)
class NodesSpec:
    """Which nodes a cluster is to have or to get. Empty or None: as the cluster was made.

    `workers` is the wanted number of workers for a resize, the number of new ones for a node
    creation. `remove` names the workers that go first when the number shrinks. `max_parallel` is
    how many nodes are drained at a time; 0 means a tenth of the workers, at least one.
    `control_planes` is the wanted number of those for a resize, which then leaves the workers
    alone; 0: it is about workers. They are those of `pool`, which may be empty where there is only
    one.
    """

    cluster: str
    workers: int
    vdc: str = ""
    org: str = ""
    network: str = ""
    template: str = ""
    template_revision: int | None = None
    ssh_key: str = ""
    cpus: int | None = None
    memory_mb: int | None = None
    storage_profile: str = ""
    disk_mb: int | None = None
    sizing_policy: str = ""
    placement_policy: str = ""
    accept_eulas: bool = False
    remove: tuple[str, ...] = ()
    force: bool = False
    keep_healthy: bool = False
    max_parallel: int = 0
    nfs: bool = False
    control_planes: int = 0
    pool: str = ""

    @property
    def ref(self) -> ClusterRef:
        """Which cluster is meant."""
        return ClusterRef(self.cluster, self.vdc, self.org)


@dataclass(frozen=True)
class RemovalSpec:
    """Which nodes are to go. `force` also evicts what no controller would start again.

    All of them are in `pool`, if that is not empty.
    """

    cluster: str
    nodes: tuple[str, ...]
    vdc: str = ""
    org: str = ""
    force: bool = False
    max_parallel: int = 0
    pool: str = ""

    @property
    def ref(self) -> ClusterRef:
        """Which cluster is meant."""
        return ClusterRef(self.cluster, self.vdc, self.org)


@dataclass(frozen=True)
class Removal:
    """What a removal of nodes did: whose VM was deleted, and what was found gone already."""

    cluster: str
    nodes: tuple[str, ...]
    already_gone: tuple[str, ...] = ()
