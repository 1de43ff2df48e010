"""`kubectl cordon`, `uncordon`, `drain` (kubernetes/kubectl:pkg/cmd/drain, pkg/drain/filters.go).

A drain refuses before it evicts anything when a pod has no controller (unless `--force`), belongs
to a DaemonSet (unless `--ignore-daemonsets`) or uses an emptyDir (unless `--delete-emptydir-data`,
`--delete-local-data` before 1.20); then it evicts, again while budgets forbid it, and waits.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from cse_client.simulator.guest.kubectl.session import Failure, Session

__all__ = ["cordon", "drain", "uncordon"]

_MERGE = "application/strategic-merge-patch+json"
_MIRROR = "kubernetes.io/config.mirror"
_TOO_MANY, _NOT_FOUND = 429, 404
_NO_LIMIT = 3600.0
_OLD = 20
_DONE = {True: "drained", False: "evicted"}


def cordon(session: Session, words: list[str]) -> int:
    """Keep new pods from the named nodes."""
    return _mark(session, words, unschedulable=True)


def uncordon(session: Session, words: list[str]) -> int:
    """Let the named nodes have pods again."""
    return _mark(session, words, unschedulable=False)


def _mark(session: Session, words: list[str], *, unschedulable: bool) -> int:
    for name in _nodes(words):
        word = "cordoned" if unschedulable else "uncordoned"
        path = f"/api/v1/nodes/{name}"
        now = bool((session.ask("GET", path).get("spec") or {}).get("unschedulable"))
        if now == unschedulable:
            word = f"already {word}"
        else:
            session.ask("PATCH", path, {"spec": {"unschedulable": unschedulable or None}}, _MERGE)
        session.call.out(f"node/{name} {word}")
    return 0


def _nodes(words: list[str]) -> list[str]:
    names = [word.removeprefix("node/") for word in words]
    if not names:
        raise Failure("error: USAGE: drain NODE [flags]")
    return names


def drain(session: Session, words: list[str]) -> int:
    """Cordon the nodes and evict their pods."""
    cordon(session, words)
    limit = time.monotonic() + _seconds(session) / session.system.life.speed
    for name in _nodes(words):
        found = session.ask("GET", f"/api/v1/pods?fieldSelector=spec.nodeName%3D{name}")
        pods = [pod for pod in found.get("items") or [] if _goes(session, pod)]
        for pod in pods:
            _evict(session, pod, limit)
        for pod in pods:
            _await_end(session, pod, limit)
        session.call.out(f"node/{name} {_DONE[session.system.image.minor > _OLD]}")
    return 0


def _seconds(session: Session) -> float:
    text = session.words.get("timeout", "0s")
    number, unit = text.rstrip("smh"), text[-1:]
    seconds = float(number or 0) * {"m": 60, "h": 3600}.get(unit, 1)
    return seconds or _NO_LIMIT


def _goes(session: Session, pod: Mapping[str, Any]) -> bool:
    """Return whether a pod is evicted.

    Raises:
        Failure: it forbids the drain.
    """
    meta, spec = pod.get("metadata") or {}, pod.get("spec") or {}
    if _MIRROR in (meta.get("annotations") or {}):
        return False
    if (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed"):
        return True
    name = f"{meta.get('namespace')}/{meta.get('name')}"
    owners = [owner.get("kind") for owner in meta.get("ownerReferences") or []]
    if "DaemonSet" in owners:
        if session.words.on("ignore-daemonsets"):
            return False
        raise Failure(f"error: cannot delete DaemonSet-managed Pods: {name}")
    if not owners and not session.words.on("force"):
        raise Failure(f"error: cannot delete Pods declare no controller (use --force): {name}")
    local = any("emptyDir" in volume for volume in spec.get("volumes") or [])
    kept = not (session.words.on("delete-emptydir-data") or session.words.on("delete-local-data"))
    if local and kept and not session.words.on("force"):
        raise Failure(f"error: cannot delete Pods with local storage: {name}")
    return True


def _path(pod: Mapping[str, Any]) -> str:
    meta = pod["metadata"]
    return f"/api/v1/namespaces/{meta['namespace']}/pods/{meta['name']}"


def _evict(session: Session, pod: Mapping[str, Any], limit: float) -> None:
    meta = pod["metadata"]
    version = "policy/v1" if session.system.image.minor > 21 else "policy/v1beta1"  # noqa: PLR2004
    body = {
        "apiVersion": version,
        "kind": "Eviction",
        "metadata": {"name": meta["name"], "namespace": meta["namespace"]},
    }
    while True:
        status, found = session.client.request("POST", f"{_path(pod)}/eviction", body)
        if status != _TOO_MANY:
            break
        if time.monotonic() > limit:
            raise Failure(f"error when evicting pods/{meta['name']!r}: global timeout reached")
        session.system.pause_call(session.call, 0.1)
    if status >= 400 and status != _NOT_FOUND:  # noqa: PLR2004
        raise Failure(session.explain(status, found))
    session.call.out(f"evicting pod {meta['namespace']}/{meta['name']}")


def _await_end(session: Session, pod: Mapping[str, Any], limit: float) -> None:
    while True:
        status, found = session.client.request("GET", _path(pod))
        uid = (found.get("metadata") or {}).get("uid")
        if status == _NOT_FOUND or uid != pod["metadata"]["uid"]:
            session.call.out(f"pod/{pod['metadata']['name']} evicted")
            return
        if time.monotonic() > limit:
            raise Failure("error: drain did not complete within the timeout")
        session.system.pause_call(session.call, 0.1)
