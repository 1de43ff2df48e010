"""Kill the client while it changes worker pools; the same command again must finish the job."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.sweeps.kills import FULL, Kill, Tried, differences
from tests.sweeps.stage import DEFAULT, NAME, OTHER, Stage

pytestmark = pytest.mark.skipif(not FULL, reason="part of `make sweep`")

POOL = "gpu"
MARKS = (
    "--label",
    "tier=front",
    "--label",
    "node-role.kubernetes.io/gpu=",
    "--taint",
    "a=b:NoSchedule",
)
CREATE = ("pool", "create", NAME, POOL, "-N", "2", *MARKS)
DELETE = ("pool", "delete", NAME, POOL, "--yes")
UPDATE = ("pool", "update", NAME, POOL, "--label", "tier=back", "--taint", "a-")
BACK = ("pool", "update", NAME, POOL, "--label", "tier=front", "--taint", "a=b:NoSchedule")
UPGRADE = ("pool", "upgrade", NAME, POOL, "-t", OTHER, "--yes")
BACKWARDS = ("pool", "upgrade", NAME, POOL, "-t", DEFAULT, "--yes")
RESIZE = ("cluster", "resize", NAME, "--pool", POOL, "-N", "1")
LARGER = ("cluster", "resize", NAME, "--pool", POOL, "-N", "2")


@pytest.fixture(scope="module")
def pooled(stage: Stage) -> Iterator[Stage]:
    """A cluster with a worker in the default pool."""
    stage.reach(None)
    stage.offer_other()
    yield stage
    stage.reach(None)


def shown(stage: Stage, *words: str) -> Any:
    return json.loads(stage.asked((*words, "-o", "json")).checked())


def seen(stage: Stage) -> Any:
    """Return the world, its pools and which nodes are in them."""
    pools = shown(stage, "pool", "list", NAME)
    nodes = shown(stage, "node", "list", NAME)
    problems = shown(stage, "cluster", "info", NAME)["problems"]
    return stage.world(), pools, sorted((one["kind"], one["pool"]) for one in nodes), problems


@pytest.mark.timeout(3600)
@pytest.mark.parametrize(
    ("before", "words", "codes"),
    [
        # killed after the last change, there is nothing more to do, and that may be an error
        ((), CREATE, (0, 1)),
        ((CREATE, BACK), UPDATE, (0,)),
        ((CREATE, BACKWARDS), UPGRADE, (0,)),
        ((CREATE, LARGER), RESIZE, (0,)),
        ((CREATE,), DELETE, (0, 3)),
    ],
    ids=["create", "update", "upgrade", "resize", "delete"],
)
def test_every_crash_converges(
    pooled: Stage,
    before: tuple[tuple[str, ...], ...],
    words: tuple[str, ...],
    codes: tuple[int, ...],
    record_property: Callable[[str, object], None],
) -> None:
    def begin() -> None:
        if NAME not in pooled.control.get("state")["vapps"]:
            made = pooled.run(("cluster", "create", NAME, "-n", "net1", "-N", "1", "-t", DEFAULT))
            assert made.code == 0, made.err
        names = [one["name"] for one in shown(pooled, "pool", "list", NAME)]
        if POOL in names and CREATE not in before:
            assert pooled.run(DELETE).code == 0
        for command in before:
            if command is not CREATE or POOL not in names:
                ended = pooled.run(command)
                assert ended.code == 0, ended.err

    begin()
    ended, kills = pooled.kills(words)
    assert ended.code == 0, ended.err
    wanted = seen(pooled)
    assert wanted[-1] == []

    def attempt(kill: Kill) -> bool:
        begin()
        crashed = pooled.killed_at(words, kill)
        if crashed.killed:
            again = pooled.run(words)
            assert again.code in codes, again.err
        assert not differences(seen(pooled), wanted)
        return crashed.killed

    name = " ".join(words[:2]) + (" of a pool" if words[0] == "cluster" else "")
    tried = Tried(name, kills)
    tried.each(attempt, lambda: pooled.reach(None))
    tried.judge(record_property)
