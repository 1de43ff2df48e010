"""Deployments, ReplicaSets, StatefulSets and Jobs: the pods that they want.

A rollout keeps the old pods until the new ones are ready; it does not count maxSurge and
maxUnavailable out. kubernetes:pkg/controller/deployment, .../replicaset, .../statefulset.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import datetime

from cse_client.simulator.kube.controllers.pods import PODS, PodIndex, is_ready, make_pod
from cse_client.simulator.kube.deletion import Deletion
from cse_client.simulator.kube.objects import Obj, clone, condition, dig, owned_by, owner_reference
from cse_client.simulator.kube.state import Cluster
from cse_client.simulator.kube.store import Change

__all__ = ["Workloads", "template_hash"]

_DEPLOYMENTS, _SETS = ("apps", "deployments"), ("apps", "replicasets")
_STATEFUL, _JOBS = ("apps", "statefulsets"), ("batch", "jobs")
_KEYS = {"ReplicaSet": _SETS, "StatefulSet": _STATEFUL, "Job": _JOBS}
_HASH = "pod-template-hash"
_REVISION = "deployment.kubernetes.io/revision"


def template_hash(owner: Obj) -> str:
    """Return a short name for a pod template."""
    text = json.dumps(owner["spec"]["template"], sort_keys=True).encode()
    return str(int(hashlib.sha256(text).hexdigest()[:10], 16))[:10]


class Workloads:
    """The controllers of everything that wants pods without caring where."""

    def __init__(self, cluster: Cluster, deletion: Deletion, pods: PodIndex) -> None:
        self._cluster = cluster
        self._store = cluster.store
        self._deletion = deletion
        self._pods = pods
        self._handlers: dict[tuple[str, str], Callable[[Obj], None]] = {
            _DEPLOYMENTS: self._deployment,
            _SETS: self._replica_set,
            _STATEFUL: self._stateful_set,
            _JOBS: self._job,
        }

    def changed(self, change: Change) -> None:
        """React to a workload, and to a pod or ReplicaSet of one."""
        if change.key in self._handlers and change.new is not None:
            self._run(
                change.key, change.new["metadata"]["namespace"], change.new["metadata"]["name"]
            )
        obj = change.new or change.old
        if obj is None or change.key not in (PODS, _SETS):
            return
        owner = owned_by(obj)
        if owner is None:
            return
        key = _DEPLOYMENTS if owner["kind"] == "Deployment" else _KEYS.get(owner["kind"])
        if key is not None:
            self._run(key, obj["metadata"]["namespace"], owner["name"])

    def tick(self, now: datetime) -> datetime | None:
        """Nothing here depends on time."""

    def _run(self, key: tuple[str, str], namespace: str, name: str) -> None:
        current = self._store.get(key, namespace, name)
        if current is not None and not current["metadata"].get("deletionTimestamp"):
            self._handlers[key](current)

    def _report(self, key: tuple[str, str], obj: Obj, status: Obj) -> None:
        current = self._store.get(key, obj["metadata"]["namespace"], obj["metadata"]["name"])
        if current is None:
            return
        status["observedGeneration"] = current["metadata"].get("generation", 1)
        if status != current.get("status"):
            self._cluster.put(key, current, status=status)

    # ReplicaSets

    def _replica_set(self, replica_set: Obj) -> None:
        wanted = int(replica_set["spec"].get("replicas", 1))
        resource = self._cluster.resource(*PODS)
        pods = [
            pod
            for pod in self._pods.owned(replica_set)
            if dig(pod, "status", "phase") not in ("Succeeded", "Failed")
        ]
        # Those that are not ready go first.
        pods.sort(key=is_ready, reverse=True)
        while len(pods) > wanted:
            self._deletion.remove(resource, pods.pop())
        while len(pods) < wanted:
            pods.append(make_pod(self._cluster, replica_set))
        ready = sum(1 for pod in pods if is_ready(pod))
        status = {"replicas": len(pods), "fullyLabeledReplicas": len(pods)}
        if ready:
            status["readyReplicas"] = status["availableReplicas"] = ready
        self._report(_SETS, replica_set, status)

    # Deployments

    def _owned_sets(self, deployment: Obj) -> list[Obj]:
        uid = deployment["metadata"]["uid"]
        return [
            item
            for item in self._store.each(_SETS, deployment["metadata"]["namespace"])
            if dig(owned_by(item), "uid") == uid
        ]

    def _deployment(self, deployment: Obj) -> None:
        if deployment["spec"].get("paused"):
            return
        wanted = int(deployment["spec"].get("replicas", 1))
        name = template_hash(deployment)
        sets = self._owned_sets(deployment)
        new = next((item for item in sets if dig(item, "metadata", "labels", _HASH) == name), None)
        if new is None:
            new = self._new_set(deployment, name, wanted, sets)
        elif new["spec"].get("replicas") != wanted:
            self._scale(new, wanted)
        new = self._store.get(_SETS, new["metadata"]["namespace"], new["metadata"]["name"]) or new
        ready = dig(new, "status", "readyReplicas", default=0)
        old = [item for item in sets if item["metadata"]["name"] != new["metadata"]["name"]]
        recreate = dig(deployment, "spec", "strategy", "type") == "Recreate"
        for item in old:
            if item["spec"].get("replicas") and (recreate or ready >= wanted):
                self._scale(item, 0)
        self._report_deployment(deployment, new, old)

    def _scale(self, replica_set: Obj, replicas: int) -> None:
        metadata = {**replica_set["metadata"]}
        metadata["generation"] = metadata.get("generation", 1) + 1
        spec = {**replica_set["spec"], "replicas": replicas}
        self._store.put(_SETS, {**replica_set, "metadata": metadata, "spec": spec})

    def _new_set(self, deployment: Obj, name: str, replicas: int, sets: list[Obj]) -> Obj:
        template = clone(deployment["spec"]["template"])
        labels = {**dig(template, "metadata", "labels", default={}), _HASH: name}
        template["metadata"] = {**template.get("metadata", {}), "labels": labels}
        selector = clone(deployment["spec"]["selector"])
        selector["matchLabels"] = {**(selector.get("matchLabels") or {}), _HASH: name}
        revision = 1 + max(
            (int(dig(item, "metadata", "annotations", _REVISION, default=0)) for item in sets),
            default=0,
        )
        current = self._store.get(
            _DEPLOYMENTS, deployment["metadata"]["namespace"], deployment["metadata"]["name"]
        )
        if current is not None:
            annotations = {
                **(current["metadata"].get("annotations") or {}),
                _REVISION: str(revision),
            }
            metadata = {**current["metadata"], "annotations": annotations}
            self._store.put(_DEPLOYMENTS, {**current, "metadata": metadata})
        return self._cluster.add(
            _SETS,
            {
                "metadata": {
                    "name": f"{deployment['metadata']['name']}-{name}",
                    "namespace": deployment["metadata"]["namespace"],
                    "labels": labels,
                    "annotations": {_REVISION: str(revision)},
                    "ownerReferences": [owner_reference(deployment)],
                    "generation": 1,
                },
                "spec": {"replicas": replicas, "selector": selector, "template": template},
            },
        )

    def _report_deployment(self, deployment: Obj, new: Obj, old: list[Obj]) -> None:
        wanted = int(deployment["spec"].get("replicas", 1))
        sets = [
            item
            for name in [new, *old]
            for item in [
                self._store.get(_SETS, name["metadata"]["namespace"], name["metadata"]["name"])
            ]
            if item is not None
        ]

        def total(field: str) -> int:
            return sum(dig(item, "status", field, default=0) for item in sets)

        available, updated = total("availableReplicas"), dig(new, "status", "replicas", default=0)
        status: Obj = {
            "replicas": total("replicas"),
            "updatedReplicas": updated,
            "readyReplicas": total("readyReplicas"),
            "availableReplicas": available,
        }
        status = {key: value for key, value in status.items() if value}
        if available < wanted:
            status["unavailableReplicas"] = wanted - available
        done = available >= wanted and updated >= wanted
        status["conditions"] = [
            self._condition(
                deployment,
                "Available",
                available >= wanted,
                "MinimumReplicasAvailable" if available >= wanted else "MinimumReplicasUnavailable",
            ),
            self._condition(
                deployment,
                "Progressing",
                True,
                "NewReplicaSetAvailable" if done else "ReplicaSetUpdated",
            ),
        ]
        self._report(_DEPLOYMENTS, deployment, status)

    def _condition(self, obj: Obj, kind: str, state: bool, reason: str) -> Obj:
        value = "True" if state else "False"
        old = condition(obj, kind)
        if old and old.get("status") == value and old.get("reason") == reason:
            return old
        now = self._cluster.now()
        return {
            "type": kind,
            "status": value,
            "reason": reason,
            "message": reason,
            "lastUpdateTime": now,
            "lastTransitionTime": now,
        }

    # StatefulSets and Jobs

    def _stateful_set(self, stateful: Obj) -> None:
        wanted = int(stateful["spec"].get("replicas", 1))
        base, revision = stateful["metadata"]["name"], template_hash(stateful)
        names = [f"{base}-{number}" for number in range(wanted)]
        resource = self._cluster.resource(*PODS)
        pods = {}
        for pod in self._pods.owned(stateful):
            name = pod["metadata"]["name"]
            if name not in names or (
                dig(pod, "metadata", "labels", "controller-revision-hash") != revision
            ):
                self._deletion.remove(resource, pod)
            else:
                pods[name] = pod
        for name in names:
            if name not in pods:
                place = (PODS, stateful["metadata"]["namespace"], name)
                if self._store.get(*place) is None:
                    labels = {
                        "controller-revision-hash": revision,
                        "statefulset.kubernetes.io/pod-name": name,
                    }
                    pods[name] = make_pod(self._cluster, stateful, name=name, labels=labels)
        ready = sum(1 for pod in pods.values() if is_ready(pod))
        self._report(
            _STATEFUL,
            stateful,
            {
                "replicas": len(pods),
                "readyReplicas": ready,
                "currentReplicas": len(pods),
                "updatedReplicas": len(pods),
                "availableReplicas": ready,
                "currentRevision": f"{base}-{revision}",
                "updateRevision": f"{base}-{revision}",
            },
        )

    def _job(self, job: Obj) -> None:
        if condition(job, "Complete"):
            return
        pods = self._pods.owned(job)
        done = sum(1 for pod in pods if dig(pod, "status", "phase") == "Succeeded")
        wanted = int(job["spec"].get("completions", 1))
        active = len(pods) - done
        room = min(int(job["spec"].get("parallelism", 1)) - active, wanted - done - active)
        for _ in range(room):
            make_pod(self._cluster, job)
            active += 1
        now = self._cluster.now()
        status: Obj = {"startTime": dig(job, "status", "startTime", default=now)}
        if active > 0:
            status["active"] = active
        if done:
            status["succeeded"] = done
        if done >= wanted:
            status["completionTime"] = now
            status["conditions"] = [
                {
                    "type": "Complete",
                    "status": "True",
                    "lastProbeTime": now,
                    "lastTransitionTime": now,
                }
            ]
        current = self._store.get(_JOBS, job["metadata"]["namespace"], job["metadata"]["name"])
        if current is not None and status != current.get("status"):
            self._cluster.put(_JOBS, current, status=status)
