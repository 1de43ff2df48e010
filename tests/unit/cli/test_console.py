from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from cse_client.cli.console import Console
from cse_client.cli.text import sentence
from cse_client.errors import (
    CseError,
    GuestFailed,
    NotFound,
    PreflightFailed,
    TaskFailed,
    WrongUsage,
)

PRELUDE = "import sys, colorama; colorama.init(autoreset=True)\n"


def program(body: str) -> list[str]:
    """A program that prints under the same wrapping that vcd-cli puts around stdout."""
    console = "from cse_client.cli.console import Console, OutputClosed\n"
    return [sys.executable, "-c", PRELUDE + console + body]


def on_a_terminal(words: Sequence[str], **settings: str) -> bytes:
    """Run a program with a terminal as its stdin, stdout and stderr; return what it shows."""
    master, slave = pty.openpty()
    env = {**os.environ, "TERM": "xterm", **settings}
    with subprocess.Popen(words, stdin=slave, stdout=slave, stderr=slave, env=env) as process:
        os.close(slave)
        shown = b""
        while True:
            try:
                data = os.read(master, 65536)
            except OSError:
                break
            if not data:
                break
            shown += data
        process.wait()
    os.close(master)
    return shown


def test_versions_in_a_table_are_not_numbers(capfd: pytest.CaptureFixture[str]) -> None:
    Console().table(
        [{"Name": "a", "Version": "1.20", "Size": 10}, {"Name": "1e5", "Version": "10.0"}],
        ["Name", "Version", "Size"],
        empty="Nothing.",
    )
    assert capfd.readouterr().out == (
        "Name    Version    Size\n------  ---------  ------\na       1.20       10\n1e5     10.0\n"
    )


def test_an_empty_table(capfd: pytest.CaptureFixture[str]) -> None:
    Console().table([], ["Name"], empty="No clusters in organization acme.")
    assert capfd.readouterr() == ("", "No clusters in organization acme.\n")
    Console(as_json=True).table([], ["Name"], empty="No clusters in organization acme.")
    assert capfd.readouterr() == ("[]\n", "")


def test_properties(capfd: pytest.CaptureFixture[str]) -> None:
    Console().properties([("Name", "demo"), ("Evidence", ("one", "two")), ("None", None)], {})
    assert capfd.readouterr().out == (
        "Property    Value\n----------  -------\nName        demo\nEvidence    one\n"
        "            two\nNone\n"
    )


def test_json_has_every_key_sorted(capfd: pytest.CaptureFixture[str]) -> None:
    Console(as_json=True).table([{"b": "ü", "a": 1, "hidden": None}], ["b"], empty="Nothing.")
    assert capfd.readouterr().out == (
        '[\n    {\n        "a": 1,\n        "b": "ü",\n        "hidden": null\n    }\n]\n'
    )


def test_names_cannot_steer_a_terminal(capfd: pytest.CaptureFixture[str]) -> None:
    console = Console()
    console.table([{"Name": "a\x1b[2J\r\nb"}], ["Name"], empty="Nothing.")
    console.sentence("gone\x07", {})
    console.error(CseError("no \x1b]0;title\x07"))
    out, err = capfd.readouterr()
    assert out == "Name\n-----------\na\\x1b[2J  b\ngone\\x07\n"
    assert err == "Error: No \\x1b]0;title\\x07.\n"


def test_an_error_in_words(capfd: pytest.CaptureFixture[str]) -> None:
    error = NotFound("The network 'x' does not exist.", hint="`vcd network list`")
    error.notes.append("removing the vApp failed as well")
    Console().error(error)
    out, err = capfd.readouterr()
    assert out == ""
    assert err == (
        "Error: The network 'x' does not exist.\nHint: `vcd network list`\n"
        "Note: Removing the vApp failed as well.\n"
    )


@pytest.mark.parametrize(
    "command", ["vcd cse cluster list", "cse cluster list", "kubectl get node"]
)
def test_a_command_is_printed_as_it_is_typed(
    capfd: pytest.CaptureFixture[str], command: str
) -> None:
    Console().error(WrongUsage("it must be confirmed", hint=command))
    assert capfd.readouterr().err.endswith(f"Hint: {command}\n")


