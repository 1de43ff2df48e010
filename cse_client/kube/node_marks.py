"""Labels and taints of nodes that have joined already."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from cse_client.errors import ClusterUnreachable
from cse_client.kube.answers import Json, problem
from cse_client.model.pools import Taint

if TYPE_CHECKING:
    from cse_client.kube.api import ClusterAPI

__all__ = ["mark_node"]

_BAD, _NOT_FOUND, _CONFLICT = 400, 404, 409
#: Kubelets and controllers change Nodes all the time.
_ATTEMPTS = 10


def mark_node(
    api: ClusterAPI,
    name: str,
    *,
    labels: Mapping[str, str | None],
    taints: Iterable[Taint] = (),
    former: Iterable[Taint] = (),
) -> bool:
    """Set labels (None: remove) and taints of a node; `former` taints go unless they are wanted.

    All other labels and taints stay. Returns False when there is no such node.

    Raises:
        CseError: the cluster's API refused it.
    """
    path, doing = f"/api/v1/nodes/{name}", f"change the labels and taints of the node {name}"
    for _attempt in range(_ATTEMPTS):
        node = api.read(path, "Node", doing)
        if node is None:
            return False
        patch = _patch(node, labels, list(taints), list(former))
        if not patch:
            return True
        patch["metadata"] = {
            **patch.get("metadata", {}),
            "resourceVersion": node["metadata"].get("resourceVersion"),
        }
        status, answer = api.ask("PATCH", path, patch, content_type="application/merge-patch+json")
        if status == _NOT_FOUND:
            return False
        if status != _CONFLICT:
            if status >= _BAD:
                raise problem(status, answer, doing, api.server)
            return True
    raise ClusterUnreachable(
        f"The node {name} is changed by somebody else all the time, so its labels and taints could"
        " not be.",
        hint="Run the same command again.",
    )


def _patch(
    node: Json, labels: Mapping[str, str | None], taints: list[Taint], former: list[Taint]
) -> Json:
    """Return what is to change of a Node; a merge patch replaces the whole list of taints."""
    has = node["metadata"].get("labels", {})
    changed = {key: value for key, value in labels.items() if has.get(key) != value}
    present = node.get("spec", {}).get("taints", [])
    ours = {(one.key, one.effect) for one in (*taints, *former)}
    wanted = [one for one in present if (one.get("key"), one.get("effect")) not in ours]
    wanted += [_document(one) for one in taints]
    patch: Json = {"metadata": {"labels": changed}} if changed else {}
    if _keyed(wanted) != _keyed(present):
        patch["spec"] = {"taints": wanted}
    return patch


def _document(taint: Taint) -> Json:
    found = {"key": taint.key, "effect": taint.effect}
    return {**found, "value": taint.value} if taint.value else found


def _keyed(taints: Iterable[Json]) -> set[tuple[str, str, str]]:
    return {(one.get("key", ""), one.get("value", ""), one.get("effect", "")) for one in taints}
