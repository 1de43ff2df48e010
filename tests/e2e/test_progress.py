"""Progress for programs and on terminals of any kind, also when a command is interrupted."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.programs import CSE, Workstation, clean_environment
from tests.support.simulator import Cloud, Login
from tests.support.terminal import on_terminal

NAME = "told"
KEYS = {"kind", "text", "step", "total", "node", "phase", "elapsed"}
CREATE = ("cluster", "create", NAME, "-n", "net1", "-N", "1", "--progress", "json")


@pytest.fixture(scope="module")
def place(
    cloud: Cloud, login: Login, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Workstation]:
    home = tmp_path_factory.mktemp("told")
    (home / ".vcd-cli").mkdir()
    login.put_into(home)
    place = Workstation(home, {**clean_environment(home), **cloud.environment()})
    yield place
    place.run(CSE, "cluster", "delete", NAME, "--yes")


def objects(text: str) -> list[dict[str, Any]]:
    """Read stderr line by line; every line must be an object with all keys."""
    found = [json.loads(line) for line in text.splitlines()]
    assert all(set(one) >= KEYS for one in found)
    assert text.endswith("\n")
    return found


def until_phase(process: subprocess.Popen[bytes]) -> str:
    """Read stderr until a node has entered a phase."""
    assert process.stderr is not None
    read = ""
    while '"kind": "phase"' not in read:
        line = process.stderr.readline().decode()
        assert line, read
        read += line
    return read


def test_objects_of_a_creation_that_is_stopped_killed_and_resumed(place: Workstation) -> None:
    stopped = place.start(CSE, *CREATE)
    begun = until_phase(stopped)
    stopped.send_signal(signal.SIGINT)
    out, rest = stopped.communicate(timeout=60)
    assert (stopped.returncode, out) == (5, b"")
    found = objects(begun + rest.decode())
    assert found[-1]["kind"] == "error"
    assert found[-1]["text"] == f"Interrupted; cluster '{NAME}' is not finished."
    assert found[-1]["exit_code"] == 5

    killed = place.start(CSE, *CREATE)
    begun = until_phase(killed)
    killed.kill()
    _out, rest = killed.communicate(timeout=60)
    objects(begun + rest.decode())

    done = place.run(CSE, *CREATE)
    assert done.code == 0, done.err
    found = objects(done.err)
    steps = [one["step"] for one in found if one["kind"] == "done" and one["step"]]
    assert steps == list(range(1, found[-2]["total"] + 1))
    assert {one["total"] for one in found if one["step"]} == {len(steps)}
    ready = {one["node"] for one in found if (one["kind"], one["phase"]) == ("phase", "ready")}
    assert len(ready) == 2
    elapsed = [one["elapsed"] for one in found]
    assert elapsed == sorted(elapsed)


def test_errors_are_objects_too(place: Workstation) -> None:
    failed = place.run(CSE, "cluster", "stop", "nix", "--yes", env={"CSE_PROGRESS": "json"})
    assert failed.code == 3
    found = objects(failed.err)
    assert [(one["kind"], one["exit_code"]) for one in found] == [("error", 3)]
    assert found[0]["hint"].startswith("List the clusters: ")


@pytest.mark.parametrize(
    ("mode", "columns", "settings"),
    [
        ("auto", 24, {"NO_COLOR": "1"}),
        ("auto", 80, {}),
        ("plain", 24, {}),
    ],
)
def test_terminals(place: Workstation, mode: str, columns: int, settings: dict[str, str]) -> None:
    words = ["cluster", "stop", NAME, "--yes"] if settings else ["cluster", "start", NAME]
    sized = ["sh", "-c", f'stty cols {columns}; exec "$@"', "sh", CSE, *words, "--progress", mode]
    environment = {**place.environment, "TERM": "xterm", **settings}
    shown = on_terminal(place.home, sized, environment=environment)
    assert shown.code == 0, shown.out
    assert ("\x1b[32m" in shown.out) is (mode == "auto" and not settings) or mode == "plain"
    assert ("\r\x1b[K" in shown.out) is (mode == "auto")
    spinning = [part for part in shown.out.split("\r\x1b[K") if part and "\n" not in part]
    assert all(len(part) < columns for part in spinning)
    if settings:
        assert "\x1b[3" not in shown.out


def test_a_table_fits_a_narrow_terminal(place: Workstation) -> None:
    listing = 'stty cols 80; exec "$@"', "sh", CSE, "template", "list"
    environment = {**place.environment, "TERM": "xterm"}
    shown = on_terminal(place.home, ["sh", "-c", *listing], environment=environment).out
    wide = on_terminal(place.home, ["sh", "-c", *listing, "-o", "wide"], environment=environment)
    table, _, hint = shown.partition("Some columns do not fit the terminal")
    assert max(map(len, table.splitlines())) <= 80
    assert table.startswith("Name ")
    assert "Description" not in table
    assert hint == "; use -o wide to see them.\n"
    assert "Description" in wide.out
    assert "Some columns" not in wide.out
