"""Upgrading a cluster by replacing its nodes, and everything that is in the way of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.programs import Result, Workstation
from tests.support.simulator import Control

Run = Callable[..., Result]

NAME = "aging"
BARE = "ubuntu-24.04_k8-1.33_antrea-2.3_rev1"
OLD = "ubuntu-24.04_k8-1.36_antrea-2.3_rev1"
NEW = "ubuntu-24.04_k8-1.37_antrea-2.3_rev1"
SKIPPING = "ubuntu-24.04_k8-1.38_antrea-2.3_rev1"
RELEASES = {OLD: "1.36.3", NEW: "1.37.2", SKIPPING: "1.38.0"}
REFUSED, WRONG_USAGE, NOT_FOUND = 4, 2, 3


@pytest.fixture(autouse=True)
def _templates(cse: Run, control: Control) -> Iterator[None]:
    """Offer templates of three releases; remove what a test left behind."""
    for item, release in RELEASES.items():
        image = {"keepalived": True, "kubernetes": release}
        control.set(f"templates/{item}", like=BARE, image=image)
        register = ("template", "register", "cse", item, "--kubernetes-version", release)
        assert cse(*register, "--keepalived").code == 0
    yield
    for name in {NAME} & set(control.get("state")["vapps"]):
        cse("cluster", "delete", name, "--yes")
    for item in RELEASES:
        control.set(f"templates/{item}", remove=True)


@pytest.fixture
def kubectl(home: Path, environment: dict[str, str]) -> Callable[..., Result]:
    """Run kubectl with what `cluster config --save` saved."""
    return Workstation(home, environment).kubectl


def create(cse: Run, *words: str) -> None:
    cse("cluster", "create", NAME, "-n", "net1", "-t", OLD, *words).checked()


def info(cse: Run) -> Any:
    return json.loads(cse("cluster", "info", NAME, options=("-j",)).checked())


def plan(cse: Run, *words: str) -> Any:
    (first, *_others) = json.loads(
        cse("cluster", "upgrade-plan", NAME, "-o", "json", *words).checked()
    )
    return first["plan"]


def test_one_control_plane_and_two_workers(
    cse: Run, control: Control, kubectl: Callable[..., Result]
) -> None:
    create(cse, "-N", "2")
    before = info(cse)
    old = {node["name"] for node in before["nodes"]}
    listed = cse("cluster", "upgrade-plan", NAME).checked()
    assert "1.37.2" in listed and "1.38" not in listed
    assert "from Kubernetes 1.36.3 to 1.37.2" in listed
    assert all(f"{name} by a new one" in listed for name in old)
    assert "In the way" not in listed
    asked = cse("cluster", "upgrade", NAME)
    assert (asked.code, "must be confirmed" in asked.err) == (WRONG_USAGE, True), asked
    done = cse("cluster", "upgrade", NAME, "--yes")
    assert done.out == f"Cluster {NAME} is upgraded to Kubernetes 1.37.2.\n", done.err
    after = info(cse)
    names = {node["name"] for node in after["nodes"]}
    assert not names & old and len(names) == len(old)
    assert after["endpoint"] == before["endpoint"]
    assert after["problems"] == []
    cse("cluster", "config", NAME, "--save").checked()
    versions = kubectl("get", "nodes", "--no-headers").checked()
    assert versions.count("v1.37.2") == 3, versions
    for what in ("daemonset/kube-proxy", "deployment/coredns"):
        image = kubectl("-n", "kube-system", "get", what, "-o", "yaml").checked()
        assert "kube-proxy:v1.37.2" in image or "coredns" in image
    config = kubectl(
        "-n", "kube-system", "get", "configmap", "kubeadm-config", "-o", "yaml"
    ).checked()
    assert "kubernetesVersion: v1.37.2" in config
    metadata = control.get("state")["vapps"][NAME]["metadata"]
    assert metadata["GENERAL:cse.kubernetes.version"] == "1.37.2"
    assert metadata["GENERAL:cse.template.name"] == NEW[: -len("_rev1")]
    # new nodes are made from the new template from now on
    cse("cluster", "resize", NAME, "--nodes", "3").checked()
    assert kubectl("get", "nodes", "--no-headers").checked().count("v1.37.2") == 4
    nothing = cse("cluster", "upgrade-plan", NAME).checked()
    assert "1.38" in nothing
    again = cse("cluster", "upgrade", NAME, "--yes", "-t", OLD)
    assert (again.code, "cannot be downgraded" in again.err) == (REFUSED, True), again
