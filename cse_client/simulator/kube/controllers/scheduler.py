"""The scheduler: binds pods to the least busy node that they may run on.

Node selectors, required node affinity, taints, and the CPU and memory that are asked for are
looked at; inter-pod affinity and spreading are not.
"""

from __future__ import annotations

from datetime import datetime

from cse_client.simulator.kube.controllers.nodes import NODES
from cse_client.simulator.kube.controllers.pods import PODS, PodIndex, fits_node, tolerates
from cse_client.simulator.kube.objects import Obj, condition, dig, parse_quantity
from cse_client.simulator.kube.state import Cluster
from cse_client.simulator.kube.store import Change

__all__ = ["Scheduler"]

_RESOURCES = ("cpu", "memory")
_OWN = "default-scheduler"


def _open(node: Obj | None) -> tuple[object, ...]:
    """Return what of a node matters for scheduling."""
    if node is None:
        return ()
    return (
        dig(node, "spec", "taints", default=[]),
        dig(node, "metadata", "labels", default={}),
        dig(node, "status", "allocatable"),
    )


def _requests(pod: Obj) -> dict[str, float]:
    return {
        name: sum(
            parse_quantity(dig(container, "resources", "requests", name, default=0))
            for container in pod["spec"].get("containers") or ()
        )
        for name in _RESOURCES
    }


class Scheduler:
    """Binds pods that have no node."""

    def __init__(self, cluster: Cluster, pods: PodIndex) -> None:
        self._cluster = cluster
        self._pods = pods

    def changed(self, change: Change) -> None:
        """Bind a new pod; try the waiting ones again when there is more room."""
        if change.key == PODS:
            if change.new is None:
                if any(_requests(change.old or {"spec": {}}).values()):
                    self._retry()
            elif change.old is None and not dig(change.new, "spec", "nodeName"):
                self._schedule(change.new)
        elif change.key == NODES and _open(change.old) != _open(change.new):
            self._retry()

    def tick(self, now: datetime) -> datetime | None:
        """Nothing here depends on time."""

    def _retry(self) -> None:
        for pod in self._pods.on_node(""):
            self._schedule(pod)

    def _schedule(self, pod: Obj) -> None:
        current = self._cluster.store.get(
            PODS, pod["metadata"]["namespace"], pod["metadata"]["name"]
        )
        if current is None or dig(current, "spec", "nodeName"):
            return
        if current["metadata"].get("deletionTimestamp") or (
            dig(current, "spec", "schedulerName", default=_OWN) != _OWN
        ):
            return
        nodes = list(self._cluster.store.each(NODES))
        tolerations = dig(current, "spec", "tolerations", default=[])
        reasons: dict[str, int] = {}
        fitting = []
        for node in nodes:
            why = self._hindrance(current, node, tolerations)
            if why:
                reasons[why] = reasons.get(why, 0) + 1
            else:
                fitting.append(node["metadata"]["name"])
        if not fitting:
            self._cannot(current, len(nodes), reasons)
            return
        best = min(fitting, key=lambda name: (self._pods.count(name), name))
        conditions = [
            item
            for item in dig(current, "status", "conditions", default=[])
            if item["type"] != "PodScheduled"
        ]
        conditions.append(
            {
                "type": "PodScheduled",
                "status": "True",
                "lastTransitionTime": self._cluster.now(),
            }
        )
        self._cluster.put(
            PODS,
            current,
            spec={**current["spec"], "nodeName": best},
            status={**current.get("status", {}), "conditions": conditions},
        )

    def _hindrance(self, pod: Obj, node: Obj, tolerations: list[Obj]) -> str:
        if not tolerates(tolerations, node):
            return "node(s) had untolerated taints"
        if not fits_node(pod["spec"], node):
            return "node(s) didn't match Pod's node affinity/selector"
        wanted = _requests(pod)
        if not any(wanted.values()):
            return ""
        there = [_requests(item) for item in self._pods.on_node(node["metadata"]["name"])]
        for name, amount in wanted.items():
            room = dig(node, "status", "allocatable", name)
            used = sum(item[name] for item in there)
            if room is not None and amount and amount + used > parse_quantity(room):
                return f"Insufficient {name}"
        return ""

    def _cannot(self, pod: Obj, total: int, reasons: dict[str, int]) -> None:
        listed = ", ".join(f"{count} {why}" for why, count in sorted(reasons.items()))
        message = f"0/{total} nodes are available" + (f": {listed}." if listed else ".")
        old = condition(pod, "PodScheduled")
        if old is not None and old.get("message") == message:
            return
        conditions = [
            {
                "type": "PodScheduled",
                "status": "False",
                "reason": "Unschedulable",
                "message": message,
                "lastTransitionTime": self._cluster.now(),
            }
        ]
        self._cluster.put(
            PODS,
            pod,
            status={**pod.get("status", {}), "phase": "Pending", "conditions": conditions},
        )
