"""kubectl's verbs for nodes: cordon, uncordon, drain.

Words and order as in kubectl (kubernetes/kubectl: pkg/cmd/drain/drain.go, pkg/drain/filters.go):
the node is cordoned, pods of daemon sets and mirror pods stay, the others are evicted, a refusal by
a disruption budget is asked again until the time is over.
"""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any

from cse_client.simulator.guest.kubectl.session import Failure

if TYPE_CHECKING:
    from cse_client.simulator.guest.kubectl.session import Session

__all__ = ["cordon", "drain", "uncordon"]

_NOT_FOUND, _TOO_MANY, _BAD = 404, 429, 400
_MIRROR = "kubernetes.io/config.mirror"
_PAUSE = 0.1


def cordon(session: Session, words: list[str]) -> int:
    """`cordon NAME...`."""
    for name in words:
        _schedulable(session, name, possible=False)
    return 0


def uncordon(session: Session, words: list[str]) -> int:
    """`uncordon NAME...`."""
    for name in words:
        _schedulable(session, name, possible=True)
    return 0


def drain(session: Session, words: list[str]) -> int:
    """`drain NAME... [--ignore-daemonsets] [--force] [--timeout=60s]`."""
    for name in words:
        _schedulable(session, name, possible=False)
        query = f"/api/v1/pods?fieldSelector=spec.nodeName={name}"
        pods = session.ask("GET", query).get("items") or []
        leaving = [pod for pod in pods if _leaves(session, pod)]
        limit = _limit(session)
        for pod in leaving:
            _evict(session, pod, limit)
        for pod in leaving:
            _await(session, pod, limit)
        session.call.out(f"node/{name} drained")
    return 0


def _schedulable(session: Session, name: str, *, possible: bool) -> None:
    path = f"/api/v1/nodes/{name}"
    node = session.ask("GET", path)
    done = "uncordoned" if possible else "cordoned"
    if bool((node.get("spec") or {}).get("unschedulable")) != possible:
        session.call.out(f"node/{name} already {done}")
        return
    body = {"spec": {"unschedulable": None if possible else True}}
    session.ask("PATCH", path, body, "application/merge-patch+json")
    session.call.out(f"node/{name} {done}")


def _leaves(session: Session, pod: dict[str, Any]) -> bool:
    meta = pod["metadata"]
    place = f"{meta['namespace']}/{meta['name']}"
    owner = next((one for one in meta.get("ownerReferences") or [] if one.get("controller")), None)
    if _MIRROR in (meta.get("annotations") or {}):
        return False
    if owner is not None and owner["kind"] == "DaemonSet":
        if session.words.on("ignore-daemonsets"):
            return False
        raise Failure(
            "error: cannot delete DaemonSet-managed Pods (use --ignore-daemonsets to ignore): "
            f"{place}"
        )
    finished = (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")
    if owner is None and not finished and not session.words.on("force"):
        raise Failure(
            "error: cannot delete Pods not managed by ReplicationController, ReplicaSet, Job, "
            f"DaemonSet or StatefulSet (use --force to override): {place}"
        )
    return True


def _limit(session: Session) -> float:
    number = re.match(r"(\d+)(m|s|h)?", session.words.get("timeout", "0s"))
    seconds = float(number[1]) * {"m": 60, "h": 3600}.get(number[2] or "s", 1) if number else 0.0
    # 0 means without end; nothing in a test shall wait so long
    return time.monotonic() + (seconds or 3600.0) / session.system.life.speed


def _path(pod: dict[str, Any]) -> str:
    meta = pod["metadata"]
    return f"/api/v1/namespaces/{meta['namespace']}/pods/{meta['name']}"


def _evict(session: Session, pod: dict[str, Any], limit: float) -> None:
    meta = pod["metadata"]
    session.call.out(f"evicting pod {meta['namespace']}/{meta['name']}")
    body = {
        "apiVersion": "policy/v1" if session.system.image.minor >= 22 else "policy/v1beta1",  # noqa: PLR2004
        "kind": "Eviction",
        "metadata": {"name": meta["name"], "namespace": meta["namespace"]},
    }
    while True:
        status, found = session.client.request("POST", f"{_path(pod)}/eviction", body)
        if status == _TOO_MANY and time.monotonic() < limit:
            session.system.pause_call(session.call, _PAUSE)
            continue
        if status >= _BAD and status != _NOT_FOUND:
            raise Failure(
                f'error when evicting pods/"{meta["name"]}" -n "{meta["namespace"]}": '
                f"{session.explain(status, found)}"
            )
        return


def _await(session: Session, pod: dict[str, Any], limit: float) -> None:
    while True:
        status, found = session.client.request("GET", _path(pod))
        gone = status == _NOT_FOUND or (found.get("metadata") or {}).get("uid") != (
            pod["metadata"].get("uid")
        )
        if gone:
            return
        if time.monotonic() > limit:
            raise Failure(f"error: timed out waiting for pods/{pod['metadata']['name']} to go")
        session.system.pause_call(session.call, _PAUSE)
