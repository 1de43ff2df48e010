"""Worker pools as VCD keeps them.

A worker's pool is in the description of its VM, which the request that makes the VM writes: it is
known after any crash. What a pool is to be is recorded with the cluster: when it is created in
`footprint.SPEC`, and from the first change on with the operations, see `journal`.

All of that are claims of whoever may edit the vApp: nothing here raises.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from cse_client.engines.direct import claims
from cse_client.model import NewVm, Vm
from cse_client.model.pools import DEFAULT_POOL, MOST_POOLS, Pool, Taint, pool_problems

__all__ = [
    "parse_pools",
    "pool_documents",
    "pool_mark",
    "pool_of",
    "resized",
    "sized_to",
    "total",
]

_MARK = re.compile(r"\[pool ([a-z0-9-]{1,40})\]")
_NUMBERS = {
    "size": (0, claims.MOST_WORKERS),
    "template_revision": (0, 10**9),
    "cpus": (1, claims.MOST_CPUS),
    "memory_mb": (1, claims.MOST_MEMORY_MB),
    "disk_mb": (1, claims.MOST_DISK_MB),
}
_TEXTS = (
    "name",
    "template",
    "template_id",
    "sizing_policy",
    "placement_policy",
    "storage_profile",
)


def pool_mark(name: str) -> str:
    """Return what the description of a VM of this pool contains; empty for the default pool."""
    return "" if name == DEFAULT_POOL else f"[pool {name}]"


def pool_of(vm: Vm | NewVm) -> str:
    """Return the name of the pool that a worker's VM belongs to."""
    found = _MARK.search(vm.description)
    return found.group(1) if found else DEFAULT_POOL


def total(pools: Iterable[Pool]) -> int:
    """Return how many workers these pools are to have."""
    return sum(pool.size for pool in pools)


def resized(pools: Sequence[Pool], name: str, size: int) -> tuple[Pool, ...]:
    """Return the pools with another size of one of them."""
    return tuple(replace(pool, size=size) if pool.name == name else pool for pool in pools)


def sized_to(pools: Sequence[Pool], workers: int | None) -> tuple[Pool, ...]:
    """Return the pools with `workers` workers in all: the default pool has the others.

    Versions before pools existed record the number of all workers alone.
    """
    if workers is None or total(pools) == workers:
        return tuple(pools)
    if all(pool.name != DEFAULT_POOL for pool in pools):
        if workers < total(pools):
            return tuple(pools)
        pools = (*pools, Pool(DEFAULT_POOL))
    others = sum(pool.size for pool in pools if pool.name != DEFAULT_POOL)
    return resized(pools, DEFAULT_POOL, max(0, workers - others))


def pool_documents(pools: Sequence[Pool]) -> list[dict[str, Any]]:
    """Return pools as JSON objects, without what is not given."""
    return [_document(pool) for pool in pools]


def _document(pool: Pool) -> dict[str, Any]:
    values = {name: getattr(pool, name) for name in (*_TEXTS, *_NUMBERS)}
    found: dict[str, Any] = {
        name: value for name, value in values.items() if value not in ("", None)
    }
    if pool.labels:
        found["labels"] = dict(sorted(pool.labels.items()))
    if pool.taints:
        found["taints"] = [[one.key, one.value, one.effect] for one in pool.taints]
    return found


def parse_pools(value: object) -> tuple[Pool, ...] | None:
    """Return the pools that `pool_documents` wrote, or None: they cannot be used."""
    if not isinstance(value, list) or len(value) > MOST_POOLS:
        return None
    pools = [_parse(raw) for raw in value]
    found = tuple(pool for pool in pools if pool is not None)
    return found if len(found) == len(pools) and not any(pool_problems(found)) else None


def _parse(raw: object) -> Pool | None:
    if not isinstance(raw, dict):
        return None
    labels, taints = _labels(raw.get("labels", {})), _taints(raw.get("taints", []))
    numbers = {name: claims.integer(raw.get(name), *_NUMBERS[name]) for name in _NUMBERS}
    texts = {name: claims.text(raw.get(name)) for name in _TEXTS}
    given: dict[str, Any] = {**numbers, **texts}
    unusable = any(raw.get(name) not in (None, given[name]) for name in given)
    if labels is None or taints is None or unusable:
        return None
    given["size"] = given["size"] or 0
    return Pool(**given, labels=labels, taints=taints)


def _labels(raw: object) -> Mapping[str, str] | None:
    if not isinstance(raw, dict) or not all(isinstance(one, str) for one in raw.values()):
        return None
    return raw


def _taints(raw: object) -> tuple[Taint, ...] | None:
    if not isinstance(raw, list):
        return None
    found = []
    for one in raw:
        if not (isinstance(one, list) and len(one) == 3 and all(isinstance(x, str) for x in one)):  # noqa: PLR2004
            return None
        key, value, effect = one
        found.append(Taint(key, effect, value))
    return tuple(found)
