"""Progress lines on stderr: one for each phase, with a spinner where there is a terminal.

Beside the spinner stands for how long the phase has been running; the line always fits the
terminal. The look is kind's (kind:pkg/internal/cli/status.go): a spinner while a phase runs and a
tick or a cross when it ends; plain lines where stderr is a file or a pipe. `ProgressObjects` is for
programs instead: one JSON object a line.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, TextIO

from cse_client.cli.text import duration, json_text, printable, sentence, shortened
from cse_client.model import Event, EventKind

__all__ = ["MODES", "ProgressLines", "ProgressObjects", "object_line"]

#: The values of --progress.
MODES = ("auto", "plain", "json")

_SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_MARKS = {
    EventKind.STARTED: "•",
    EventKind.RUNNING: "•",
    EventKind.DONE: "✓",
    EventKind.FAILED: "✗",
    EventKind.WARNING: "!",
    EventKind.NOTE: " ",
}
_ASCII = str.maketrans("•✓✗", "-+x")
_COLOURS = {EventKind.DONE: "32", EventKind.FAILED: "31", EventKind.WARNING: "33"}
_ENDS = (EventKind.DONE, EventKind.FAILED)
_USUAL_COLUMNS = 80
#: A narrower line has no room for the time.
_LEAST_COLUMNS = 20
#: Columns of a progress bar.
_BAR = 20


class ProgressLines:
    """Shows events as they come; callable from any thread, a context manager.

    `write` gets the stream and the text; `colorized` allows colours on a terminal, and `animated` a
    spinner. `warnings` are the warnings and notes that were shown before, and are shown no more;
    this one's are added at its end.
    """

    def __init__(
        self,
        stream: TextIO | None,
        write: Callable[[TextIO | None, str], None],
        *,
        colorized: bool,
        animated: bool = True,
        warnings: set[str] | None = None,
    ) -> None:
        self._warnings = set() if warnings is None else warnings
        self._known, self._shown = frozenset(self._warnings), set[str]()
        self._stream = stream
        self._write = write
        capable = _is_terminal(stream) and os.environ.get("TERM", "dumb") != "dumb"
        self._terminal = capable and animated
        self._colorized = colorized and capable
        self._unicode = _can_show(stream, "•✓✗…" + _SPINNER)
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._current = ""
        self._label = ""
        self._began = 0.0
        #: The line of the step that is going on, and when it began: what else begins is within it.
        self._step = ("", "", 0.0)
        self._last_line = ""
        self._tenth = ("", 0)
        self._spinner: threading.Thread | None = None

    def __enter__(self) -> ProgressLines:
        """Start the spinner where there is a terminal to show it on."""
        if self._terminal:
            self._spinner = threading.Thread(target=self._spin, daemon=True)
            self._spinner.start()
        return self

    def __exit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop the spinner; a phase that never ended keeps its line."""
        self._warnings |= self._shown
        self._stopped.set()
        if self._spinner is not None:
            self._spinner.join()
        with self._lock:
            if self._terminal and self._current:
                self._write(self._stream, self._erased(f" {self._mark('•')} {self._current}\n"))
                self._current = ""

    def __call__(self, event: Event) -> None:
        """Show one event."""
        if event.kind is EventKind.PHASE:
            return
        with self._lock:
            if event.kind in (EventKind.WARNING, EventKind.NOTE):
                if event.text in self._known:
                    return
                self._shown.add(event.text)
            if self._terminal and event.kind in (EventKind.STARTED, EventKind.RUNNING):
                self._show(event)
                return
            if event.kind in _ENDS:
                self._step = ("", "", 0.0) if event.step else self._step
                self._current, self._label, self._began = self._step
            if event.share is not None and self._is_old(event):
                return
            self._line(event.kind, _label(event) + _one_line(event))

    def _show(self, event: Event) -> None:
        """Let the spinner's line show an event; what is said of a phase keeps its label."""
        if event.kind is EventKind.STARTED or not self._current:
            self._began = time.monotonic()
            self._label = _label(event)
        self._current = (_label(event) or self._label) + _one_line(event, bar=True)
        if event.step and event.kind is EventKind.STARTED:
            self._step = (self._current, self._label, self._began)

    def _is_old(self, event: Event) -> bool:
        """Return whether a tenth of the work has yet to be done until the next line is due."""
        before, self._tenth = self._tenth, (event.text, int(10 * (event.share or 0)))
        return self._tenth == before or (before[0] != event.text and self._tenth[1] == 0)

    def _line(self, kind: EventKind, text: str) -> None:
        line = f" {self._mark(_MARKS[kind])} {text}"
        if line == self._last_line:
            return
        self._last_line = line
        if self._colorized and kind in _COLOURS:
            line = f" \x1b[{_COLOURS[kind]}m{self._mark(_MARKS[kind])}\x1b[0m {text}"
        self._write(self._stream, self._erased(f"{line}\n"))

    def _spin(self) -> None:
        frame = 0
        while not self._stopped.wait(0.1):
            frame += 1
            with self._lock:
                if self._current:
                    sign = _SPINNER[frame % len(_SPINNER)] if self._unicode else "|/-\\"[frame % 4]
                    self._write(self._stream, self._erased(self._fitted(f" {sign} ")))

    def _fitted(self, head: str) -> str:
        """Return the spinner's line, as long as the terminal is wide."""
        # one column stays free: some terminals begin a new line after the last
        columns = _columns(self._stream) - 1
        tail = f" {duration(time.monotonic() - self._began)}" if columns >= _LEAST_COLUMNS else ""
        ellipsis = "…" if self._unicode else "..."
        text = shortened(self._current, max(columns - len(head + tail), 1), ellipsis)
        return (head + text + tail)[:columns] if columns < _LEAST_COLUMNS else head + text + tail

    def _erased(self, text: str) -> str:
        return f"\r\x1b[K{text}" if self._terminal else text

    def _mark(self, mark: str) -> str:
        return mark if self._unicode else mark.translate(_ASCII)


