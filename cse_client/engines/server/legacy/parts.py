"""What the legacy protocol's changes are made of: parts of bodies, and when a change is done."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cse_client import suggest
from cse_client.errors import NotFound, WrongUsage
from cse_client.model import WORKER, ClusterSpec
from cse_client.model.nodes import NodesSpec
from cse_client.model.server import ServedCluster

__all__ = ["complete", "count", "hardware", "leaving"]

#: What a cluster's vApp is called when everything in it runs.
_RUNNING = "POWERED_ON"


def hardware(spec: ClusterSpec | NodesSpec) -> dict[str, Any]:
    """Return what describes the nodes, as far as something was said."""
    said: dict[str, Any] = {
        "num_cpu": spec.cpus,
        "mb_memory": spec.memory_mb,
        "storage_profile_name": spec.storage_profile or None,
        "ssh_key": spec.ssh_key or None,
    }
    return {key: value for key, value in said.items() if value is not None}


def complete(cluster: ServedCluster, workers: int) -> bool:
    """Say whether a cluster is all there, as far as the server shows it."""
    return (
        cluster.summary.status == _RUNNING
        and bool(cluster.endpoint)
        and count(cluster, WORKER) >= workers
        and all(node.ip for node in cluster.nodes)
    )


def count(cluster: ServedCluster, kind: str) -> int:
    """Return how many nodes of a kind a cluster has."""
    return sum(node.kind == kind for node in cluster.nodes)


def leaving(workers: Sequence[str], spec: NodesSpec) -> list[str]:
    """Choose who goes when a cluster shrinks: those named first, then the last ones listed."""
    unknown = [name for name in spec.remove if name not in workers]
    if unknown:
        raise NotFound(
            f"cluster '{spec.cluster}' has no worker {', '.join(unknown)}",
            hint=f"see which there are: {suggest.cse('node list', spec.cluster)}",
        )
    named = list(dict.fromkeys(spec.remove))
    surplus = len(workers) - spec.workers
    if len(named) > surplus:
        raise WrongUsage(
            f"--nodes-to-remove names {len(named)} nodes, but {surplus} must go to leave"
            f" {spec.workers}.",
            hint=f"Name at most {surplus}, or change --nodes.",
        )
    others = [name for name in reversed(workers) if name not in named]
    return [*named, *others][:surplus]
