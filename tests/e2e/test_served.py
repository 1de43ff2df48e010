"""A cluster made by the simulator's CSE server: its guests run, and both engines see it.

The whole way: `vcd`, VCD's extension layer, the server, VCD's tasks, the guests, kubectl.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import Cloud, Control, log_in, start_simulator, stop_simulator
from tests.programs import clean_environment

VCD = str(Path(sys.executable).parent / "vcd")
OLDER, NEWER = "ubuntu-16.04_k8-1.18_weave-2.6.5", "ubuntu-16.04_k8-1.19_weave-2.6.5"
Run = Callable[..., str]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """A simulator with CSE 2.6.1 behind a VCD that offers API 36."""
    folder = tmp_path_factory.mktemp("served")
    process, cloud = start_simulator(folder, "--cse", "2.6.1", "--guest-speed", "10")
    yield cloud
    stop_simulator(process)


@pytest.fixture
def run(served: Cloud, tmp_path: Path) -> Run:
    """Run a program as the organisation's administrator; it must succeed."""
    log_in(served, tmp_path)
    environment = {**clean_environment(tmp_path), **served.environment()}

    def start(*words: str) -> str:
        done = subprocess.run(
            words,
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, (words, done.stdout, done.stderr)
        return done.stdout

    return start


def test_a_cluster_of_the_server(run: Run, served: Cloud, tmp_path: Path) -> None:
    def cse(*words: str) -> str:
        return run(VCD, "cse", *words)

    def nodes(column: str = "") -> dict[str, str]:
        shape = ["-o", f"custom-columns=NAME:.metadata.name,{column}"] if column else []
        words = ["get", "nodes", "--no-headers", *shape]
        rows = run("kubectl", "--kubeconfig", str(kubeconfig), *words)
        return {row.split()[0]: row.split()[1] for row in rows.splitlines()}

    cse("cluster", "create", "demo", "--network", "net1", "-N", "1")
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(cse("cluster", "config", "demo"))
    first = nodes()
    assert {name[:5] for name in first} == {"mstr-", "node-"}
    assert set(first.values()) == {"Ready"}

    cse("node", "create", "demo", "--network", "net1")
    assert len(nodes()) == 3
    (worker,) = (name for name in first if name.startswith("node-"))
    cse("node", "delete", "demo", worker, "--yes")
    assert worker not in nodes()
    assert len(nodes()) == 2

    control = Control(served)
    control.set(f"templates/{NEWER}_rev1", like=f"{OLDER}_rev2", image={"kubernetes": "1.19.3"})
    assert NEWER in cse("cluster", "upgrade-plan", "demo")
    assert set(nodes("VERSION:.status.nodeInfo.kubeletVersion").values()) == {"v1.18.6"}
    cse("cluster", "upgrade", "demo", NEWER, "1")
    assert set(nodes("VERSION:.status.nodeInfo.kubeletVersion").values()) == {"v1.19.3"}
    # drained while they were upgraded, and open again
    assert set(nodes("CLOSED:.spec.unschedulable").values()) == {"<none>"}
    assert "1.19.3" in cse("cluster", "info", "demo")

    direct = run(VCD, "cse", "--engine", "direct", "cluster", "list")
    assert "demo" in direct
    shown = run(VCD, "cse", "--engine", "direct", "cluster", "info", "demo")
    assert "CSE 2.6.1" in shown
    cse("cluster", "delete", "demo", "--yes")
    assert "demo" not in run(VCD, "cse", "--engine", "direct", "cluster", "list")


def test_a_cluster_of_the_direct_engine(run: Run) -> None:
    run(
        VCD, "cse", "--engine", "direct", "cluster", "create", "own", "--network", "net1", "-N", "1"
    )
    assert "own" in run(VCD, "cse", "cluster", "list")
    assert "mstr-" in run(VCD, "cse", "cluster", "info", "own")
    run(VCD, "cse", "cluster", "delete", "own", "--yes")
    assert "own" not in run(VCD, "cse", "--engine", "direct", "cluster", "list")
