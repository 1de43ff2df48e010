"""Emptying nodes as `kubectl drain --ignore-daemonsets` does, and taking them out of a cluster.

Which pods stand in the way, and what happens to which, is kubectl's (kubernetes/kubectl:
pkg/drain/filters.go, drain.go). Clusters below 1.22 know evictions as policy/v1beta1 only, those
below 1.21 disruption budgets likewise.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from cse_client.errors import Refused, TimedOut
from cse_client.model import Event, EventKind, Progress

if TYPE_CHECKING:
    from cse_client.kube.nodes import ClusterAPI

__all__ = ["Stuck", "delete_node", "drain", "look", "uncordon"]

_PAGE = "500"
_MIRROR = "kubernetes.io/config.mirror"
_EVICTIONS_V1 = (1, 22)
_BUDGETS_V1 = (1, 21)
_OK = (200, 201, 202)
_NOT_FOUND = 404
_CONFLICT = 409
_TOO_MANY = 429
_FIRST_PAUSE = 0.2
_LONGEST_PAUSE = 5.0
#: How long an evicted pod may take beyond its own grace period before a dead node is suspected.
_DEAD_AFTER = 10.0


class Clock(Protocol):
    """Seconds that only grow, and a way to let some of them pass."""

    def monotonic(self) -> float:
        """Return seconds since some fixed moment."""

    def sleep(self, seconds: float) -> None:
        """Return after `seconds`."""


@dataclass(frozen=True)
class Stuck:
    """A pod that a drain could not move, and why."""

    namespace: str
    pod: str
    node: str
    reason: str


def look(api: ClusterAPI, nodes: Sequence[str]) -> tuple[Stuck, ...]:
    """Return the pods on these nodes that a drain could not move; reads only.

    Such are pods without a controller, which nobody would start again, pods with local data
    (emptyDir), and pods whose disruption budget allows no eviction now. Two requests, or one more
    for every 500 pods.
    """
    wanted = set(nodes)
    pods = [pod for pod in _pods(api) if pod["spec"].get("nodeName") in wanted]
    movable = [pod for pod in pods if _counts(pod)]
    budgets = _budgets(api) if movable else []
    return tuple(
        Stuck(
            pod["metadata"]["namespace"],
            pod["metadata"]["name"],
            pod["spec"]["nodeName"],
            reason,
        )
        for pod in movable
        if (reason := _why_stuck(pod, budgets))
    )


def drain(
    api: ClusterAPI,
    node: str,
    *,
    force: bool,
    deadline: float,
    clock: Clock,
    progress: Progress,
) -> None:
    """Keep new pods off a node and evict those on it; returns when they are gone.

    Harmless for a node that is gone or drained already. An eviction that a disruption budget
    refuses is tried again until `deadline` (of `clock`); with `force` the pod is deleted instead.
    Pods of a node that is not Ready, whose kubelet cannot confirm their end, are removed from the
    API at last.

    Raises:
        TimedOut: the time was up; names a pod and what held it.
        ClusterUnreachable: the API stopped answering.
    """
    if not _cordon(api, node, on=True):
        return
    pods = [pod for pod in _pods(api, node) if _counts(pod)]
    pause = _FIRST_PAUSE
    waiting = list(pods)
    while waiting:
        held = [(pod, why) for pod in waiting if (why := _evict(api, pod, force=force))]
        waiting = [pod for pod, _why in held]
        if not waiting:
            break
        if clock.monotonic() + pause >= deadline:
            raise _too_late(node, *held[0])
        if pause == _FIRST_PAUSE:
            name = f"{waiting[0]['metadata']['namespace']}/{waiting[0]['metadata']['name']}"
            text = f"{node}: the disruption budget holds {name}; waiting"
            progress(Event(EventKind.NOTE, text))
        clock.sleep(pause)
        pause = min(_LONGEST_PAUSE, pause * 1.6)
    _await_end(api, node, pods, deadline, clock)


def delete_node(api: ClusterAPI, name: str) -> bool:
    """Delete a Node object; False when there was none."""
    status, answer = api.ask("DELETE", f"/api/v1/nodes/{name}")
    return _did(status, answer, f"delete the node {name}")


def uncordon(api: ClusterAPI, node: str) -> bool:
    """Let pods onto a node again; False when there is no such node."""
    return _cordon(api, node, on=False)


def _cordon(api: ClusterAPI, node: str, *, on: bool) -> bool:
    status, answer = api.ask(
        "PATCH",
        f"/api/v1/nodes/{node}",
        {"spec": {"unschedulable": True if on else None}},
        content_type="application/merge-patch+json",
    )
    return _did(status, answer, f"{'cordon' if on else 'uncordon'} the node {node}")


def _did(status: int, answer: Any, doing: str) -> bool:
    if status == _NOT_FOUND:
        return False
    if status not in _OK:
        raise _refusal(answer, doing)
    return True


def _refusal(answer: Any, doing: str) -> Refused:
    said = answer.get("message", "") if isinstance(answer, dict) else ""
    return Refused(f"the cluster's API refused to {doing}: {said or 'it gives no reason'}")


def _pods(api: ClusterAPI, node: str = "") -> Iterator[dict[str, Any]]:
    query = {"limit": _PAGE}
    if node:
        query["fieldSelector"] = f"spec.nodeName={node}"
    while True:
        status, answer = api.ask("GET", "/api/v1/pods", query=query)
        if status not in _OK:
            raise _refusal(answer, "list the pods")
        yield from answer["items"]
        following = answer["metadata"].get("continue")
        if not following:
            return
        query["continue"] = following


def _counts(pod: Mapping[str, Any]) -> bool:
    """Say whether a drain has to move a pod: DaemonSets' and static pods come back alone."""
    if _MIRROR in (pod["metadata"].get("annotations") or {}):
        return False
    owner = _controller(pod)
    return not (owner is not None and owner["kind"] == "DaemonSet" and not _finished(pod))


