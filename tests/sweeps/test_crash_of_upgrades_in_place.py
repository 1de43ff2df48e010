"""Upgrades in place whose client is killed, or whose VM loses its power or hangs.

One more command goes on, or back; by itself, the client starts a VM again that has gone off, and
goes back where one does not come up.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from tests.sweeps.kills import FULL, Kill, Tried, differences
from tests.sweeps.stage import NAME, Stage

OLD, NEW = "swept-1.36", "ubuntu-24.04_k8-1.37_antrea-2.3_rev1"
LIKE = "ubuntu-24.04_k8-1.33_antrea-2.3_rev1"
UPGRADE = ("cluster", "upgrade", NAME, "--yes")
BACK = ("cluster", "upgrade", NAME, "--roll-back", "--yes")
REFUSED = 4

pytestmark = pytest.mark.skipif(not FULL, reason="part of `make sweep`")


@pytest.fixture(scope="module")
def old(stage: Stage) -> Iterator[Stage]:
    """Templates of two releases, the older one built so that its nodes have packages."""
    stage.reach(None)
    build = ("template", "build", OLD, "--from", "images/ubuntu-24.04-server", "-n", "net1")
    built = stage.run((*build, "--kubernetes", "1.36.3"))
    assert built.code == 0, built.err
    stage.control.set(f"templates/{NEW}", like=LIKE, image={"kubernetes": "1.37.2"})
    register = ("template", "register", "cse", NEW, "--kubernetes-version", "1.37.2")
    assert stage.run(register).code == 0
    yield stage
    stage.reach(None)
    assert stage.run(("template", "delete", OLD, "--yes")).code == 0
    stage.control.set(f"templates/{NEW}", remove=True)


def create(stage: Stage, workers: int = 0) -> None:
    """Make sure that there is a cluster of the old release."""
    if NAME in stage.control.get("state")["vapps"]:
        return
    size = ("-N", str(workers))
    words = ("cluster", "create", NAME, "-n", "net1", *size, "-t", OLD, "--vip", "none")
    made = stage.run(words)
    assert made.code == 0, made.err


def _vm(stage: Stage) -> dict[str, Any]:
    (vm,) = stage.control.get("state")["vapps"][NAME]["vms"].values()
    return dict(vm)


def check(stage: Stage, release: str) -> None:
    """Check that a release serves, and that nothing is left of the upgrade."""
    vapp = stage.control.get("state")["vapps"][NAME]
    vms = vapp["vms"].values()
    assert not any(vm["snapshot"] for vm in vms)
    assert vapp["metadata"].get("GENERAL:cse.client.in_place", "-") == "-"
    assert not list((stage.home / ".local/state/cse-client/upgrades").glob("*"))
    assert {vm["status"] for vm in vms} == {"POWERED_ON"}
    assert [one["Version"] for one in stage.nodes()] == [release] * len(vms)


@pytest.mark.timeout(7200)
@pytest.mark.parametrize("way", ["on", "back"])
def test_every_crash_converges(
    old: Stage, way: str, record_property: Callable[[str, object], None]
) -> None:
    create(old)
    ended, kills = old.kills(UPGRADE)
    assert ended.code == 0, ended.err
    check(old, "v1.37.2")
    old.reach(None)

    def attempt(kill: Kill) -> bool:
        create(old)
        crashed = old.killed_at(UPGRADE, kill)
        if crashed.killed and way == "back":
            back = old.run(BACK)
            # not begun, or ended after the last change
            none = "No upgrade" in back.err
            if back.code == 0 or (none and kill != kills.moments[-1]):
                check(old, "v1.36.3")
                return True
            # it was too late to go back
            assert back.code in (1, REFUSED), back.err
        again = old.run(UPGRADE)
        assert again.code == 0, again.err
        check(old, "v1.37.2")
        old.reach(None)
        return crashed.killed

    tried = Tried(f"cluster upgrade in place, killed, then {way}", kills)
    tried.each(attempt, lambda: old.reach(None))
    tried.judge(record_property)


@pytest.mark.timeout(7200)
def test_every_crash_while_the_worker_is_replaced_converges(
    old: Stage, record_property: Callable[[str, object], None]
) -> None:
    """The moments from the removal of the snapshot on: those before need no worker."""
    old.reach(None)
    create(old, 1)
    ended, kills = old.kills(UPGRADE)
    assert ended.code == 0, ended.err
    check(old, "v1.37.2")
    wanted = old.world()
    old.reach(None)
    removed = next(n for n, one in enumerate(kills.moments) if "removeAllSnapshots" in one.change)
    late = replace(kills, moments=kills.moments[removed:])

    def attempt(kill: Kill) -> bool:
        create(old, 1)
        crashed = old.killed_at(UPGRADE, kill)
        if crashed.killed:
            back = old.run(BACK)
            # the control plane is upgraded for good
            assert back.code == REFUSED, back.err
            again = old.run(UPGRADE)
            assert again.code == 0, again.err
        check(old, "v1.37.2")
        assert not differences(old.world(), wanted)
        old.reach(None)
        return crashed.killed

    tried = Tried("cluster upgrade in place, of a worker", late)
    tried.each(attempt, lambda: old.reach(None))
    tried.judge(record_property)


@pytest.mark.timeout(7200)
def test_every_crash_of_a_roll_back_converges(
    old: Stage, record_property: Callable[[str, object], None]
) -> None:
    def begin() -> None:
        create(old)
        process = old.start(UPGRADE)
        # its VM is on again, and the task that upgrades it is in its script
        while not (_vm(old)["snapshot"] and _vm(old)["status"] == "POWERED_ON"):
            assert process.poll() is None
            time.sleep(0.1)
        process.kill()
        process.communicate()

    def attempt(kill: Kill) -> bool:
        begin()
        crashed = old.killed_at(BACK, kill)
        if crashed.killed:
            again = old.run(BACK)
            assert again.code in (0, REFUSED), again.err
        check(old, "v1.36.3")
        return crashed.killed

    begin()
    ended, kills = old.kills(BACK)
    assert ended.code == 0, ended.err
    check(old, "v1.36.3")
    tried = Tried("roll-back of an upgrade in place", kills)
    tried.each(attempt, lambda: old.reach(None))
    tried.judge(record_property)


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    "faults",
    [
        {"kill_at": "^curl .*Release.key"},
        {"kill_at": "^apt-get .*update"},
        {"kill_at": "^apt-get .*--download-only"},
        {"kill_at": "^apt-get .* kubeadm="},
        {"kill_at_step": "kubeadm upgrade preflight"},
        {"kill_at_step": "kubeadm upgrade etcd"},
        {"kill_at_step": "kubeadm upgrade kube-apiserver"},
        {"kill_at_step": "kubeadm upgrade kube-scheduler"},
        {"kill_at_step": "kubeadm init upload-config"},
        {"kill_at_step": "kubeadm upgrade kubelet-config"},
        {"kill_at_step": "kubeadm init addon"},
        {"kill_at": "^apt-get .* kubelet=.* kubectl="},
        {"kill_at": "^systemctl restart kubelet"},
        {"kill_at": "task-status ready"},
        {"kill_at": "^systemctl disable cse-task"},
    ],
    ids=lambda faults: next(iter(faults.values())),
)
def test_a_power_loss_in_every_phase(old: Stage, faults: dict[str, str]) -> None:
    create(old)
    (head,) = old.control.get("state")["vapps"][NAME]["vms"]
    old.control.set(f"guests/{head}", faults=faults)
    ended = old.run(UPGRADE)
    assert ended.code == 0, ended.err
    assert "is off and is started again" in ended.err
    check(old, "v1.37.2")
    old.reach(None)


@pytest.mark.timeout(600)
def test_a_vm_that_hangs_is_reverted(old: Stage) -> None:
    create(old)
    (head,) = old.control.get("state")["vapps"][NAME]["vms"]
    old.control.set(f"guests/{head}", faults={"never_boot": True})
    process = old.start((*UPGRADE, "--timeout", "60s"))
    while not _goes_back(old):
        assert process.poll() is None
        time.sleep(0.1)
    old.control.set(f"guests/{head}", faults={"never_boot": False})
    _out, err = process.communicate()
    assert process.returncode == 1, err
    assert b"has not come back with Kubernetes 1.37.2" in err
    assert b"Kubernetes 1.36.3 serves again." in err
    check(old, "v1.36.3")


def _goes_back(stage: Stage) -> bool:
    metadata = stage.control.get("state")["vapps"][NAME]["metadata"]
    record = metadata.get("GENERAL:cse.client.in_place", "")
    return '"phase":"back"' in record or '"phase":"reverted"' in record
