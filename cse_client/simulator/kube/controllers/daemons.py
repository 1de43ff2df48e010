"""DaemonSets: one pod on every node that the pod's template allows.

kubernetes:pkg/controller/daemon/daemon_controller.go, tolerations: pkg/controller/daemon/util.
"""

from __future__ import annotations

from datetime import datetime

from cse_client.simulator.kube.controllers.nodes import NODES
from cse_client.simulator.kube.controllers.pods import (
    PODS,
    PodIndex,
    fits_node,
    is_ready,
    make_pod,
    toleration_for,
)
from cse_client.simulator.kube.controllers.workloads import template_hash
from cse_client.simulator.kube.deletion import Deletion
from cse_client.simulator.kube.objects import Obj, dig, owned_by
from cse_client.simulator.kube.state import Cluster
from cse_client.simulator.kube.store import Change

__all__ = ["Daemons"]

_SETS = ("apps", "daemonsets")
_HASH = "controller-revision-hash"
_PREFIX = "node.kubernetes.io/"


def _tolerations(spec: Obj) -> list[Obj]:
    found = list(spec.get("tolerations") or ())
    always = [
        ("not-ready", "NoExecute"),
        ("unreachable", "NoExecute"),
        ("disk-pressure", "NoSchedule"),
        ("memory-pressure", "NoSchedule"),
        ("pid-pressure", "NoSchedule"),
        ("unschedulable", "NoSchedule"),
    ]
    if spec.get("hostNetwork"):
        always.append(("network-unavailable", "NoSchedule"))
    for name, effect in always:
        found.append({"key": _PREFIX + name, "operator": "Exists", "effect": effect})
    return found


def _bound_to(node: str) -> Obj:
    """Return the affinity that pins a daemon's pod to its node."""
    term = {"matchFields": [{"key": "metadata.name", "operator": "In", "values": [node]}]}
    return {
        "nodeAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]},
        }
    }


class Daemons:
    """Keeps the pods of DaemonSets."""

    def __init__(self, cluster: Cluster, deletion: Deletion, pods: PodIndex) -> None:
        self._cluster = cluster
        self._deletion = deletion
        self._pods = pods

    def changed(self, change: Change) -> None:
        """React to a DaemonSet, to a node that it may run on, and to its pods."""
        store = self._cluster.store
        if change.key == _SETS and change.new is not None:
            self._by_name(change.new["metadata"]["namespace"], change.new["metadata"]["name"])
        elif change.key == NODES:
            if _matters(change.old) != _matters(change.new):
                for daemon in list(store.each(_SETS)):
                    self._reconcile(daemon)
        elif change.key == PODS:
            obj = change.new or change.old
            owner = owned_by(obj) if obj else None
            if (
                obj
                and owner
                and owner["kind"] == "DaemonSet"
                and (
                    change.new is None
                    or change.old is None
                    or is_ready(change.old) != is_ready(change.new)
                    or change.new["metadata"].get("deletionTimestamp")
                )
            ):
                self._by_name(obj["metadata"]["namespace"], owner["name"])

    def tick(self, now: datetime) -> datetime | None:
        """Nothing here depends on time."""

    def _by_name(self, namespace: str, name: str) -> None:
        current = self._cluster.store.get(_SETS, namespace, name)
        if current is not None:
            self._reconcile(current)

    def _reconcile(self, daemon: Obj) -> None:
        if daemon["metadata"].get("deletionTimestamp"):
            return
        spec = daemon["spec"]["template"]["spec"]
        tolerations = _tolerations(spec)
        revision = template_hash(daemon)
        wanted, may_stay = set(), set()
        for node in self._cluster.store.each(NODES):
            runs, stays = _runs_on(spec, tolerations, node)
            name = node["metadata"]["name"]
            if runs:
                wanted.add(name)
            if stays:
                may_stay.add(name)
        resource = self._cluster.resource(*PODS)
        there: dict[str, Obj] = {}
        for pod in self._pods.owned(daemon):
            node_name = dig(pod, "spec", "nodeName", default="")
            old = dig(pod, "metadata", "labels", _HASH) != revision
            replace = old and dig(daemon, "spec", "updateStrategy", "type") != "OnDelete"
            if node_name not in may_stay or node_name in there or replace:
                self._deletion.remove(resource, pod)
            else:
                there[node_name] = pod
        for name in sorted(wanted - set(there)):
            there[name] = make_pod(
                self._cluster,
                daemon,
                labels={_HASH: revision},
                spec={"tolerations": tolerations, "nodeName": name, "affinity": _bound_to(name)},
            )
        self._report(daemon, wanted, there, revision)

    def _report(self, daemon: Obj, wanted: set[str], there: dict[str, Obj], revision: str) -> None:
        current = self._cluster.store.get(
            _SETS, daemon["metadata"]["namespace"], daemon["metadata"]["name"]
        )
        if current is None:
            return
        pods = [there[name] for name in wanted if name in there]
        ready = sum(1 for pod in pods if is_ready(pod))
        updated = sum(1 for pod in pods if dig(pod, "metadata", "labels", _HASH) == revision)
        status = {
            "currentNumberScheduled": len(pods),
            "desiredNumberScheduled": len(wanted),
            "numberMisscheduled": len(set(there) - wanted),
            "numberReady": ready,
            "updatedNumberScheduled": updated,
            "numberAvailable": ready,
            "numberUnavailable": len(wanted) - ready,
            "observedGeneration": current["metadata"].get("generation", 1),
        }
        if status != current.get("status"):
            self._cluster.put(_SETS, current, status=status)


def _matters(node: Obj | None) -> tuple[object, ...]:
    if node is None:
        return ()
    return (
        node["metadata"]["uid"],
        node["metadata"].get("labels") or {},
        [
            (taint.get("key"), taint.get("value"), taint.get("effect"))
            for taint in dig(node, "spec", "taints", default=[])
        ],
    )


def _runs_on(spec: Obj, tolerations: list[Obj], node: Obj) -> tuple[bool, bool]:
    """Return whether a daemon's pod should run on a node, and whether one there may stay."""
    if not fits_node(spec, node):
        return False, False
    taints = dig(node, "spec", "taints", default=[])
    bad = {taint.get("effect") for taint in taints if not toleration_for(taint, tolerations)}
    return not bad & {"NoSchedule", "NoExecute"}, "NoExecute" not in bad
