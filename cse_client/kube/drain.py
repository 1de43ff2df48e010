"""Emptying nodes as `kubectl drain --ignore-daemonsets` does, and taking them out of a cluster.

Which pods block a drain, and what happens to each, is kubectl's (kubernetes/kubectl:
pkg/drain/filters.go, drain.go). Clusters below 1.22 know evictions as policy/v1beta1 only, those
below 1.21 disruption budgets likewise.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cse_client.clock import Clock, backoff, polling
from cse_client.errors import Refused, TimedOut
from cse_client.kube.answers import Json, is_of_a_budget, message_of, problem
from cse_client.model import Event, EventKind, Progress
from cse_client.reports import LEASE_NAMESPACE

if TYPE_CHECKING:
    from cse_client.kube.api import ClusterAPI

__all__ = ["Stuck", "cordon", "delete_node", "delete_pods", "drain", "find_stuck_pods", "uncordon"]

_MIRROR = "kubernetes.io/config.mirror"
_EVICTIONS_V1 = (1, 22)
_BUDGETS_V1 = (1, 21)
#: Since when evictions ignore budgets for pending pods, let pods go that are not Ready where enough
#: others are, and know spec.unhealthyPodEvictionPolicy (kubernetes/kubernetes#83906, #94381,
#: #113375).
_SKIPS_PENDING, _KNOWS_UNREADY, _ALWAYS_ALLOWS = (1, 19), (1, 20), (1, 27)
_BAD = 400
_NOT_FOUND, _CONFLICT, _FAULT = 404, 409, 500
#: The API server's own words, with HTTP 500 (kubernetes:pkg/registry/core/pod/storage/eviction.go).
_TWO_BUDGETS = "more than one PodDisruptionBudget"
#: Seconds between two attempts of an eviction that a disruption budget refuses.
_FIRST_PAUSE = 0.2
_LONGEST_PAUSE = 5.0
_GROWTH = 1.6
#: How long an evicted pod may take beyond its own grace period before a dead node is suspected.
_DEAD_AFTER = 10.0


@dataclass(frozen=True)
class Stuck:
    """A pod that a drain could not move, and why."""

    namespace: str
    pod: str
    node: str
    reason: str


def find_stuck_pods(api: ClusterAPI, nodes: Sequence[str]) -> tuple[Stuck, ...]:
    """Return the pods on these nodes that a drain could not move; reads only.

    Such are pods without a controller, which nobody would start again, pods with local data
    (emptyDir), pods whose disruption budget allows no eviction now, and pods with two disruption
    budgets, which Kubernetes never evicts. Two requests, or one more for every 500 pods.
    """
    wanted = set(nodes)
    pods = [pod for pod in _pods(api) if pod["spec"].get("nodeName") in wanted]
    movable = [pod for pod in pods if _counts(pod)]
    budgets = _budgets(api) if movable else []
    minor = api.minor() if budgets else (1, 0)
    return tuple(
        Stuck(
            pod["metadata"]["namespace"],
            pod["metadata"]["name"],
            pod["spec"]["nodeName"],
            reason,
        )
        for pod in movable
        if (reason := _why_stuck(pod, budgets, minor))
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

    Harmless for a node that is gone or drained already. An eviction that disruption budgets refuse
    is tried again until `deadline` (of `clock`); with `force` the pod is deleted instead.
    Pods of a node that is not Ready, whose kubelet cannot confirm their end, are removed from the
    API at last.

    Raises:
        TimedOut: the timeout expired; names a pod and what held it.
        Refused: two disruption budgets cover a pod, and not `force`.
        ClusterUnreachable: the API stopped answering.
    """
    if not _cordon(api, node, on=True):
        return
    pods = [pod for pod in _pods(api, node) if _counts(pod)]
    waiting = list(pods)
    for pause in backoff(_FIRST_PAUSE, _LONGEST_PAUSE, _GROWTH):
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
    _await_end(api, node, pods, deadline, clock)


def delete_node(api: ClusterAPI, name: str) -> bool:
    """Delete a Node object with its Lease; False when there was no Node.

    A kubelet makes its Node the Lease's owner; that of a node that never joined has none.
    """
    lease = f"/apis/coordination.k8s.io/v1/namespaces/{LEASE_NAMESPACE}/leases/{name}"
    status, answer = api.ask("DELETE", lease)
    _did(api, status, answer, f"delete the lease of node {name}")
    status, answer = api.ask("DELETE", f"/api/v1/nodes/{name}")
    return _did(api, status, answer, f"delete the node {name}")


def delete_pods(api: ClusterAPI, node: str) -> None:
    """Delete the pods of a machine that no longer exists, at once: nothing of them can run."""
    for pod in list(_pods(api, node)):
        _delete(api, pod, at_once=True)


def cordon(api: ClusterAPI, node: str) -> bool:
    """Let no more pods onto a node; False when there is no such node."""
    return _cordon(api, node, on=True)


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
    return _did(api, status, answer, f"{'cordon' if on else 'uncordon'} the node {node}")


def _did(api: ClusterAPI, status: int, answer: Json, doing: str) -> bool:
    if status == _NOT_FOUND:
        return False
    if status >= _BAD:
        raise problem(status, answer, doing, api.server)
    return True


