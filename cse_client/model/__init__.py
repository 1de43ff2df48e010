"""The types that commands, engines and the cloud side share: frozen dataclasses, no behavior.

Sizes are MiB for memory and MB (VCD's unit) for storage; times are timezone-aware datetimes in UTC.
Nothing in here ever holds a secret, with the one exception of `NewVm.script`, which is kept out of
its own repr.
"""

from __future__ import annotations

from cse_client.model.cloud import (
    Capacity,
    Fence,
    Network,
    NewVm,
    Session,
    SnapshotState,
    StorageProfile,
    Template,
    TemplateFacts,
    TemplateVm,
    VApp,
    VAppRecord,
    Vdc,
    Vm,
    VmChange,
    VmPolicy,
)
from cse_client.model.cluster import (
    CONTROL_PLANE,
    KIND_PREFIXES,
    NFS,
    WORKER,
    Cluster,
    ClusterRef,
    ClusterSpec,
    ClusterSummary,
    Deletion,
    KubeNode,
    Node,
    NodeReport,
    RunOptions,
    SystemInfo,
    node_kind,
)
from cse_client.model.progress import Event, EventKind, Progress, silent

__all__ = [
    "CONTROL_PLANE",
    "KIND_PREFIXES",
    "NFS",
    "WORKER",
    "Capacity",
    "Cluster",
    "ClusterRef",
    "ClusterSpec",
    "ClusterSummary",
    "Deletion",
    "Event",
    "EventKind",
    "Fence",
    "KubeNode",
    "Network",
    "NewVm",
    "Node",
    "NodeReport",
    "Progress",
    "RunOptions",
    "Session",
    "SnapshotState",
    "StorageProfile",
    "SystemInfo",
    "Template",
    "TemplateFacts",
    "TemplateVm",
    "VApp",
    "VAppRecord",
    "Vdc",
    "Vm",
    "VmChange",
    "VmPolicy",
    "node_kind",
    "silent",
]
