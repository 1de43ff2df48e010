"""What kubelets would do with pods: start the ones bound to their node, report, let go.

The guests' kubelets are stand-ins that register and send heartbeats only. A pod starts as soon as
its node can run it: with host networking when the kubelet reports at all (that is how a CNI's
DaemonSet makes a node Ready), else when the node is Ready.
"""

from __future__ import annotations

import hashlib
from datetime import datetime

from ..deletion import Deletion
from ..objects import Obj, condition, dig
from ..state import Cluster
from ..store import Change
from .nodes import NODES
from .pods import PODS, PodIndex

__all__ = ["Kubelets"]


def _state(node: Obj | None) -> str | None:
    found = dig(condition(node, "Ready"), "status") if node else None
    return str(found) if found else None


class Kubelets:
    """Starts and ends pods on nodes."""

    def __init__(self, cluster: Cluster, deletion: Deletion, pods: PodIndex) -> None:
        self._cluster = cluster
        self._deletion = deletion
        self._pods = pods
        self._next_address = 0

    def changed(self, change: Change) -> None:
        """React to a pod that was bound, and to a node that came or went."""
        if change.new is None:
            return
        if change.key == PODS:
            if dig(change.new, "spec", "nodeName") and (
                change.old is None or not dig(change.old, "spec", "nodeName")
            ):
                self._look_after(change.new)
        elif change.key == NODES and (
            change.old is None or _state(change.old) != _state(change.new)
        ):
            for pod in self._pods.on_node(change.new["metadata"]["name"]):
                self._look_after(pod)

    def tick(self, now: datetime) -> datetime | None:
        """Nothing here depends on time."""

    def _look_after(self, pod: Obj) -> None:
        current = self._cluster.store.get(
            PODS, pod["metadata"]["namespace"], pod["metadata"]["name"]
        )
        if current is None:
            return
        node = self._cluster.store.get(NODES, "", dig(current, "spec", "nodeName", default=""))
        state = _state(node)
        if node is None or state is None:
            return
        if state == "Unknown":
            self._set_ready(current, "False")
        elif current["metadata"].get("deletionTimestamp"):
            if not current["metadata"].get("finalizers"):
                self._deletion.remove(self._cluster.resource(*PODS), current)
        elif dig(current, "status", "phase") == "Running":
            self._set_ready(current, "True")
        elif dig(current, "status", "phase", default="Pending") == "Pending" and (
            state == "True" or dig(current, "spec", "hostNetwork")
        ):
            self._start(current, node)

    def _set_ready(self, pod: Obj, value: str) -> None:
        ready = condition(pod, "Ready")
        if ready is None or ready.get("status") == value:
            return
        now = self._cluster.now()
        conditions = [
            {**item, "status": value, "lastTransitionTime": now} if item is ready else item
            for item in pod["status"]["conditions"]
        ]
        self._cluster.put(PODS, pod, status={**pod["status"], "conditions": conditions})

    def _start(self, pod: Obj, node: Obj) -> None:
        now = self._cluster.now()
        host = next(
            (
                item["address"]
                for item in dig(node, "status", "addresses", default=[])
                if item.get("type") == "InternalIP"
            ),
            "",
        )
        job = pod["spec"].get("restartPolicy") in ("Never", "OnFailure") and any(
            owner.get("kind") == "Job" for owner in pod["metadata"].get("ownerReferences") or ()
        )
        address = host if dig(pod, "spec", "hostNetwork") else self._address()
        done = "False" if job else "True"
        conditions = [
            {
                "type": kind,
                "status": done if "eady" in kind else "True",
                "lastProbeTime": None,
                "lastTransitionTime": now,
            }
            for kind in ("Initialized", "Ready", "ContainersReady", "PodScheduled")
        ]
        self._cluster.put(
            PODS,
            pod,
            status={
                **pod.get("status", {}),
                "phase": "Succeeded" if job else "Running",
                "conditions": conditions,
                "hostIP": host,
                "podIP": address,
                "podIPs": [{"ip": address}],
                "startTime": now,
                "containerStatuses": [
                    _container(item, now, job=job) for item in pod["spec"].get("containers") or ()
                ],
            },
        )

    def _address(self) -> str:
        self._next_address += 1
        return f"10.244.{self._next_address // 254 % 256}.{self._next_address % 254 + 1}"


def _container(container: Obj, now: str, *, job: bool) -> Obj:
    digest = hashlib.sha256(str(container.get("image")).encode()).hexdigest()
    ended = {"exitCode": 0, "reason": "Completed", "startedAt": now, "finishedAt": now}
    return {
        "name": container.get("name"),
        "image": container.get("image"),
        "imageID": f"sha256:{digest}",
        "containerID": f"simulated://{digest}",
        "ready": not job,
        "started": not job,
        "restartCount": 0,
        "lastState": {},
        "state": {"terminated": ended} if job else {"running": {"startedAt": now}},
    }
