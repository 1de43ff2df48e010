"""Settings of a cluster for the network that it is in: in every node, in the record, in `info`."""

from __future__ import annotations

import ipaddress
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.programs import Result
from tests.support.simulator import Control

Run = Callable[..., Result]

NAME = "settled"
ANTREA = "ubuntu-24.04_k8-1.33_antrea-2.3"
CREATE = ("cluster", "create", NAME, "-n", "net1", "-N", "1", "-t", ANTREA)


@pytest.fixture(autouse=True)
def _removed(cse: Run, control: Control) -> Iterator[None]:
    yield
    if NAME in control.get("state")["vapps"]:
        cse("cluster", "delete", NAME, "--yes")


@pytest.fixture
def objects(cse: Run, run: Run, home: Path) -> Callable[..., Any]:
    """Ask the cluster's Kubernetes for objects, with the real kubectl."""

    def get(*words: str) -> Any:
        (home / "config").write_text(cse("cluster", "config", NAME).out)
        kubectl = shutil.which("kubectl")
        assert kubectl
        found = run(kubectl, "--kubeconfig", "config", "get", *words, "-o", "json")
        assert found.code == 0, found.err
        return json.loads(found.out)

    return get


def info(cse: Run) -> Any:
    shown = cse("cluster", "info", NAME, options=("-j",))
    assert shown.code == 0, shown.err
    return json.loads(shown.out)


def test_a_cluster_gets_the_ranges_that_were_chosen(
    cse: Run, control: Control, objects: Callable[..., Any]
) -> None:
    ranges = ("--pod-cidr", "172.30.0.0/20", "--service-cidr", "172.29.0.0/24")
    done = cse(*CREATE, *ranges)
    assert done.code == 0, done.err
    services = objects("services", "-A")["items"]
    addresses = {one["metadata"]["name"]: one["spec"]["clusterIP"] for one in services}
    assert addresses == {"kubernetes": "172.29.0.1", "kube-dns": "172.29.0.10"}
    settings = objects("configmap", "-n", "kube-system", "kubeadm-config")
    assert "podSubnet: 172.30.0.0/20" in settings["data"]["ClusterConfiguration"]
    pods = [one for one in objects("pods", "-A")["items"] if not one["spec"].get("hostNetwork")]
    inside = ipaddress.ip_network("172.30.0.0/20")
    assert pods
    assert all(ipaddress.ip_address(one["status"]["podIP"]) in inside for one in pods)

    text = " ".join(cse("cluster", "info", NAME).out.split())
    assert "Pod network 172.30.0.0/20" in text
    assert "Service network 172.29.0.0/24" in text
    found = info(cse)["settings"]
    assert (found["pod_cidr"], found["service_cidr"]) == ("172.30.0.0/20", "172.29.0.0/24")
    # a /20 has room for sixteen nodes, whoever adds them
    refused = cse("node", "create", NAME, "-N", "15")
    assert (refused.code, refused.out) == (4, "")
    assert "The pod network 172.30.0.0/20 of the cluster has room for 16 nodes" in refused.err
    assert cse("cluster", "resize", NAME, "-N", "2").code == 0


def test_an_unfinished_creation_keeps_its_ranges(cse: Run, control: Control) -> None:
    begun = cse(*CREATE, "--pod-cidr", "172.30.0.0/20", options=("--no-wait",))
    assert begun.code == 0, begun.err
    other = cse(*CREATE, "--pod-cidr", "172.31.0.0/20", "--service-cidr", "172.29.0.0/24")
    assert (other.code, other.out) == (1, "")
    assert "--pod-cidr 172.30.0.0/20 (now 172.31.0.0/20)" in other.err
    assert "--service-cidr not given (now 172.29.0.0/24)" in other.err
    done = cse(*CREATE)
    assert done.code == 0, done.err
    assert info(cse)["settings"]["pod_cidr"] == "172.30.0.0/20"


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (
            ["-t", ANTREA, "--pod-cidr", "172.30.0.0/25"],
            2,
            "'172.30.0.0/25' is not a valid value of --pod-cidr: it is too small: each node takes"
            " a /24 of it.",
        ),
        (
            ["-t", ANTREA, "--service-cidr", "172.29.0.0/30"],
            2,
            "'172.29.0.0/30' is not a valid value of --service-cidr: it is too small: kubeadm"
            " requires a /28 at least.",
        ),
        (
            ["-t", ANTREA, "--pod-cidr", "10.100.0.0/16"],
            2,
            "The pod network 10.100.0.0/16 overlaps the addresses of the cluster's Services"
            " (10.96.0.0/12).",
        ),
        (
            ["--pod-cidr", "172.30.0.0/16"],
            4,
            "The pod network of the template 'ubuntu-16.04_k8-1.18_weave-2.6.5_rev2' cannot be"
            " changed: its CNI plugin, weave, always uses 10.32.0.0/12.",
        ),
    ],
)
@pytest.mark.usefixtures("nothing_created")
def test_settings_that_cannot_be(cse: Run, words: list[str], code: int, sentence: str) -> None:
    refused = cse("cluster", "create", NAME, "-n", "net1", *words)
    assert (refused.code, refused.out) == (code, "")
    assert f"Error: {sentence}\nHint: " in refused.err
