"""Kill the client while it upgrades a cluster by replacing its nodes; the same command finishes it.

Each upgrade is to the next patch release, so that one cluster goes through all of them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.sweeps.kills import FULL, Kill, Tried, differences
from tests.sweeps.stage import NAME, Stage

BARE = "ubuntu-24.04_k8-1.33_antrea-2.3_rev1"
#: What changes with every upgrade.
_NEW = ("cse.template.revision", "cse.kubernetes.version")


class Upgrades:
    """A cluster with a virtual address, one control plane and one worker, and newer templates."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.number = 0
        self.offered: list[str] = []

    def offer(self) -> str:
        """Offer a template with the next patch release; return its name and revision."""
        self.number += 1
        item = f"ubuntu-24.04_k8-1.36_antrea-2.3_rev{self.number}"
        release = f"1.36.{self.number}"
        image = {"keepalived": True, "kubernetes": release}
        self.stage.control.set(f"templates/{item}", like=BARE, image=image)
        words = ("template", "register", "cse", item, "--kubernetes-version", release)
        registered = self.stage.run((*words, "--keepalived"))
        assert registered.code == 0, registered.err
        self.offered.append(item)
        return item

    def make(self) -> None:
        """Make sure that there is a cluster, of the last release."""
        if NAME in self.stage.control.get("state")["vapps"]:
            return
        item = self.offered[-1] if self.offered else self.offer()
        made = self.stage.run(("cluster", "create", NAME, "-n", "net1", "-N", "1", "-t", item))
        assert made.code == 0, made.err

    def begin(self) -> tuple[str, ...]:
        """Return the command that upgrades the cluster to the next release."""
        self.make()
        return ("cluster", "upgrade", NAME, "-t", self.offer(), "--yes")

    def world(self) -> Any:
        """Return the world, once the record says the last release."""
        world = self.stage.world()
        metadata = world["vapps"][NAME]["metadata"]
        found = [metadata.pop(f"GENERAL:{key}") for key in _NEW]
        assert found == [str(self.number), f"1.36.{self.number}"]
        return world


@pytest.fixture(scope="module")
def upgrades(stage: Stage) -> Iterator[Upgrades]:
    stage.reach(None)
    upgrades = Upgrades(stage)
    upgrades.make()
    yield upgrades
    stage.reach(None)
    for item in upgrades.offered:
        stage.control.set(f"templates/{item}", remove=True)


@pytest.mark.timeout(6 * 3600)
def test_every_crash_converges(
    upgrades: Upgrades, record_property: Callable[[str, object], None]
) -> None:
    stage = upgrades.stage
    ended, kills = stage.kills(upgrades.begin())
    assert ended.code == 0, ended.err
    wanted = upgrades.world()

    def attempt(kill: Kill) -> bool:
        words = upgrades.begin()
        crashed = stage.killed_at(words, kill)
        if crashed.killed:
            again = stage.run(words)
            # killed after its last change, it had nothing more to do: no template is newer
            assert again.code == 0, again.err
        assert not differences(upgrades.world(), wanted)
        return crashed.killed

    tried = Tried("cluster upgrade by replacement", kills)
    tried.each(attempt, lambda: stage.reach(None))
    tried.judge(record_property)


@pytest.mark.timeout(6 * 3600)
@pytest.mark.skipif(not FULL, reason="part of `make sweep`")
def test_every_crash_of_a_roll_back_converges(
    upgrades: Upgrades, record_property: Callable[[str, object], None]
) -> None:
    stage = upgrades.stage
    back = ("cluster", "upgrade", NAME, "--roll-back", "--yes")
    stage.reach(None)
    upgrades.make()
    before = stage.world()
    words = ("cluster", "upgrade", NAME, "-t", upgrades.offer(), "--yes")
    older = upgrades.offered[-2]

    def make() -> None:
        stage.reach(None)
        stage.control.ask("DELETE", "guests")
        made = stage.run(("cluster", "create", NAME, "-n", "net1", "-N", "1", "-t", older))
        assert made.code == 0, made.err
        slow()

    def slow() -> None:
        stage.control.set("guests", vm="mstr-.*", faults={"slow": {"kubeadm join.*": 3600}})

    def attempt(kill: Kill) -> bool:
        _begin_and_kill(stage, words)
        crashed = stage.killed_at(back, kill)
        if crashed.killed:
            again = stage.run(back)
            # 4: it is rolled back already
            assert again.code in (0, 4), again.err
        assert not differences(stage.world(), before)
        return crashed.killed

    slow()
    _begin_and_kill(stage, words)
    ended, kills = stage.kills(back)
    assert ended.code == 0, ended.err
    assert not differences(stage.world(), before)
    tried = Tried("roll-back of an upgrade by replacement", kills)
    tried.each(attempt, make)
    stage.control.ask("DELETE", "guests")
    tried.judge(record_property)


def _begin_and_kill(stage: Stage, words: tuple[str, ...]) -> None:
    """Begin an upgrade, and kill it once there is a second control plane."""
    process = stage.start(words)
    while True:
        vms = stage.control.get("state")["vapps"][NAME]["vms"]
        if sum(vm["status"] == "POWERED_ON" for name, vm in vms.items() if name[:4] == "mstr") > 1:
            break
        if process.poll() is not None:
            _out, err = process.communicate()
            raise AssertionError(f"The upgrade has ended: {err.decode()}")
        time.sleep(0.1)
    process.kill()
    process.communicate()


@pytest.mark.timeout(1800)
@pytest.mark.skipif(not FULL, reason="part of `make sweep`")
def test_the_second_of_three_new_control_planes_fails(upgrades: Upgrades) -> None:
    stage = upgrades.stage
    stage.reach(None)
    upgrades.make()
    grown = stage.run(("cluster", "resize", NAME, "--control-planes", "3"))
    assert grown.code == 0, grown.err
    old = _control_planes(stage)
    words = upgrades.begin()
    process = stage.start(words)
    while len(_control_planes(stage)) == len(old):
        assert process.poll() is None
        time.sleep(0.1)
    # the first new one has begun without it
    stage.control.set("guests", vm="mstr-.*", faults={"fail": {"kubeadm join.*": 7}})
    _out, err = process.communicate()
    stage.control.ask("DELETE", "guests")
    text = err.decode()
    assert process.returncode == 1, text
    assert "Note: Removed the new control plane mstr-" in text
    assert "Run the same command again to resume." in text
    left = _control_planes(stage)
    assert (len(left & old), len(left - old)) == (2, 1), text
    nodes = stage.nodes()
    assert {one["Name"] for one in nodes if one["Name"].startswith("mstr")} == left, nodes
    assert {one["Kubernetes"] for one in nodes} == {"Ready"}, nodes
    again = stage.run(words)
    assert again.code == 0, again.err
    assert (len(_control_planes(stage)), _control_planes(stage) & old) == (3, set())


def _control_planes(stage: Stage) -> set[str]:
    vms = stage.control.get("state")["vapps"][NAME]["vms"]
    return {name for name, vm in vms.items() if name[:4] == "mstr" and vm["status"] == "POWERED_ON"}
