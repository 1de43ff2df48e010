"""Endpoints of Services: the ready pods that a Service's selector takes."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from cse_client.simulator.kube.controllers.pods import PODS, is_ready
from cse_client.simulator.kube.deletion import Deletion
from cse_client.simulator.kube.objects import Obj, dig
from cse_client.simulator.kube.state import Cluster
from cse_client.simulator.kube.store import Change

__all__ = ["Endpoints"]

_SERVICES, _ENDPOINTS = ("", "services"), ("", "endpoints")


class Endpoints:
    """Keeps an Endpoints object beside each Service that has a selector."""

    def __init__(self, cluster: Cluster, deletion: Deletion) -> None:
        self._cluster = cluster
        self._deletion = deletion

    def changed(self, change: Change) -> None:
        """Collect again for the Services that a write concerns."""
        obj = change.new or change.old
        if obj is None or change.key not in (_SERVICES, PODS):
            return
        namespace = obj["metadata"]["namespace"]
        store = self._cluster.store
        if change.key == _SERVICES:
            name = obj["metadata"]["name"]
            service = store.get(_SERVICES, namespace, name)
            if service is not None:
                self._collect(service)
            elif dig(obj, "spec", "selector"):
                found = store.get(_ENDPOINTS, namespace, name)
                if found is not None:
                    self._deletion.remove(self._cluster.resource(*_ENDPOINTS), found)
            return
        if not store.count(_SERVICES):
            return
        labels = obj["metadata"].get("labels") or {}
        for service in list(store.each(_SERVICES, namespace)):
            if _selects(service, labels):
                self._collect(service)

    def tick(self, now: datetime) -> datetime | None:
        """Nothing here depends on time."""

    def _collect(self, service: Obj) -> None:
        if not dig(service, "spec", "selector"):
            return
        metadata = service["metadata"]
        pods = [
            pod
            for pod in self._cluster.store.each(PODS, metadata["namespace"])
            if _selects(service, pod["metadata"].get("labels") or {})
            and is_ready(pod)
            and not pod["metadata"].get("deletionTimestamp")
        ]
        subsets = _subsets(service, pods)
        found = self._cluster.store.get(_ENDPOINTS, metadata["namespace"], metadata["name"])
        if found is None:
            place = {"name": metadata["name"], "namespace": metadata["namespace"]}
            self._cluster.add(_ENDPOINTS, {"metadata": place, "subsets": subsets})
        elif found.get("subsets") != subsets:
            self._cluster.put(_ENDPOINTS, found, subsets=subsets)


def _selects(service: Obj, labels: Obj) -> bool:
    selector = dig(service, "spec", "selector", default={})
    return bool(selector) and all(labels.get(key) == value for key, value in selector.items())


def _target(port: Obj, pod: Obj) -> int | None:
    wanted: Any = port.get("targetPort", port["port"])
    if isinstance(wanted, int):
        return wanted
    for container in pod["spec"].get("containers") or ():
        for item in container.get("ports") or ():
            if item.get("name") == wanted:
                return int(item["containerPort"])
    return None


def _subsets(service: Obj, pods: list[Obj]) -> list[Obj]:
    if not pods:
        return []
    ports = []
    for port in service["spec"].get("ports") or ():
        number = _target(port, pods[0])
        if number is not None:
            named = {"name": port["name"]} if port.get("name") else {}
            ports.append({**named, "port": number, "protocol": port.get("protocol", "TCP")})
    addresses = [
        {
            "ip": dig(pod, "status", "podIP"),
            "nodeName": pod["spec"].get("nodeName"),
            "targetRef": {
                "kind": "Pod",
                "name": pod["metadata"]["name"],
                "uid": pod["metadata"]["uid"],
                "namespace": pod["metadata"]["namespace"],
            },
        }
        for pod in pods
    ]
    return [{"addresses": addresses, "ports": ports}]
