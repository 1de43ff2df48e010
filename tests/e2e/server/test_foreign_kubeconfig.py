"""A cluster of a CSE server whose root rewrites the kubeconfig that the server hands out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.e2e.server.story import Stage, kubectl

ACCEPT = "application/json;version=36.0"


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("cse")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", str(folder))  # where the guests' disks are
        stage = Stage(folder, "--cse", "3.1.4", "--guest-speed", "20", accept=ACCEPT)
    try:
        template = ("-t", "ubuntu-16.04_k8-1.18_weave-2.6.5", "-r", "2")
        made = stage.run("cse", "cluster", "create", "blue", "-n", "net1", "-N", "0", *template)
        assert made.code == 0, made.err
        yield stage
    finally:
        stage.close()


def rooted(stage: Stage) -> Path:
    """Return /root/.kube/config of the cluster's control plane, as root there sees it."""
    (found,) = stage.home.parent.glob("vcd-simulator-*/guests/*/**/root/.kube/config")
    return found


def test_kubeadms_own_is_used(stage: Stage) -> None:
    printed = stage.run("cse", "cluster", "config", "blue")
    assert (printed.code, printed.err) == (0, "")
    assert kubectl(stage, printed.out, "get", "nodes", "-o", "name").startswith("node/mstr-")
    wanted = yaml.safe_load(rooted(stage).read_text())
    wanted.pop("preferences", None)
    assert yaml.safe_load(printed.out) == wanted
    granted = stage.run("cse", "cluster", "grant", "blue", "--user", "alice", "--role", "view")
    assert granted.code == 0, granted.err
    assert "alice" in stage.run("cse", "cluster", "grants", "blue").out


def test_a_command_of_roots_runs_nowhere(stage: Stage, tmp_path: Path) -> None:
    file, proof = rooted(stage), tmp_path / "proof"
    before = file.read_text()
    document = yaml.safe_load(before)
    document["users"][0]["user"]["exec"] = {
        "apiVersion": "client.authentication.k8s.io/v1beta1",
        "command": "touch",
        "args": [str(proof)],
        "interactiveMode": "Never",
    }
    file.write_text(yaml.safe_dump(document))
    try:
        for words in (
            ("config", "blue"),
            ("config", "blue", "--save"),
            ("grants", "blue"),
            ("grant", "blue", "--user", "bob", "--role", "view"),
        ):
            result = stage.run("cse", "cluster", *words)
            assert (result.code, result.out) == (4, "")
            assert "users[0].user.exec" in result.err
        assert not proof.exists()
        assert not (stage.home / ".kube" / "config").exists()
    finally:
        file.write_text(before)
    assert stage.run("cse", "cluster", "config", "blue", "--save").code == 0
