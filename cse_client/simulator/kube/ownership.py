"""Who owns which field after a write, and whether a write changes anything at all."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from cse_client.simulator.kube.apply import note_update
from cse_client.simulator.kube.objects import Obj
from cse_client.simulator.kube.requests import Call
from cse_client.simulator.kube.resources import Resource

__all__ = ["always_written", "changes_nothing", "left_out", "not_written", "noted", "same_fields"]

Paths = tuple[tuple[str, ...], ...]

# What the API server itself puts into a new object's spec; its creator does not own that.
_BY_SERVER: dict[tuple[str, str], tuple[str, ...]] = {
    ("", "namespaces"): ("finalizers",),
    ("", "nodes"): ("taints",),
    ("", "pods"): ("priority", "preemptionPolicy", "tolerations"),
    ("", "services"): ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"),
}


def left_out(resource: Resource, asked: Collection[str]) -> Paths:
    """Return what the API server adds to a new object's spec, of which `asked` was sent."""
    return tuple(
        ("f:spec", f"f:{name}") for name in _BY_SERVER.get(resource.key, ()) if name not in asked
    )


def noted(
    call: Call, resource: Resource, obj: Obj, old: Obj | None, now: str, unowned: Paths = ()
) -> Obj:
    """Return the object with its field managers noted.

    Kubelets and the parts of this cluster do not apply, so their writes are not tracked:
    a heartbeat should cost nothing.
    """
    if not call.headers or call.user.node:
        return obj
    manager = call.option("fieldManager") or call.headers.get("user-agent", "").split("/")[0]
    sub = "status" if call.path.endswith("/status") else ""
    unowned += not_written(resource, sub)
    return note_update(old, obj, manager or "unknown", now, sub=sub, unowned=unowned)


def changes_nothing(new: Obj, old: Obj) -> bool:
    """Whether an update leaves an object as it is."""
    return _bare(new) == _bare(old)


def _bare(obj: Obj) -> Obj:
    metadata = {
        name: value
        for name, value in obj["metadata"].items()
        if name not in ("managedFields", "resourceVersion", "generation")
    }
    return {**obj, "metadata": metadata}


def not_written(resource: Resource, sub: str) -> Paths:
    """Return the beginnings of the paths that a request to a (sub)resource leaves as they are."""
    if sub:
        return (("f:spec",),)
    return (("f:status",),) if "status" in resource.subresources else ()


def always_written(resource: Resource, obj: Obj, manager: str) -> bool:
    """Whether an apply makes a new revision although nothing changes.

    Seen on 1.36 and 1.20: of a Namespace in which the applier owns nothing but its name, and of
    PodSecurityPolicies.
    """
    bare = resource.key == ("", "namespaces") and not any(
        entry["manager"] == manager and entry["operation"] == "Apply"
        for entry in obj["metadata"].get("managedFields") or ()
    )
    return bare or resource.key == ("policy", "podsecuritypolicies")


def same_fields(new: Obj, old: Obj) -> bool:
    """Whether an apply changed neither the object nor who owns what."""

    def owners(obj: Obj) -> list[Any]:
        return [
            {key: value for key, value in entry.items() if key != "time"}
            for entry in obj["metadata"].get("managedFields") or ()
        ]

    return changes_nothing(new, old) and owners(new) == owners(old)
