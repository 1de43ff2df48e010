"""Kill the client while it applies a file; the same command brings the cluster to the file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.sweeps.kills import FULL, Kill, Tried, differences
from tests.sweeps.stage import DEFAULT, NAME, OTHER, Stage

pytestmark = pytest.mark.skipif(not FULL, reason="part of `make sweep`")

BEFORE = f"""\
apiVersion: cse-client/v1
kind: Cluster
metadata: {{name: {NAME}}}
spec:
  network: net1
  pools:
  - {{name: default, size: 1}}
  - {{name: gpu, size: 1, labels: {{example.com/kind: gpu}}}}
"""
#: One change of each kind: a pool is made, one grows and is labeled, one is deleted.
AFTER = f"""\
apiVersion: cse-client/v1
kind: Cluster
metadata: {{name: {NAME}}}
spec:
  pools:
  - {{name: gpu, size: 2, labels: {{example.com/kind: fast}}}}
  - {{name: new, size: 1}}
"""
#: The workers of one pool are replaced, and nothing else.
RENEWED = BEFORE.replace("{name: gpu, size: 1,", f"{{name: gpu, size: 1, template: {OTHER},")
OLDER = BEFORE.replace("{name: gpu, size: 1,", f"{{name: gpu, size: 1, template: {DEFAULT},")
BEGIN = ("cluster", "apply", "-f", "before.yaml", "--yes")
APPLY = ("cluster", "apply", "-f", "after.yaml", "--yes")


@pytest.fixture(scope="module")
def declared(stage: Stage) -> Iterator[Stage]:
    """A cluster of a file with two pools."""
    stage.reach(None)
    (stage.home / "before.yaml").write_text(BEFORE)
    (stage.home / "after.yaml").write_text(AFTER)
    yield stage
    stage.reach(None)


def seen(stage: Stage) -> tuple[Any, str]:
    """Return the cloud, and the file that describes the cluster."""
    exported = stage.asked(("cluster", "export", NAME)).checked()
    return stage.world(), exported


@pytest.mark.timeout(3600)
def test_every_crash_of_a_creation_converges(
    declared: Stage, record_property: Callable[[str, object], None]
) -> None:
    declared.reach(None)
    ended, kills = declared.kills(BEGIN)
    assert ended.code == 0, ended.err
    wanted = seen(declared)

    def attempt(kill: Kill) -> bool:
        declared.reach(None)
        return crash(declared, BEGIN, kill, wanted)

    tried = Tried("cluster apply, of a new cluster", kills)
    tried.each(attempt, lambda: declared.reach(None))
    tried.judge(record_property)


@pytest.mark.timeout(3600)
def test_every_crash_of_a_change_converges(
    declared: Stage, record_property: Callable[[str, object], None]
) -> None:
    assert declared.run(BEGIN).code == 0
    ended, kills = declared.kills(APPLY)
    assert ended.code == 0, ended.err
    wanted = seen(declared)

    def attempt(kill: Kill) -> bool:
        begun = declared.run(BEGIN)
        assert begun.code == 0, begun.err
        return crash(declared, APPLY, kill, wanted)

    tried = Tried("cluster apply, of changes", kills)
    tried.each(attempt, lambda: declared.reach(None))
    tried.judge(record_property)


@pytest.mark.timeout(3600)
def test_every_crash_of_a_new_template_of_a_pool_converges(
    declared: Stage, record_property: Callable[[str, object], None]
) -> None:
    declared.offer_other()
    for name, text in (("older.yaml", OLDER), ("renewed.yaml", RENEWED)):
        (declared.home / name).write_text(text)
    older, renewed = (
        ("cluster", "apply", "-f", f"{name}.yaml", "--yes") for name in ("older", "renewed")
    )

    def begin() -> set[str]:
        begun = declared.run(older)
        assert begun.code == 0, begun.err
        return set(declared.control.get("state")["vapps"][NAME]["vms"])

    before = begin()
    ended, kills = declared.kills(renewed)
    assert ended.code == 0, ended.err
    wanted = seen(declared)
    assert len(before & set(declared.control.get("state")["vapps"][NAME]["vms"])) == len(before) - 1

    def attempt(kill: Kill) -> bool:
        begin()
        return crash(declared, renewed, kill, wanted)

    tried = Tried("cluster apply, of a pool's template", kills)
    tried.each(attempt, lambda: declared.reach(None))
    tried.judge(record_property)


def crash(stage: Stage, words: tuple[str, ...], kill: Kill, wanted: object) -> bool:
    """Kill the command, and repeat it; return whether there was such a moment."""
    crashed = stage.killed_at(words, kill)
    if crashed.killed:
        again = stage.run(words)
        assert again.code == 0, again.err
    assert not differences(seen(stage), wanted)
    return crashed.killed
