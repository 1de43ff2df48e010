"""A new cluster with another cluster's state: what it must not keep, so that both can live.

The state comes out of a backup. It names machines, addresses and disks of the cluster that was
backed up, and this may still run beside the new one.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from cse_client.kube.answers import Json, problem
from cse_client.kube.api import ClusterAPI
from cse_client.kube.ca_secret import NAME, NAMESPACE
from cse_client.kube.drain import delete_node, delete_pods

__all__ = ["Parted", "part"]

_NOT_FOUND, _CONFLICT, _BAD = 404, 409, 400
_MERGE = "application/merge-patch+json"
_TOKENS = {"fieldSelector": "type=kubernetes.io/service-account-token"}


@dataclass(frozen=True)
class Parted:
    """What was taken from the new cluster: the number of Nodes, volumes and address pools."""

    nodes: int
    volumes: int
    address_pools: int


def part(api: ClusterAPI, keep: Collection[str]) -> Parted:
    """Take from a restored cluster what belongs to the other one; may be repeated.

    - Nodes but those in `keep`, and the pods on them.
    - MetalLB's address pools: both clusters would answer at the same addresses.
    - The attachments of volumes, without detaching: the disks are those of the other cluster's VMs.
      PersistentVolumes stay, and are never deleted with their claim (reclaim policy Retain).
    - The other cluster's CA keys, where it was sealed.
    - Tokens of service accounts in Secrets: they were signed with the other cluster's key. The
      token controller issues new ones.

    Raises:
        ClusterUnreachable: the API does not answer, or not as expected.
    """
    pools = _delete_all(
        api, "/apis/metallb.io/v1beta1/ipaddresspools", "IPAddressPool", certain=False
    )
    _delete_all(api, "/apis/storage.k8s.io/v1/volumeattachments", "VolumeAttachment")
    volumes = _retain_volumes(api)
    nodes = [node.name for node in api.nodes() if node.name not in keep]
    for name in nodes:
        delete_node(api, name)
        delete_pods(api, name)
    _change(api, "DELETE", f"/api/v1/namespaces/{NAMESPACE}/secrets/{NAME}")
    _reissue_tokens(api)
    return Parted(len(nodes), volumes, pools)


def _delete_all(api: ClusterAPI, path: str, kind: str, *, certain: bool = True) -> int:
    """Delete all objects of a kind, without waiting for who wanted to know before."""
    found = list(api.listing(path, kind, f"list the {kind} objects", certain=certain))
    for one in found:
        place = _path(path, one)
        if one["metadata"].get("finalizers"):
            _change(api, "PATCH", place, {"metadata": {"finalizers": None}})
        _change(api, "DELETE", place)
    return len(found)


def _retain_volumes(api: ClusterAPI) -> int:
    path = "/api/v1/persistentvolumes"
    found = list(api.listing(path, "PersistentVolume", "list the volumes"))
    for one in found:
        body = {"spec": {"persistentVolumeReclaimPolicy": "Retain"}}
        _change(api, "PATCH", _path(path, one), body)
    return len(found)


def _reissue_tokens(api: ClusterAPI) -> None:
    path = "/api/v1/secrets"
    for one in list(api.listing(path, "Secret", "list the tokens", _TOKENS)):
        if one.get("type") == "kubernetes.io/service-account-token":
            _change(api, "PATCH", _path(path, one), {"data": {"token": None}})


def _path(path: str, one: Json) -> str:
    """Return an object's own path, below that of all of its kind."""
    name, namespace = one["metadata"]["name"], one["metadata"].get("namespace")
    if not namespace:
        return f"{path}/{name}"
    group, _, plural = path.rpartition("/")
    return f"{group}/namespaces/{namespace}/{plural}/{name}"


def _change(api: ClusterAPI, method: str, path: str, body: dict[str, Any] | None = None) -> None:
    status, answer = (
        api.ask(method, path, body, content_type=_MERGE) if body else api.ask(method, path)
    )
    if status >= _BAD and status not in (_NOT_FOUND, _CONFLICT):
        doing = "change" if body else "delete"
        raise problem(status, answer, f"{doing} {path.rpartition('/')[2]}", api.server)
