"""Upgrading the only control plane of a cluster without a virtual address, and going back."""

from __future__ import annotations

import json
import re
import signal
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from cse_client import suggest
from tests.support.programs import CSE, Result, Workstation, clean_environment
from tests.support.simulator import Cloud, Control, Login

NAME = "alone"
OLD, NEW = "alone-1.36", "ubuntu-24.04_k8-1.37_antrea-2.3_rev1"
LIKE = "ubuntu-24.04_k8-1.33_antrea-2.3_rev1"
RIGHT = "vApp: Snapshot Operations"
REFUSED, INTERRUPTED = 4, 5
#: Bytes of a script: between them, there is one with the task of an upgrade.
_WITHOUT_TASK, _WHOLE = 6000, 10000


@pytest.fixture(scope="module")
def station(
    cloud: Cloud, login: Login, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Workstation]:
    """Templates of two releases: the old one was built, so that its nodes have packages."""
    if not cloud.others:
        pytest.skip("needs a simulator")
    home = tmp_path_factory.mktemp("home")
    (home / ".vcd-cli").mkdir()
    login.put_into(home)
    station = Workstation(home, {**clean_environment(home), **cloud.environment()})
    control = Control(cloud)
    build = ("template", "build", OLD, "--from", "images/ubuntu-24.04-server", "-n", "net1")
    station.cse(*build, "--kubernetes", "1.36.3").checked()
    make_template(station, control)
    yield station
    station.cse("template", "delete", OLD, "--yes").checked()
    control.set(f"templates/{NEW}", remove=True)


def make_template(station: Workstation, control: Control) -> None:
    """Make the template of the new release."""
    control.set(f"templates/{NEW}", like=LIKE, image={"kubernetes": "1.37.2"})
    station.cse("template", "register", "cse", NEW, "--kubernetes-version", "1.37.2").checked()


@pytest.fixture(scope="module")
def cluster(station: Workstation, cloud: Cloud) -> Iterator[Cluster]:
    """A cluster of 1.36.3 with one worker; the last test upgrades it."""
    made = station.cse(
        *("cluster", "create", NAME, "-n", "net1", "-N", "1", "-t", OLD, "--vip", "none")
    )
    assert made.code == 0, made.err
    station.cse("cluster", "config", NAME, "--save").checked()
    yield Cluster(station, Control(cloud))
    station.cse("cluster", "delete", NAME, "--yes", "--break-lock").checked()


class Cluster:
    """The cluster of a test."""

    def __init__(self, station: Workstation, control: Control) -> None:
        self.station = station
        self.control = control
        self.cse = station.cse
        self.kubectl = station.kubectl
        (self.head,) = (name for name in self.vms() if name.startswith("mstr-"))

    def upgrade(self, *words: str) -> Result:
        return self.cse("cluster", "upgrade", NAME, "--yes", *words)

    def faults(self, **faults: object) -> None:
        self.control.set(f"guests/{self.head}", faults=faults)

    def vapp(self) -> Any:
        return self.control.get("state")["vapps"][NAME]

    def vms(self) -> Any:
        return self.vapp()["vms"]

    def record(self) -> Mapping[str, Any]:
        text = self.vapp()["metadata"].get("GENERAL:cse.client.in_place", "-")
        return {} if text == "-" else dict(json.loads(text))

    def phase(self) -> str:
        """The phase of the upgrade that is going on, as the node reports it."""
        guestinfo = self.vms()[self.head]["guestinfo"]
        task = guestinfo.get("guestinfo.cse.task-id", "").partition(" ")[0]
        mine = task and task == self.record().get("task")
        return str(guestinfo.get("guestinfo.cse.task-phase", "")) if mine else ""

    def versions(self) -> tuple[str, str]:
        """The API server's, and the control plane's kubelet's."""
        server = json.loads(self.kubectl("version", "-o", "json").checked())
        path = "jsonpath={.status.nodeInfo.kubeletVersion}"
        kubelet = self.kubectl("get", "node", self.head, "-o", path).checked()
        return server["serverVersion"]["gitVersion"], kubelet

    def left(self) -> set[str]:
        """What an upgrade leaves behind that has not ended."""
        found = {"record"} if self.record() else set()
        vm = self.vms()[self.head]
        if vm["snapshot"]:
            found.add("snapshot")
        if _WITHOUT_TASK < vm["script_bytes"] < _WHOLE:
            found.add("task")
        folder = self.station.home / ".local/state/cse-client/upgrades"
        if folder.exists() and any(folder.iterdir()):
            found.add("backup")
        return found

    def is_as_before(self) -> bool:
        """Whether the old version serves, and nothing is left of an upgrade."""
        return self.versions() == ("v1.36.3", "v1.36.3") and not self.left()


