"""The change that a cluster is in the middle of, as its vApp records it.

Written before the first change and erased with the last, so that whoever comes after a crash can
carry on with exactly what was begun: the same target, the same nodes.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass

from cse_client.engines.direct import metadata as keys

__all__ = ["GROW", "SHRINK", "Operation", "read_operation", "with_workers"]

GROW = "grow"
SHRINK = "shrink"

_KEY = "cse.client.operation"
_NONE = "none"
# A text value of VCD metadata ends at about a thousand characters.
_CHUNK = 900


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

    def entries(self) -> dict[str, str]:
        """Return the metadata that records this operation."""
        value = {
            "id": self.id,
            "kind": self.kind,
            "workers": self.workers,
            "before": self.before,
            "asked": self.asked,
            "nodes": list(self.nodes),
            "waited": self.waited,
        }
        text = json.dumps(value, separators=(",", ":"))
        chunks = [text[i : i + _CHUNK] for i in range(0, len(text), _CHUNK)]
        # How many keys belong together: a longer operation before may have left more of them.
        found = {_KEY: f"{len(chunks)}:{chunks[0]}"}
        found.update({f"{_KEY}.{n}": chunk for n, chunk in enumerate(chunks[1:], 1)})
        return found

    @staticmethod
    def erased() -> dict[str, str]:
        """Return the metadata that records that nothing is going on."""
        return {_KEY: _NONE}


def read_operation(metadata: Mapping[str, str]) -> Operation | None:
    """Return the unfinished operation, None where there is none or its record is damaged."""
    count, _, text = metadata.get(_KEY, "").partition(":")
    if not count.isdigit():
        return None
    text += "".join(metadata.get(f"{_KEY}.{n}", "") for n in range(1, int(count)))
    try:
        raw = json.loads(text)
        return Operation(
            id=str(raw["id"]),
            kind=str(raw["kind"]),
            workers=int(raw["workers"]),
            before=int(raw["before"]),
            asked=int(raw["asked"]),
            nodes=tuple(str(name) for name in raw["nodes"]),
            waited=bool(raw.get("waited", True)),
        )
    except (ValueError, KeyError, TypeError):
        return None


def with_workers(metadata: Mapping[str, str], workers: int) -> dict[str, str]:
    """Return the record of what was asked for with another number of workers; empty: no record."""
    try:
        asked = json.loads(metadata.get(keys.SPEC, ""))
        asked["workers"] = workers
    except (ValueError, TypeError):
        return {}
    return {keys.SPEC: json.dumps(asked, separators=(",", ":"), sort_keys=True)}
