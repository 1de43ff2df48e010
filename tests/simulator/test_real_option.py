"""The simulator's options for a real Kubernetes, where something is missing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from cse_client.simulator.guest.real import what_is_missing
from tests.support.programs import ROOT

_PROGRAMS = [
    "kubeadm",
    "kubelet",
    "kubectl",
    "containerd",
    "containerd-shim-runc-v2",
    "ctr",
]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--guests", "real"], "--guests real and --real-dir belong together"),
        (["--real-dir", "."], "--guests real and --real-dir belong together"),
    ],
)
def test_options_that_belong_together(words: list[str], message: str) -> None:
    done = _simulator(*words)
    assert done.returncode == 2
    assert message in done.stderr


def test_an_incomplete_folder_is_named(tmp_path: Path) -> None:
    if what_is_missing():
        pytest.skip(what_is_missing())
    empty = _simulator("--guests", "real", "--real-dir", str(tmp_path))
    assert (empty.returncode, "holds no Kubernetes release" in empty.stderr) == (2, True)
    programs = tmp_path / "v1.37.2" / "bin"
    programs.mkdir(parents=True)
    for name in _PROGRAMS:
        (programs / name).touch()
    incomplete = _simulator("--guests", "real", "--real-dir", str(tmp_path))
    assert (incomplete.returncode, "lacks bin/crictl" in incomplete.stderr) == (2, True), (
        incomplete.stderr
    )


def _simulator(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cse_client.simulator", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def _may_not_separate() -> bool:
    return (
        subprocess.run(["unshare", "--net", "true"], capture_output=True, check=False).returncode
        != 0
    )
