"""The cache of programs for a real cluster, with a Go that only pretends to build."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from tests.real.build.components import PAUSE
from tests.real.build.golang import BuildFailed, build
from tests.real.build.images import ImageContent, write_layout
from tests.support.programs import ROOT

_GO = """#!/bin/bash
echo "$*" >>"$GO_LOG"
while [ "$1" != -o ]; do shift; done
echo program >"$2"
eval "$GO_THEN"
"""


@pytest.fixture
def go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "go").write_text(_GO, encoding="utf-8")
    (folder / "go").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    monkeypatch.setenv("GO_LOG", str(tmp_path / "go.log"))
    monkeypatch.setenv("GO_THEN", "")
    return tmp_path / "go.log"


def test_second_build_does_nothing(go: Path, tmp_path: Path) -> None:
    folder = build(tmp_path / "cache", PAUSE)
    assert (folder / "pause").read_text(encoding="utf-8") == "program\n"
    build(tmp_path / "cache", PAUSE)
    assert len(go.read_text(encoding="utf-8").splitlines()) == 1


def test_failed_build_leaves_nothing(
    go: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GO_THEN", "echo 'no space left on device' >&2; exit 1")
    with pytest.raises(BuildFailed, match="no space left on device"):
        build(tmp_path / "cache", PAUSE)
    assert [one.name for one in (tmp_path / "cache").iterdir()] == [f".{PAUSE.name}.lock"]


def test_killed_build_is_no_half_build(
    go: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GO_THEN", f"kill -{signal.SIGKILL} $PPID; sleep 0.1")
    code = (
        "import pathlib, tests.real.build.golang as g, tests.real.build.components as c\n"
        f"g.build(pathlib.Path({str(tmp_path / 'cache')!r}), c.PAUSE)"
    )
    killed = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert not (tmp_path / "cache" / PAUSE.name).exists()
    monkeypatch.setenv("GO_THEN", "")
    build(tmp_path / "cache", PAUSE)
    assert not list((tmp_path / "cache").glob("*partial*"))


def test_without_go_the_error_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BuildFailed, match="Go is not installed"):
        build(tmp_path / "cache", PAUSE)


def test_images_share_equal_layers(tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_text("x", encoding="utf-8")
    content = ImageContent((("bin/program", program),), ("/bin/program",))
    write_layout(tmp_path / "a.tar", {"example.com/one:v1": content, "example.com/two:v1": content})
    with tarfile.open(tmp_path / "a.tar") as layout:
        names = layout.getnames()
        index = layout.extractfile("index.json")
        assert index is not None
        text = index.read().decode()
    assert names[-2:] == ["index.json", "oci-layout"]
    # one layer, two configurations (their history differs), two manifests
    assert len(names) - 2 == 5
    assert '"io.containerd.image.name": "example.com/one:v1"' in text
