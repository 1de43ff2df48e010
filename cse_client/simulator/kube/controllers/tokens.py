"""Bootstrap tokens that have expired are deleted.

kubernetes:pkg/controller/bootstrap/tokencleaner.go
"""

from __future__ import annotations

from datetime import datetime

from cse_client.simulator.kube.authn import secret_text
from cse_client.simulator.kube.deletion import Deletion
from cse_client.simulator.kube.objects import parse_time
from cse_client.simulator.kube.state import Cluster
from cse_client.simulator.kube.store import Change

__all__ = ["TokenCleaner"]

_SECRETS = ("", "secrets")


class TokenCleaner:
    """Removes bootstrap tokens at their expiration."""

    def __init__(self, cluster: Cluster, deletion: Deletion) -> None:
        self._cluster = cluster
        self._deletion = deletion

    def changed(self, change: Change) -> None:
        """Nothing: only time matters here."""

    def tick(self, now: datetime) -> datetime | None:
        """Delete what has expired."""
        due = []
        resource = self._cluster.resource(*_SECRETS)
        for secret in list(self._cluster.store.each(_SECRETS, "kube-system")):
            if secret.get("type") != "bootstrap.kubernetes.io/token":
                continue
            end = parse_time(secret_text(secret, "expiration"))
            if end is not None and end <= now:
                self._deletion.remove(resource, secret)
            elif end is not None:
                due.append(end)
        return min(due) if due else None
