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
from cse_client.engines.direct.pools import parse_pools, pool_documents
from cse_client.model.cluster import CONTROL_PLANES
from cse_client.model.pools import DEFAULT_POOL, Pool

__all__ = [
    "GROW",
    "GROW_HEADS",
    "HEAD_KINDS",
    "REPLACE",
    "SHRINK",
    "SHRINK_HEADS",
    "UPDATE",
    "UPGRADE",
    "Operation",
    "parse_operation",
]

GROW = "grow"
SHRINK = "shrink"
GROW_HEADS = "grow-control-planes"
SHRINK_HEADS = "shrink-control-planes"
HEAD_KINDS = (GROW_HEADS, SHRINK_HEADS)
#: Workers are replaced by new ones, of another template for example.
REPLACE = "replace"
#: The nodes of a pool get other labels or taints.
UPDATE = "update-pool"
#: All nodes get another Kubernetes release.
UPGRADE = "upgrade"
_WITH_HEADS = (*HEAD_KINDS, UPGRADE)
_WITHOUT_NODES = (GROW, GROW_HEADS, UPDATE)
_KINDS = (GROW, SHRINK, *HEAD_KINDS, REPLACE, UPDATE, UPGRADE)


@dataclass(frozen=True)
class Operation:
    """What is going on: `workers` is the target, `before` what there was, `nodes` who goes.

    `id` is in the description of every VM that the operation makes. `waited` is False where the
    command left early on purpose, so that nobody was there to record the end. `heads` is the target
    of an operation on control planes, which leaves the workers alone, and the number of control
    planes of an upgrade. `template` is the id of the template of which new nodes are made, in a
    replacement (of workers of `pool`) and in an upgrade (from the release `before_release` to
    `release`, such as 1.37.2). `pools` are the worker pools as they are to be afterwards, empty for
    a cluster that has the default one only; the operation is about `pool`, empty for several.
    `counts` is how many of the nodes of an upgrade are workers of each of `pools`.
    """

    id: str
    kind: str
    workers: int
    before: int
    asked: int = 0
    nodes: tuple[str, ...] = ()
    waited: bool = True
    heads: int = 0
    template: str = ""
    release: str = ""
    before_release: str = ""
    pool: str = ""
    pools: tuple[Pool, ...] = ()
    counts: tuple[int, ...] = ()

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
        template: str = "",
        release: str = "",
        before_release: str = "",
        pool: str = "",
        pools: tuple[Pool, ...] = (),
        counts: tuple[int, ...] = (),
    ) -> Operation:
        """Return a new operation with an id of its own."""
        return cls(
            secrets.token_hex(4),
            kind,
            workers,
            before,
            asked,
            nodes,
            waited,
            heads,
            template,
            release,
            before_release,
            pool,
            pools,
            counts,
        )

    def is_for(self, pool: str, size: int) -> bool:
        """Return whether a pool has this number of workers afterwards, and no other changes."""
        if not self.pools:
            return pool == DEFAULT_POOL and self.workers == size
        return self.pool == pool and any(
            one.name == pool and one.size == size for one in self.pools
        )

    def mark(self) -> str:
        """Return what the description of a VM of this operation contains."""
        return f"[operation {self.id}]"

    def document(self) -> dict[str, Any]:
        """Return the operation as a JSON object."""
        pools = pool_documents(self.pools)
        document = {
            **asdict(self),
            "nodes": list(self.nodes),
            "pools": pools,
            "counts": list(self.counts),
        }
        return {k: v for k, v in document.items() if v or k not in _OPTIONAL}


_TEXTS = ("template", "release", "before_release", "pool")
_OPTIONAL = ("heads", *_TEXTS, "pools", "counts")


def parse_operation(raw: Mapping[str, Any]) -> Operation | None:
    """Return the operation that a JSON object describes, None where it is damaged."""
    workers = claims.integer(raw.get("workers"), 0, claims.MOST_WORKERS)
    before = claims.integer(raw.get("before"), 0, claims.MOST_WORKERS)
    asked = claims.integer(raw.get("asked", 0), 0, claims.MOST_WORKERS)
    nodes = claims.texts(raw.get("nodes", []), claims.MOST_WORKERS)
    identifier, kind = claims.text(raw.get("id"), 64), claims.text(raw.get("kind"))
    if workers is None or before is None or asked is None or nodes is None or not identifier:
        return None
    heads = claims.integer(raw.get("heads", 0), 0, max(CONTROL_PLANES))
    if kind not in _KINDS:
        return None
    # an upgrade replaces nobody where the control plane stays and there are no workers to replace
    if not (kind == UPGRADE and not nodes) and (kind in _WITHOUT_NODES) != (not nodes):
        return None
    if heads is None or (kind in _WITH_HEADS) != bool(heads):
        return None
    waited = raw.get("waited", True) is not False
    texts: dict[str, Any] = {name: claims.text(raw.get(name, "")) for name in _TEXTS}
    pools = parse_pools(raw.get("pools", []))
    counts = _counts(raw.get("counts"), kind, pools or ())
    damaged = any(raw.get(name, "") != text for name, text in texts.items())
    if pools is None or counts is None or damaged:
        return None
    return Operation(
        *(identifier, kind, workers, before, asked, nodes, waited, heads),
        **texts,
        pools=pools,
        counts=counts,
    )


def _counts(raw: object, kind: str, pools: tuple[Pool, ...]) -> tuple[int, ...] | None:
    if raw is None and kind == UPGRADE:
        # before counts were recorded, the pools had the sizes that were there
        return tuple(0 if pool.template else pool.size for pool in pools)
    if raw is None:
        return ()
    if kind != UPGRADE or not isinstance(raw, list) or len(raw) != len(pools):
        return None
    found = [claims.integer(one, 0, claims.MOST_WORKERS) for one in raw]
    whole = tuple(one for one in found if one is not None)
    return whole if len(whole) == len(raw) else None
