"""Ctrl-C while `vcd` still starts: one line and exit code 5, no traceback, nothing half-made."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.programs import Result
from tests.support.simulator import Control

Run = Callable[..., Result]

#: Runs `vcd` and sends it SIGINT some milliseconds after our module began: what vcd-cli imports
#: before that is not ours. Called with the milliseconds and the words.
PROGRAM = """
import os, signal, sys, threading, time
delay = float(sys.argv[1]) / 1000
sys.argv = ["vcd", *sys.argv[2:]]
def interrupt():
    while not getattr(signal.getsignal(signal.SIGINT), "early", False):
        time.sleep(0.0005)
    time.sleep(delay)
    os.kill(os.getpid(), signal.SIGINT)
threading.Thread(target=interrupt, daemon=True).start()
from vcd_cli.vcd import vcd
vcd()
"""
#: The same for the program `cse`.
ALONE = PROGRAM.replace(
    "from vcd_cli.vcd import vcd\nvcd()", "import cse_client.program as p\np.main()"
)
LINES = {"Error: Interrupted; nothing was changed."}


@pytest.fixture
def program(home: Path) -> str:
    path = home / "vcd_interrupted.py"
    path.write_text(PROGRAM)
    return str(path)


@pytest.mark.parametrize("delay", [*range(0, 400, 40), *range(400, 2000, 160)])
def test_at_any_moment(run: Run, logged_in: Path, program: str, delay: int) -> None:
    result = run(sys.executable, program, str(delay), "cse", "cluster", "list")
    assert "Traceback" not in result.err
    assert "KeyboardInterrupt" not in result.err
    assert result.code in (0, 5), result.err
    if result.code == 5:
        assert result.err.splitlines()[0] in LINES
        assert len(result.err.splitlines()) == 1


def test_the_first_moments_are_interrupted(run: Run, logged_in: Path, program: str) -> None:
    result = run(sys.executable, program, "0", "-j", "cse", "cluster", "list")
    assert result.code == 5
    assert result.err == "Error: Interrupted; nothing was changed.\n"
    assert json.loads(result.out) == {
        "error": "Interrupted; nothing was changed.",
        "exit_code": 5,
        "hint": "",
    }


@pytest.mark.parametrize("delay", [0, 200, 500, 900])
def test_objects_for_programs_at_any_moment(
    run: Run, logged_in: Path, program: str, delay: int
) -> None:
    words = ("cluster", "wait", "nix", "--for", "ready", "--progress", "json")
    result = run(sys.executable, program, str(delay), "cse", *words)
    for line in result.err.splitlines():
        found = json.loads(line)
        assert found["kind"] == "error"
        assert found["exit_code"] == result.code


def test_the_first_moments_of_the_program_alone(run: Run, logged_in: Path, home: Path) -> None:
    path = home / "cse_interrupted.py"
    path.write_text(ALONE)
    result = run(sys.executable, str(path), "0", "-j", "cluster", "list")
    assert result.code == 5
    assert result.err == "Error: Interrupted; nothing was changed.\n"
    assert json.loads(result.out)["exit_code"] == 5


@pytest.mark.parametrize("delay", [0, 150, 300, 600])
def test_nothing_is_half_made(
    run: Run, cse: Run, logged_in: Path, program: str, control: Control, delay: int
) -> None:
    made = ("cse", "cluster", "create", "early", "-n", "net1", "-N", "0")
    result = run(sys.executable, program, str(delay), *made)
    try:
        assert result.code == 5, result.err
        assert "Traceback" not in result.err
        if "early" in control.get("state")["vapps"]:
            assert "vcd cse cluster delete early" in result.err
    finally:
        if "early" in control.get("state")["vapps"]:
            cse("cluster", "delete", "early", "--yes")


def test_other_commands_of_vcd_keep_their_ctrl_c(run: Run, logged_in: Path) -> None:
    words = "import sys; sys.argv=['vcd', 'version']; import vcd_cli.vcd, signal; "
    shown = run(sys.executable, "-c", words + "print(signal.getsignal(signal.SIGINT).__name__)")
    assert shown.out == f"{signal.default_int_handler.__name__}\n"