def test_the_plan_names_every_step(cluster: Cluster) -> None:
    plan = cluster.cse("cluster", "upgrade-plan", NAME).checked()
    for text in (
        f"Shut down {cluster.head} and create a snapshot of its VM.",
        f"Upgrade {cluster.head} to Kubernetes 1.37.2 with the packages of https://pkgs.k8s.io/",
        "revert the VM to its snapshot and start it again.",
        "by a new one from",
    ):
        assert text in plan, plan
    assert "In the way" not in plan
    source = ("--package-source", "https://mirror.example.com/k8s")
    assert source[1] in cluster.cse("cluster", "upgrade-plan", NAME, *source).checked()
    refused = cluster.cse("cluster", "upgrade-plan", NAME, "--package-source", "mirror")
    assert (refused.code, "https://HOST/PATH" in refused.err) == (2, True)


def test_without_a_way_back_it_is_refused_first(cluster: Cluster) -> None:
    control = cluster.control
    before = control.possessions()
    with control.changed("users/admin", {"rights": {RIGHT: False}}, {"rights": {RIGHT: True}}):
        plan = cluster.cse("cluster", "upgrade-plan", NAME).checked()
        assert "In the way: VCD does not allow you to create a snapshot of the VM" in plan
        refused = cluster.upgrade()
        assert refused.code == REFUSED
        assert "there would be no way back" in refused.err
        insisted = cluster.cse("cluster", "upgrade", NAME, "--no-rollback", "--dry-run").checked()
        assert "There is no way back if anything fails (--no-rollback)." in insisted
    assert control.possessions() == before


def test_what_fails_is_rolled_back(cluster: Cluster) -> None:
    cluster.kubectl("create", "configmap", "kept", "--from-literal=a=1").checked()
    cluster.faults(fail={"^kubeadm upgrade": 1})
    failed = cluster.upgrade()
    cluster.faults(fail={})
    assert failed.code == 1, failed.err
    (error,) = (line for line in failed.err.splitlines() if line.startswith("Error: "))
    assert error == (
        f"Error: The upgrade of cluster '{NAME}' to Kubernetes 1.37.2 was rolled back: Node"
        f" '{cluster.head}' failed in phase 'apply' (exit code 1): kubeadm upgrade apply failed (rc"
        " 1). Kubernetes 1.36.3 serves again."
    )
    assert f"{cluster.head}: Setting up kubeadm (1.37.2-1.1) ..." in failed.err
    assert cluster.is_as_before()
    cluster.kubectl("get", "configmap", "kept").checked()


def test_a_quota_that_forbids_the_snapshot_costs_a_restart_only(cluster: Cluster) -> None:
    text = "The requested operation will exceed the VDC's storage quota."
    cluster.control.set("faults", kind="task", operation="vappCreateSnapshot", message=text)
    failed = cluster.upgrade()
    cluster.control.ask("DELETE", "faults")
    assert failed.code == 1, failed.err
    assert "was rolled back: " in failed.err and text in failed.err, failed.err
    assert cluster.is_as_before()


def test_a_way_back_that_fails_can_be_tried_again(cluster: Cluster) -> None:
    cluster.faults(fail={"^kubeadm upgrade": 1})
    cluster.control.set(
        "faults", kind="task", operation="vappRevertToCurrentSnapshot", message="No host."
    )
    failed = cluster.upgrade()
    cluster.control.ask("DELETE", "faults")
    cluster.faults(fail={})
    assert failed.code == 1, failed.err
    assert "failed in phase 'apply' (exit code 1)" in failed.err
    assert "Going back to the snapshot failed: " in failed.err
    assert f"Hint: Try again to go back: cse cluster upgrade {NAME} --roll-back" in failed.err
    backup = re.search(r"cluster restore \S+ (\S+) --identity (\S+)", failed.err)
    assert backup is not None, failed.err
    assert all(Path(one).is_file() for one in backup.groups())
    assert cluster.left() == {"record", "snapshot", "task", "backup"}
    # to go on is to go back first
    plan = cluster.cse("cluster", "upgrade-plan", NAME).checked()
    assert ("1. Revert " in plan, "Replace the worker" in plan) == (True, False), plan
    resumed = cluster.upgrade()
    assert (resumed.code, "Kubernetes 1.36.3 serves again." in resumed.err) == (1, True), resumed
    assert cluster.is_as_before()


