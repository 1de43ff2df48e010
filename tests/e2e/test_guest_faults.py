"""New nodes that fail in every way a guest can, and what is left of the cluster afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.editor import Editor
from tests.support.output import lasting
from tests.support.programs import Workstation, clean_environment
from tests.support.simulator import Control, log_in, start_simulator, stop_simulator

NAME = "fragile"
#: Long enough for a healthy guest at this speed; phases may take half of it.
TIMEOUT = "40s"
#: For those that can only be found out by waiting.
SHORT = "24s"


class Place(Workstation):
    """A simulator of its own, since faults of guests concern everybody, and a cluster in it."""

    def __init__(self, folder: Path) -> None:
        self.process, self.cloud = start_simulator(folder, "--guest-speed", "20")
        home = folder / "home"
        log_in(self.cloud, home)
        super().__init__(home, {**clean_environment(home), **self.cloud.environment()})
        self.control = Control(self.cloud)

    def afflict(self, times: int | None = None, **faults: object) -> None:
        """Give faults to the next guests."""
        self.control.set("guests", vm="node-.*", faults=faults, times=times)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    place = Place(tmp_path_factory.mktemp("fragile"))
    made = place.cse("cluster", "create", NAME, "-n", "net1", "-N", "1")
    assert made.code == 0, made.err
    yield place
    stop_simulator(place.process)


@pytest.fixture
def place(running: Place) -> Iterator[Place]:
    """The cluster with one healthy worker, and no faults before and after."""
    yield running
    running.control.ask("DELETE", "guests")


def everything(place: Place) -> Any:
    """Return what a failed operation must leave as it was: all but claims that have ended."""
    state = place.control.possessions()
    for vapp in state["vapps"].values():
        vapp["metadata"] = lasting(vapp["metadata"])
    return state


@pytest.mark.parametrize(
    ("faults", "code", "said"),
    [
        ({"never_boot": True}, 1, "made no progress for"),
        (
            {"no_address": True},
            1,
            "failed in phase 'host' (exit code 1): no address on a network card",
        ),
        ({"kill_at": "kubeadm join.*"}, 1, "was powered off"),
        ({"fail": {"kubeadm join.*": 7}}, 1, "failed in phase 'join'"),
        ({"unreachable_registries": True}, 1, "failed in phase 'images'"),
        (
            {"unreachable_images": "weave"},
            1,
            "registered in Kubernetes but not Ready (KubeletNotReady: runtime network not ready",
        ),
    ],
    ids=[
        "never boots",
        "no address",
        "power loss in kubeadm",
        "kubeadm fails",
        "no registry",
        "never Ready",
    ],
)
def test_a_new_node_fails(place: Place, faults: dict[str, object], code: int, said: str) -> None:
    before = everything(place)
    place.afflict(None, **faults)
    timeout = SHORT if faults.keys() & {"never_boot", "unreachable_images"} else TIMEOUT
    done = place.cse("cluster", "resize", NAME, "--nodes", "2", "--timeout", timeout)
    assert (done.code, done.out) == (code, ""), done.err
    error = next(line for line in done.err.splitlines() if line.startswith("Error:"))
    assert said in error
    assert "node-" in error
    assert "Note: Removed 1 of the new VMs." in done.err
    # only where nothing at all was heard of the guest
    assert ("open-vm-tools is installed" in done.err) is ("never_boot" in faults)
    # rolled back: nothing of it is left, and nothing else is touched
    assert everything(place) == before


def test_the_healthy_ones_are_kept_when_asked(place: Place) -> None:
    place.afflict(times=1, fail={"kubeadm join.*": 7})
    words = ("cluster", "resize", NAME, "--nodes", "3", "--timeout", TIMEOUT)
    done = place.cse(*words, "--keep-healthy")
    assert done.code == 1
    assert "Note: Removed 1 of the new VMs; kept the healthy ones: node-" in done.err
    repaired = place.cse("cluster", "repair", NAME)
    assert (repaired.code, repaired.out) == (0, f"Cluster {NAME} does not need to be repaired.\n")
    listed = place.cse("node", "list", NAME).out
    assert listed.count("worker") == 2
    back = place.cse("cluster", "resize", NAME, "--nodes", "1")
    assert back.code == 0, back.err


def test_a_repair_that_fails_leaves_it_to_the_next(place: Place) -> None:
    (lost,) = (name for name in everything(place)["vapps"][NAME]["vms"] if name[:5] == "node-")
    Editor(place.cloud).delete_vm(NAME, lost)
    planned = place.cse("cluster", "repair", NAME).checked()
    assert "Replace a worker that is missing." in planned
    place.afflict(fail={"kubeadm join.*": 7})
    failed = place.cse("cluster", "repair", NAME, "--yes", "--timeout", TIMEOUT)
    assert (failed.code, "failed in phase 'join'" in failed.err) == (1, True), failed.err
    place.control.ask("DELETE", "guests")
    assert "Replace a worker that is missing." in place.cse("cluster", "repair", NAME).checked()
    place.cse("cluster", "repair", NAME, "--yes", "--timeout", TIMEOUT).checked()
    assert "does not need to be repaired" in place.cse("cluster", "repair", NAME).out


@pytest.mark.parametrize("hours", [24, -24])
def test_a_clock_one_day_wrong_is_borne(place: Place, hours: int) -> None:
    place.afflict(clock_offset=hours * 3600.0)
    done = place.cse("cluster", "resize", NAME, "--nodes", "2", "--timeout", TIMEOUT)
    assert done.code == 0, done.err
    back = place.cse("cluster", "resize", NAME, "--nodes", "1")
    assert back.code == 0, back.err
