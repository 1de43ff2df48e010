"""Running clusters, and kubectl to talk to them."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.running_kube import Running, make


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Running]:
    """A running cluster of version 1.33 without nodes."""
    running = make("1.33.1", tmp_path)
    running.start()
    yield running
    running.api.stop()


@pytest.fixture
def new_cluster(tmp_path: Path) -> Iterator[Callable[[str], Running]]:
    """Make and start a cluster of a version."""
    made: list[Running] = []

    def start(version: str) -> Running:
        running = make(version, tmp_path)
        running.start()
        made.append(running)
        return running

    yield start
    for running in made:
        running.api.stop()


def _kubectls() -> list[str]:
    """Return the kubectl programs to test with: that on PATH, and KUBECTLS (a list of paths)."""
    found = [shutil.which("kubectl"), *os.environ.get("KUBECTLS", "").split(os.pathsep)]
    return [path for path in found if path] or ["(missing)"]


@pytest.fixture(params=_kubectls(), ids=lambda path: f"{Path(path).parent.name}-kubectl")
def kubectl(
    request: pytest.FixtureRequest, cluster: Running, tmp_path: Path
) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run kubectl against the cluster, as administrator unless a kubeconfig is given."""
    program = request.param
    if program == "(missing)":
        pytest.skip("there is no kubectl on PATH")
    admin = cluster.kubeconfig()

    def run(
        *words: str, config: Path | None = None, stdin: str = "", ok: bool | None = True
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [program, "--kubeconfig", str(config or admin), *words],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(tmp_path),
                "NO_PROXY": "127.0.0.0/8,127.0.0.1,localhost",
            },
        )
        if ok is not None:
            assert (done.returncode == 0) is ok, (words, done.stdout, done.stderr)
        return done

    return run
