"""Whether an object of a cluster's API has the shape that is read of it here.

An API server keeps its promises; what pretends to be one need not. Checked once, at the door, so
that whoever reads an object finds either nothing or the right type in each field. Shapes:
kubernetes.io/docs/reference/kubernetes-api; a null is the same as nothing there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime, timezone
from typing import Any

from cse_client.kube.answers import Json, Malformed
from cse_client.model import KubeNode
from cse_client.model.pools import POOL_LABEL

__all__ = ["checked", "items_of", "moment", "node"]

_ROLE = "node-role.kubernetes.io/"

#: A type; `[shape]` is a list of such, `{"*": shape}` a map of such, `{name: shape}` an object; a
#: name with an exclamation mark must be there.
Shape = Any

_TEXTS: Shape = {"*": str}
_CONDITION: Shape = {"type!": str, "status!": str, "reason": str, "message": str}
_METADATA: Shape = {
    "name!": str,
    "namespace": str,
    "uid": str,
    "resourceVersion": str,
    "generation": int,
    "creationTimestamp": str,
    "deletionTimestamp": str,
    "labels": _TEXTS,
    "annotations": _TEXTS,
    "ownerReferences": [{"kind!": str, "name": str, "uid": str, "controller": bool}],
}
_IN_NAMESPACE: Shape = {**_METADATA, "namespace!": str}
_BALANCER: Shape = {"loadBalancer": {"ingress": [{"ip": str, "hostname": str}]}}
_WORKLOAD: Shape = {
    "metadata!": _IN_NAMESPACE,
    "spec!": {"replicas": int},
    "status": dict.fromkeys(
        (
            *("observedGeneration", "updatedReplicas", "availableReplicas"),
            *("desiredNumberScheduled", "numberAvailable", "updatedNumberScheduled"),
        ),
        int,
    ),
}
_BINDING: Shape = {
    "roleRef!": {"name!": str},
    "subjects": [{"kind!": str, "name!": str}],
}
_SHAPES: Mapping[str, Shape] = {
    "ClusterRoleBinding": _BINDING,
    "ConfigMap": {"data": _TEXTS},
    "CustomResourceDefinition": {"spec!": {"group!": str}, "status": {"conditions": [_CONDITION]}},
    "DaemonSet": {**_WORKLOAD, "metadata!": {**_IN_NAMESPACE, "uid!": str}},
    "Deployment": _WORKLOAD,
    "Event": {"involvedObject": {"name": str}, "message": str},
    "Ingress": {
        "metadata!": _IN_NAMESPACE,
        "spec": {"ingressClassName": str},
        "status": _BALANCER,
    },
    "Lease": {"spec": {"renewTime": str}},
    "Namespace": {"status": {"phase": str}},
    "Node": {
        "spec": {"unschedulable": bool, "taints": [{"key": str, "effect": str}]},
        "status": {
            "conditions": [{**_CONDITION, "lastHeartbeatTime": str}],
            "nodeInfo": {"kubeletVersion": str},
        },
    },
    "Pod": {
        "metadata!": {**_IN_NAMESPACE, "uid!": str},
        "spec!": {"nodeName": str, "terminationGracePeriodSeconds": int, "volumes": [dict]},
        "status": {
            "phase": str,
            "conditions": [_CONDITION],
            "containerStatuses": [{"state": {"waiting": {"reason": str, "message": str}}}],
        },
    },
    "PodDisruptionBudget": {
        "metadata!": _IN_NAMESPACE,
        "spec!": {
            "selector": {
                "matchLabels": _TEXTS,
                "matchExpressions": [{"key!": str, "operator!": str, "values": [str]}],
            },
            "unhealthyPodEvictionPolicy": str,
        },
        "status": {"disruptionsAllowed": int, "currentHealthy": int, "desiredHealthy": int},
    },
    "RoleBinding": {"metadata!": _IN_NAMESPACE, **_BINDING},
    "Secret": {"data": _TEXTS},
    "Service": {"metadata!": _IN_NAMESPACE, "spec!": {"type": str}, "status": _BALANCER},
}
_DEEPEST = 100
_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)?Z$")


def items_of(answer: Json, kind: str) -> tuple[list[Json], str]:
    """Return a list's objects, checked, and what asks for its next page; empty when it is whole.

    Raises:
        Malformed: it is not a list, or one of its objects is malformed.
    """
    items, metadata = answer.get("items"), answer.get("metadata")
    if items is None and str(answer.get("kind", "")).endswith("List"):
        items = []
    if not isinstance(items, list):
        raise Malformed(f"no list of {kind} objects")
    more = metadata.get("continue") if isinstance(metadata, dict) else ""
    return [checked(item, kind) for item in items], more if isinstance(more, str) else ""


def checked(obj: object, kind: str) -> Json:
    """Return an object without its nulls.

    Raises:
        Malformed: it has no name, or a field that is read here has another type than it should.
    """
    plain = _without_nulls(obj)
    wrong = _wrong(plain, {"metadata!": _METADATA, **_SHAPES.get(kind, {})}, "")
    if wrong is None:
        return dict(plain)
    metadata = plain.get("metadata") if isinstance(plain, dict) else None
    name = metadata.get("name") if isinstance(metadata, dict) else None
    named = f" {name[:253]!r}" if isinstance(name, str) else ""
    raise Malformed(f"a malformed {kind}{named}" + (f" ({wrong})" if wrong else ""))


def _without_nulls(value: Any, depth: int = 0) -> Any:
    if depth > _DEEPEST:
        raise Malformed("an object that is nested too deeply")
    if isinstance(value, dict):
        return {k: _without_nulls(v, depth + 1) for k, v in value.items() if v is not None}
    if isinstance(value, list):
        return [_without_nulls(item, depth + 1) for item in value]
    return value


def _wrong(value: object, shape: Shape, path: str) -> str | None:
    """Return the path of the first thing that has another shape; None when there is none."""
    if isinstance(shape, list) and isinstance(value, list):
        return _first(_wrong(one, shape[0], path) for one in value)
    if isinstance(shape, dict) and isinstance(value, dict):
        if "*" in shape:
            return _first(_wrong(one, shape["*"], path) for one in value.values())
        return _first(
            _wrong(value[name], inner, here) if name in value else here
            for key, inner in shape.items()
            for name in (key.rstrip("!"),)
            for here in (f"{path}.{name}" if path else name,)
            if name in value or key.endswith("!")
        )
    fits = isinstance(shape, type) and isinstance(value, shape)
    return None if fits and not (shape is int and isinstance(value, bool)) else path


def _first(found: Iterable[str | None]) -> str | None:
    return next((one for one in found if one is not None), None)


def moment(text: str) -> datetime | None:
    """Return a time as Kubernetes writes it (RFC 3339 in UTC); None for what is not one."""
    found = _TIME.match(text)
    if found is None:
        return None
    try:
        return datetime.strptime(found[1], "%Y-%m-%dT%H:%M:%S").replace(tzinfo=timezone.utc)
    except ValueError:
        return None


def node(item: Json) -> KubeNode:
    """Return a Node object that `checked` has accepted."""
    ready: bool | None = None
    heard = None
    reason, message = "no Ready condition", ""
    status = item.get("status", {})
    for condition in status.get("conditions", ()):
        if condition["type"] == "Ready":
            ready = {"True": True, "False": False}.get(condition["status"])
            reason = "" if ready else condition.get("reason", "")
            message = "" if ready else condition.get("message", "")
            heard = moment(condition.get("lastHeartbeatTime", ""))
    metadata = item["metadata"]
    roles = sorted(key[len(_ROLE) :] for key in metadata.get("labels", {}) if key.startswith(_ROLE))
    return KubeNode(
        name=metadata["name"],
        ready=ready,
        reason=reason,
        message=message,
        kubelet_version=status.get("nodeInfo", {}).get("kubeletVersion", ""),
        roles=tuple(roles),
        unschedulable=item.get("spec", {}).get("unschedulable", False),
        created=moment(metadata.get("creationTimestamp", "")),
        heard=heard,
        pool=metadata.get("labels", {}).get(POOL_LABEL, ""),
    )
