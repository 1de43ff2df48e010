"""Keeps the status of PodDisruptionBudgets."""

from __future__ import annotations

from datetime import datetime

from cse_client.simulator.kube.budgets import budget_status
from cse_client.simulator.kube.controllers.pods import PODS
from cse_client.simulator.kube.objects import dig
from cse_client.simulator.kube.selectors import matches_selector
from cse_client.simulator.kube.state import Cluster
from cse_client.simulator.kube.store import Change

__all__ = ["Budgets"]

_BUDGETS = ("policy", "poddisruptionbudgets")


class Budgets:
    """Counts again when a budget or one of its pods changed."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    def changed(self, change: Change) -> None:
        """Write the budgets' status."""
        obj = change.new or change.old
        if obj is None or change.key not in (_BUDGETS, PODS):
            return
        store = self._cluster.store
        if not store.count(_BUDGETS):
            return
        labels = obj["metadata"].get("labels")
        for budget in list(store.each(_BUDGETS, obj["metadata"]["namespace"])):
            if change.key == PODS and not matches_selector(dig(budget, "spec", "selector"), labels):
                continue
            status = budget_status(store, budget)
            if status != budget.get("status"):
                self._cluster.put(_BUDGETS, budget, status=status)

    def tick(self, now: datetime) -> datetime | None:
        """Nothing here depends on time."""
