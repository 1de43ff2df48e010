"""The benchmarks' command lines."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.programs import ROOT

#: What the benchmarks share.
SHARED = ("arguments", "cloud")
PROGRAMS = sorted(
    path.stem for path in Path(ROOT, "benchmarks").glob("*.py") if path.stem not in SHARED
)


@pytest.mark.parametrize("name", PROGRAMS)
def test_help_says_what_is_measured_and_the_limit(name: str) -> None:
    done = _run(name, "--help")
    text = " ".join(done.stdout.split())
    assert (done.returncode, done.stderr) == (0, "")
    assert text.startswith(f"usage: {name}.py [-h]")
    assert " limit" in text


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["first_word", "0"], "argument pairs: '0' is not a whole number above 0"),
        (["create_requests", "2", "many"], "argument workers: 'many' is not a whole number"),
        (["scaling", "--scale", "nan"], "argument --scale: 'nan' is not a number above 0"),
        (["server_requests", "5"], "unrecognized arguments: 5"),
    ],
)
def test_wrong_arguments(words: list[str], problem: str) -> None:
    done = _run(*words)
    assert done.returncode == 2
    assert done.stderr.endswith(f"error: {problem}\n")


def _run(name: str, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, f"benchmarks/{name}.py", *words]
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
