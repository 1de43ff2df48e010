"""The change that a cluster is in the middle of, as its vApp records it.

Written before the first change and erased with the last, so that whoever comes after a crash can
resume exactly what was begun: the same target, the same nodes. `journal` says where.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from cse_client.engines.direct import claims

__all__ = ["GROW", "SHRINK", "Operation", "parse_operation"]

GROW = "grow"
SHRINK = "shrink"


@dataclass(frozen=True)
class Operation:
    """What is going on: `workers` is the target, `before` what there was, `nodes` who goes.

    `id` is in the description of every VM that the operation makes. `waited` is False where the
    command left early on purpose, so that nobody was there to record the end.
    """

    id: str
    kind: str
    workers: int
    before: int
    asked: int = 0
    nodes: tuple[str, ...] = ()
    waited: bool = True

    @classmethod
    def begin(
        cls,
        kind: str,
        *,
        workers: int,
        before: int,
        asked: int = 0,
        nodes: tuple[str, ...] = (),
        waited: bool = True,
    ) -> Operation:
        """Return a new operation with an id of its own."""
        return cls(secrets.token_hex(4), kind, workers, before, asked, nodes, waited)

    def mark(self) -> str:
        """Return what the description of a VM of this operation contains."""
        return f"[operation {self.id}]"

    def document(self) -> dict[str, Any]:
        """Return the operation as a JSON object."""
        return {**asdict(self), "nodes": list(self.nodes)}


def parse_operation(raw: Mapping[str, Any]) -> Operation | None:
    """Return the operation that a JSON object describes, None where it is damaged."""
    workers = claims.integer(raw.get("workers"), 0, claims.MOST_WORKERS)
    before = claims.integer(raw.get("before"), 0, claims.MOST_WORKERS)
    asked = claims.integer(raw.get("asked", 0), 0, claims.MOST_WORKERS)
    nodes = claims.texts(raw.get("nodes", []), claims.MOST_WORKERS)
    identifier, kind = claims.text(raw.get("id"), 64), raw.get("kind")
    if workers is None or before is None or asked is None or nodes is None or not identifier:
        return None
    if kind not in (GROW, SHRINK) or (kind == GROW) != (not nodes):
        return None
    return Operation(
        identifier, str(kind), workers, before, asked, nodes, raw.get("waited", True) is not False
    )
