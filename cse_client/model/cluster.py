"""A cluster and its nodes: as it is wanted, as it is found, and what remains of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from cse_client.model.hardware import NodeOptions, WantedHardware
from cse_client.model.identity import ClusterIdentity
from cse_client.model.pools import Pool
from cse_client.model.settings import ClusterSettings

__all__ = [
    "CONTROL_PLANE",
    "CONTROL_PLANES",
    "CONTROL_PLANE_PREFIX",
    "KIND_PREFIXES",
    "NFS",
    "WORKER",
    "WORKER_PREFIX",
    "Cluster",
    "ClusterSpec",
    "ClusterSummary",
    "Deletion",
    "KubeNode",
    "Node",
    "NodeReport",
    "RunOptions",
    "SystemInfo",
    "node_kind",
]


CONTROL_PLANE = "control plane"
WORKER = "worker"
NFS = "nfs"

CONTROL_PLANE_PREFIX = "mstr-"
WORKER_PREFIX = "node-"
#: VM name prefixes that tell what a node is; CSE knows no other sign
#: (container-service-extension, node names `mstr-xxxx`, `node-xxxx`, `nfsd-xxxx`).
KIND_PREFIXES: Mapping[str, str] = {
    CONTROL_PLANE_PREFIX: CONTROL_PLANE,
    WORKER_PREFIX: WORKER,
    "nfsd-": NFS,
}


@dataclass(frozen=True)
class ClusterRef:
    """Which cluster is meant: its name, and where to look for it.

    Empty: the VDC and the organization of the session. Where a CSE server 3 keeps clusters as
    entities, `name` may be the entity's id.
    """

    name: str
    vdc: str = ""
    org: str = ""


@dataclass(frozen=True)
class ClusterSpec:
    """What the user asked for. Empty or None means: take the default.

    `template_id` is not asked for: it is the template of that name which was taken earlier. `vip`
    is the virtual address: one, `auto` or `none`. `workers` is the sum of the sizes of `pools`;
    without pools, they are those of one pool, `default`.
    """

    name: str
    network: str
    workers: int = 2
    control_planes: int = 1
    template: str = ""
    template_revision: int | None = None
    ssh_key: str = ""
    cpus: int | None = None
    memory_mb: int | None = None
    storage_profile: str = ""
    vdc: str = ""
    org: str = ""
    endpoint: str = ""
    seal: bool = False
    strict: bool = False
    accept_eulas: bool = False
    nfs: bool = False
    template_id: str = ""
    vip: str = ""
    settings: ClusterSettings = field(default_factory=ClusterSettings)
    node_options: NodeOptions = field(default_factory=NodeOptions)
    pools: tuple[Pool, ...] = ()

    def hardware(self, *, control_plane: bool) -> WantedHardware:
        """Return what one kind of node is to get."""
        return WantedHardware.of(
            self.cpus, self.memory_mb, self.node_options, control_plane=control_plane
        )

    @property
    def ref(self) -> ClusterRef:
        """Which cluster that is."""
        return ClusterRef(self.name, self.vdc, self.org)

    @property
    def nodes(self) -> int:
        """How many nodes it has."""
        return self.control_planes + self.workers


#: Control planes that a cluster may have: odd numbers, because one more would tolerate no failure
#: more (etcd's documentation, "Failure Tolerance").
CONTROL_PLANES = (1, 3, 5)


@dataclass(frozen=True)
class RunOptions:
    """How to carry an operation out; `timeout` in seconds for the whole operation.

    `break_lock` ends the claim of whoever else is changing the cluster. `force` deletes what
    cannot be deleted in order; engines that know nothing of it are not asked.
    """

    timeout: float = 3600.0
    rollback: bool = True
    wait: bool = True
    break_lock: bool = False
    force: bool = False


@dataclass(frozen=True)
class Node:
    """One VM of a cluster. Kubernetes fields are empty where nothing was reachable.

    `pool` is that of a worker; empty for all others, and for clusters of a CSE server.
    """

    name: str
    kind: str
    ip: str = ""
    cpus: int | None = None
    memory_mb: int | None = None
    vm_status: str = ""
    kubernetes_status: str = ""
    kubelet_version: str = ""
    bootstrap_phase: str = ""
    pool: str = ""


@dataclass(frozen=True)
class ClusterSummary:
    """One row of `cluster list`. `phase` is ours; empty for clusters that CSE made.

    `same_id` names the other clusters that have the same id in their metadata: of those at most one
    is the cluster of that id, and the others are copies, or pretend to be it.
    """

    name: str
    vdc: str = ""
    org: str = ""
    owner: str = ""
    kubernetes: str = ""
    kubernetes_version: str = ""
    status: str = ""
    phase: str = ""
    cluster_id: str = ""
    template: str = ""
    template_revision: str = ""
    problems: tuple[str, ...] = ()
    runtime: str = "native"
    provider: str = "native"
    same_id: tuple[str, ...] = ()
    protected: bool = False


@dataclass(frozen=True)
class Cluster:
    """Everything `cluster info` shows. `sources` says which sources spoke and which did not.

    `holder` is the control plane that answers at the virtual address, as far as is known.
    """

    summary: ClusterSummary
    network: str = ""
    endpoint: str = ""
    os: str = ""
    cni: str = ""
    cni_version: str = ""
    docker_version: str = ""
    created_by: str = ""
    created: datetime | None = None
    lease: str = ""
    sealed: bool = False
    virtual_address: str = ""
    holder: str = ""
    settings: ClusterSettings = field(default_factory=ClusterSettings)
    node_options: NodeOptions = field(default_factory=NodeOptions)
    pools: tuple[Pool, ...] = ()
    nodes: tuple[Node, ...] = ()
    sources: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


@dataclass(frozen=True)
class SystemInfo:
    """What `system info` shows, in this order."""

    product: str
    version: str
    description: str
    engine: str
    engine_reason: str
    host: str
    vcd_version: str
    api_version: str
    org: str
    vdc: str
    user: str


@dataclass(frozen=True)
class Deletion:
    """Proof of a deletion: what was there, and that it was looked for and not found afterwards."""

    cluster: str
    vapp: str
    vms: tuple[str, ...] = ()
    verified_gone: bool = False
    left: tuple[str, ...] = ()
    cluster_id: str = ""
    identity: ClusterIdentity | None = None


@dataclass(frozen=True)
class KubeNode:
    """A Node object: `ready` is True, False or None (Unknown); `heard` is its last heartbeat.

    `reason` and `message` are those of the Ready condition while it is not True. `pool` is what its
    label names, empty without one.
    """

    name: str
    ready: bool | None
    reason: str = ""
    kubelet_version: str = ""
    roles: tuple[str, ...] = ()
    unschedulable: bool = False
    created: datetime | None = None
    heard: datetime | None = None
    message: str = ""
    pool: str = ""


@dataclass(frozen=True)
class NodeReport:
    """What a guest says of its own bootstrap, whatever way out it used.

    `status` is `running`, `failed` or `ready`; `log` holds the last lines after a failure.
    """

    node: str
    status: str
    phase: str = ""
    exit_code: int | None = None
    log: tuple[str, ...] = ()
    source: str = ""


def node_kind(vm_name: str) -> str:
    """Return what a VM of a cluster is, by its name's prefix; empty when it is none of ours."""
    for prefix, kind in KIND_PREFIXES.items():
        if vm_name.startswith(prefix):
            return kind
    return ""
