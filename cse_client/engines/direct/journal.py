"""The operations that began and ended on a cluster, as its vApp's metadata records them.

VCD merges what is written into the metadata of a vApp; it neither compares before it writes nor
keeps an order: a request that is held back on its way overwrites what came later. So nobody writes
what another may write. Each owner (a user on a machine, see `lock`) has two keys of its own:

- `cse.client.operation.OWNER`: the operation that this owner has begun, until it has ended or, if
  the owner has lost a race, until it has stepped back
- `cse.client.done.OWNER`: the last turn that this owner has ended, and the size it left

Each holder of the lock has a turn, a number above all that were seen before. The operation with
the highest turn is the one that is going on, unless that turn or a later one has been ended: a
record that arrives late has no effect.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from cse_client.engines.direct import claims
from cse_client.engines.direct.operation import Operation, parse_operation
from cse_client.engines.direct.pools import parse_pools, pool_documents, sized_to
from cse_client.model import footprint
from cse_client.model.cluster import CONTROL_PLANES
from cse_client.model.pools import DEFAULT_POOL, Pool

__all__ = ["Journal", "read_journal"]

NONE = "none"
LAST_TURN = 10**9
# A text value of VCD metadata ends at about a thousand characters.
_CHUNK = 900
_MOST_CHUNKS = 500
# versions before owners had keys of their own wrote OPERATION itself
_KEY = re.compile(
    rf"(?P<base>{re.escape(footprint.OPERATION)}(\.[0-9a-f]{{12}})?|{re.escape(footprint.DONE)}\.[0-9a-f]{{12}})",
    re.ASCII,
)


@dataclass(frozen=True)
class Done:
    """A turn that has ended: how many workers it left (None: as before), and who was removed.

    `heads` is the number of control planes that the cluster is to have, `pools` are its worker
    pools; None: as before.
    """

    turn: int
    workers: int | None = None
    nodes: tuple[str, ...] = ()
    heads: int | None = None
    pools: tuple[Pool, ...] | None = None


@dataclass(frozen=True)
class Journal:
    """What the records say. `turn` is the highest one that changed the cluster or began to.

    `damaged` names the keys that cannot be read; an `unclear` journal has one that may hide an
    operation.
    """

    operation: Operation | None = None
    turn: int = 0
    ended: int = -1
    workers: int | None = None
    heads: int | None = None
    pools: tuple[Pool, ...] | None = None
    removed: frozenset[str] = frozenset()
    damaged: tuple[str, ...] = ()
    unclear: bool = False

    def desired_workers(self, recorded: int | None) -> int | None:
        """Return how many workers the cluster is to have, None where that is not known.

        `recorded` is the number that the cluster was created with.
        """
        if self.operation is not None:
            return self.operation.workers
        return self.recorded_workers(recorded)

    def desired_heads(self, recorded: int) -> int:
        """Return how many control planes the cluster is to have."""
        if self.operation is not None and self.operation.heads:
            return self.operation.heads
        return self.recorded_heads(recorded)

    def recorded_workers(self, recorded: int | None) -> int | None:
        """Return how many workers the cluster was to have before the unfinished operation."""
        return self.workers if self.workers is not None else recorded

    def recorded_heads(self, recorded: int) -> int:
        """Return how many control planes it was to have before the unfinished operation."""
        return self.heads if self.heads is not None else recorded

    def desired_pools(self, recorded: tuple[Pool, ...], workers: int | None) -> tuple[Pool, ...]:
        """Return the worker pools that the cluster is to have.

        `recorded` are those that it was created with, `workers` is how many workers it is to have.
        """
        begun = self.operation.pools if self.operation is not None else ()
        known = begun or self.pools or recorded or (Pool(DEFAULT_POOL),)
        return sized_to(known, workers)


def read_journal(metadata: Mapping[str, str], *, without: Collection[str] = ()) -> Journal:
    """Read the records of all owners; never raises. Operations of owners in `without` are none."""
    pending: list[tuple[int, Operation]] = []
    done: list[Done] = []
    damaged: list[str] = []
    for key in sorted(metadata):
        if _KEY.fullmatch(key) is None or metadata[key] == NONE:
            continue
        raw = claims.json_object(_joined(metadata, key) or "")
        # operations recorded by older versions have no turn
        default = 0 if key.startswith(footprint.OPERATION) else None
        turn = claims.integer((raw or {}).get("turn", default), 0, LAST_TURN)
        ended = _done(raw, turn) if key.startswith(footprint.DONE) else None
        begun = parse_operation(raw) if raw is not None and ended is None else None
        if ended is not None:
            done.append(ended)
        elif begun is not None and turn is not None and key.startswith(footprint.OPERATION):
            if key.rpartition(".")[2] not in without:
                pending.append((turn, begun))
        else:
            damaged.append(key)
    last = max((one.turn for one in done), default=-1)
    turn, operation = max(pending, key=lambda one: one[0], default=(-1, None))
    done.sort(key=lambda one: one.turn)
    sizes = [one for one in done if one.workers is not None]
    heads = [one for one in done if one.heads is not None]
    pools = [one for one in done if one.pools is not None]
    return Journal(
        operation=operation if turn > last else None,
        turn=max(turn, last, 0),
        ended=last,
        workers=sizes[-1].workers if sizes else None,
        heads=heads[-1].heads if heads else None,
        pools=pools[-1].pools if pools else None,
        removed=frozenset(name for one in done for name in one.nodes),
        damaged=tuple(damaged),
        unclear=any(key.startswith(footprint.OPERATION) for key in damaged),
    )


def begun(owner: str, turn: int, operation: Operation) -> dict[str, str]:
    """Return the metadata that records the beginning of `operation`."""
    return _entries(f"{footprint.OPERATION}.{owner}", {"turn": turn, **operation.document()})


def of_owner(owner: str, metadata: Mapping[str, str]) -> dict[str, str]:
    """Return the metadata that brings an owner's record of an operation back to what it was."""
    key = f"{footprint.OPERATION}.{owner}"
    found = {k: value for k, value in metadata.items() if k == key or k.startswith(f"{key}.")}
    return {key: NONE, **found}


