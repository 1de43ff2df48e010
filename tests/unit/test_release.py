"""`make release` refuses with one sentence what is not ready, before anything is built."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.programs import ROOT, Result

Run = Callable[..., Result]

MADE = {
    "cse_client/__init__.py": '__version__ = "1.2.3"\n',
    "CHANGELOG.md": "# Changelog\n\n## [1.2.3] - 2026-11-30\n\n- All.\n\n## [1.2.2] - 2026-01-01\n",
    # what builds and checks is tried by itself, and takes minutes
    ".ci/dist": '#!/bin/sh\nmkdir "$1" && touch "$1/made.whl" "$1/made.tar.gz"\n',
    ".gitignore": "/dist/\n",
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A committed project of version 1.2.3 that is ready to be released."""
    folder = tmp_path / "project"
    for name, text in MADE.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    shutil.copy(ROOT / ".ci" / "release", folder / ".ci" / "release")
    shutil.copy(ROOT / "Makefile", folder)
    (folder / ".ci" / "dist").chmod(0o755)
    git(folder, "init", "-q")
    commit(folder)
    return folder


def git(folder: Path, *words: str) -> None:
    who = ("-c", "user.name=x", "-c", "user.email=x@example.com")
    subprocess.run(["git", *who, *words], cwd=folder, check=True, capture_output=True)


def commit(folder: Path) -> None:
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "x")


@pytest.fixture
def release(run: Run, project: Path) -> Callable[..., Result]:
    def start(*words: str) -> Result:
        return run("make", "-C", str(project), "--no-print-directory", "release", *words)

    return start


def refusal(result: Result, project: Path) -> str:
    assert result.code != 0
    assert not (project / "dist").exists()
    first, *rest = result.err.splitlines()
    assert all(line.startswith("make: ") for line in rest)
    return first


def test_ready(release: Run, project: Path) -> None:
    (project / "dist").mkdir()
    (project / "dist" / "older.whl").touch()
    result = release("VERSION=1.2.3")
    assert result.code == 0, result.err
    assert "git tag -a v1.2.3 -m 'cse-client 1.2.3'" in result.out
    assert {path.name for path in (project / "dist").iterdir()} == {"made.whl", "made.tar.gz"}


@pytest.mark.parametrize("words", [[], ["VERSION=1.2"], ["VERSION=v1.2.3"], ["VERSION=1.2.3; id"]])
def test_no_version(release: Run, project: Path, words: list[str]) -> None:
    assert "A version of three numbers is required" in refusal(release(*words), project)


def test_another_version(release: Run, project: Path) -> None:
    assert "has version 1.2.3, not 1.3.0" in refusal(release("VERSION=1.3.0"), project)


@pytest.mark.parametrize("name", ["CHANGELOG.md", "tests/new.py"])
def test_changes(release: Run, project: Path, name: str) -> None:
    path = project / name
    path.parent.mkdir(exist_ok=True)
    with path.open("a") as file:
        file.write("more\n")
    assert "The working tree has changes" in refusal(release("VERSION=1.2.3"), project)


def test_a_tag(release: Run, project: Path) -> None:
    git(project, "tag", "v1.2.3")
    assert "The tag v1.2.3 exists already" in refusal(release("VERSION=1.2.3"), project)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("## [Unreleased]\n\n- All.\n", "has no line '## [1.2.3] - YYYY-MM-DD'"),
        ("## [1.2.3]\n\n- All.\n", "has no line"),
        ("## [1.2.3] - soon\n\n- All.\n", "has no line"),
        ("## [1x2.3] - 2026-11-30\n\n- All.\n", "has no line"),
        ("## [1.2.3] - 2026-11-30\n\n## [1.2.2] - 2026-01-01\n\n- All.\n", "is empty"),
    ],
)
def test_the_changelog(release: Run, project: Path, text: str, sentence: str) -> None:
    (project / "CHANGELOG.md").write_text(text)
    commit(project)
    assert sentence in refusal(release("VERSION=1.2.3"), project)


def test_no_checkout(release: Run, project: Path) -> None:
    shutil.rmtree(project / ".git")
    assert "is not a git checkout" in refusal(release("VERSION=1.2.3"), project)
