"""Every command in front of CSE 2.6.1, behind a VCD that offers API 36: wire and output."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator

import pytest

from tests.e2e.server.story import Stage, chapter
from tests.programs import clean_environment

BOOK = "cse-2.6.1"


PATIENCE = 20
NEW = "v1.19.3 v1.19.3"
VERSIONS = "jsonpath={.items[*].status.nodeInfo.kubeletVersion}"


def kubectl(stage: Stage, kubeconfig: str, *words: str) -> str:
    """Run the real kubectl with a kubeconfig that a command printed."""
    path = stage.home / "printed.yaml"
    path.write_text(kubeconfig)
    done = subprocess.run(
        ["kubectl", "--kubeconfig", str(path), *words],
        env=clean_environment(stage.home),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("cse")
    # the version of the session, whatever the server was configured for
    accept = "application/json;version=36.0"
    stage = Stage(folder, "--cse", "2.6.1", "--guest-speed", "20", accept=accept)
    yield stage
    stage.close()


def test_a_tenants_story(stage: Stage) -> None:
    for step in chapter(BOOK, "tenant"):
        stage.play(step)


def test_an_upgrade(stage: Stage) -> None:
    newer = {
        "os": "ubuntu-16.04",
        "kubernetes": "1.19.3",
        "runtime": "docker",
        "cni": "weave",
        "cni_version": "2.6.5",
        "cni_manifest": "/root/weave_v2-6-5.yml",
    }
    stage.control.set("templates/ubuntu-24.04_k8-1.33_antrea-2.3_rev1", image=newer)
    plan, upgrade, delete = chapter(BOOK, "upgrade")
    made = stage.run("cse", "cluster", "create", "old", "-n", "net1", "-N", "1")
    assert made.code == 0, made.err
    stage.play(plan)
    stage.play(upgrade)
    kubeconfig = stage.run("cse", "cluster", "config", "old").out
    # a kubelet that was started again reports a moment later
    deadline = time.monotonic() + PATIENCE
    while (versions := kubectl(stage, kubeconfig, "get", "nodes", "-o", VERSIONS)) != NEW:
        assert time.monotonic() < deadline, versions
        time.sleep(0.2)
    stage.play(delete)


def test_each_side_manages_the_others_clusters(stage: Stage) -> None:
    """The server's clusters and the direct engine's are the same thing to both."""
    direct = ("cse", "--engine", "direct")
    mine = ("cluster", "create", "mine", "-n", "net1", "-N", "0")
    assert stage.run(*direct, *mine).code == 0
    rows = json.loads(stage.run("-j", "cse", "cluster", "list").out)
    assert [row["Name"] for row in rows] == ["mine"]
    grown = stage.run("cse", "cluster", "resize", "mine", "-N", "1")
    assert grown.code == 0, grown.err
    nodes = json.loads(stage.run("-j", *direct, "node", "list", "mine").out)
    assert [(node["Kind"], node["Kubernetes"]) for node in nodes] == [
        ("control plane", "Ready"),
        ("worker", "Ready"),
    ]
    theirs = stage.run("cse", "cluster", "config", "mine").out
    assert kubectl(stage, theirs, "get", "nodes", "-o", "name").count("node/") == len(nodes)
    gone = stage.run("cse", "cluster", "delete", "mine", "--yes")
    assert gone.code == 0, gone.err
    assert stage.run(*direct, "cluster", "list").out == "\n"


def test_a_providers_story(stage: Stage) -> None:
    stage.log_in_as_provider()
    for step in chapter(BOOK, "provider"):
        stage.play(step)