def ended(
    owner: str,
    turn: int,
    workers: int | None = None,
    nodes: tuple[str, ...] = (),
    heads: int | None = None,
    pools: tuple[Pool, ...] | None = None,
) -> dict[str, str]:
    """Return the metadata that records the end of a turn, see `Done`."""
    value: dict[str, Any] = {"turn": turn}
    if workers is not None:
        value["workers"] = workers
    if nodes:
        value["nodes"] = list(nodes)
    if heads is not None:
        value["heads"] = heads
    if pools:
        value["pools"] = pool_documents(pools)
    return {**_entries(f"{footprint.DONE}.{owner}", value), f"{footprint.OPERATION}.{owner}": NONE}


def _done(raw: Mapping[str, Any] | None, turn: int | None) -> Done | None:
    if raw is None or turn is None:
        return None
    workers = claims.integer(raw.get("workers"), 0, claims.MOST_WORKERS)
    nodes = claims.texts(raw.get("nodes", []), claims.MOST_WORKERS)
    heads = claims.integer(raw.get("heads"), 1, max(CONTROL_PLANES))
    if (
        nodes is None
        or ("workers" in raw and workers is None)
        or ("heads" in raw and heads is None)
    ):
        return None
    pools = parse_pools(raw.get("pools", []))
    return Done(turn, workers, nodes, heads, pools or None) if pools is not None else None


def _entries(key: str, value: Mapping[str, Any]) -> dict[str, str]:
    text = json.dumps(value, separators=(",", ":"))
    chunks = [text[i : i + _CHUNK] for i in range(0, len(text), _CHUNK)]
    # How many keys belong together: a longer record before may have left more of them.
    found = {key: f"{len(chunks)}:{chunks[0]}"}
    found.update({f"{key}.{n}": chunk for n, chunk in enumerate(chunks[1:], 1)})
    return found


def _joined(metadata: Mapping[str, str], key: str) -> str | None:
    """Return a record's whole text, None where its first key or one of the others is damaged."""
    count, _, first = metadata[key].partition(":")
    if not re.fullmatch(r"[1-9][0-9]{0,2}", count, re.ASCII) or int(count) > _MOST_CHUNKS:
        return None
    return "".join(_chunks(metadata, key, first, int(count)))


def _chunks(metadata: Mapping[str, str], key: str, first: str, count: int) -> Iterator[str]:
    yield first
    for number in range(1, count):
        yield metadata.get(f"{key}.{number}", "")
