"""The words that commands, engines and the cloud side share: frozen dataclasses, no behaviour.

Sizes are MiB for memory and MB (VCD's unit) for storage; times are timezone-aware datetimes in UTC.
Nothing in here ever holds a secret, with the one exception of `NewVm.script`, which is kept out of
its own repr.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum

from cse_client.model.identity import ClusterIdentity

CONTROL_PLANE = "control plane"
WORKER = "worker"
NFS = "nfs"

#: VM name prefixes that tell what a node is; CSE knows no other sign
#: (container-service-extension, node names `mstr-xxxx`, `node-xxxx`, `nfsd-xxxx`).
KIND_PREFIXES: Mapping[str, str] = {"mstr-": CONTROL_PLANE, "node-": WORKER, "nfsd-": NFS}


@dataclass(frozen=True)
class Session:
    """What `vcd login` stored: where to go and as whom. `token` never shows in a repr.

    `login_org` is the organisation of the login, `org` the one in use: a system administrator may
    have chosen another.
    """

    host: str
    org: str
    user: str
    api_version: str
    token: str = field(repr=False)
    is_jwt: bool = True
    verify: bool = True
    org_href: str = ""
    vdc: str = ""
    vdc_href: str = ""
    login_org: str = ""


@dataclass(frozen=True)
class TemplateFacts:
    """What is known of the inside of a VM template; empty = unknown."""

    os: str = ""
    kubernetes: str = ""
    cni: str = ""
    cni_version: str = ""
    cni_manifest: str = ""
    pod_cidr: str = ""


@dataclass(frozen=True)
class Template:
    """A vApp template that can become nodes, as one catalog item.

    `name` is without the `_revN` ending, `item` with it. `href` is the vApp template's; its last
    part is an id that tells templates of the same name in catalogs of the same name apart. `is_own`
    is True when the template belongs to the session's organization, not to one that shares it.
    """

    name: str
    revision: int
    catalog: str
    item: str
    href: str
    description: str = ""
    facts: TemplateFacts = TemplateFacts()
    registered: bool = False
    is_default: bool = False
    is_own: bool = False

    @property
    def id(self) -> str:
        """The template's id in VCD, such as vappTemplate-6ec95d1c-..."""
        return self.href.rstrip("/").rpartition("/")[2]


@dataclass(frozen=True)
class Vdc:
    """An organisation VDC: its name and href, and the organisation it belongs to."""

    name: str
    href: str
    org: str = ""


class Fence(str, Enum):
    """How an org VDC network is connected (VCD's FenceMode)."""

    DIRECT = "bridged"
    ISOLATED = "isolated"
    ROUTED = "natRouted"


@dataclass(frozen=True)
class Network:
    """An org VDC network. Address counts are None when VCD does not show them.

    `egress` is True (a way out was seen), False (none was seen) or None (cannot tell). `subnets`
    are all of its subnets, each as ADDRESS/NETMASK; `gateway` and `netmask` are those of the first.
    """

    name: str
    href: str
    fence: Fence
    gateway: str = ""
    netmask: str = ""
    dns: tuple[str, ...] = ()
    free_addresses: int | None = None
    total_addresses: int | None = None
    edge_href: str = ""
    egress: bool | None = None
    egress_reason: str = ""
    subnets: tuple[str, ...] = ()


@dataclass(frozen=True)
class StorageProfile:
    """A storage profile of an org VDC; a limit of 0 means none."""

    name: str
    href: str
    enabled: bool = True
    is_default: bool = False
    limit_mb: int = 0
    used_mb: int = 0


@dataclass(frozen=True)
class Capacity:
    """What an org VDC has left, as far as a tenant can see; None = no limit or not visible."""

    vms_left: int | None = None
    cpu_mhz_left: int | None = None
    memory_mb_left: int | None = None


