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
        document = {**asdict(self), "nodes": list(self.nodes), "pools": pools}
        return {k: v for k, v in document.items() if v or k not in _OPTIONAL}


_TEXTS = ("template", "release", "before_release", "pool")
_OPTIONAL = ("heads", *_TEXTS, "pools")


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
    # an upgrade without workers replaces nobody where the control plane stays
    nobody = kind == UPGRADE and not workers
    if not nobody and (kind in _WITHOUT_NODES) != (not nodes):
        return None
    if heads is None or (kind in _WITH_HEADS) != bool(heads):
        return None
    waited = raw.get("waited", True) is not False
    texts: dict[str, Any] = {name: claims.text(raw.get(name, "")) for name in _TEXTS}
    pools = parse_pools(raw.get("pools", []))
    if pools is None or any(raw.get(name, "") != text for name, text in texts.items()):
        return None
    return Operation(
        *(identifier, kind, workers, before, asked, nodes, waited, heads), **texts, pools=pools
    )
