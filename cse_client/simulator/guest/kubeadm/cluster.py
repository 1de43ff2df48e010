"""Creating or updating objects through the cluster's API, as kubeadm does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cse_client.simulator.guest.kubeadm.problems import KubeadmError
from cse_client.simulator.guest.kubeadm.versions import LOCAL_SOCKET_SINCE
from cse_client.simulator.guest.kubeclient import Credentials, KubeClient, Unreachable, message_of

if TYPE_CHECKING:
    from cse_client.simulator.guest.exchange import Call
    from cse_client.simulator.guest.system import System

__all__ = ["client_for", "mark_control_plane", "path_of", "put"]

_CREATED, _OK, _CONFLICT = 201, 200, 409
_PLURALS = {"Endpoints": "endpoints", "NetworkPolicy": "networkpolicies"}
_CLUSTER_WIDE = ("ClusterRole", "ClusterRoleBinding", "Namespace", "Node")
_MERGE = "application/strategic-merge-patch+json"


def client_for(system: System, credentials: Credentials) -> KubeClient:
    """Return a client of the guest for these credentials."""
    return KubeClient(credentials, now=system.now, gate=system.life.check)


def path_of(document: dict[str, Any]) -> str:
    """Return the API path of an object's collection."""
    version, kind = document["apiVersion"], document["kind"]
    base = f"/api/{version}" if "/" not in version else f"/apis/{version}"
    plural = _PLURALS.get(kind, kind.lower() + "s")
    if kind in _CLUSTER_WIDE:
        return f"{base}/{plural}"
    return f"{base}/namespaces/{document['metadata'].get('namespace', 'default')}/{plural}"


def put(client: KubeClient, document: dict[str, Any], phase: str) -> None:
    """Create an object, or update it where it exists; raises KubeadmError."""
    path = path_of(document)
    name = document["metadata"]["name"]
    try:
        status, answer = client.request("POST", path, document)
        if status == _CONFLICT:
            status, answer = _update(client, f"{path}/{name}", document)
    except Unreachable as error:
        raise KubeadmError(f"error execution phase {phase}: {error}") from error
    if status not in (_CREATED, _OK):
        raise KubeadmError(
            f"error execution phase {phase}: unable to create or update {document['kind']}"
            f' "{name}": {message_of(status, answer)}'
        )


def _update(client: KubeClient, path: str, document: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    """Replace an object; what the API server keeps is carried over."""
    status, old = client.request("GET", path)
    if status != _OK:
        return status, old
    body = {**document, "metadata": {**old["metadata"], **document["metadata"]}}
    if document["kind"] == "Service":
        body["spec"] = {**old["spec"], **document["spec"]}
    return client.request("PUT", path, body)


def mark_control_plane(system: System, call: Call, client: KubeClient, node: str) -> None:
    """Give a control plane's node its labels and taints, by release; raises KubeadmError."""
    minor = system.image.minor
    labels = {}
    if minor < 24:  # noqa: PLR2004
        labels["node-role.kubernetes.io/master"] = ""
    if minor >= 20:  # noqa: PLR2004
        labels["node-role.kubernetes.io/control-plane"] = ""
        labels["node.kubernetes.io/exclude-from-external-load-balancers"] = ""
    taints = []
    if minor < 25:  # noqa: PLR2004
        taints.append({"key": "node-role.kubernetes.io/master", "effect": "NoSchedule"})
    if minor >= 24:  # noqa: PLR2004
        taints.append({"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"})
    call.out(f"[mark-control-plane] Marking the node {node} as control-plane by adding the labels")
    try:
        status, found = client.request("GET", f"/api/v1/nodes/{node}")
        if status == _OK:
            kept = [
                taint
                for taint in (found.get("spec") or {}).get("taints") or []
                if taint.get("key") not in {new["key"] for new in taints}
            ]
            status, found = client.request(
                "PATCH",
                f"/api/v1/nodes/{node}",
                {"metadata": {"labels": labels}, "spec": {"taints": kept + taints}},
                content_type="application/merge-patch+json",
            )
    except Unreachable as error:
        raise KubeadmError(f"error execution phase mark-control-plane: {error}") from error
    if status != _OK:
        raise KubeadmError(f"error execution phase mark-control-plane: {message_of(status, found)}")


def note_socket(client: KubeClient, node: str, cri_socket: str, minor: int) -> bool:
    """Note the runtime's socket at a node; False while the node is not there.

    Since NodeLocalCRISocket (on by default from 1.34 on) it stands in a file of the node instead.
    """
    path = f"/api/v1/nodes/{node}"
    if minor >= LOCAL_SOCKET_SINCE:
        return client.request("GET", path)[0] == _OK
    body = {"metadata": {"annotations": {"kubeadm.alpha.kubernetes.io/cri-socket": cri_socket}}}
    return client.request("PATCH", path, body, content_type=_MERGE)[0] == _OK
