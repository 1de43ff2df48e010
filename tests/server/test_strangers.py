"""The installed `cse` in front of servers that trickle, never end, or are not VCD at all."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.server.served import write_profile
from tests.support.programs import CSE
from tests.support.strangers import MANNERS, Stranger, answer

#: MiB that no answer may make a command take, and seconds that it may take beyond its --timeout:
#: two, and what Python needs to start on a machine that is busy with other tests.
MOST_MEMORY = 300
SLACK = 2.0 + 3.0
PAGE = b"<html><head><title>Sign in</title></head><body><p>x</p></body></html>"

LIST = ("cluster", "list")
CREATE = ("cluster", "create", "demo", "--network", "net1", "--timeout", "3s")
DELETE = ("cluster", "delete", "demo", "--yes", "--timeout", "3s")


@dataclass(frozen=True)
class Ended:
    """How a run ended, after how many seconds, and how many MiB it had at most."""

    code: int
    out: str
    err: str
    seconds: float
    memory: float


#: Starts a program and says how it ended and how many KiB it had at most. In a process of its own,
#: because a program's highest memory includes that of the process which started it.
_MEASURE = """
import os, sys
_pid, status, usage = os.wait4(os.posix_spawn(sys.argv[2], sys.argv[2:], os.environ), 0)
open(sys.argv[1], "w").write(f"{os.waitstatus_to_exitcode(status)} {usage.ru_maxrss}")
"""


def run(home: Path, environment: Mapping[str, str], *words: str) -> Ended:
    """Run `cse ...` and measure this process alone."""
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-S", "-c", _MEASURE, str(home / "usage"), CSE, *words],
        capture_output=True,
        text=True,
        cwd=home,
        env=dict(environment),
        check=False,
        timeout=100,
    )
    seconds = time.monotonic() - began
    code, memory = (home / "usage").read_text().split()
    return Ended(int(code), done.stdout, done.stderr, seconds, int(memory) / 1024)


def told(ended: Ended) -> None:
    """Check that a failure is one sentence with no result."""
    assert ended.code in (1, 5), ended.err
    assert ended.err.count("Error:") == 1, ended.err
    assert "Traceback" not in ended.err and "bug in cse-client" not in ended.err, ended.err
    assert ended.out == ""


@pytest.mark.parametrize(
    ("name", "words"),
    [*((name, CREATE) for name in MANNERS), ("slow body", DELETE), ("silence", DELETE)],
    ids=lambda one: one if isinstance(one, str) else one[1],
)
def test_a_command_ends_in_time_and_in_memory(
    home: Path, environment: dict[str, str], name: str, words: tuple[str, ...]
) -> None:
    with Stranger(MANNERS[name][1]) as server:
        write_profile(home, server.base)
        ended = run(home, environment, *words)
    told(ended)
    assert ended.seconds < 3 + SLACK, ended
    assert ended.memory < MOST_MEMORY, ended
    if MANNERS[name][0] == "time":
        assert ended.code == 5
        assert "time of 3 seconds was up" in ended.err


BODIES = {
    "page": (PAGE, 'an HTML page titled "Sign in"'),
    "json": (b'{"values": []}', "VMware Cloud Director \\(JSON"),
    "empty": (b"", "an empty body"),
    "rss": (b"<rss/>", "XML of another kind, <rss>"),
    "deep": (b"[" * 900_000, "VMware Cloud Director"),
    "open": (b"<a>" * 500_000, "more than 256 levels"),
    "wide": (b"<a b='c'/>" * 1_400_000, "more than 600,000 parts"),
    "large": (b" " * 20_000_000, "larger than 16 MiB"),
}
COMMANDS = (
    ("cluster", "info", "demo"),
    ("cluster", "config", "demo"),
    ("node", "list", "demo"),
    ("template", "list"),
    DELETE,
)


@pytest.mark.parametrize(
    ("kind", "words"),
    [*((kind, LIST) for kind in BODIES), *(("page", words) for words in COMMANDS)],
    ids=lambda one: one if isinstance(one, str) else " ".join(one[:2]),
)
def test_no_command_believes_a_stranger(
    home: Path, environment: dict[str, str], kind: str, words: tuple[str, ...]
) -> None:
    body, said = BODIES[kind]
    with Stranger(answer("200 OK", body, Content_Type="text/html")) as server:
        write_profile(home, server.base)
        ended = run(home, environment, "--engine", "direct", *words)
    told(ended)
    assert re.search(said, ended.err), ended.err
    assert ended.memory < MOST_MEMORY, ended


def test_no_token_goes_where_a_redirect_points(home: Path, environment: dict[str, str]) -> None:
    with Stranger(answer("200 OK", PAGE)) as other:
        moved = answer("302 Found", Location=f"{other.base}/api/session")
        with Stranger(moved) as server:
            write_profile(home, server.base, is_jwt_token=False)
            for words in (LIST, CREATE, DELETE):
                ended = run(home, environment, *words)
                told(ended)
                assert f"redirects to {other.base}/api/session" in ended.err
        assert other.seen == []


@pytest.mark.parametrize("value", ["999999999d", "8d", "9" * 400])
def test_nobody_waits_longer_than_a_week(
    home: Path, environment: dict[str, str], value: str
) -> None:
    write_profile(home, "http://127.0.0.1:1")
    for words in (CREATE[:-1], ("addon", "install", "demo", "metallb", "--timeout")):
        ended = run(home, environment, *words, value)
        assert ended.code == 2, ended.err
        assert "Traceback" not in ended.err and "bug" not in ended.err
