"""The objects of CSE 2.6.1's REST interface, as model types.

Keys: container-service-extension:container_service_extension/vcdbroker.py `get_cluster_info`,
`list_clusters`, request_handlers/template_handler.py. Everything is text there, counts included.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cse_client.engines.server.documents import mappings, number, text
from cse_client.model import (
    CONTROL_PLANE,
    NFS,
    WORKER,
    ClusterSummary,
    Node,
)
from cse_client.model.server import (
    OvdcState,
    ServedCluster,
    ServedNode,
)

__all__ = [
    "cluster",
    "node",
    "ovdc",
    "summary",
]

_KINDS: Mapping[str, str] = {
    "master": CONTROL_PLANE,
    "control_plane": CONTROL_PLANE,
    "worker": WORKER,
    "nfs": NFS,
}
_NODE_LISTS: Mapping[str, str] = {
    "master_nodes": CONTROL_PLANE,
    "nodes": WORKER,
    "nfs_nodes": NFS,
}


def summary(document: Mapping[str, Any]) -> ClusterSummary:
    """Read one row of `GET /clusters`."""
    return ClusterSummary(
        name=text(document, "name"),
        vdc=text(document, "vdc"),
        org=text(document, "org_name"),
        owner=text(document, "owner_name"),
        kubernetes_version=text(document, "k8s_version"),
        status=text(document, "status"),
        runtime=text(document, "k8s_type"),
        provider=text(document, "k8s_provider"),
    )


def cluster(
    document: Mapping[str, Any], *, org: str, server: str, task_href: str = ""
) -> ServedCluster:
    """Read `GET /cluster/{name}`; the server does not say the organization."""
    found = ClusterSummary(
        name=text(document, "name"),
        vdc=text(document, "vdc_name"),
        org=org,
        kubernetes=text(document, "kubernetes"),
        kubernetes_version=text(document, "kubernetes_version"),
        status=text(document, "status"),
        cluster_id=text(document, "cluster_id"),
        template=text(document, "template_name"),
        template_revision=text(document, "template_revision"),
        provider=text(document, "k8s_provider"),
    )
    nodes: list[Node] = []
    for key, kind in _NODE_LISTS.items():
        for one in mappings(document.get(key) or [], f"the {key} of the cluster"):
            nodes.append(
                ServedNode(
                    name=text(one, "name"),
                    kind=kind,
                    ip=text(one, "ipAddress"),
                    exports=_exports(one),
                )
            )
    return ServedCluster(
        summary=found,
        endpoint=text(document, "leader_endpoint"),
        os=text(document, "os"),
        cni=text(document, "cni"),
        cni_version=text(document, "cni_version"),
        docker_version=text(document, "docker_version"),
        created_by=f"CSE {text(document, 'cse_version')}".strip(),
        nodes=tuple(nodes),
        sources=(server,),
        document=document,
        task_href=task_href,
        vapp=text(document, "vapp_href") or text(document, "vapp_id"),
    )


def node(document: Mapping[str, Any]) -> ServedNode:
    """Read `GET /node/{name}`."""
    kind = text(document, "node_type")
    return ServedNode(
        name=text(document, "name"),
        kind=_KINDS.get(kind, kind),
        ip=text(document, "ipAddress"),
        cpus=number(document, "numberOfCpus"),
        memory_mb=number(document, "memoryMB"),
        vm_status=text(document, "status"),
        exports=_exports(document),
    )


def ovdc(document: Mapping[str, Any], *, name: str = "", org: str = "", id: str = "") -> OvdcState:
    """Read one row of `GET /ovdcs`, or `GET /ovdc/{id}` with what was asked for."""
    provider = text(document, "k8s provider") or text(document, "k8s_provider")
    return OvdcState(
        name=text(document, "name") or name,
        org=text(document, "org") or org,
        id=id,
        provider=provider,
        document=document,
    )


def _exports(document: Mapping[str, Any]) -> tuple[str, ...]:
    exports = document.get("exports")
    return tuple(str(one) for one in exports) if isinstance(exports, list) else ()
