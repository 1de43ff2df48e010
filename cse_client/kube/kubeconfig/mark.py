"""The mark in an entry's `extensions`, by which an entry of ours is known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

__all__ = ["EXTENSION", "Mark"]

#: The name of the extension that holds the mark.
EXTENSION = "cse-client"


@dataclass(frozen=True)
class Mark:
    """Which cluster an entry belongs to: its id, and `<cluster>@<org>-<vdc>`."""

    cluster_id: str
    name: str

    def matches(self, other: Mark) -> bool:
        """Tell whether both mean one cluster; names decide where an id is unknown."""
        if self.cluster_id and other.cluster_id:
            return self.cluster_id == other.cluster_id
        return self.name == other.name

    def document(self) -> list[dict[str, Any]]:
        """Return what goes into an entry's `extensions`."""
        values = {"cluster-id": self.cluster_id, "name": self.name}
        return [{"name": EXTENSION, "extension": values}]