def _pods(api: ClusterAPI, node: str = "") -> Iterator[Json]:
    query = {"fieldSelector": f"spec.nodeName={node}"} if node else {}
    return api.listing("/api/v1/pods", "Pod", "list the pods", query)


def _counts(pod: Mapping[str, Any]) -> bool:
    """Return whether a drain has to move a pod: DaemonSets' and static pods come back alone."""
    if _MIRROR in (pod["metadata"].get("annotations") or {}):
        return False
    owner = _controller(pod)
    return not (owner is not None and owner["kind"] == "DaemonSet" and not _finished(pod))


def _controller(pod: Mapping[str, Any]) -> Mapping[str, Any] | None:
    owners = pod["metadata"].get("ownerReferences") or ()
    return next((owner for owner in owners if owner.get("controller")), None)


def _finished(pod: Mapping[str, Any]) -> bool:
    return (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")


def _why_stuck(
    pod: Mapping[str, Any], budgets: Sequence[Mapping[str, Any]], minor: tuple[int, int]
) -> str:
    if _finished(pod) or pod["metadata"].get("deletionTimestamp"):
        return ""
    if _controller(pod) is None:
        return "it has no controller that would start it again"
    if any("emptyDir" in volume for volume in pod["spec"].get("volumes") or ()):
        return "its local data would be lost"
    skipped = minor >= _SKIPS_PENDING and pod.get("status", {}).get("phase") == "Pending"
    covering = [budget for budget in budgets if not skipped and _covers(budget, pod)]
    names = [str(budget["metadata"]["name"]) for budget in covering]
    if len(covering) > 1:
        return f"more than one disruption budget covers it ({', '.join(sorted(names))})"
    if covering and not _allows(covering[0], pod, minor):
        return f"the disruption budget {names[0]} allows no eviction"
    return ""


def _allows(budget: Mapping[str, Any], pod: Mapping[str, Any], minor: tuple[int, int]) -> bool:
    """Return whether a budget lets a pod go: one that is not Ready goes where enough others are."""
    status = budget.get("status", {})
    if status.get("disruptionsAllowed"):
        return True
    if _is_ready(pod):
        return False
    healthy, needed = status.get("currentHealthy", 0), status.get("desiredHealthy", 0)
    always = budget["spec"].get("unhealthyPodEvictionPolicy") == "AlwaysAllow"
    return (always and minor >= _ALWAYS_ALLOWS) or (
        healthy >= needed > 0 and minor >= _KNOWS_UNREADY
    )


def _budgets(api: ClusterAPI) -> list[Json]:
    version = "v1" if api.minor() >= _BUDGETS_V1 else "v1beta1"
    path = f"/apis/policy/{version}/poddisruptionbudgets"
    found = api.listing(path, "PodDisruptionBudget", "list the disruption budgets")
    return [{**item, "apiVersion": f"policy/{version}"} for item in found]


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
    }.get(expression["operator"], False)


def _evict(api: ClusterAPI, pod: Mapping[str, Any], *, force: bool) -> str:
    """Ask for a pod's eviction; return what holds it, empty when it is on its way."""
    name, namespace = pod["metadata"]["name"], pod["metadata"]["namespace"]
    version = "v1" if api.minor() >= _EVICTIONS_V1 else "v1beta1"
    eviction = {
        "apiVersion": f"policy/{version}",
        "kind": "Eviction",
        "metadata": {"name": name, "namespace": namespace},
        # a pod of the same name that came later is not meant, also where this is sent twice
        "deleteOptions": {"preconditions": {"uid": pod["metadata"]["uid"]}},
    }
    path = f"/api/v1/namespaces/{namespace}/pods/{name}"
    status, answer = api.ask("POST", f"{path}/eviction", eviction, repeatable=True)
    if status < _BAD or status in (_NOT_FOUND, _CONFLICT):
        return ""
    why = message_of(answer)
    two = status == _FAULT and _TWO_BUDGETS in why
    if not two and not is_of_a_budget(status, answer):
        raise problem(status, answer, f"evict {namespace}/{name}", api.server)
    if force:
        _delete(api, pod)
        return ""
    if two:
        raise Refused(
            f"Node '{pod['spec'].get('nodeName')}' cannot be drained: {namespace}/{name} is covered"
            " by more than one disruption budget, and Kubernetes evicts no such pod.",
            hint="Remove a budget, or delete the pod, also with --force.",
        )
    return why


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
    if status >= _BAD and status not in (_NOT_FOUND, _CONFLICT):
        raise problem(status, answer, f"delete {namespace}/{name}", api.server)


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
    for pause in polling(clock):
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


def _ready(api: ClusterAPI, node: str) -> bool:
    found = api.read(f"/api/v1/nodes/{node}", "Node", f"read the node {node}")
    return found is not None and _is_ready(found)


def _is_ready(obj: Mapping[str, Any]) -> bool:
    """Return whether a node or pod is Ready."""
    conditions = obj.get("status", {}).get("conditions", ())
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def _too_late(node: str, pod: Mapping[str, Any], why: str) -> TimedOut:
    name = f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"
    return TimedOut(
        f"Node '{node}' could not be drained in time: {name} is still there ({why.rstrip('.')}).",
        hint="Move or delete the pod, or delete it with --force.",
    )
