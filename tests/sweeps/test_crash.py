"""Kill the client right after each of its requests; the same command again must finish the job."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.sweeps.kills import FULL, TIME, Kill, Tried, differences
from tests.sweeps.stage import OPERATIONS, Operation, Stage, places


@pytest.mark.timeout(3600 if FULL else 400)
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: one.name)
def test_every_crash_converges(
    stage: Stage, operation: Operation, record_property: Callable[[str, object], None]
) -> None:
    undisturbed = stage.undisturbed(operation)
    requests, wanted = undisturbed.requests, undisturbed.world
    tried = 0
    for number in places(requests):
        words = stage.prepare(operation)
        crashed = stage.killed_after(words, number)
        if not crashed.killed:
            # fewer looks at a task were needed this time: there was no such request
            assert crashed.code == 0, (number, crashed.err)
            assert stage.world() == wanted, f"undisturbed, {number} of {requests}"
            continue
        again = stage.run(words)
        assert again.code in operation.repeated, (number, again.code, again.err)
        assert stage.world() == wanted, f"killed after request {number} of {requests}"
        tried += 1
    assert tried
    record_property("sweep", (operation.name, "killed", tried, 0, 0))


@pytest.mark.timeout(3600)
@pytest.mark.skipif(not FULL, reason="part of `make sweep`")
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: one.name)
def test_every_crash_around_a_change_converges(
    stage: Stage, operation: Operation, record_property: Callable[[str, object], None]
) -> None:
    ended, kills = stage.kills(stage.prepare(operation))
    assert ended.code == 0, ended.err
    wanted = stage.world()

    def attempt(kill: Kill) -> bool:
        words = stage.prepare(operation)
        ended = stage.killed_at(words, kill)
        killed = ended.killed
        if killed:
            ended = stage.run(words)
            assert ended.code in operation.repeated, ended.err
        assert not differences(stage.world(), wanted), ended.err
        return killed

    # where tasks end at once, the other test covers the changes to VCD
    kills = kills.of_api("kubernetes") if TIME == "instant" else kills
    tried = Tried(f"{operation.name}, tasks {TIME}", kills)
    if kills.moments:
        tried.each(attempt, lambda: stage.reach(None))
        tried.judge(record_property)
