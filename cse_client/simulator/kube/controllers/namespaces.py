"""Namespaces: what every one holds from its beginning, and their two-step end.

A deleted namespace is Terminating for a moment, so that `kubectl delete -f` of a file that holds
a namespace and its contents finds the contents as it does in a real cluster.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from cse_client.simulator.kube.deletion import DeleteOptions, Deletion
from cse_client.simulator.kube.objects import dig, parse_time
from cse_client.simulator.kube.state import Cluster
from cse_client.simulator.kube.store import Change

__all__ = ["Namespaces"]

_NAMESPACES = ("", "namespaces")
_LINGER = timedelta(seconds=1)
_ROOT_CA = "kube-root-ca.crt"
_ROOT_CA_SINCE = 20


class Namespaces:
    """Fills new namespaces and empties those that are deleted."""

    def __init__(self, cluster: Cluster, deletion: Deletion) -> None:
        self._cluster = cluster
        self._deletion = deletion

    def changed(self, change: Change) -> None:
        """Give a new namespace its default ServiceAccount and the CA's certificate."""
        if change.key != _NAMESPACES or change.new is None:
            return
        name = change.new["metadata"]["name"]
        current = self._cluster.store.get(_NAMESPACES, "", name)
        if current is None or dig(current, "status", "phase") == "Terminating":
            return
        if self._cluster.store.get(("", "serviceaccounts"), name, "default") is None:
            self._cluster.add(
                ("", "serviceaccounts"), {"metadata": {"name": "default", "namespace": name}}
            )
        self._publish_ca(name)

    def _publish_ca(self, namespace: str) -> None:
        if not self._cluster.ca or self._cluster.minor < _ROOT_CA_SINCE:
            return
        key = ("", "configmaps")
        data = {"ca.crt": self._cluster.ca.decode()}
        found = self._cluster.store.get(key, namespace, _ROOT_CA)
        if found is None:
            metadata = {"name": _ROOT_CA, "namespace": namespace}
            self._cluster.add(key, {"metadata": metadata, "data": data})
        elif found.get("data") != data:
            self._cluster.put(key, found, data=data)

    def tick(self, now: datetime) -> datetime | None:
        """Empty and remove the namespaces whose time has come."""
        due: list[datetime] = []
        for namespace in list(self._cluster.store.each(_NAMESPACES)):
            since = parse_time(namespace["metadata"].get("deletionTimestamp"))
            if since is None:
                continue
            # The object shows whole seconds.
            if now < since + _LINGER:
                due.append(since + _LINGER)
            elif not self._empty(namespace["metadata"]["name"]):
                due.append(now + _LINGER)
            elif not namespace["metadata"].get("finalizers"):
                self._deletion.remove(self._cluster.resource(*_NAMESPACES), namespace)
        return min(due) if due else None

    def _empty(self, name: str) -> bool:
        """Delete everything in a namespace; whether nothing is left (finalizers may hold it)."""
        left = False
        for resource in list(self._cluster.table):
            if not resource.namespaced:
                continue
            for obj in list(self._cluster.store.each(resource.key, name)):
                if not obj["metadata"].get("deletionTimestamp"):
                    self._deletion.delete(resource, obj, DeleteOptions(grace=0))
            left = left or any(True for _ in self._cluster.store.each(resource.key, name))
        return not left