def _controller(pod: Mapping[str, Any]) -> Mapping[str, Any] | None:
    owners = pod["metadata"].get("ownerReferences") or ()
    return next((owner for owner in owners if owner.get("controller")), None)


def _finished(pod: Mapping[str, Any]) -> bool:
    return (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")


def _why_stuck(pod: Mapping[str, Any], budgets: Sequence[Mapping[str, Any]]) -> str:
    if _finished(pod) or pod["metadata"].get("deletionTimestamp"):
        return ""
    if _controller(pod) is None:
        return "no controller would start it again"
    if any("emptyDir" in volume for volume in pod["spec"].get("volumes") or ()):
        return "its local data would be lost"
    for budget in budgets:
        if _covers(budget, pod) and not (budget.get("status") or {}).get("disruptionsAllowed"):
            return f"the disruption budget {budget['metadata']['name']} allows no eviction"
    return ""


def _budgets(api: ClusterAPI) -> list[dict[str, Any]]:
    version = "v1" if api.minor() >= _BUDGETS_V1 else "v1beta1"
    status, answer = api.ask("GET", f"/apis/policy/{version}/poddisruptionbudgets")
    if status not in _OK:
        raise _refusal(answer, "list the disruption budgets")
    return [{**item, "apiVersion": f"policy/{version}"} for item in answer["items"]]


def _covers(budget: Mapping[str, Any], pod: Mapping[str, Any]) -> bool:
    """Match a budget's label selector; an empty one means all since policy/v1, none before."""
    if budget["metadata"]["namespace"] != pod["metadata"]["namespace"]:
        return False
    selector = budget["spec"].get("selector")
    if selector is None:
        return False
    labels = pod["metadata"].get("labels") or {}
    exact = selector.get("matchLabels") or {}
    expressions = selector.get("matchExpressions") or ()
    if not exact and not expressions:
        return bool(budget["apiVersion"] == "policy/v1")
    return all(labels.get(key) == value for key, value in exact.items()) and all(
        _holds(one, labels) for one in expressions
    )


def _holds(expression: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    key, values = expression["key"], expression.get("values") or ()
    return {
        "In": key in labels and labels[key] in values,
        "NotIn": labels.get(key) not in values,
        "Exists": key in labels,
        "DoesNotExist": key not in labels,
    }[expression["operator"]]


def _evict(api: ClusterAPI, pod: Mapping[str, Any], *, force: bool) -> str:
    """Ask for a pod's eviction; return what holds it, empty when it is on its way."""
    name, namespace = pod["metadata"]["name"], pod["metadata"]["namespace"]
    version = "v1" if api.minor() >= _EVICTIONS_V1 else "v1beta1"
    eviction = {
        "apiVersion": f"policy/{version}",
        "kind": "Eviction",
        "metadata": {"name": name, "namespace": namespace},
    }
    path = f"/api/v1/namespaces/{namespace}/pods/{name}"
    status, answer = api.ask("POST", f"{path}/eviction", eviction)
    if status in _OK or status in (_NOT_FOUND, _CONFLICT):
        return ""
    if status != _TOO_MANY:
        raise _refusal(answer, f"evict {namespace}/{name}")
    if not force:
        return str(answer.get("message") or "its disruption budget")
    _delete(api, pod)
    return ""


def _delete(api: ClusterAPI, pod: Mapping[str, Any], *, at_once: bool = False) -> None:
    name, namespace = pod["metadata"]["name"], pod["metadata"]["namespace"]
    body: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "DeleteOptions",
        # a pod of the same name that came later is not meant
        "preconditions": {"uid": pod["metadata"]["uid"]},
    }
    if at_once:
        body["gracePeriodSeconds"] = 0
    status, answer = api.ask("DELETE", f"/api/v1/namespaces/{namespace}/pods/{name}", body)
    if status not in _OK and status not in (_NOT_FOUND, _CONFLICT):
        raise _refusal(answer, f"delete {namespace}/{name}")


def _await_end(
    api: ClusterAPI,
    node: str,
    pods: Sequence[Mapping[str, Any]],
    deadline: float,
    clock: Clock,
) -> None:
    evicted = {pod["metadata"]["uid"] for pod in pods}
    grace = max((pod["spec"].get("terminationGracePeriodSeconds") or 0 for pod in pods), default=0)
    hopeless = clock.monotonic() + grace + _DEAD_AFTER
    dead = not _ready(api, node)
    pause = _FIRST_PAUSE
    while evicted:
        left = [pod for pod in _pods(api, node) if pod["metadata"]["uid"] in evicted]
        if not left:
            return
        if dead or (clock.monotonic() >= hopeless and not _ready(api, node)):
            for pod in left:
                _delete(api, pod, at_once=True)
            dead = False
            hopeless = deadline
        if clock.monotonic() + pause >= deadline:
            raise _too_late(node, left[0], "it does not end")
        clock.sleep(pause)
        pause = min(_LONGEST_PAUSE, pause * 1.6)


def _ready(api: ClusterAPI, node: str) -> bool:
    status, answer = api.ask("GET", f"/api/v1/nodes/{node}")
    if status not in _OK:
        return False
    conditions = (answer.get("status") or {}).get("conditions") or ()
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def _too_late(node: str, pod: Mapping[str, Any], why: str) -> TimedOut:
    name = f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"
    return TimedOut(
        f"Node '{node}' could not be drained in time: {name} is still there ({why.rstrip('.')}).",
        hint="Move or delete the pod, or let it be ended with --force.",
    )
