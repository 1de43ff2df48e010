"""What kubelets would do with pods: start the ones bound to their node, report, let go.

The guests' kubelets are stand-ins that register and send heartbeats only. A pod starts as soon as
its node can run it: with host networking when the kubelet reports at all (that is how a CNI's
DaemonSet makes a node Ready), else when the node is Ready.
"""

from __future__ import annotations

import hashlib
from datetime import datetime

from cse_client.simulator.kube.controllers.nodes import NODES
from cse_client.simulator.kube.controllers.pods import PODS, PodIndex
from cse_client.simulator.kube.deletion import Deletion
from cse_client.simulator.kube.objects import Obj, condition, dig
from cse_client.simulator.kube.state import Cluster
from cse_client.simulator.kube.store import Change

__all__ = ["Kubelets"]

_SECRETS = ("", "secrets")
_NO_CONFIGURATION = "CreateContainerConfigError"


def _lacks_configuration(pod: Obj) -> bool:
    return any(
        dig(one, "state", "waiting", "reason") == _NO_CONFIGURATION
        for one in dig(pod, "status", "containerStatuses", default=[])
    )


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
        """React to a pod that was bound, to a node that came or went, and to a missing Secret."""
        if change.new is None:
            return
        if change.key == _SECRETS and change.old is None:
            for pod in list(self._cluster.store.each(PODS, change.new["metadata"]["namespace"])):
                if _lacks_configuration(pod):
                    self._look_after(pod)
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
        lacking = self._missing_secret(pod)
        if lacking:
            self._wait_for_configuration(pod, f'secret "{lacking}" not found')
            return
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

    def _missing_secret(self, pod: Obj) -> str:
        """Return the Secret that a container's environment needs and that is not there."""
        namespace = pod["metadata"]["namespace"]
        for container in pod["spec"].get("containers") or ():
            for one in container.get("env") or ():
                wanted = dig(one, "valueFrom", "secretKeyRef")
                if wanted and not wanted.get("optional"):
                    found = self._cluster.store.get(_SECRETS, namespace, wanted["name"])
                    if found is None or wanted["key"] not in (found.get("data") or {}):
                        return str(wanted["name"])
        return ""

    def _wait_for_configuration(self, pod: Obj, why: str) -> None:
        """Leave the pod as kubelet does (kubernetes:pkg/kubelet/kuberuntime, ErrCreateConfig)."""
        waiting = {"waiting": {"reason": _NO_CONFIGURATION, "message": why}}
        statuses = [
            {
                "name": item.get("name"),
                "image": item.get("image"),
                "imageID": "",
                "ready": False,
                "started": False,
                "restartCount": 0,
                "lastState": {},
                "state": waiting,
            }
            for item in pod["spec"].get("containers") or ()
        ]
        if dig(pod, "status", "containerStatuses") != statuses:
            status = {**pod.get("status", {}), "phase": "Pending", "containerStatuses": statuses}
            self._cluster.put(PODS, pod, status=status)

    def _address(self) -> str:
        self._next_address += 1
        # Where kubeadm was given no pod network, the plugin has one of its own; any will do.
        pods = self._cluster.pods
        return str(pods[self._next_address % (pods.num_addresses - 2) + 1])


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
