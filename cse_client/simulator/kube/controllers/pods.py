"""Pods as controllers see them: found by owner and by node, made, tolerant of taints, ready."""

from __future__ import annotations

import secrets
from typing import Any

from cse_client.simulator.kube.objects import (
    Obj,
    clone,
    condition,
    dig,
    key_of,
    owned_by,
    owner_reference,
)
from cse_client.simulator.kube.state import Cluster
from cse_client.simulator.kube.store import Change

__all__ = [
    "PODS",
    "PodIndex",
    "fits_node",
    "is_ready",
    "make_pod",
    "tolerates",
    "toleration_for",
]

PODS = ("", "pods")
_LETTERS = "bcdfghjklmnpqrstvwxz2456789"
_KEEP_AWAY = ("NoSchedule", "NoExecute")


class PodIndex:
    """The pods of each owner and of each node, kept up to date by the store's writes."""

    def __init__(self, cluster: Cluster) -> None:
        self._store = cluster.store
        self._by_owner: dict[str, set[tuple[str, str]]] = {}
        self._by_node: dict[str, set[tuple[str, str]]] = {}
        cluster.store.listeners.append(self._note)

    def _note(self, change: Change) -> None:
        if change.key != PODS:
            return
        for pod, adding in ((change.old, False), (change.new, True)):
            if pod is None:
                continue
            owner = owned_by(pod)
            for index, name in (
                (self._by_owner, owner["uid"] if owner else ""),
                (self._by_node, dig(pod, "spec", "nodeName", default="")),
            ):
                places = index.setdefault(name, set())
                (places.add if adding else places.discard)(key_of(pod))
                if not places:
                    del index[name]

    def _pods(self, places: set[tuple[str, str]]) -> list[Obj]:
        found = (self._store.get(PODS, *place) for place in sorted(places))
        return [pod for pod in found if pod is not None]

    def owned(self, owner: Obj) -> list[Obj]:
        """Return the pods of a controller that are not on their way out."""
        return [
            pod
            for pod in self._pods(self._by_owner.get(owner["metadata"]["uid"], set()))
            if not pod["metadata"].get("deletionTimestamp")
        ]

    def on_node(self, name: str) -> list[Obj]:
        """Return the pods that are bound to a node; '' for those that are bound to none."""
        return self._pods(self._by_node.get(name, set()))

    def count(self, node: str) -> int:
        """Return how many pods a node has."""
        return len(self._by_node.get(node, ()))


def make_pod(
    cluster: Cluster,
    owner: Obj,
    *,
    name: str = "",
    labels: Obj | None = None,
    spec: Obj | None = None,
) -> Obj:
    """Create a pod from a controller's template; the rest is filled in as for anybody's pod."""
    from cse_client.simulator.kube.defaults import fill_in
    from cse_client.simulator.kube.rbac import User

    template = clone(owner["spec"]["template"])
    metadata: dict[str, Any] = {
        name: value
        for name, value in (template.get("metadata") or {}).items()
        if name in ("labels", "annotations")
    }
    base = owner["metadata"]["name"]
    if not name:
        metadata["generateName"] = f"{base}-"
        name = f"{base}-" + "".join(secrets.choice(_LETTERS) for _ in range(5))
    metadata.update(
        name=name,
        namespace=owner["metadata"]["namespace"],
        labels={**(metadata.get("labels") or {}), **(labels or {})},
        ownerReferences=[owner_reference(owner)],
    )
    pod = {"metadata": metadata, "spec": {**template.get("spec", {}), **(spec or {})}}
    fill_in(cluster, PODS, pod, None, User("system:kube-controller-manager"))
    return cluster.add(PODS, pod)


def is_ready(pod: Obj) -> bool:
    """Whether a pod's Ready condition is true."""
    return bool(dig(condition(pod, "Ready"), "status") == "True")


def toleration_for(taint: Obj, tolerations: list[Obj]) -> list[Obj]:
    """Return the tolerations that match a taint."""
    found = []
    for item in tolerations:
        if item.get("effect") not in (None, "", taint.get("effect")):
            continue
        if not item.get("key"):
            if item.get("operator") == "Exists":
                found.append(item)
        elif item["key"] == taint.get("key") and (
            item.get("operator") == "Exists"
            or (item.get("value") or "") == (taint.get("value") or "")
        ):
            found.append(item)
    return found


def tolerates(tolerations: list[Obj], node: Obj) -> bool:
    """Whether a pod with these tolerations may be put on a node."""
    return all(
        toleration_for(taint, tolerations)
        for taint in dig(node, "spec", "taints", default=[])
        if taint.get("effect") in _KEEP_AWAY
    )


def _term_holds(term: Obj, labels: Obj, name: str) -> bool:
    def holds(item: Obj, value: str | None) -> bool:
        values = item.get("values") or []
        operator = item.get("operator")
        if operator in ("Gt", "Lt"):
            try:
                left, right = int(value or ""), int(values[0])
            except (ValueError, IndexError):
                return False
            return left > right if operator == "Gt" else left < right
        return {
            "In": value in values,
            "NotIn": value not in values,
            "Exists": value is not None,
            "DoesNotExist": value is None,
        }.get(str(operator), False)

    expressions = term.get("matchExpressions") or []
    fields = term.get("matchFields") or []
    if not expressions and not fields:
        return False
    return all(holds(item, labels.get(item["key"])) for item in expressions) and all(
        holds(item, name) for item in fields
    )


def fits_node(spec: Obj, node: Obj) -> bool:
    """Whether a pod's nodeSelector and required node affinity allow a node."""
    labels = node["metadata"].get("labels") or {}
    if any(labels.get(key) != value for key, value in (spec.get("nodeSelector") or {}).items()):
        return False
    required = dig(
        spec, "affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution"
    )
    if required is None:
        return True
    name = node["metadata"]["name"]
    return any(_term_holds(term, labels, name) for term in required.get("nodeSelectorTerms") or ())
