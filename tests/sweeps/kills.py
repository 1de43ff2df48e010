"""When a client is killed, and what comes of it.

A client that is killed between two of its changes has only read since the first of them, so the
world is that after the first, or, where it has waited for something, that before the second. Each
change to VCD, to a cluster's API server and to its etcd therefore makes two moments: just before it
is carried out and right after. They are found by number among the changes to the same API, which
does not depend on how often a client has looked at a running task.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

__all__ = ["FULL", "PART", "TIME", "Kill", "Kills", "Tried", "differences", "part"]

_Value = TypeVar("_Value")
_LOG = logging.getLogger(__name__)
_PATIENCE = 60
_CHANGES = "POST|PUT|PATCH|DELETE"
#: What is a change only by its method is left out: sessions, questions to etcd, reviews of rights.
_PATHS = {
    "vcd": r"^/(?!(api|cloudapi/1\.0\.0)/sessions)",
    "kubernetes": r"^/(?!v3/cluster/member/list|v3/maintenance/(status|snapshot)"
    r"|apis/auth(entication|orization)\.k8s\.io)",
}
#: `make sweep` sets it; without it a few moments of each sweep are tried.
FULL = os.environ.get("CSE_SWEEP") == "full"
#: `CSE_SWEEP_PART=2/3` tries the second of every three moments, and so on.
PART = os.environ.get("CSE_SWEEP_PART", "1/1")
#: How long VCD's tasks take, see the simulator's option --time. With `polls:2`, a client that is
#: killed after a change leaves a task that runs until the next client looks at it.
TIME = os.environ.get("CSE_SWEEP_TIME", "instant")
_MOST_BROKEN = 5


def part(values: Sequence[_Value]) -> Sequence[_Value]:
    """Return those of `values` that this process tries, see `PART`."""
    first, _, of = PART.partition("/")
    return values[int(first) - 1 :: int(of)]


@dataclass(frozen=True)
class Kill:
    """A moment: the `number`-th change to `api` was just carried out (`done`), or is about to be.

    `change` is that change in the run that was not disturbed: method and path.
    """

    api: str
    number: int
    done: bool
    change: str

    def __str__(self) -> str:
        when = "after" if self.done else "before"
        return f"killed {when} change {self.number} to {self.api} ({self.change})"

    def rule(self) -> dict[str, object]:
        """Return the fault that makes the client wait at this moment."""
        return {
            "kind": "hang",
            "api": self.api,
            "method": _CHANGES,
            "path": _PATHS[self.api],
            "at": self.number,
            "seconds": _PATIENCE,
            "act": self.done,
        }

    def came(self, rule: Mapping[str, Any]) -> bool:
        """Return whether the moment has come, by the state of that fault."""
        return bool(rule["acted"] if self.done else rule["hit"])


@dataclass(frozen=True)
class Kills:
    """The moments of one command: how many requests and changes they were taken from."""

    requests: int
    changes: int
    moments: tuple[Kill, ...]

    @classmethod
    def of(cls, journal: Mapping[str, Any]) -> Kills:
        """Find the moments in the simulator's journal of an undisturbed run."""
        moments: list[Kill] = []
        numbers = dict.fromkeys(_PATHS, 0)
        waited = True
        for api, request in _in_order(journal):
            path = request["path"]
            if not re.fullmatch(_CHANGES, request["method"]) or not re.search(_PATHS[api], path):
                waited = True
                continue
            numbers[api] += 1
            change = f"{request['method']} {path}"
            if waited:
                moments.append(Kill(api, numbers[api], False, change))
            moments.append(Kill(api, numbers[api], True, change))
            waited = False
        return cls(int(journal["total"]), sum(numbers.values()), tuple(moments))

    def of_api(self, api: str) -> Kills:
        """Return the moments around changes to one API only."""
        return replace(self, moments=tuple(one for one in self.moments if one.api == api))

    def part(self) -> Sequence[Kill]:
        """Return the moments to try: in a full sweep all, or those of `PART`, otherwise one."""
        if not FULL:
            return self.moments[2 * len(self.moments) // 3 :][:1]
        return part(self.moments)


def _in_order(journal: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    others = list(journal["kubernetes"])
    for number, request in enumerate((*journal["requests"], None)):
        while others and others[0]["after"] <= number:
            yield "kubernetes", others.pop(0)
        if request is not None:
            yield "vcd", request


@dataclass
class Tried:
    """What came of the kills of one command."""

    name: str
    kills: Kills
    killed: int = 0
    broken: list[str] = field(default_factory=list)

    def each(self, attempt: Callable[[Kill], bool], mend: Callable[[], object]) -> None:
        """Try every moment; `attempt` returns whether there was such a moment this time.

        After a failure, `mend` brings the world to where an attempt can begin, and the next moment
        is tried.
        """
        _LOG.info(
            "%s: %d requests to VCD, %d changes, %d moments",
            *(self.name, self.kills.requests, self.kills.changes, len(self.kills.moments)),
        )
        for kill in self.kills.part():
            if len(self.broken) < _MOST_BROKEN:
                self.one(kill, attempt, mend)

    def one(self, kill: Kill, attempt: Callable[[Kill], bool], mend: Callable[[], object]) -> None:
        """Try one moment, as `each` does."""
        try:
            killed = attempt(kill)
            self.killed += killed
            _LOG.info("%s, %s: %s", self.name, kill, "converged" if killed else "not reached")
        except AssertionError as error:
            self.killed += 1
            self.broken.append(f"{self.name}, {kill}: {error}")
            _LOG.exception("%s", self.broken[-1])
            with contextlib.suppress(AssertionError):
                mend()

    def judge(self, record_property: Callable[[str, object], None]) -> None:
        """Add a row to the table; fail if anything did not converge."""
        converged = self.killed - len(self.broken)
        what = f"{len(self.kills.moments)} moments of {self.kills.requests} requests"
        record_property("sweep", (self.name, what, converged, 0, len(self.broken)))
        assert not self.broken, "\n\n".join(self.broken)
        assert self.killed


def differences(found: Any, wanted: Any, place: str = "") -> list[str]:
    """Return where two values differ, one line for each place."""
    if isinstance(found, Mapping) and isinstance(wanted, Mapping):
        return [
            line
            for key in sorted({*found, *wanted}, key=str)
            for line in differences(found.get(key), wanted.get(key), f"{place}/{key}")
        ]
    lists = isinstance(found, (list, tuple)) and isinstance(wanted, (list, tuple))
    if lists and len(found) == len(wanted):
        return [
            line
            for number, (one, other) in enumerate(zip(found, wanted))
            for line in differences(one, other, f"{place}/{number}")
        ]
    return [] if found == wanted else [f"{place}: {found!r} instead of {wanted!r}"]
