"""Deleting: preconditions, finalizers, graceful ends, and what else goes with an object.

kubernetes.io/docs/concepts/architecture/garbage-collection; the three propagation policies differ
here only in that Orphan keeps the dependents: everything else is collected at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cse_client.simulator.kube.errors import bad_request, conflict, forbidden, invalid_option
from cse_client.simulator.kube.objects import Obj, condition, dig, key_of
from cse_client.simulator.kube.requests import Call
from cse_client.simulator.kube.resources import Resource
from cse_client.simulator.kube.state import Cluster

__all__ = ["DeleteOptions", "Deletion"]

_KEPT_NAMESPACES = ("default", "kube-system", "kube-public")


@dataclass(frozen=True)
class DeleteOptions:
    """What a client says about a deletion."""

    grace: int | None = None
    policy: str = "Background"
    uid: str = ""
    resource_version: str = ""
    dry_run: bool = False

    @classmethod
    def of(cls, call: Call) -> DeleteOptions:
        """Read them from the body and the query.

        Raises:
            ApiError: 400.
        """
        body = call.value()
        if body is None:
            body = {}
        if not isinstance(body, dict):
            raise bad_request("DeleteOptions expected")
        grace: Any = body.get("gracePeriodSeconds")
        if grace is None and call.option("gracePeriodSeconds").isdigit():
            grace = int(call.option("gracePeriodSeconds"))
        policy = body.get("propagationPolicy") or call.option("propagationPolicy")
        if body.get("orphanDependents"):
            policy = "Orphan"
        if policy not in (None, "", "Background", "Foreground", "Orphan"):
            raise invalid_option(
                "DeleteOptions",
                "propagationPolicy",
                f'Unsupported value: "{policy}": supported values: "Foreground", "Background", '
                '"Orphan", "nil"',
            )
        dry_run = body.get("dryRun") or []
        if dry_run not in ([], ["All"]):
            raise bad_request("dryRun: Unsupported value")
        return cls(
            grace,
            policy or "Background",
            dig(body, "preconditions", "uid", default=""),
            dig(body, "preconditions", "resourceVersion", default=""),
            bool(dry_run) or call.dry_run,
        )


class Deletion:
    """The ways out of a cluster's store."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._store = cluster.store

    def delete(self, resource: Resource, obj: Obj, options: DeleteOptions) -> Obj:
        """Delete an object as a client asked; returns what the client is answered."""
        metadata = obj["metadata"]
        for name, wanted, why in (
            ("uid", options.uid, "deleted and then recreated"),
            ("resourceVersion", options.resource_version, "modified"),
        ):
            if wanted and wanted != metadata.get(name):
                shown = "UID" if name == "uid" else "ResourceVersion"
                raise conflict(
                    resource.group,
                    resource.kind,
                    metadata["name"],
                    f"the {shown} in the precondition ({wanted}) does not match the {shown} in "
                    f"record ({metadata.get(name)}). The object might have been {why}",
                )
        if resource.key == ("", "namespaces") and metadata["name"] in _KEPT_NAMESPACES:
            raise forbidden("", "namespaces", metadata["name"], "this namespace may not be deleted")
        if options.dry_run:
            return self._success(resource, obj, options)
        if resource.key == ("", "namespaces"):
            return self._terminate_namespace(obj)
        if metadata.get("finalizers"):
            return self._mark(resource, obj, 0)
        if resource.key == ("", "pods") and options.grace != 0 and self._waits(obj):
            return self._mark(resource, obj, 30)
        self.remove(resource, obj, orphan=options.policy == "Orphan")
        return self._success(resource, obj, options)

    def _ending(self, pod: Obj, options: DeleteOptions) -> Obj:
        """Return a pod as it is answered: with the time that it has."""
        grace = options.grace
        if grace is None:
            grace = dig(pod, "spec", "terminationGracePeriodSeconds", default=30)
        metadata = {
            **pod["metadata"],
            "deletionTimestamp": self._cluster.now(),
            "deletionGracePeriodSeconds": grace,
        }
        if "generation" in metadata:
            metadata["generation"] += 1
        return {**pod, "metadata": metadata}

    def finish(self, resource: Resource, obj: Obj) -> None:
        """Remove an object whose last finalizer has gone."""
        metadata = obj["metadata"]
        if not metadata.get("deletionTimestamp") or metadata.get("finalizers"):
            return
        if resource.key == ("", "namespaces") or (
            resource.key == ("", "pods") and metadata.get("deletionGracePeriodSeconds")
        ):
            return
        self.remove(resource, obj)

    def remove(self, resource: Resource, obj: Obj, *, orphan: bool = False) -> None:
        """Take an object out of the store, and its dependents with it."""
        namespace, name = key_of(obj)
        if self._store.get(resource.key, namespace, name) is None:
            return
        self._store.remove(resource.key, obj)
        uid = obj["metadata"].get("uid")
        for key in self._store.keys():  # noqa: SIM118
            dependents = [
                item
                for item in self._store.each(key)
                if any(
                    owner.get("uid") == uid
                    for owner in item["metadata"].get("ownerReferences") or ()
                )
            ]
            for item in dependents:
                self._release(key, item, str(uid), orphan=orphan)

    def _release(self, key: tuple[str, str], obj: Obj, uid: str, *, orphan: bool) -> None:
        current = self._store.get(key, *key_of(obj))
        if current is None:
            return
        rest = [
            owner for owner in current["metadata"]["ownerReferences"] if owner.get("uid") != uid
        ]
        if orphan or rest:
            metadata = {**current["metadata"], "ownerReferences": rest}
            self._store.put(key, {**current, "metadata": metadata})
            return
        resource = self._cluster.resource(*key)
        self.delete(resource, current, DeleteOptions())

    def _mark(self, resource: Resource, obj: Obj, grace: int) -> Obj:
        if obj["metadata"].get("deletionTimestamp"):
            return obj
        metadata = {
            **obj["metadata"],
            "deletionTimestamp": self._cluster.now(),
            "deletionGracePeriodSeconds": grace,
        }
        return self._store.put(resource.key, {**obj, "metadata": metadata})

    def _waits(self, pod: Obj) -> bool:
        """Whether a pod's end has to wait for a kubelet that does not answer."""
        name = dig(pod, "spec", "nodeName")
        node = self._store.get(("", "nodes"), "", name) if name else None
        if node is None:
            return False
        ready = condition(node, "Ready")
        return ready is not None and ready.get("status") == "Unknown"

    def _terminate_namespace(self, obj: Obj) -> Obj:
        if dig(obj, "status", "phase") == "Terminating":
            return obj
        metadata = {**obj["metadata"], "deletionTimestamp": self._cluster.now()}
        return self._store.put(
            ("", "namespaces"), {**obj, "metadata": metadata, "status": {"phase": "Terminating"}}
        )

    def _success(self, resource: Resource, obj: Obj, options: DeleteOptions) -> Obj:
        if resource.key == ("", "pods"):
            return self._ending(obj, options)
        if resource.key == ("", "services"):
            # seen on 1.36
            return obj
        details = {
            "name": obj["metadata"]["name"],
            "group": resource.group,
            "kind": resource.plural,
            "uid": obj["metadata"].get("uid", ""),
        }
        return {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Success",
            "details": {key: value for key, value in details.items() if value},
        }
