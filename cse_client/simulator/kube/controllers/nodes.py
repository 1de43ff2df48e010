"""Node lifecycle: who has stopped reporting, the taints that say so, and the evictions that follow.

kubernetes:pkg/controller/nodelifecycle/node_lifecycle_controller.go with its defaults: a kubelet
that has not reported for 40 s is Unknown; pods stay as long as they tolerate the NoExecute taint
(300 s by default, for ever with an unlimited toleration).
"""

from __future__ import annotations

from datetime import datetime, timedelta

from cse_client.simulator.kube.controllers.pods import PODS, PodIndex, toleration_for
from cse_client.simulator.kube.deletion import DeleteOptions, Deletion
from cse_client.simulator.kube.objects import Obj, condition, dig, parse_time
from cse_client.simulator.kube.state import Cluster
from cse_client.simulator.kube.store import Change

__all__ = ["NODES", "NodeLifecycle"]

NODES = ("", "nodes")
_LEASES = ("coordination.k8s.io", "leases")
_GRACE = timedelta(seconds=40)
_STARTUP_GRACE = timedelta(seconds=60)
_PREFIX = "node.kubernetes.io/"
_CONDITIONS = ("Ready", "MemoryPressure", "DiskPressure", "PIDPressure")
_PRESSURE = {
    "MemoryPressure": "memory-pressure",
    "DiskPressure": "disk-pressure",
    "PIDPressure": "pid-pressure",
    "NetworkUnavailable": "network-unavailable",
}
_OURS = frozenset(
    _PREFIX + name for name in ("not-ready", "unreachable", "unschedulable", *_PRESSURE.values())
)


def _wanted_taints(node: Obj) -> list[tuple[str, str]]:
    ready = condition(node, "Ready")
    state = ready.get("status") if ready else None
    wanted = []
    if state == "Unknown":
        wanted += [("unreachable", "NoSchedule"), ("unreachable", "NoExecute")]
    elif state == "False":
        wanted += [("not-ready", "NoSchedule"), ("not-ready", "NoExecute")]
    elif state is None:
        wanted += [("not-ready", "NoSchedule")]
    for kind, name in _PRESSURE.items():
        if dig(condition(node, kind), "status") == "True":
            wanted.append((name, "NoSchedule"))
    if dig(node, "spec", "unschedulable"):
        wanted.append(("unschedulable", "NoSchedule"))
    return [(_PREFIX + name, effect) for name, effect in wanted]


class NodeLifecycle:
    """Watches heartbeats and keeps the taints of conditions."""

    def __init__(self, cluster: Cluster, deletion: Deletion, pods: PodIndex) -> None:
        self._cluster = cluster
        self._deletion = deletion
        self._pods = pods

    def changed(self, change: Change) -> None:
        """Taint a node as its conditions say; forget the pods of one that was deleted."""
        if change.key != NODES:
            return
        if change.new is None:
            if change.old is not None:
                self._collect(change.old["metadata"]["name"])
            return
        current = self._cluster.store.get(NODES, "", change.new["metadata"]["name"])
        if current is not None:
            self._taint(current)

    def _collect(self, name: str) -> None:
        resource = self._cluster.resource(*PODS)
        for pod in self._pods.on_node(name):
            self._deletion.remove(resource, pod)

    def _taint(self, node: Obj) -> None:
        taints = list(dig(node, "spec", "taints", default=[]))
        wanted = _wanted_taints(node)
        kept = [
            taint
            for taint in taints
            if taint.get("key") not in _OURS or (taint["key"], taint.get("effect")) in wanted
        ]
        present = {(taint.get("key"), taint.get("effect")) for taint in kept}
        now = self._cluster.now()
        added = [
            {"key": key, "effect": effect, "timeAdded": now}
            for key, effect in wanted
            if (key, effect) not in present
        ]
        if not added and len(kept) == len(taints):
            return
        spec = {name: value for name, value in node["spec"].items() if name != "taints"}
        if kept or added:
            spec["taints"] = kept + added
        self._cluster.put(NODES, node, spec=spec)

    def tick(self, now: datetime) -> datetime | None:
        """Judge heartbeats and evict from nodes that have been away for too long."""
        due: list[datetime] = []
        for node in list(self._cluster.store.each(NODES)):
            if dig(condition(node, "Ready"), "status") != "Unknown":
                end = self._silent_at(node)
                if now <= end:
                    due.append(end + timedelta(milliseconds=1))
                else:
                    self._lost(node)
            current = self._cluster.store.get(NODES, "", node["metadata"]["name"])
            evict = self._evict(current or node, now)
            if evict is not None:
                due.append(evict)
        return min(due) if due else None

    def _silent_at(self, node: Obj) -> datetime:
        """Return until when the node's last word is good."""
        name = node["metadata"]["name"]
        lease = self._cluster.store.get(_LEASES, "kube-node-lease", name)
        heard = [
            moment
            for moment in (
                parse_time(dig(condition(node, "Ready"), "lastHeartbeatTime")),
                parse_time(dig(lease, "spec", "renewTime")),
            )
            if moment is not None
        ]
        if heard:
            return max(heard) + _GRACE
        born = parse_time(node["metadata"].get("creationTimestamp")) or self._cluster.clock.now()
        return born + _STARTUP_GRACE

    def _lost(self, node: Obj) -> None:
        now = self._cluster.now()
        conditions = {item["type"]: item for item in dig(node, "status", "conditions", default=[])}
        never = "Ready" not in conditions
        for kind in _CONDITIONS:
            old = conditions.get(kind, {"type": kind, "lastHeartbeatTime": None})
            conditions[kind] = {
                **old,
                "status": "Unknown",
                "lastTransitionTime": now,
                "reason": "NodeStatusNeverUpdated" if never else "NodeStatusUnknown",
                "message": "Kubelet never posted node status."
                if never
                else "Kubelet stopped posting node status.",
            }
        status = {**node.get("status", {}), "conditions": list(conditions.values())}
        self._taint(self._cluster.put(NODES, node, status=status))

    def _evict(self, node: Obj, now: datetime) -> datetime | None:
        taints = [
            taint
            for taint in dig(node, "spec", "taints", default=[])
            if taint.get("effect") == "NoExecute"
        ]
        if not taints:
            return None
        due: list[datetime] = []
        resource = self._cluster.resource(*PODS)
        for pod in self._pods.on_node(node["metadata"]["name"]):
            if pod["metadata"].get("deletionTimestamp"):
                continue
            end = self._leaves_at(pod, taints, now)
            if end is None:
                continue
            if now >= end:
                self._deletion.delete(resource, pod, DeleteOptions())
            else:
                due.append(end)
        return min(due) if due else None

    def _leaves_at(self, pod: Obj, taints: list[Obj], now: datetime) -> datetime | None:
        """Return when a pod has to go because of taints, None for never."""
        if "kubernetes.io/config.mirror" in (pod["metadata"].get("annotations") or {}):
            return None
        ends: list[datetime] = []
        for taint in taints:
            found = toleration_for(taint, dig(pod, "spec", "tolerations", default=[]))
            since = parse_time(taint.get("timeAdded")) or now
            if not found:
                return now
            seconds = [
                item["tolerationSeconds"]
                for item in found
                if item.get("tolerationSeconds") is not None
            ]
            if len(seconds) == len(found):
                ends.append(since + timedelta(seconds=min(seconds)))
        return min(ends) if ends else None
