"""The objects of CSE 2.6.1's REST interface, as model types.

Keys: container-service-extension:container_service_extension/vcdbroker.py `get_cluster_info`,
`list_clusters`, request_handlers/template_handler.py. Everything is text there, counts included.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from cse_client.errors import VcdFault
from cse_client.kube.kubeconfig.document import pass_on
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
    ServedTemplate,
    UpgradeTarget,
)

__all__ = [
    "cluster",
    "kubeconfig",
    "mapping",
    "mappings",
    "node",
    "ovdc",
    "summary",
    "template",
    "text",
    "upgrade_target",
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


def mapping(document: Any, what: str) -> Mapping[str, Any]:
    """Return a document that must be an object. Raises VcdFault."""
    if isinstance(document, dict):
        return document
    raise _unexpected(what)


def mappings(document: Any, what: str) -> Sequence[Mapping[str, Any]]:
    """Return a document that must be a list of objects. Raises VcdFault."""
    if isinstance(document, list) and all(isinstance(one, dict) for one in document):
        return document
    raise _unexpected(what)


def text(document: Mapping[str, Any], key: str) -> str:
    """Return a value as text; None and a missing one are empty."""
    value = document.get(key)
    return "" if value is None else str(value)


def kubeconfig(document: Any, cluster: str) -> str:
    """Return the kubeconfig in an answer, written anew from what is taken of it.

    Raises:
        Refused: it holds more than the way into the cluster, such as a command to run.
        CseError: it is not one.
    """
    text = mapping(document, "the kubeconfig").get("message")
    if not isinstance(text, str) or not text.strip():
        raise VcdFault(f"the CSE server has no kubeconfig of cluster '{cluster}'")
    return pass_on(text, f"The kubeconfig that the CSE server gives for cluster '{cluster}'")


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
        made_by=f"CSE {text(document, 'cse_version')}".strip(),
        nodes=tuple(nodes),
        evidence=(server,),
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
        cpus=_number(document, "numberOfCpus"),
        memory_mb=_number(document, "memoryMB"),
        vm_status=text(document, "status"),
        exports=_exports(document),
    )


def template(document: Mapping[str, Any]) -> ServedTemplate:
    """Read one row of `GET /templates`. The revision is text on the wire, a number everywhere."""
    revision = _number(document, "revision")
    if revision is None:
        raise _unexpected(f"the revision of template {text(document, 'name')}")
    default = document.get("is_default")
    return ServedTemplate(
        name=text(document, "name"),
        revision=revision,
        catalog=text(document, "catalog"),
        item=text(document, "catalog_item"),
        href="",
        description=text(document, "description"),
        registered=True,
        is_default=default is True or str(default).lower() in ("yes", "true"),
    )


def upgrade_target(document: Mapping[str, Any]) -> UpgradeTarget:
    """Read one row of `GET /cluster/{name}/upgrade-plan`."""

    def joined(*keys: str) -> str:
        return " ".join(part for part in (text(document, key) for key in keys) if part)

    return UpgradeTarget(
        template=text(document, "name"),
        revision=text(document, "revision"),
        kubernetes=joined("kubernetes", "kubernetes_version"),
        docker=text(document, "docker_version"),
        cni=joined("cni", "cni_version"),
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


def _number(document: Mapping[str, Any], key: str) -> int | None:
    with suppress(ValueError):
        return int(text(document, key))
    return None


def _unexpected(what: str) -> VcdFault:
    return VcdFault(f"the CSE server's answer cannot be understood: {what} is not as expected")
