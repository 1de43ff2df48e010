"""Pods under disruption budgets, and whether an API server would evict them.

What the product predicts has to be what an API server does, the real one and the imitation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cse_client.kube.api import ClusterAPI
from cse_client.kube.drain import find_stuck_pods

__all__ = ["CASES", "Case", "predicted_and_done"]

_PODS = "/api/v1/namespaces/default/pods"
_OWNER = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web", "controller": True}
_UID = "00000000-0000-4000-8000-000000000000"
_V1 = 22


@dataclass(frozen=True)
class Case:
    """A pod beside two that are Ready, and the budgets over all three."""

    name: str
    phase: str
    ready: bool
    budgets: tuple[dict[str, Any], ...]
    goes: bool


_TWO, _THREE = {"minAvailable": 2}, {"minAvailable": 3}
_ALWAYS = {**_THREE, "unhealthyPodEvictionPolicy": "AlwaysAllow"}

#: As 1.27 and later do.
CASES = (
    Case("no budget", "Running", True, (), True),
    Case("one more than needed", "Running", True, (_TWO,), True),
    Case("all are needed", "Running", True, (_THREE,), False),
    Case("pending", "Pending", False, (_THREE,), True),
    Case("not ready", "Running", False, (_TWO,), True),
    Case("not ready while too few are", "Running", False, (_THREE,), False),
    Case("not ready, which may always go", "Running", False, (_ALWAYS,), True),
    Case("two budgets", "Running", True, (_TWO, _TWO), False),
    Case("not ready under two budgets", "Running", False, (_TWO, _TWO), False),
    Case("pending under two budgets", "Pending", False, (_TWO, _TWO), True),
    Case("failed", "Failed", False, (_THREE,), True),
)


def predicted_and_done(api: ClusterAPI, case: Case) -> tuple[bool, bool]:
    """Return whether the pod can be moved by what the product sees, and by its eviction."""
    label = "-".join(case.name.replace(",", "").split())
    _ask(api, "POST", "/api/v1/namespaces/default/serviceaccounts", _named("robot"), taken=True)
    pods = (("a", "Running", True), ("b", "Running", True), ("x", case.phase, case.ready))
    for name, phase, ready in pods:
        _create_pod(api, label, f"{label}-{name}", phase, ready=ready)
    version = "v1" if api.minor() >= (1, _V1) else "v1beta1"
    for number, spec in enumerate(case.budgets):
        _create_budget(api, version, label, f"{label}-{number}", spec, 2 + case.ready)
    subject = f"{label}-x"
    stuck = {one.pod for one in find_stuck_pods(api, ["judged"])}
    body = {"apiVersion": f"policy/{version}", "kind": "Eviction", **_named(subject)}
    status, _answer = api.ask("POST", f"{_PODS}/{subject}/eviction", body, query={"dryRun": "All"})
    return subject not in stuck, status < 400


def _named(name: str, **more: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, **more}}


def _create_pod(api: ClusterAPI, label: str, name: str, phase: str, *, ready: bool) -> None:
    owners = [{**_OWNER, "uid": _UID}]
    pod = {
        **_named(name, labels={"app": label}, ownerReferences=owners),
        "spec": {
            "nodeName": "judged",
            "serviceAccountName": "robot",
            "automountServiceAccountToken": False,
            "containers": [{"name": "main", "image": "example.com/main:1"}],
        },
    }
    _ask(api, "POST", _PODS, pod)
    conditions = [{"type": "Ready", "status": "True" if ready else "False"}]
    _merge(api, f"{_PODS}/{name}/status", {"phase": phase, "conditions": conditions})


def _create_budget(
    api: ClusterAPI, version: str, label: str, name: str, spec: dict[str, Any], healthy: int
) -> None:
    """Create a budget with the status that its controller would write."""
    path = f"/apis/policy/{version}/namespaces/default/poddisruptionbudgets"
    selector = {"matchLabels": {"app": label}}
    _ask(api, "POST", path, {**_named(name), "spec": {"selector": selector, **spec}})
    needed = spec["minAvailable"]
    status = {
        "observedGeneration": 1,
        "currentHealthy": healthy,
        "desiredHealthy": needed,
        "disruptionsAllowed": max(0, healthy - needed),
        "expectedPods": 3,
    }
    _merge(api, f"{path}/{name}/status", status)


def _merge(api: ClusterAPI, path: str, status: dict[str, Any]) -> None:
    _ask(api, "PATCH", path, {"status": status}, "application/merge-patch+json")


def _ask(
    api: ClusterAPI,
    method: str,
    path: str,
    body: dict[str, Any],
    content_type: str = "application/json",
    *,
    taken: bool = False,
) -> None:
    status, answer = api.ask(method, path, body, content_type=content_type)
    assert status < 300 or (taken and status == 409), answer
