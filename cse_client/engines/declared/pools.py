"""The difference between the worker pools that a file declares and those of a cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from cse_client.content import plain
from cse_client.engines.declared.reading import DeclaredFile
from cse_client.engines.declared.templates import is_same_template, template_text
from cse_client.errors import CseError, Refused
from cse_client.model import ClusterSpec
from cse_client.model.declared import Change, Declared
from cse_client.model.hardware import size_text
from cse_client.model.pools import Pool
from cse_client.plurals import counted

__all__ = ["PoolChange", "pool_changes", "pool_refusals", "pool_step"]

_PATH = ("spec", "pools")
_BEGUN = "(begun)"


@dataclass(frozen=True)
class PoolChange:
    """A change of one pool, and the pool as it is wanted; `begun`: it is unfinished."""

    change: Change
    pool: Pool
    begun: bool = False


@dataclass(frozen=True)
class _Fixed:
    """What a pool's workers are made of, by the key of a file."""

    key: str
    of_pool: Callable[[Pool], Any]
    of_cluster: Callable[[ClusterSpec], Any]
    shown: Callable[[Any], str] = str


_FIXED = (
    _Fixed("cpus", lambda pool: pool.cpus, lambda spec: spec.cpus),
    _Fixed("memory", lambda pool: pool.memory_mb, lambda spec: spec.memory_mb, size_text),
    _Fixed("disk", lambda pool: pool.disk_mb, lambda spec: spec.node_options.disk_mb, size_text),
    _Fixed("storageProfile", lambda pool: pool.storage_profile, lambda spec: spec.storage_profile),
    _Fixed(
        "sizingPolicy",
        lambda pool: pool.sizing_policy,
        lambda spec: spec.node_options.sizing_policy,
    ),
    _Fixed(
        "placementPolicy",
        lambda pool: pool.placement_policy,
        lambda spec: spec.node_options.placement_policy,
    ),
)


def pool_step(name: str) -> str:
    """Return the name of a pool in `Declared.unfinished`."""
    return f"pools.{name}"


def pool_refusals(file: DeclaredFile, there: Declared) -> Iterator[CseError]:
    """Yield what a file declares of a pool that cannot be changed."""
    if _PATH not in file.stated:
        return
    known = {pool.name: pool for pool in there.pools}
    for number, pool in enumerate(file.declared.pools):
        current = known.get(pool.name)
        if current is None:
            continue
        for fixed in _FIXED:
            wanted = fixed.of_pool(pool)
            now = fixed.of_pool(current) or fixed.of_cluster(there.spec)
            if fixed.key in file.pool_keys[pool.name] and wanted != now:
                at = file.places.at((*_PATH, number, fixed.key))
                has = f"has {fixed.shown(now)}" if now else "was created without it"
                yield Refused(
                    f"{at} is {plain(fixed.shown(wanted), 60)}, and pool '{pool.name}' {has}; it"
                    " cannot be changed.",
                    hint="Add another pool with it, and remove this one.",
                )


def pool_changes(file: DeclaredFile, there: Declared) -> Iterator[PoolChange]:
    """Yield the changes of pools: first what has begun, then what adds, then what removes."""
    if _PATH not in file.stated:
        return
    found = list(_changes(file, there))
    yield from sorted(found, key=lambda one: (not one.begun, _ORDER[_kind(one.change)]))


_ORDER = {"create": 0, "grow": 1, "update": 2, "upgrade": 3, "shrink": 4, "delete": 5}


def _kind(change: Change) -> str:
    if change.action != "resize":
        return change.action
    return "shrink" if change.removes else "grow"


def _changes(file: DeclaredFile, there: Declared) -> Iterator[PoolChange]:
    known = {pool.name: pool for pool in there.pools}
    wanted = {pool.name: pool for pool in file.declared.pools}
    begun = {
        name.partition(".")[2]: action
        for name, action in there.unfinished.items()
        if name.startswith("pools.")
    }
    for name, pool in wanted.items():
        action = begun.get(name, "")
        current = known.get(name)
        if current is None or action == "create":
            text = f"{pool.size} {_BEGUN}" if current is not None else ""
            change = Change("create", f"pool {name}", text, _size(pool.size))
            yield PoolChange(change, pool, begun=bool(action))
        else:
            yield from _of_pool(current, pool, file.pool_keys[name], there.spec, action)
    for name in (*known, *(one for one, action in begun.items() if action == "delete")):
        if name not in wanted:
            current = known.get(name)
            size = _size(current.size) if current is not None else _BEGUN
            removes = f"deletes pool {name}"
            if current is not None and current.size:
                removes += f" with {_size(current.size)}"
            change = Change("delete", f"pool {name}", size, "", removes)
            yield PoolChange(change, Pool(name), begun=name in begun)


def _of_pool(
    now: Pool, wanted: Pool, keys: frozenset[str], spec: ClusterSpec, action: str
) -> Iterator[PoolChange]:
    """Yield the changes of an existing pool; `action` is the one that has begun, if any."""
    what = f"pool {now.name}"
    if "template" in keys:
        its: ClusterSpec | Pool = now if now.template else spec
        same = is_same_template(wanted, its)
        if not same or action == "upgrade":
            text = template_text(its)
            removes = f"replaces {_size(now.size)} of {what}" if now.size else ""
            change = Change(
                "upgrade",
                what,
                f"{text} {_BEGUN}" if same else text,
                template_text(wanted),
                removes,
            )
            yield PoolChange(change, wanted, begun=action == "upgrade")
    marked = replace(
        wanted,
        labels=wanted.labels if "labels" in keys else now.labels,
        taints=wanted.taints if "taints" in keys else now.taints,
    )
    same = _marks(marked) == _marks(now)
    if not same or action == "update":
        text = _marks_text(now)
        change = Change("update", what, f"{text} {_BEGUN}" if same else text, _marks_text(marked))
        yield PoolChange(change, marked, begun=action == "update")
    if now.size != wanted.size or action == "resize":
        gone = now.size - wanted.size
        removes = f"deletes {_size(gone)} of {what}" if gone > 0 else ""
        text = f"{now.size} {_BEGUN}" if not gone else str(now.size)
        change = Change("resize", what, text, str(wanted.size), removes)
        yield PoolChange(change, wanted, begun=action == "resize")


def _marks(pool: Pool) -> tuple[Mapping[str, str], Sequence[str]]:
    return dict(pool.labels), sorted(map(str, pool.taints))


def _marks_text(pool: Pool) -> str:
    labels = ",".join(f"{key}={value}" for key, value in sorted(pool.labels.items()))
    taints = ",".join(sorted(map(str, pool.taints)))
    parts = [f"labels {labels}" if labels else "", f"taints {taints}" if taints else ""]
    return "; ".join(filter(None, parts)) or "no labels or taints"


def _size(workers: int) -> str:
    return counted(workers, "worker")
