"""What pages of the documentation show: commands and what they print; and who types them."""

from __future__ import annotations

import re
import secrets
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.support.programs import ROOT
from tests.support.simulator import START_SECONDS, stop_simulator
from tests.support.terminal import on_terminal

_BLOCK = re.compile(r"^```console\n(.*?)^```$", re.M | re.S)
#: What stands for any text within a line, and on a line of its own for any lines.
_ANYTHING = "..."
_SERVICE = "python -m cse_client.simulator"
_PROMPT = re.compile(r"^Password of (\w+):$", re.M)


@dataclass(frozen=True)
class Shown:
    """One command of a page, as it is typed, and the output that the page shows."""

    command: str
    output: str

    def matches(self, printed: str) -> bool:
        """Return whether this may be what the page shows; blanks at the ends of lines count not."""
        lines = self.output.splitlines(keepends=True)
        pattern = "".join(
            "(?:.*\n)*?" if line.strip() == _ANYTHING else _pattern(line) for line in lines
        )
        return re.fullmatch(pattern, re.sub(r"[ \t]+$", "", printed, flags=re.M)) is not None


def _pattern(line: str) -> str:
    return ".*?".join(re.escape(part) for part in line.split(_ANYTHING))


def commands(page: str) -> list[Shown]:
    """Return the commands in the `console` blocks of a page below docs, in order."""
    text = Path(ROOT / "docs" / page).read_text(encoding="utf-8")
    return list(_commands(text))


def _commands(text: str) -> Iterator[Shown]:
    for block in _BLOCK.findall(text):
        for part in re.split(r"^\$ ", block, flags=re.M)[1:]:
            command, _newline, output = part.partition("\n")
            while command.endswith("\\"):
                more, _newline, output = output.partition("\n")
                command = f"{command[:-1]} {more.strip()}"
            yield Shown(command, output)


class Reader:
    """Somebody who types the commands of a page, one after the other, into one shell.

    A simulator that the page starts runs in a terminal of its own until the reader leaves. A
    command with `...` is one that something before has printed, and is taken from there; a password
    that is asked for is the one that the simulator has printed.
    """

    def __init__(self, home: Path, environment: Mapping[str, str]) -> None:
        self.home = home
        self.environment = dict(environment)
        self.printed: list[str] = []
        self._service: subprocess.Popen[bytes] | None = None
        self._shell = subprocess.Popen(
            ["bash", "--norc"],
            cwd=home,
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
        )

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *_exc: object) -> None:
        self._shell.kill()
        self._shell.communicate()
        if self._service is not None:
            stop_simulator(self._service)

    def follow(self, page: list[Shown]) -> None:
        """Type all commands of a page, and compare what they print with what it shows."""
        for shown in page:
            command = self._completed(shown.command)
            code, printed = self._type(command, shown)
            self.printed.append(printed)
            assert code == 0, f"{command}\n{printed}"
            assert shown.matches(printed), f"{command}\n{printed}"

    def _completed(self, command: str) -> str:
        if _ANYTHING not in command:
            return command
        lines = (line.strip() for text in self.printed for line in text.splitlines())
        found = [line for line in lines if re.fullmatch(_pattern(command), line)]
        assert found, f"nothing has printed the command: {command}"
        return found[-1]

    def _type(self, command: str, shown: Shown) -> tuple[int, str]:
        prompt = _PROMPT.search(shown.output)
        if command.startswith(_SERVICE):
            return 0, self._start(command, shown)
        if prompt:
            password = re.findall(rf"^  {prompt[1]} +(\S+)", "\n".join(self.printed), re.M)[-1]
            answer = (f"{prompt.group()} ", password)
            words = ["bash", "-c", command]
            done = on_terminal(self.home, words, answer, environment=self.environment)
            return done.code, done.out
        return self._run(command)

    def _run(self, command: str) -> tuple[int, str]:
        """Run a command in the shell; `end` tells its output from what follows."""
        assert self._shell.stdin is not None and self._shell.stdout is not None
        end = f"end-{secrets.token_hex(8)}"
        self._shell.stdin.write(f"{{ {command}\n}} </dev/null; printf '%s %s\\n' {end} $?\n")
        self._shell.stdin.flush()
        printed = ""
        for line in self._shell.stdout:
            before, found, code = line.partition(f"{end} ")
            printed += before
            if found:
                return int(code), printed
        raise AssertionError(f"the shell ended: {command}\n{printed}")

    def _start(self, command: str, shown: Shown) -> str:
        log = self.home / "simulator.log"
        with log.open("wb") as output:
            self._service = subprocess.Popen(
                ["bash", "-c", f"exec {command}"],
                cwd=self.home,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        deadline = time.monotonic() + START_SECONDS
        while not shown.matches(log.read_text()):
            assert self._service.poll() is None and time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)
        return log.read_text()