class ProgressObjects:
    """Writes events as JSON objects, one a line; callable from any thread, a context manager.

    `began` is when the command began, on the monotonic clock. An event without a step belongs to
    the one that was begun last.
    """

    def __init__(
        self, stream: TextIO | None, write: Callable[[TextIO | None, str], None], began: float
    ) -> None:
        self._stream = stream
        self._write = write
        self._began = began
        self._lock = threading.Lock()
        self._step = (0, 0)
        self._hundredth = ("", -1)

    def __enter__(self) -> ProgressObjects:
        """Begin without a step."""
        return self

    def __exit__(self, *_exception: object) -> None:
        """Nothing is left to be written: each line is written as a whole."""

    def __call__(self, event: Event) -> None:
        """Write one event."""
        with self._lock:
            if event.share is not None and self._is_old(event):
                return
            if event.step:
                self._step = (event.step, event.total)
            line = object_line(
                event.kind.value,
                _one_line(event),
                self._began,
                step=self._step,
                node=event.node,
                phase=event.phase,
                **({} if event.share is None else {"share": round(event.share, 2)}),
            )
            self._write(self._stream, line)

    def _is_old(self, event: Event) -> bool:
        """Return whether not even a hundredth more of the work is done."""
        before, self._hundredth = self._hundredth, (event.text, int(100 * (event.share or 0)))
        return self._hundredth == before


def object_line(
    kind: str,
    text: str,
    began: float,
    *,
    step: tuple[int, int] = (0, 0),
    node: str = "",
    phase: str = "",
    **others: Any,
) -> str:
    """Return a line for programs; null stands for what does not apply, `elapsed` is in seconds."""
    number, total = step
    value = {
        "kind": kind,
        "text": text,
        "step": number or None,
        "total": total or None,
        "node": node or None,
        "phase": phase or None,
        "elapsed": round(time.monotonic() - began, 1),
        **others,
    }
    return f"{json_text(json.dumps(value, ensure_ascii=False))}\n"


def _one_line(event: Event, *, bar: bool = False) -> str:
    text = printable(event.text)
    if event.share is not None:
        share = min(max(event.share, 0.0), 1.0)
        done = int(share * _BAR)
        drawn = f" [{'#' * done}{'-' * (_BAR - done)}]" if bar else ":"
        return f"{text}{drawn} {int(share * 100)} %, {printable(event.detail)}"
    return sentence(text) if event.kind is EventKind.WARNING else text


def _label(event: Event) -> str:
    return f"[{event.step}/{event.total}] " if event.step and event.total else ""


def _columns(stream: TextIO | None) -> int:
    """Return the width of a terminal, which stdout, asked by shutil, may not be."""
    try:
        found = os.get_terminal_size(stream.fileno()).columns if stream is not None else 0
    except (OSError, ValueError):
        found = 0
    return found or _USUAL_COLUMNS


def _is_terminal(stream: TextIO | None) -> bool:
    return stream is not None and stream.isatty()


def _can_show(stream: TextIO | None, signs: str) -> bool:
    try:
        signs.encode((stream and stream.encoding) or "ascii")
    except (UnicodeError, LookupError):
        return False
    return True
