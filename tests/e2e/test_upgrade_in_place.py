"""Upgrading the only control plane of a cluster without a virtual address, and going back."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.support.programs import Result, Workstation, clean_environment
from tests.support.simulator import Cloud, Control, Login

Run = Callable[..., Result]

NAME = "alone"
OLD, NEW = "alone-1.36", "ubuntu-24.04_k8-1.37_antrea-2.3_rev1"
LIKE = "ubuntu-24.04_k8-1.33_antrea-2.3_rev1"
RIGHT = "vApp: Snapshot Operations"
REFUSED = 4
#: More than a script has whose task was removed.
_WITHOUT_TASK = 6000


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
    control.set(f"templates/{NEW}", like=LIKE, image={"kubernetes": "1.37.2"})
    station.cse("template", "register", "cse", NEW, "--kubernetes-version", "1.37.2").checked()
    yield station
    station.cse("template", "delete", OLD, "--yes").checked()
    control.set(f"templates/{NEW}", remove=True)


@pytest.fixture
def cluster(station: Workstation, control: Control) -> Iterator[Cluster]:
    """A cluster of 1.36.3 with one worker."""
    made = station.cse(
        *("cluster", "create", NAME, "-n", "net1", "-N", "1", "-t", OLD, "--vip", "none")
    )
    assert made.code == 0, made.err
    station.cse("cluster", "config", NAME, "--save").checked()
    yield Cluster(station, control)
    control.ask("DELETE", "faults")
    station.cse("cluster", "delete", NAME, "--yes", "--break-lock").checked()


class Cluster:
    """The cluster of a test."""

    def __init__(self, station: Workstation, control: Control) -> None:
        self.station = station
        self.control = control
        self.cse = station.cse
        self.kubectl = station.kubectl
        (self.head,) = (name for name in self.vms() if name.startswith("mstr-"))

    def vapp(self) -> Any:
        return self.control.get("state")["vapps"][NAME]

    def vms(self) -> Any:
        return self.vapp()["vms"]

    def versions(self) -> tuple[str, str]:
        """The API server's, and the control plane's kubelet's."""
        server = json.loads(self.kubectl("version", "-o", "json").checked())
        path = "jsonpath={.status.nodeInfo.kubeletVersion}"
        kubelet = self.kubectl("get", "node", self.head, "-o", path).checked()
        return server["serverVersion"]["gitVersion"], kubelet

    def left(self) -> set[str]:
        """What an upgrade leaves behind that has not ended."""
        found = set()
        metadata = self.vapp()["metadata"]
        if metadata.get("GENERAL:cse.client.in_place", "-") != "-":
            found.add("record")
        if self.vms()[self.head]["snapshot"]:
            found.add("snapshot")
        if self.vms()[self.head]["script_bytes"] > _WITHOUT_TASK:
            found.add("task")
        folder = self.station.home / ".local/state/cse-client/upgrades"
        if folder.exists() and any(folder.iterdir()):
            found.add("backup")
        return found


def test_a_control_plane_is_upgraded_in_place(cluster: Cluster) -> None:
    address = cluster.vms()[cluster.head]["address"]
    cluster.kubectl("create", "configmap", "kept", "--from-literal=a=1").checked()
    plan = cluster.cse("cluster", "upgrade-plan", NAME).checked()
    assert f"Shut down {cluster.head} and create a snapshot of its VM." in plan, plan
    assert "In the way" not in plan
    done = cluster.cse("cluster", "upgrade", NAME, "--yes")
    assert done.out == f"Cluster {NAME} is upgraded to Kubernetes 1.37.2.\n", done.err
    assert cluster.versions() == ("v1.37.2", "v1.37.2")
    assert cluster.vms()[cluster.head]["address"] == address
    assert cluster.left() == set()
    cluster.kubectl("get", "configmap", "kept").checked()
    nodes = cluster.kubectl("get", "nodes", "--no-headers").checked()
    assert nodes.count("v1.37.2") == 2, nodes
    # the CA keys are where they were
    cluster.cse("cluster", "resize", NAME, "--nodes", "2").checked()