@pytest.mark.timeout(300)
def test_an_interrupted_one_goes_back_or_on(cluster: Cluster) -> None:
    """At its end, in spite of power that fails in two phases, the cluster is upgraded."""
    address = cluster.vms()[cluster.head]["address"]
    cluster.faults(slow={"^kubeadm upgrade": 600})
    process = cluster.station.start(CSE, "cluster", "upgrade", NAME, "--yes")
    deadline = time.monotonic() + 90
    while cluster.phase() != "apply":
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    _out, err = process.communicate(timeout=60)
    assert process.returncode == INTERRUPTED, err
    assert cluster.record()["phase"] == "begun"
    assert cluster.left() == {"record", "snapshot", "task", "backup"}
    other = cluster.cse("cluster", "upgrade", NAME, "--yes", "--package-source", "https://x.org/y")
    assert (other.code, "is not finished" in other.err) == (1, True), other.err
    # to go back, the new template is not needed
    cluster.control.set(f"templates/{NEW}", remove=True)
    back = cluster.cse("cluster", "upgrade", NAME, "--roll-back", "--yes")
    make_template(cluster.station, cluster.control)
    assert back.out == f"Cluster {NAME} has Kubernetes 1.36.3 again.\n", back.err
    assert cluster.is_as_before()
    again = cluster.cse("cluster", "upgrade", NAME, "--roll-back", "--yes")
    assert again.code == REFUSED, again.err
    cluster.faults(slow={}, fail={"^kubeadm upgrade": 1})
    failed = cluster.upgrade("--no-rollback")
    assert (failed.code, "There is no snapshot to go back to" in failed.err) == (1, True), (
        failed.err
    )
    # without a way back, the same command tries again
    cluster.faults(
        fail={},
        slow={},
        kill_at="^apt-get .*install.*kubeadm=",
        kill_at_step="kubeadm upgrade kube-api",
    )
    cluster.control.set("guests", vm="node-.*", faults={"fail": {"^kubeadm join": 1}})
    halfway = cluster.upgrade()
    cluster.control.ask("DELETE", "guests")
    assert "is off and is started again" in halfway.err, halfway.err
    assert (halfway.code, suggest.RESUME in halfway.err) == (1, True), halfway.err
    _resume_while_off(cluster)
    done = cluster.upgrade()
    assert done.out == f"Cluster {NAME} is upgraded to Kubernetes 1.37.2.\n", done.err
    assert cluster.versions() == ("v1.37.2", "v1.37.2")
    assert cluster.vms()[cluster.head]["address"] == address
    assert cluster.left() == set()
    cluster.kubectl("get", "configmap", "kept").checked()
    nodes = cluster.kubectl("get", "nodes", "--no-headers").checked()
    assert nodes.count("v1.37.2") == 2, nodes
    # the CA keys are where they were
    cluster.cse("cluster", "resize", NAME, "--nodes", "2").checked()


def _resume_while_off(cluster: Cluster) -> None:
    """Nothing says then that the control plane is upgraded; the upgrade must not be forgotten."""
    cluster.cse("cluster", "stop", NAME, "--yes").checked()
    plan = cluster.cse("cluster", "upgrade-plan", NAME).checked()
    assert "unless it has this version already: its API does not answer now." in plan, plan
    assert "Shut down" not in plan, plan
    start = f"Hint: The VM {cluster.head} is off. Start the cluster: cse cluster start {NAME}\n"
    for words in ((), ("--roll-back",)):
        off = cluster.upgrade(*words)
        assert (off.code, start in off.err) == (1, True), off.err
        assert "as it was" not in off.err, off.err
    cluster.cse("cluster", "start", NAME).checked()
    assert "is upgraded" not in cluster.upgrade("--roll-back").out
