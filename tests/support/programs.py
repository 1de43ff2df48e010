"""Programs as the tests start them, in an environment that shows nothing of this machine's user."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from tests.support.forked import fork_server

ROOT = Path(__file__).resolve().parents[2]
VCD = str(Path(sys.executable).parent / "vcd")
CSE = str(Path(VCD).with_name("cse"))


# An installed program has its bytecode; without it each start would compile the whole plugin.
_DROPPED = frozenset(
    [
        "CURL_CA_BUNDLE",
        "FORCE_COLOR",
        "MFLAGS",
        "NO_COLOR",
        "PYTHONDONTWRITEBYTECODE",
        "REQUESTS_CA_BUNDLE",
    ]
)


class Result(NamedTuple):
    """How a program ended, with its outputs as text."""

    code: int
    out: str
    err: str

    def checked(self) -> str:
        """Return stdout of a program that must have succeeded."""
        assert self.code == 0, self.err
        return self.out


# Coverage adds half to what a short `vcd` costs, so it is collected where a second tells most.
_MEASURED = (
    "tests/server/test_commands.py",
    *(
        f"tests/e2e/test_{name}.py"
        for name in (
            "backup",
            "cluster",
            "cluster_upgrade",
            "diagnose",
            "doctor",
            "nodes",
            "template_upload",
            "templates",
            "virtual_address",
        )
    ),
)


# vcd-cli needs half a second of CPU to start, `cse` a third of that, and a run starts thousands.
# These tests call this client as an extension of vcd-cli: a cluster's life, terminals and early
# signals, what the README and the pages show, vcd-cli's log, and the stories of one server.
_AS_EXTENSION = (
    "tests/unit/",
    "tests/e2e/server/test_cse_261.py",
    "tests/e2e/test_diagnose.py::test_suggestions_of_the_extension",
    *(
        f"tests/e2e/test_{name}.py"
        for name in (
            "cluster",
            "completion",
            "early_interrupt",
            "guide",
            "hints",
            "login",
            "pages",
            "secrets",
            "stand_alone",
            "story",
        )
    ),
)


def command_line(*words: str) -> tuple[str, ...]:
    """Return a command line for `vcd` as this test runs it.

    `vcd [OPTIONS] cse ...` is `cse [OPTIONS] ...` but in the tests that are named above; vcd-cli's
    own commands stay as they are.
    """
    program, *rest = words
    command = next((word for word in rest if not word.startswith("-")), "")
    if program != VCD or command != "cse" or runs_as_extension():
        return words
    rest.remove("cse")
    return (CSE, *rest)


def runs_as_extension() -> bool:
    """Return whether the current test calls this client as an extension of vcd-cli."""
    return _current_test().startswith(_AS_EXTENSION)


def _forks() -> bool:
    """Return whether `cse` runs in a fork here; see `fork_server.py` for what that hides."""
    test = _current_test()
    installed = os.environ.get("CSE_TEST_PROGRAM", "") == "installed"
    return bool(test) and not test.startswith("tests/unit/") and not installed


def _current_test() -> str:
    return os.environ.get("PYTEST_CURRENT_TEST", "")


def clean_environment(home: Path, *, measured: bool = True) -> dict[str, str]:
    """Return an environment in which nothing of this machine's user is seen or written.

    Coverage that measures the test is passed on if `measured`, in some tests.
    """
    dropped = ["VCD_", "CSE_", "XDG_", "KUBE", "MAKE"]
    if not measured or not _current_test().startswith(_MEASURED):
        dropped.append("COVERAGE_")
    kept = {
        key: value
        for key, value in os.environ.items()
        if not key.upper().startswith(tuple(dropped)) and key.upper() not in _DROPPED
    }
    local = "127.0.0.0/8,127.0.0.1,localhost"
    return {
        **kept,
        "HOME": str(home),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
        "LC_ALL": "C.UTF-8",
        "TERM": "dumb",
        "NO_PROXY": local,
        "no_proxy": local,
        "PYTHONWARNINGS": "",
    }


class Workstation:
    """A home folder, and the environment of the programs that are started in it."""

    def __init__(self, home: Path, environment: dict[str, str] | None = None) -> None:
        self.home = home
        self.environment = clean_environment(home) if environment is None else environment

    def run(
        self,
        *words: str,
        stdin: str = "",
        env: Mapping[str, str] | None = None,
        timeout: float = 120,
    ) -> Result:
        """Run a program to its end; `env` adds to the environment."""
        words = command_line(*words)
        environment = {**self.environment, **(env or {})}
        given = stdin.encode()
        if words[0] == CSE and _forks():
            server = fork_server(lambda: clean_environment(ROOT, measured=False))
            if server.can_run(environment, given):
                code, *outputs = server.run(words, self.home, environment, given, timeout)
                return Result(code, *(text.decode("utf-8", "replace") for text in outputs))
        done = subprocess.run(
            words,
            cwd=self.home,
            env=environment,
            input=given,
            capture_output=True,
            check=False,
            timeout=timeout,
        )
        out, err = (text.decode("utf-8", "replace") for text in (done.stdout, done.stderr))
        return Result(done.returncode, out, err)

    def start(self, *words: str) -> subprocess.Popen[bytes]:
        """Start a program and go on; its outputs are pipes."""
        return subprocess.Popen(
            command_line(*words),
            cwd=self.home,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def vcd(self, *words: str, stdin: str = "", env: Mapping[str, str] | None = None) -> Result:
        """Run `vcd`."""
        return self.run(VCD, *words, stdin=stdin, env=env)

    def cse(self, *words: str, stdin: str = "", env: Mapping[str, str] | None = None) -> Result:
        """Run `cse`."""
        return self.run(VCD, "cse", *words, stdin=stdin, env=env)

    def kubectl(self, *words: str, stdin: str = "", env: Mapping[str, str] | None = None) -> Result:
        """Run the real kubectl."""
        return self.run("kubectl", *words, stdin=stdin, env=env)
