"""The simulator's options for a real Kubernetes, where something is missing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cse_client.simulator.guest.real import what_is_missing
from tests.support.programs import ROOT, clean_environment

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


_WITHOUT_ROOT = ("--reuid", "65534", "--clear-groups")
_WITHOUT_NAMESPACES = ("--bounding-set", "-sys_admin")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give its rights up")
@pytest.mark.parametrize(
    ("given_up", "message"),
    [
        (_WITHOUT_ROOT, "Real guests need root: they have networks and cgroups of their own."),
        (
            _WITHOUT_NAMESPACES,
            "Real guests need namespaces, which this machine does not allow: Operation not"
            " permitted.",
        ),
    ],
    ids=["no root", "no namespaces"],
)
def test_what_is_missing_is_one_sentence(given_up: tuple[str, ...], message: str) -> None:
    if what_is_missing():
        pytest.skip(what_is_missing())
    done = _simulator("--guests", "real", "--real-dir", ".", prefix=("setpriv", *given_up))
    assert (done.returncode, done.stdout, done.stderr) == (1, "", f"{message}\n")


def _simulator(*words: str, prefix: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*prefix, sys.executable, "-m", "cse_client.simulator", *words],
        cwd=ROOT,
        # whoever has given root up cannot write its data
        env=clean_environment(ROOT, measured=False),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