def test_several_errors(capfd: pytest.CaptureFixture[str]) -> None:
    problems = [NotFound("no network", hint="list them"), WrongUsage("no name")]
    Console(as_json=True).error(PreflightFailed("2 problems were found.", problems))
    out, err = capfd.readouterr()
    assert err == (
        "Error: 2 problems were found.\n  - No network.\n    Hint: List them\n  - No name.\n"
    )
    assert json.loads(out) == {
        "error": "2 problems were found.",
        "exit_code": 3,
        "hint": "",
        "problems": [
            {"error": "No network.", "hint": "List them"},
            {"error": "No name.", "hint": ""},
        ],
    }


def test_a_single_problem_stands_for_itself(capfd: pytest.CaptureFixture[str]) -> None:
    Console().error(PreflightFailed("1 problem was found.", [NotFound("no network", hint="h")]))
    assert capfd.readouterr().err == "Error: No network.\nHint: h\n"


def test_what_a_node_said(capfd: pytest.CaptureFixture[str]) -> None:
    error = GuestFailed("mstr-1 failed.", node="mstr-1", phase="init", log=["a", "b"], hint="look")
    Console(as_json=True).error(error)
    out, err = capfd.readouterr()
    assert err == "Error: mstr-1 failed.\n  mstr-1: a\n  mstr-1: b\nHint: look\n"
    assert json.loads(out) == {
        "error": "mstr-1 failed.",
        "exit_code": 1,
        "hint": "look",
        "node": "mstr-1",
        "phase": "init",
        "log": ["a", "b"],
    }


def test_what_vcd_said(capfd: pytest.CaptureFixture[str]) -> None:
    Console().error(TaskFailed("It failed.", status=400, code="BUSY_ENTITY", request_id="0-1"))
    Console().error(TaskFailed("It failed."))
    assert capfd.readouterr().err == (
        "Error: It failed.\nVCD: HTTP status 400, BUSY_ENTITY, request 0-1\nError: It failed.\n"
    )


def test_a_terminal_gets_no_control_characters_on_stdout() -> None:
    shown = on_a_terminal(program("Console().text('a: 1\\nb: 2\\n')"))
    assert shown == b"a: 1\r\nb: 2\r\n"  # the terminal's own line ends


def test_errors_are_red_on_a_terminal_only_when_wanted() -> None:
    body = "from cse_client.errors import CseError\nConsole(colorized={}).error(CseError('no'))"
    red, plain = b"\x1b[31mError:\x1b[0m no.\r\n", b"Error: no.\r\n"
    assert on_a_terminal(program(body.format(True))) == red
    assert on_a_terminal(program(body.format(False))) == plain
    assert on_a_terminal(program(body.format(True)), NO_COLOR="1") == plain


def test_a_full_disk_is_an_error() -> None:
    body = (
        "from cse_client.errors import CseError\n"
        "try:\n    Console().text('x' * 100000)\n"
        "except CseError as error:\n    print(error.message, file=sys.stderr); sys.exit(1)"
    )
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(program(body), stdout=full, stderr=subprocess.PIPE, check=False)
    assert done.returncode == 1
    assert done.stderr == b"The output could not be written: No space left on device.\n"


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_long_output_is_whole(unbuffered: str) -> None:
    env = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    words = program("Console().text('x' * 1000000)")
    with subprocess.Popen(words, stdout=subprocess.PIPE, env=env) as process:
        assert process.stdout is not None
        assert process.stdout.read() == b"x" * 1000000
    assert process.returncode == 0


def test_a_reader_that_left() -> None:
    body = "try:\n    Console().text('x' * 1000000)\nexcept OutputClosed:\n    sys.exit(7)"
    with subprocess.Popen(program(body), stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.read(1)
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 7


def test_a_closed_stderr_stops_nobody() -> None:
    body = "Console().warning('w'); Console().text('done\\n')"
    done = subprocess.run(
        ["sh", "-c", 'exec "$@" 2>&-', "sh", *program(body)], stdout=subprocess.PIPE, check=False
    )
    assert (done.returncode, done.stdout) == (0, b"done\n")


def test_a_narrow_encoding_is_survived() -> None:
    env = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(
        program("Console().text('ü\\n')"), stdout=subprocess.PIPE, env=env, check=True
    )
    assert done.stdout == b"\\xfc\n"


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("the session has expired", "The session has expired."),
        ("Done.", "Done."),
        ("mstr-1 failed", "mstr-1 failed."),
        ("net1 is isolated!", "net1 is isolated!"),
        ("kubeadm init failed", "kubeadm init failed."),
        ("'x' is missing", "'x' is missing."),
        ("", ""),
    ],
)
def test_sentences(message: str, shown: str) -> None:
    assert sentence(message) == shown
