from __future__ import annotations

import fcntl
import io
import json
import os
import pty
import struct
import termios
from types import SimpleNamespace
from typing import TextIO

import pytest

from cse_client.cli.progress import ProgressLines, ProgressObjects
from cse_client.cli.text import shortened
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


def test_objects_for_programs() -> None:
    stream = Stream(terminal=True)
    with ProgressObjects(stream, write, 0.0) as progress:
        for event in EVENTS:
            progress(event)
        progress(Event(EventKind.PHASE, "n: wait", node="n", phase="wait"))
        for done in range(3):
            progress(Event(EventKind.RUNNING, "Upload", share=0.5 + done / 1000, detail="1 MB"))
    found = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert all(one.pop("elapsed") > 0 for one in found)
    keys = ("kind", "text", "step", "total", "node", "phase")
    assert [tuple(one[key] for key in keys) for one in found] == [
        ("note", "template x", None, None, None, None),
        ("started", "compose the vApp", 1, 2, None, None),
        ("running", "compose the vApp: 40%", 1, 2, None, None),
        ("running", "compose the vApp: 40%", 1, 2, None, None),
        ("done", "compose the vApp", 1, 2, None, None),
        ("warning", "No way out was seen.", 1, 2, None, None),
        ("started", "wait\\x1b[2J", 2, 2, None, None),
        ("failed", "wait", 2, 2, None, None),
        ("phase", "n: wait", 2, 2, "n", "wait"),
        ("running", "Upload: 50 %, 1 MB", 2, 2, None, None),
    ]
    assert found[-1]["share"] == 0.5


