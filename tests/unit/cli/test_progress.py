from __future__ import annotations

import io
from typing import TextIO

import pytest

from cse_client.cli.progress import ProgressLines
from cse_client.model import Event, EventKind
from tests.support.waiting import until

EVENTS = [
    Event(EventKind.NOTE, "template x"),
    Event(EventKind.STARTED, "compose the vApp", 1, 2),
    Event(EventKind.RUNNING, "compose the vApp: 40%", 1, 2),
    Event(EventKind.RUNNING, "compose the vApp: 40%", 1, 2),
    Event(EventKind.DONE, "compose the vApp", 1, 2),
    Event(EventKind.WARNING, "no way out was seen"),
    Event(EventKind.STARTED, "wait\x1b[2J", 2, 2),
    Event(EventKind.FAILED, "wait", 2, 2),
]


class Stream(io.StringIO):
    def __init__(self, *, terminal: bool, encoding: str = "utf-8") -> None:
        super().__init__()
        self._terminal = terminal
        self._encoding = encoding

    def isatty(self) -> bool:
        return self._terminal

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._encoding


def write(stream: TextIO | None, text: str) -> None:
    assert stream is not None
    stream.write(text)


def test_plain_lines_where_there_is_no_terminal() -> None:
    stream = Stream(terminal=False)
    with ProgressLines(stream, write, colorized=True) as progress:
        for event in EVENTS:
            progress(event)
    assert stream.getvalue() == (
        "   template x\n"
        " • [1/2] compose the vApp\n"
        " • [1/2] compose the vApp: 40%\n"
        " ✓ [1/2] compose the vApp\n"
        " ! No way out was seen.\n"
        " • [2/2] wait\\x1b[2J\n"
        " ✗ [2/2] wait\n"
    )


def test_signs_that_every_encoding_has() -> None:
    stream = Stream(terminal=False, encoding="ascii")
    with ProgressLines(stream, write, colorized=True) as progress:
        for event in EVENTS[1:5]:
            progress(event)
    assert stream.getvalue() == (
        " - [1/2] compose the vApp\n - [1/2] compose the vApp: 40%\n + [1/2] compose the vApp\n"
    )


def test_a_spinner_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    stream = Stream(terminal=True)
    with ProgressLines(stream, write, colorized=True) as progress:
        progress(Event(EventKind.STARTED, "work", 1, 1))
        until(lambda: "⠙ [1/1] work" in stream.getvalue())
        progress(Event(EventKind.RUNNING, "work more", 1, 1))
        until(lambda: "[1/1] work more" in stream.getvalue())
        progress(Event(EventKind.DONE, "work", 1, 1))
    assert stream.getvalue().endswith("\r\x1b[K \x1b[32m✓\x1b[0m [1/1] work\n")


def test_a_phase_that_never_ended_keeps_its_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    stream = Stream(terminal=True)
    with pytest.raises(KeyboardInterrupt), ProgressLines(stream, write, colorized=False) as show:
        show(Event(EventKind.STARTED, "work", 1, 1))
        raise KeyboardInterrupt
    assert stream.getvalue().endswith("\r\x1b[K • [1/1] work\n")


def test_a_dumb_terminal_gets_plain_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    stream = Stream(terminal=True)
    with ProgressLines(stream, write, colorized=True) as progress:
        progress(Event(EventKind.DONE, "work"))
    assert stream.getvalue() == " ✓ work\n"
