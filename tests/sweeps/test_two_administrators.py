"""Two administrators change one cluster at once, in every interleaving of their changes.

The k-th change (POST, PUT or DELETE) of the first is held back on its way to VCD, while the second
runs to its end or to its own j-th change; then the first goes on to its end, then the second. Each
of them succeeds or is told why not in one sentence. After both have ended, what the cloud holds is
what the successful ones were asked for, `cluster info` shows no problem, and a third
administrator's command works without --break-lock.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pytest

from tests.sweeps.kills import FULL, part
from tests.sweeps.stage import DEFAULT, NAME, OTHER, Ended, Stage, one_sentence

Words = tuple[str, ...]

_FAILED, _NOT_FOUND = 1, 3
# the second one's claim and its record
_INSIDE = (1, 2) if FULL else ()


@dataclass(frozen=True)
class Change:
    """A command on a cluster of `before` workers (None: there is none).

    `after` tells how many workers it leaves, given how many there were; None: no cluster. `undo`
    brings back what an earlier run has changed besides.
    """

    name: str
    words: Callable[[Sequence[str]], Words]
    after: Callable[[int], int | None]
    undo: Words = ()


GROW = Change("resize up", lambda _w: ("cluster", "resize", NAME, "-N", "3"), lambda _n: 3)
FOUR = Change("resize to 4", lambda _w: ("cluster", "resize", NAME, "-N", "4"), lambda _n: 4)
SHRINK = Change("resize down", lambda _w: ("cluster", "resize", NAME, "-N", "1"), lambda _n: 1)
ADD = Change("node create", lambda _w: ("node", "create", NAME), lambda n: n + 1)
REMOVE = Change("node delete", lambda w: ("node", "delete", NAME, w[0], "--yes"), lambda n: n - 1)
REPLACE = Change(
    "pool upgrade",
    lambda _w: ("pool", "upgrade", NAME, "default", "-t", OTHER, "--yes"),
    lambda n: n,
    ("pool", "upgrade", NAME, "default", "-t", DEFAULT, "--yes"),
)
REPAIR = Change("repair", lambda _w: ("cluster", "repair", NAME, "--yes"), lambda n: n)
STOP = Change("stop", lambda _w: ("cluster", "stop", NAME, "--yes"), lambda n: n)
DELETE = Change("delete", lambda _w: ("cluster", "delete", NAME, "--yes"), lambda _n: None)
ONE = Change(
    "create", lambda _w: ("cluster", "create", NAME, "-n", "net1", "-N", "1"), lambda _n: 1
)
TWO = Change(
    "create of 2", lambda _w: ("cluster", "create", NAME, "-n", "net1", "-N", "2"), lambda _n: 2
)


@dataclass(frozen=True)
class Pair:
    """Who is held back, who comes meanwhile, and how many workers there are before both."""

    first: Change
    second: Change
    before: int | None
    crashed: bool = False

    @property
    def name(self) -> str:
        return f"{self.first.name}, {self.second.name}"


PAIRS = (
    Pair(GROW, FOUR, 2),
    Pair(GROW, SHRINK, 2),
    Pair(SHRINK, GROW, 2),
    Pair(GROW, REMOVE, 2),
    Pair(REMOVE, GROW, 2),
    Pair(ADD, ADD, 1),
    Pair(ADD, REPAIR, 2, crashed=True),
    Pair(REPAIR, ADD, 2, crashed=True),
    Pair(REPLACE, GROW, 2),
    Pair(GROW, REPLACE, 2),
    Pair(GROW, STOP, 2),
    Pair(STOP, GROW, 2),
    Pair(GROW, DELETE, 2),
    Pair(DELETE, GROW, 2),
    Pair(ONE, TWO, None),
    Pair(ONE, DELETE, None),
)
# without CSE_SWEEP=full: the claim and the record of one pair
_CHOSEN = PAIRS if FULL else PAIRS[:1]
_CHANGES = 0 if FULL else 2


@pytest.mark.timeout(0 if FULL else 400)
@pytest.mark.parametrize("pair", _CHOSEN, ids=lambda one: one.name)
def test_two_administrators_at_once(
    stage: Stage, pair: Pair, record_property: Callable[[str, object], None]
) -> None:
    if REPLACE in (pair.first, pair.second):
        stage.offer_other()
    count = _CHANGES or _changes_of(stage, pair)
    both = refused = 0
    for number in part(range(1, count + 1)):
        for inside in (0, *_INSIDE):
            place = f"{pair.name}: change {number} held back"
            place += f", then change {inside} of the other" if inside else ""
            outcome = _play(stage, pair, number, inside, place)
            if outcome is None:
                continue
            both += outcome == (0, 0)
            refused += outcome != (0, 0)
    assert both + refused
    record_property("sweep", (pair.name, "two at once", both, refused, 0))


def _changes_of(stage: Stage, pair: Pair) -> int:
    """Return how many changes the first one makes when nobody disturbs it."""
    words = _prepare(stage, pair)[0]
    stage.control.ask("DELETE", "journal")
    ended = stage.run(words)
    assert ended.code == 0, ended.err
    counts = stage.control.get("journal")["counts"]
    return sum(counts.get(method, 0) for method in ("POST", "PUT", "DELETE"))


def _prepare(stage: Stage, pair: Pair) -> tuple[Words, Words]:
    if NAME in stage.control.get("state")["vapps"]:
        started = stage.run(("cluster", "start", NAME), stage.third)
        assert started.code == 0, started.err
        if _problems(stage):
            mended = stage.run(("cluster", "repair", NAME, "--yes"), stage.third)
            assert mended.code == 0, mended.err
    stage.reach(pair.before)
    for undo in filter(None, (pair.first.undo, pair.second.undo)):
        undone = stage.run(undo, stage.third)
        assert undone.code == 0, undone.err
    workers = stage.workers() if pair.before else []
    words = pair.first.words(workers), pair.second.words(workers)
    if pair.crashed:
        stage.control.set(f"guests/{workers[-1]}", crash=True)
    return words


def _play(stage: Stage, pair: Pair, number: int, inside: int, place: str) -> tuple[int, int] | None:
    """Let both meet at one place; None where one of them makes fewer changes this time."""
    words, other_words = _prepare(stage, pair)
    rule = stage.hold(number)
    first = stage.start(words)
    if not stage.wait_for_hold(rule, first):
        assert _end(first).code == 0, place
        stage.let_go(rule)
        return None
    inner = stage.hold(inside) if inside else ""
    second = stage.start(other_words, stage.elsewhere)
    met = stage.wait_for_hold(inner, second) if inside else False
    ended_second = None if met else _end(second)
    stage.let_go(rule)
    ended_first = _end(first)
    if inside:
        stage.let_go(inner)
    if ended_second is None:
        ended_second = _end(second)
    if inside and not met:
        return None
    _judge(stage, pair, ended_first, ended_second, place)
    return ended_first.code, ended_second.code


def _end(process: subprocess.Popen[bytes]) -> Ended:
    _out, err = process.communicate(timeout=300)
    return Ended(process.returncode, err.decode())


def _judge(stage: Stage, pair: Pair, first: Ended, second: Ended, place: str) -> None:
    story = f"{place}\n{first.code}: {first.err}\n{second.code}: {second.err}"
    for ended in (first, second):
        assert ended.code in (0, _FAILED, _NOT_FOUND), story
        assert ended.code == 0 or one_sentence(ended.err), story
    assert 0 in (first.code, second.code), f"nobody won: {story}"
    there = NAME in stage.control.get("state")["vapps"]
    allowed = _sizes(pair, first.code, second.code)
    size = len(stage.workers()) if there else None
    assert size in allowed, f"{size} workers where {allowed} may be: {story}"
    if there:
        problems = [one for one in _problems(stage) if "the cluster is stopped" not in one]
        if not pair.crashed:
            assert problems == [], story
        # a third one meets nothing in its way
        third = stage.run(("cluster", "start", NAME), stage.third)
        assert third.code == 0, f"{story}\nthird: {third.err}"
        third = stage.run(("cluster", "resize", NAME, "-N", "1"), stage.third)
        assert third.code == 0, f"{story}\nthird: {third.err}"
        assert len(stage.workers()) == 1, story
        assert _problems(stage) == [], story
    else:
        third = stage.run(("cluster", "create", NAME, "-n", "net1", "-N", "0"), stage.third)
        assert third.code == 0, f"{story}\nthird: {third.err}"


def _sizes(pair: Pair, first: int, second: int) -> set[int | None]:
    """Return the sizes that may be left: those of the successful ones, in either order."""
    done = [change for change, code in ((pair.first, first), (pair.second, second)) if code == 0]
    sizes: set[int | None] = set()
    for order in (done, done[::-1]):
        size: int | None = pair.before
        for change in order:
            size = change.after(size or 0)
        sizes.add(size)
    return sizes


def _problems(stage: Stage) -> list[str]:
    told = stage.asked(("cluster", "info", NAME), stage.third, ("-j",)).checked()
    return list(json.loads(told)["problems"])
