"""What the builder of the tests on a real Kubernetes reports where something is missing."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cse_client.simulator.guest.real import what_is_missing
from tests.real.build.components import SHARED
from tests.real.build.old import remove_unused
from tests.support.programs import ROOT, clean_environment


def run(
    tmp_path: Path, *words: str, prefix: tuple[str, ...] = (), **more: str
) -> subprocess.CompletedProcess[str]:
    """Run a module of Python with an empty cache."""
    cache = {"XDG_CACHE_HOME": str(tmp_path / "cache")}
    environment = {**clean_environment(tmp_path, measured=False), **cache, **more}
    return subprocess.run(
        [*prefix, sys.executable, "-m", *words],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


#: What real guests need, see `what_is_missing`.
NEEDED = ("ip", "iptables", "conntrack", "nsenter", "pivot_root", "runc", "unshare")
needs_all = pytest.mark.skipif(bool(what_is_missing()), reason=what_is_missing())


@needs_all
def test_no_go(tmp_path: Path) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in (*NEEDED, "true"):
        found = shutil.which(name)
        assert found
        (programs / name).symlink_to(found)
    done = run(tmp_path, "tests.real.build", PATH=str(programs))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines()[-1] == (
        "Go is not installed, so the programs of a real cluster cannot be built: install Go, or"
        " name a folder of official programs with REAL_KUBE_DIR."
    )


@needs_all
def test_an_incomplete_folder_of_official_programs(tmp_path: Path) -> None:
    official = tmp_path / "official"
    for component in SHARED:
        folder = official / component.name
        folder.mkdir(parents=True)
        for file in component.files:
            (folder / file).touch()
    missing = official / SHARED[-1].name / SHARED[-1].files[0]
    missing.unlink()
    done = run(tmp_path, "tests.real.build", REAL_KUBE_DIR=str(official))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"REAL_KUBE_DIR has no folder {SHARED[-1].name} with {missing.name}.\n"


@needs_all
def test_a_cache_that_cannot_be_written(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    done = run(tmp_path, "tests.real.build", XDG_CACHE_HOME=str(file))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines()[-1] == (
        f"The cache {file}/cse-client/real cannot be used: Not a directory."
    )


def test_what_nobody_has_used_for_a_month_is_removed(tmp_path: Path) -> None:
    names = ("kits/old", "kits/used", "kits/recent", "etcd-1", "etcd-2", "disks-1-x")
    for name in names:
        (tmp_path / name / "bin").mkdir(parents=True)
        if not name.endswith("recent"):
            os.utime(tmp_path / name, (0, 0))
    used = [tmp_path / "kits/used", tmp_path / "etcd-2", tmp_path / "not-built-1"]
    removed = list(remove_unused(tmp_path, used))
    assert [one.name for one in removed] == ["disks-1-x", "etcd-1", "old"]
    assert {one.name for one in tmp_path.glob("**/*-*")} == {"etcd-2"}
    assert {one.name for one in tmp_path.glob("kits/*")} == {"used", "recent"}
    # each use counts
    os.utime(tmp_path / "kits/recent", (0, 0))
    assert list(remove_unused(tmp_path, [tmp_path / "kits/recent"])) == []
    assert (tmp_path / "kits/used").stat().st_mtime > 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give its rights up")
def test_nothing_is_built_without_root(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    done = run(tmp_path, "tests.real.build", prefix=("setpriv", "--reuid", "65534"))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "Real guests need root: they have networks and cgroups of their own.\n"


def test_what_is_not_built_is_skipped_and_named(tmp_path: Path) -> None:
    """Nobody can take it for a success: what was not tested is the last thing that is printed."""
    options = ("-q", "-m", "real", "-p", "no:cacheprovider", "tests/real/test_cluster.py")
    done = run(tmp_path, "pytest", *options)
    assert done.returncode == 0
    assert "passed" not in done.stdout
    assert "a real Kubernetes was NOT TESTED" in done.stdout
    reason = what_is_missing() or "build it with `python -m tests.real.build`."
    assert reason in done.stdout.partition("NOT TESTED")[2]