def test_lines_on_a_terminal_without_a_spinner(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    stream = Stream(terminal=True)
    with ProgressLines(stream, write, colorized=False, animated=False) as progress:
        for event in [*EVENTS[1:5], Event(EventKind.PHASE, "n: wait", node="n", phase="wait")]:
            progress(event)
    assert stream.getvalue() == (
        " • [1/2] compose the vApp\n • [1/2] compose the vApp: 40%\n ✓ [1/2] compose the vApp\n"
    )


@pytest.mark.parametrize("columns", [4, 8, 12, 19])
def test_a_terminal_with_no_room_for_the_time(
    monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    stream = Terminal(columns)
    with ProgressLines(stream, write, colorized=False) as progress:
        progress(Event(EventKind.STARTED, "Wait until all nodes are Ready", 5, 6))
        until(lambda: len(stream.lines()) > 2)
    spinning = stream.lines()[:2]
    stream.close()
    assert all(len(line) < columns for line in spinning)


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


def test_a_step_goes_on_after_what_was_done_within_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    stream = Stream(terminal=True)
    with ProgressLines(stream, write, colorized=False) as progress:
        progress(Event(EventKind.STARTED, "upgrade", 1, 2))
        progress(Event(EventKind.STARTED, "back up"))
        progress(Event(EventKind.DONE, "back up"))
        seen = len(stream.getvalue())
        until(lambda: "[1/2] upgrade" in stream.getvalue()[seen:])
        progress(Event(EventKind.DONE, "upgrade", 1, 2))
        progress(Event(EventKind.STARTED, "look"))
        progress(Event(EventKind.DONE, "look"))
        seen = len(stream.getvalue())
    assert "upgrade" not in stream.getvalue()[seen:]


@pytest.mark.parametrize(("kind", "sign"), [(EventKind.WARNING, "!"), (EventKind.NOTE, " ")])
def test_what_was_said_before_a_question_is_not_repeated(kind: EventKind, sign: str) -> None:
    stream, shown = Stream(terminal=False), set[str]()
    for _ in range(2):
        with ProgressLines(stream, write, colorized=False, warnings=shown) as progress:
            progress(Event(kind, "It cannot be reached."))
            progress(Event(EventKind.DONE, "look"))
    assert stream.getvalue() == f" {sign} It cannot be reached.\n ✓ look\n ✓ look\n"


def test_shares_are_bars_on_a_terminal_and_tenths_elsewhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    events = [Event(EventKind.STARTED, "Upload a")]
    events += [
        Event(EventKind.RUNNING, "Upload a", share=done / 40, detail=f"{done} of 40 MB")
        for done in (1, 2, 12, 13, 14, 40)
    ]
    plain = Stream(terminal=False)
    with ProgressLines(plain, write, colorized=True) as progress:
        for event in events:
            progress(event)
    assert plain.getvalue().splitlines() == [
        " • Upload a",
        " • Upload a: 30 %, 12 of 40 MB",
        " • Upload a: 100 %, 40 of 40 MB",
    ]
    monkeypatch.setenv("TERM", "xterm")
    stream = Stream(terminal=True)
    with ProgressLines(stream, write, colorized=True) as progress:
        for event in events[:4]:
            progress(event)
        until(lambda: "Upload a [######--------------] 30 %, 12 of 40 MB" in stream.getvalue())


class Terminal(Stream):
    """A stream on a pseudo-terminal of a given width, which is not stdout's."""

    def __init__(self, columns: int, encoding: str = "utf-8") -> None:
        super().__init__(terminal=True, encoding=encoding)
        self._master, self._slave = pty.openpty()
        fcntl.ioctl(self._slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))

    def fileno(self) -> int:
        return self._slave

    def lines(self) -> list[str]:
        return [line for line in self.getvalue().split("\r\x1b[K") if line]

    def close(self) -> None:
        os.close(self._master)
        os.close(self._slave)


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
@pytest.mark.parametrize("columns", [24, 40, 80, 200])
def test_the_line_fits_the_terminal_and_ends_with_the_time(
    monkeypatch: pytest.MonkeyPatch, columns: int, encoding: str
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    passed = iter([0.0])
    clock = SimpleNamespace(monotonic=lambda: next(passed, 3665.0))
    monkeypatch.setattr("cse_client.cli.progress.time", clock)
    stream = Terminal(columns, encoding)
    text = "1 of 101 nodes Ready (customization (GC_COMPLETE): 20, images: 70, wait: 10)"
    with ProgressLines(stream, write, colorized=False) as progress:
        progress(Event(EventKind.STARTED, "Wait until all nodes are Ready", 5, 6))
        progress(Event(EventKind.RUNNING, text))
        until(lambda: len(stream.lines()) > 2)
    spinning = stream.lines()[:2]
    stream.close()
    assert all(line.endswith(" 1h1m5s") and len(line) < columns for line in spinning)
    assert all("[5/6] 1 o" in line for line in spinning[1:])
    whole = f"[5/6] {text} 1h1m5s"
    assert all((whole in line) is (columns >= len(whole) + 4) for line in spinning[1:])


def test_the_time_is_that_of_the_phase(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    now = [100.0]
    monkeypatch.setattr("cse_client.cli.progress.time", SimpleNamespace(monotonic=lambda: now[0]))
    stream = Stream(terminal=True)
    with ProgressLines(stream, write, colorized=False) as progress:
        progress(Event(EventKind.STARTED, "one", 1, 2))
        now[0] += 75
        progress(Event(EventKind.RUNNING, "more of it"))
        until(lambda: "[1/2] more of it 1m15s" in stream.getvalue())
        progress(Event(EventKind.DONE, "one", 1, 2))
        progress(Event(EventKind.STARTED, "two", 2, 2))
        until(lambda: "[2/2] two 0s" in stream.getvalue())


@pytest.mark.parametrize(
    ("text", "columns", "expected"),
    [
        ("abcdef", 6, "abcdef"),
        ("abcdefg", 6, "abcde…"),
        ("集群集群", 8, "集群集群"),
        ("集群集群", 7, "集群集…"),
        ("集群集群", 6, "集群…"),
        ("e\u0301" * 6, 6, "e\u0301" * 6),
        ("", 3, ""),
    ],
)
def test_texts_are_shortened_by_the_columns_that_they_take(
    text: str, columns: int, expected: str
) -> None:
    assert shortened(text, columns) == expected


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
