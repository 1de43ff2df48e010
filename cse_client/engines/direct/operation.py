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
from cse_client.model.cluster import CONTROL_PLANES

__all__ = [
    "GROW",
    "GROW_HEADS",
    "HEAD_KINDS",
    "SHRINK",
    "SHRINK_HEADS",
    "Operation",
    "parse_operation",
]

GROW = "grow"
SHRINK = "shrink"
GROW_HEADS = "grow-control-planes"
SHRINK_HEADS = "shrink-control-planes"
HEAD_KINDS = (GROW_HEADS, SHRINK_HEADS)


@dataclass(frozen=True)
class Operation:
    """What is going on: `workers` is the target, `before` what there was, `nodes` who goes.

    `id` is in the description of every VM that the operation makes. `waited` is False where the
    command left early on purpose, so that nobody was there to record the end. `heads` is the target
    of an operation on control planes, which leaves the workers alone.
    """

    id: str
    kind: str
    workers: int
    before: int
    asked: int = 0
    nodes: tuple[str, ...] = ()
    waited: bool = True
    heads: int = 0

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
        heads: int = 0,
    ) -> Operation:
        """Return a new operation with an id of its own."""
        return cls(secrets.token_hex(4), kind, workers, before, asked, nodes, waited, heads)

    def mark(self) -> str:
        """Return what the description of a VM of this operation contains."""
        return f"[operation {self.id}]"

    def document(self) -> dict[str, Any]:
        """Return the operation as a JSON object."""
        document = {**asdict(self), "nodes": list(self.nodes)}
        return document if self.heads else {k: v for k, v in document.items() if k != "heads"}


def parse_operation(raw: Mapping[str, Any]) -> Operation | None:
    """Return the operation that a JSON object describes, None where it is damaged."""
    workers = claims.integer(raw.get("workers"), 0, claims.MOST_WORKERS)
    before = claims.integer(raw.get("before"), 0, claims.MOST_WORKERS)
    asked = claims.integer(raw.get("asked", 0), 0, claims.MOST_WORKERS)
    nodes = claims.texts(raw.get("nodes", []), claims.MOST_WORKERS)
    identifier, kind = claims.text(raw.get("id"), 64), raw.get("kind")
    if workers is None or before is None or asked is None or nodes is None or not identifier:
        return None
    heads = claims.integer(raw.get("heads", 0), 0, max(CONTROL_PLANES))
    if kind not in (GROW, SHRINK, *HEAD_KINDS) or (kind in (GROW, GROW_HEADS)) != (not nodes):
        return None
    if heads is None or (kind in HEAD_KINDS) != bool(heads):
        return None
    waited = raw.get("waited", True) is not False
    return Operation(identifier, str(kind), workers, before, asked, nodes, waited, heads)