@dataclass(frozen=True)
class TemplateVm:
    """The VM inside a vApp template that nodes are cloned from."""

    href: str
    name: str
    id: str = ""
    nic_index: int = 0
    has_nic: bool = True
    customization_enabled: bool = True
    eulas: tuple[str, ...] = ()
    disk_mb: int = 0
    cpus: int = 0
    memory_mb: int = 0


@dataclass(frozen=True)
class NewVm:
    """One VM to be made by a recompose. CPU and memory of None keep the template's."""

    name: str
    source: TemplateVm
    network: str
    script: str = field(repr=False, default="")
    storage_profile: StorageProfile | None = None
    description: str = ""


@dataclass(frozen=True)
class VmChange:
    """A change to an existing, powered-off VM; None keeps what is there."""

    href: str
    name: str
    cpus: int | None = None
    memory_mb: int | None = None
    script: str | None = field(repr=False, default=None)


@dataclass(frozen=True)
class Vm:
    """A VM as VCD shows it. `guestinfo` is None when this user may not see ExtraConfig."""

    name: str
    href: str
    status: str
    deployed: bool = False
    ip: str = ""
    network: str = ""
    cpus: int | None = None
    memory_mb: int | None = None
    guestinfo: Mapping[str, str] | None = None
    customization: str = ""
    busy: bool = False
    description: str = ""


@dataclass(frozen=True)
class VApp:
    """A vApp as VCD shows it; metadata is the GENERAL domain, key to text."""

    name: str
    href: str
    id: str
    status: str
    deployed: bool
    description: str = ""
    owner: str = ""
    networks: tuple[str, ...] = ()
    vms: tuple[Vm, ...] = ()
    running_tasks: tuple[str, ...] = ()
    lease_ends: datetime | None = None
    deployment_lease_seconds: int | None = None
    created: datetime | None = None
    vdc_href: str = ""


@dataclass(frozen=True)
class VAppRecord:
    """One row of the vApp query, with the metadata fields that were asked for."""

    name: str
    href: str
    status: str
    vdc: str = ""
    vdc_href: str = ""
    owner: str = ""
    vm_count: int | None = None
    busy: bool = False
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ClusterSpec:
    """What the user asked for. Empty or None means: take the default.

    `template_id` is not asked for: it is the template of that name which was taken earlier.
    """

    name: str
    network: str
    workers: int = 2
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
    """One VM of a cluster. Kubernetes fields are empty where nothing was reachable."""

    name: str
    kind: str
    ip: str = ""
    cpus: int | None = None
    memory_mb: int | None = None
    vm_status: str = ""
    kubernetes_status: str = ""
    kubelet_version: str = ""
    bootstrap_phase: str = ""


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
    damage: tuple[str, ...] = ()
    runtime: str = "native"
    provider: str = "native"
    same_id: tuple[str, ...] = ()


@dataclass(frozen=True)
class Cluster:
    """Everything `cluster info` shows. `evidence` says which sources spoke and which did not."""

    summary: ClusterSummary
    network: str = ""
    endpoint: str = ""
    os: str = ""
    cni: str = ""
    cni_version: str = ""
    docker_version: str = ""
    made_by: str = ""
    created: datetime | None = None
    lease: str = ""
    sealed: bool = False
    nodes: tuple[Node, ...] = ()
    evidence: tuple[str, ...] = ()
    damage: tuple[str, ...] = ()


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

    `reason` and `message` are those of the Ready condition while it is not True.
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


class EventKind(str, Enum):
    """What a progress event says."""

    STARTED = "started"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True)
class Event:
    """A line of progress. `step` of `total` when it belongs to a plan (1-based), else 0."""

    kind: EventKind
    text: str
    step: int = 0
    total: int = 0


Progress = Callable[[Event], None]


def silent(_event: Event) -> None:
    """Drop a progress event."""


def node_kind(vm_name: str) -> str:
    """Return what a VM of a cluster is, by its name's prefix; empty when it is none of ours."""
    for prefix, kind in KIND_PREFIXES.items():
        if vm_name.startswith(prefix):
            return kind
    return ""
