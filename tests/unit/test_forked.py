"""Commands in forks of a process that has imported them are what the installed program is."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import fork_server
from tests.support.forked import ForkServer
from tests.support.programs import CSE, ROOT, Result, Workstation, clean_environment


@pytest.fixture(scope="module")
def server() -> Iterator[ForkServer]:
    server = ForkServer(clean_environment(ROOT, measured=False))
    yield server
    server.close()


def forked(server: ForkServer, home: Path, *words: str, stdin: str = "") -> Result:
    given = stdin.encode()
    code, out, err = server.run([CSE, *words], home, clean_environment(home), given, 60)
    return Result(code, out.decode(), err.decode())


@pytest.mark.parametrize(
    ("words", "stdin", "code"),
    [
        (("--help",), "", 0),
        (("version",), "", 0),
        (("-j", "cluster", "list"), "", 4),
        (("nonsense",), "", 2),
        (("cluster", "apply", "-f", "-"), "kind: [", 2),
        (("cluster", "apply", "--sample", "-o", "sample.yaml"), "", 0),
    ],
)
def test_forks_and_programs_are_alike(
    server: ForkServer, tmp_path: Path, words: tuple[str, ...], stdin: str, code: int
) -> None:
    homes = [tmp_path / name for name in ("forked", "started")]
    for home in homes:
        home.mkdir()
    found = forked(server, homes[0], *words, stdin=stdin)
    assert found == Workstation(homes[1]).run(CSE, *words, stdin=stdin)
    assert found.code == code, found
    files = [sorted(one.name for one in home.iterdir()) for home in homes]
    assert files[0] == files[1]


def test_a_fork_is_killed_when_its_time_is_over(server: ForkServer, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        host = f"127.0.0.1:{silent.getsockname()[1]}"
        words = [CSE, "login", host, "acme", "--session-stdin"]
        with pytest.raises(subprocess.TimeoutExpired):
            server.run(words, tmp_path, clean_environment(tmp_path), b"token", 1)
    assert forked(server, tmp_path, "version").code == 0


def test_what_a_fork_cannot_be(server: ForkServer, tmp_path: Path) -> None:
    environment = clean_environment(tmp_path)
    assert server.can_run({**environment, "CSE_ENGINE": "direct"}, b"")
    for variable in ("PYTHONPATH", "LD_PRELOAD", "LC_CTYPE"):
        assert not server.can_run({**environment, variable: "x"}, b"")
    assert not server.can_run(environment, b"x" * 100_000)


def test_all_that_the_program_may_import_can_be_imported() -> None:
    """Where it is, nothing is done but imports: coverage counts their lines here."""
    fork_server.import_program()
