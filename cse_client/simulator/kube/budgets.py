"""Pod disruption budgets: how many pods may go now."""

from __future__ import annotations

import math
from typing import Any

from cse_client.simulator.kube.objects import Obj, condition, dig
from cse_client.simulator.kube.selectors import matches_selector
from cse_client.simulator.kube.store import Store

__all__ = ["budget_status", "disruptions_allowed"]


def _share(value: Any, total: int) -> int:
    """Return a number of pods or a percentage of them, rounded up as the controller does."""
    text = str(value)
    if text.endswith("%"):
        return math.ceil(total * int(text[:-1]) / 100)
    return int(text)


def disruptions_allowed(store: Store, budget: Obj) -> tuple[int, int, int]:
    """Return (allowed disruptions, healthy pods, healthy pods needed).

    kubernetes:pkg/controller/disruption/disruption.go; the expected count is that of the pods,
    not of their controllers' replicas.
    """
    namespace = budget["metadata"]["namespace"]
    spec = budget.get("spec") or {}
    pods = _covered(store, budget)
    healthy = sum(
        1
        for pod in pods
        if dig(condition(pod, "Ready"), "status") == "True"
        and not pod["metadata"].get("deletionTimestamp")
    )
    expected = _expected(store, namespace, pods)
    if spec.get("minAvailable") is not None:
        needed = _share(spec["minAvailable"], expected)
    else:
        needed = max(0, expected - _share(spec.get("maxUnavailable", 0), expected))
    return max(0, healthy - needed), healthy, needed


def _covered(store: Store, budget: Obj) -> list[Obj]:
    return [
        pod
        for pod in store.each(("", "pods"), budget["metadata"]["namespace"])
        if matches_selector(dig(budget, "spec", "selector"), pod["metadata"].get("labels"))
    ]


def _expected(store: Store, namespace: str, pods: list[Obj]) -> int:
    """Return how many pods the controllers of these want, each bare pod counting for itself."""
    total, seen = 0, set()
    for pod in pods:
        owner = next(
            (ref for ref in pod["metadata"].get("ownerReferences") or () if ref.get("controller")),
            None,
        )
        if owner is None:
            total += 1
        elif owner["uid"] not in seen:
            seen.add(owner["uid"])
            plural = owner["kind"].lower() + "s"
            holder = store.get(("apps", plural), namespace, owner["name"])
            total += int(dig(holder, "spec", "replicas", default=1))
    return total


def budget_status(store: Store, budget: Obj) -> Obj:
    """Return the status that a budget should show."""
    allowed, healthy, needed = disruptions_allowed(store, budget)
    return {
        "currentHealthy": healthy,
        "desiredHealthy": needed,
        "disruptionsAllowed": allowed,
        "expectedPods": _expected(store, budget["metadata"]["namespace"], _covered(store, budget)),
        "observedGeneration": budget["metadata"].get("generation", 1),
    }
