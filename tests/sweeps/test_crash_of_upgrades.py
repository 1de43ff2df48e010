"""Kill the client while it upgrades a cluster by replacing its nodes; the same command finishes it.

Each upgrade is to the next patch release, so that one cluster goes through all of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.sweeps.stage import FULL, NAME, Stage, places

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

    def begin(self) -> tuple[str, ...]:
        """Return the command that upgrades the cluster to the next release."""
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
    words = ("cluster", "create", NAME, "-n", "net1", "-N", "1", "-t", upgrades.offer())
    made = stage.run(words)
    assert made.code == 0, made.err
    yield upgrades
    stage.reach(None)
    for item in upgrades.offered:
        stage.control.set(f"templates/{item}", remove=True)


@pytest.mark.timeout(6 * 3600)
def test_every_crash_converges(upgrades: Upgrades) -> None:
    stage = upgrades.stage
    ended, requests = stage.counted(upgrades.begin())
    assert ended.code == 0, ended.err
    wanted = upgrades.world()
    for number in places(requests):
        words = upgrades.begin()
        crashed = stage.killed_after(words, number)
        if crashed.killed:
            again = stage.run(words)
            # killed after its last request, it had nothing more to do: no template is newer
            assert again.code == 0, (number, again.err)
        assert upgrades.world() == wanted, f"killed after request {number} of {requests}"


@pytest.mark.timeout(6 * 3600)
@pytest.mark.skipif(not FULL, reason="part of `make sweep`")
def test_every_crash_of_a_roll_back_converges(upgrades: Upgrades) -> None:
    stage = upgrades.stage
    before = stage.world()
    words = upgrades.begin()
    stage.control.set("guests", vm="mstr-.*", faults={"slow": {"kubeadm join.*": 3600}})
    back = ("cluster", "upgrade", NAME, "--roll-back", "--yes")
    number, requests = 0, 1
    while number < requests:
        _begun(stage, words)
        if not number:
            ended, requests = stage.counted(back)
            assert ended.code == 0, ended.err
        else:
            crashed = stage.killed_after(back, number)
            if crashed.killed:
                again = stage.run(back)
                # 4: it is rolled back already
                assert again.code in (0, 4), (number, again.err)
        assert stage.world() == before, f"killed after request {number} of {requests}"
        number += 1
    stage.control.ask("DELETE", "guests")


def _begun(stage: Stage, words: tuple[str, ...]) -> None:
    """Begin an upgrade, and kill it once there is a second control plane."""
    process = stage.start(words)
    while True:
        vms = stage.control.get("state")["vapps"][NAME]["vms"]
        if sum(vm["status"] == "POWERED_ON" for name, vm in vms.items() if name[:4] == "mstr") > 1:
            break
        assert process.poll() is None
    process.kill()
    process.communicate()
