"""CustomResourceDefinitions: what they define is served as soon as they are written.

Discovery shows it a moment later: of 20 looks at a group right after its CRD was Established, 6
met 404 on Kubernetes 1.36 (the controllers behind /apis work on their own time). Here it is always
the same moment.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from cse_client.simulator.kube.deletion import Deletion
from cse_client.simulator.kube.objects import Obj, condition, dig
from cse_client.simulator.kube.resources import Resource, Served
from cse_client.simulator.kube.state import Cluster
from cse_client.simulator.kube.store import Change

__all__ = ["CustomResources"]

_DISCOVERED_AFTER = timedelta(seconds=0.25)
_CRDS = ("apiextensions.k8s.io", "customresourcedefinitions")

# In the order of discovery.
_VERBS = ("delete", "deletecollection", "get", "list", "patch", "create", "update", "watch")


class CustomResources:
    """Keeps the resource table in line with the CRDs, and the CRDs' status."""

    def __init__(self, cluster: Cluster, deletion: Deletion) -> None:
        self._cluster = cluster
        self._deletion = deletion
        self._shown: dict[str, datetime] = {}

    def changed(self, change: Change) -> None:
        """Serve what a CRD defines, or stop and remove its objects."""
        if change.key != _CRDS:
            return
        if change.new is None and change.old is not None:
            self._forget(change.old)
        crds = {crd["metadata"]["uid"]: crd for crd in self._cluster.store.each(_CRDS)}
        self._cluster.table.set_custom([_resource(crd) for crd in crds.values()])
        now = self._cluster.clock.now()
        self._shown = {uid: self._shown.get(uid, now + _DISCOVERED_AFTER) for uid in crds}
        self._show(now)
        if change.new is not None and condition(change.new, "Established") is None:
            current = self._cluster.store.get(_CRDS, "", change.new["metadata"]["name"])
            if current is not None:
                self._cluster.put(_CRDS, current, status=self._status(current))

    def tick(self, now: datetime) -> datetime | None:
        """Let discovery catch up."""
        return self._show(now)

    def _show(self, now: datetime) -> datetime | None:
        """Show what has been served for long enough; return when there is more to show."""
        shown = [
            _resource(crd)
            for crd in self._cluster.store.each(_CRDS)
            if self._shown.get(crd["metadata"]["uid"], now) <= now
        ]
        self._cluster.discovered.set_custom(shown)
        return min((moment for moment in self._shown.values() if moment > now), default=None)

    def _forget(self, crd: Obj) -> None:
        resource = _resource(crd)
        for obj in list(self._cluster.store.each(resource.key)):
            self._deletion.remove(resource, obj)

    def _status(self, crd: Obj) -> Obj:
        now = self._cluster.now()
        conditions = [
            {
                "type": kind,
                "status": "True",
                "reason": reason,
                "message": message,
                "lastTransitionTime": now,
            }
            for kind, reason, message in (
                ("NamesAccepted", "NoConflicts", "no conflicts found"),
                ("Established", "InitialNamesAccepted", "the initial names have been accepted"),
            )
        ]
        stored = [item["name"] for item in crd["spec"]["versions"] if item.get("storage")]
        return {
            "conditions": conditions,
            "acceptedNames": dict(crd["spec"]["names"]),
            "storedVersions": stored,
        }


def _resource(crd: Obj) -> Resource:
    spec = crd["spec"]
    names = spec["names"]
    versions = sorted(spec["versions"], key=lambda item: not item.get("storage"))
    served = tuple(Served(item["name"]) for item in versions if item.get("served", True))
    storage = versions[0]
    subresources = dig(storage, "subresources", default={})
    columns = tuple(
        (
            column["name"],
            column.get("type", "string"),
            column.get("jsonPath", ""),
            int(column.get("priority", 0)),
        )
        for column in storage.get("additionalPrinterColumns") or ()
    )
    return Resource(
        spec["group"],
        names["plural"],
        names["kind"],
        spec["scope"] == "Namespaced",
        served,
        tuple(names.get("shortNames") or ()),
        tuple(names.get("categories") or ()),
        tuple(name for name in ("status", "scale") if name in subresources),
        _VERBS,
        custom=True,
        singular=names.get("singular", ""),
        columns=columns or (("Age", "date", ".metadata.creationTimestamp", 0),),
    )
