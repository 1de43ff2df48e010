"""Kill the client while it changes the number of control planes; the same command finishes it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.sweeps.kills import FULL, Kill, Tried, differences
from tests.sweeps.stage import NAME, Stage

TEMPLATE = "ubuntu-24.04_k8-1.33_antrea-2.3_rev7"

pytestmark = pytest.mark.skipif(not FULL, reason="part of `make sweep`")


CREATE = ("cluster", "create", NAME, "-n", "net1", "-N", "0", "-t", TEMPLATE)


@pytest.fixture(scope="module")
def grown(stage: Stage) -> Iterator[Stage]:
    """A template for clusters with a virtual address."""
    stage.reach(None)
    current = "ubuntu-24.04_k8-1.33_antrea-2.3_rev1"
    stage.control.set(f"templates/{TEMPLATE}", like=current, image={"keepalived": True})
    register = ("template", "register", "cse", TEMPLATE, "--kubernetes-version", "1.33.1")
    assert stage.run((*register, "--keepalived")).code == 0
    yield stage
    stage.reach(None)
    stage.control.set(f"templates/{TEMPLATE}", remove=True)


@pytest.mark.timeout(3600)
@pytest.mark.parametrize(("before", "after"), [(1, 3), (3, 1)])
def test_every_crash_converges(
    grown: Stage, before: int, after: int, record_property: Callable[[str, object], None]
) -> None:
    words = ("cluster", "resize", NAME, "--control-planes", str(after))

    def begin() -> None:
        commands: list[tuple[str, ...]] = [
            ("cluster", "resize", NAME, "--control-planes", str(before))
        ]
        if NAME not in grown.control.get("state")["vapps"]:
            commands.insert(0, CREATE)
        for command in commands:
            ended = grown.run(command)
            assert ended.code == 0, ended.err

    begin()
    ended, kills = grown.kills(words)
    assert ended.code == 0, ended.err
    wanted = grown.world()

    def attempt(kill: Kill) -> bool:
        begin()
        crashed = grown.killed_at(words, kill)
        if crashed.killed:
            again = grown.run(words)
            assert again.code == 0, again.err
        assert not differences(grown.world(), wanted)
        return crashed.killed

    tried = Tried(f"{before} to {after} control planes", kills)
    tried.each(attempt, lambda: grown.reach(None))
    tried.judge(record_property)
