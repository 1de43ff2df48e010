"""ClusterRoles that are made of others: `aggregationRule` collects the rules of those it selects.

kubernetes:pkg/controller/clusterroleaggregation/clusterroleaggregation_controller.go
"""

from __future__ import annotations

from datetime import datetime

from cse_client.simulator.kube.objects import Obj
from cse_client.simulator.kube.rbac import GROUP
from cse_client.simulator.kube.selectors import matches_selector
from cse_client.simulator.kube.state import Cluster
from cse_client.simulator.kube.store import Change

__all__ = ["RoleAggregation"]

_ROLES = (GROUP, "clusterroles")


class RoleAggregation:
    """Keeps the rules of aggregated ClusterRoles."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    def changed(self, change: Change) -> None:
        """Collect again when a ClusterRole was written."""
        if change.key != _ROLES:
            return
        for role in list(self._cluster.store.each(_ROLES)):
            if role.get("aggregationRule"):
                rules = self._collect(role)
                if rules != role.get("rules"):
                    self._cluster.put(_ROLES, role, rules=rules)

    def tick(self, now: datetime) -> datetime | None:
        """Nothing here depends on time."""

    def _collect(self, role: Obj) -> list[Obj]:
        rules: list[Obj] = []
        for selector in role["aggregationRule"].get("clusterRoleSelectors") or ():
            for other in self._cluster.store.each(_ROLES):
                if other["metadata"]["name"] == role["metadata"]["name"]:
                    continue
                if matches_selector(selector, other["metadata"].get("labels")):
                    rules.extend(rule for rule in other.get("rules") or () if rule not in rules)
        return rules
