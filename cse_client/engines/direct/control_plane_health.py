"""Whether the only control plane of a cluster serves: API server, etcd, the others, the node."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from cse_client.content import plain
from cse_client.engines.direct.credentials import PROBE_TIMEOUT, open_api, open_etcd
from cse_client.engines.direct.existing import ExistingCluster
from cse_client.errors import CseError
from cse_client.guest.pki import ClusterPKI
from cse_client.kube.api import ClusterAPI

__all__ = ["unhealthy"]

_COMPONENTS = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler")
_LONGEST = 100


def unhealthy(
    cluster: ExistingCluster,
    pki: ClusterPKI,
    node: str,
    version: str,
    *,
    since: datetime | None = None,
) -> str:
    """Return a clause that says what does not serve in `version` (X.Y.Z), empty if all does.

    `since` is when the node must have been heard of last, by the API server's own clock.
    """
    try:
        with open_api(cluster, pki, timeout=PROBE_TIMEOUT) as api:
            problem = (
                _version(api, version)
                or _node(api, node, version, since)
                or _pods(api, node, version)
            )
        if problem:
            return problem
        with open_etcd(cluster, pki, node=node) as etcd:
            etcd.status()
    except CseError as error:
        return error.clause
    return ""


def _version(api: ClusterAPI, version: str) -> str:
    there = api.version()
    return (
        "" if there == f"v{version}" else f"the API server is of version {plain(there, _LONGEST)}"
    )


def _node(api: ClusterAPI, name: str, version: str, since: datetime | None) -> str:
    found = next((one for one in api.nodes() if one.name == name), None)
    if found is None:
        return f"Kubernetes has no node {name}"
    if found.kubelet_version != f"v{version}":
        return f"the kubelet of {name} is of version {plain(found.kubelet_version, _LONGEST)}"
    if since is not None and (found.heard is None or found.heard < since):
        return f"the kubelet of {name} has not reported since the restart"
    return "" if found.ready else f"the node {name} is not Ready"


def _pods(api: ClusterAPI, node: str, version: str) -> str:
    pods = {
        str(pod["metadata"].get("name")): pod
        for pod in api.listing(
            "/api/v1/namespaces/kube-system/pods",
            "Pod",
            "list the control plane's pods",
            {"labelSelector": "tier=control-plane"},
        )
    }
    for name in _COMPONENTS:
        pod = pods.get(f"{name}-{node}")
        if pod is None:
            return f"there is no pod {name}-{node}"
        if name != "etcd" and f"v{version}" not in _tags(pod):
            return f"{name} is not of version {version}"
        if not _ready(pod):
            return f"{name} is not Ready"
    return ""


def _tags(pod: dict[str, Any]) -> set[str]:
    containers = (pod.get("spec") or {}).get("containers") or []
    return {str(one.get("image", "")).rpartition(":")[2] for one in containers}


def _ready(pod: dict[str, Any]) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or []
    return any(one.get("type") == "Ready" and one.get("status") == "True" for one in conditions)
