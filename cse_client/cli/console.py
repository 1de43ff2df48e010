"""The only module that prints: results on stdout, everything else on stderr.

Nothing goes through vcd-cli's `stdout()` (it puts `ESC[2K CR` before every output and reads
"1.20" as the number 1.2) nor through the text layer of sys.stdout: vcd-cli wraps that with
colorama, which appends `ESC[0m` to each write on a terminal, and a kubeconfig with control
characters is no YAML (vcd_cli/vcd.py, `init(autoreset=True)`).
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, TextIO, TypeVar

import click

from cse_client import bounds, suggest
from cse_client.cli.options import PROGRESS
from cse_client.cli.output import Output, columns_text, fitting, keyed
from cse_client.cli.progress import ProgressLines, ProgressObjects, object_line
from cse_client.cli.text import capital, json_text, numbered, printable, sentence
from cse_client.errors import CseError, GuestFailed, PreflightFailed, VcdFault
from cse_client.model.findings import Finding

__all__ = ["Console", "OutputClosed"]

T = TypeVar("T")

_RED, _YELLOW, _RESET = "\x1b[31m", "\x1b[33m", "\x1b[0m"

_NO_VCD_CLI = "The command `vcd` is part of vcd-cli, which is not installed here."


class OutputClosed(Exception):
    """The reader of stdout has closed it, as `| head -1` does."""


class Console:
    """Prints for one command, in the form that vcd's own options ask for.

    `as_json` is `vcd -j`, `output` what the command's own options chose; `colorized` is vcd's
    `--colorized/--no-colorized` (colours are used on a terminal only, and on stderr only).
    `progress` is one of `progress.MODES`; with `json`, every line on stderr is an object.
    """

    def __init__(
        self,
        *,
        as_json: bool = False,
        colorized: bool = True,
        output: Output | None = None,
        progress: str = "auto",
    ) -> None:
        self.as_json = as_json
        self._output = output or Output()
        self._progress = progress
        self._began = time.monotonic()
        self._warnings: set[str] = set()
        self._colorized = colorized and not os.environ.get("NO_COLOR")
        _no_reset_at_exit()

    @classmethod
    def of(cls, ctx: click.Context) -> Console:
        """Make the console that the options of the `vcd` command ask for."""
        params = ctx.find_root().params
        return cls(
            as_json=bool(params.get("json_output")),
            colorized=bool(params.get("is_colorized", True)),
            output=Output.of(ctx),
            progress=ctx.meta.get(PROGRESS, "auto"),
        )

    # Results

    @property
    def shows_tables(self) -> bool:
        """Whether results are shown as tables and sentences, not as documents."""
        return self._output.is_table and not (self.as_json and self._output.is_default)

    def text(self, text: str) -> None:
        """Print text to stdout exactly as it is, whatever the mode."""
        _write(sys.stdout, text)

    def document(self, value: Any) -> None:
        """Print one JSON document, formatted like vcd-cli's (keys sorted, indent 4)."""
        text = json.dumps(value, sort_keys=True, indent=4, ensure_ascii=False)
        self.text(f"{json_text(text)}\n")

    def sentence(self, text: str, value: Mapping[str, Any]) -> None:
        """Print one line, or in other formats the object behind it."""
        if not self.documented(value, value):
            self.text(f"{printable(text)}\n")

    def plan(self, steps: Sequence[str], **about: Any) -> None:
        """Print what a command would do; in other formats, also what it is `about`."""
        record = {**about, "plan": list(steps)}
        if not self.documented(record, record):
            self.lines("".join(f"{line}\n" for line in numbered(steps)))

    def table(
        self,
        rows: Sequence[Mapping[str, Any]],
        columns: Sequence[str],
        *,
        empty: str,
        records: Iterable[Mapping[str, Any]] | None = None,
    ) -> None:
        """Print rows as a table of these columns, or of all their keys with `-o wide`.

        On a terminal that is too narrow, the least important columns are left out.

        Other formats show `records`, by default the rows with keys such as `k8s_version`; -j shows
        the rows. Without rows, the sentence `empty` goes to stderr and nothing to stdout; JSON and
        YAML are `[]`.
        """
        if not self.shows_tables:
            found = map(keyed, rows) if records is None else records
            self.documented(list(rows), list(found))
            return
        if not rows:
            self._line("", empty, "")
            return
        shown: Sequence[str]
        if self._output.format == "wide":
            shown = list(dict.fromkeys((*columns, *(key for row in rows for key in row))))
        else:
            shown = fitting(rows, columns, _columns_left())
        self.text(columns_text(([row.get(key, "") for key in shown] for row in rows), shown))
        if len(shown) < len(columns):
            self._line("", "Some columns do not fit the terminal; use -o wide to see them.", "")

    def properties(
        self,
        pairs: Sequence[tuple[str, Any]],
        value: Mapping[str, Any],
        *,
        record: Mapping[str, Any] | None = None,
    ) -> None:
        """Print a table of properties and values in the given order.

        A value that is a list or tuple takes one line for each element. Other formats show
        `record`, by default that of `value`; -j shows `value`.
        """
        if not self.documented(value, keyed(value) if record is None else record):
            self.text(columns_text(pairs, ("Property", "Value")))

    def passage(
        self, text: str, value: Mapping[str, Any], *, record: Mapping[str, Any] | None = None
    ) -> None:
        """Print text of several lines as it is; in other formats as `properties`."""
        if not self.documented(value, value if record is None else record):
            self.text(text)

    def documented(self, value: Any, record: Any) -> bool:
        """Print `record`, or with -j `value`, if a document was asked for; return whether it was.

        For what is neither a table nor properties.
        """
        if self.shows_tables:
            return False
        if self._output.is_default:
            self.document(value)
        else:
            self.text(self._output.text(record, as_json=self.as_json))
        return True

    def lines(self, text: str) -> None:
        """Print lines of text in which names and messages from elsewhere may be."""
        self.text("".join(f"{printable(line)}\n" for line in text.splitlines()))

    def finding(self, finding: Finding) -> None:
        """Print one line of `doctor`, and its cure below it."""
        text = f"{finding.state:<8} {printable(finding.message)}\n"
        if finding.cure:
            text += f"{'':<8} Fix: {printable(finding.cure)}\n"
        self.text(text)

    # Everything else

    def progress(self) -> ProgressLines | ProgressObjects:
        """Return a context manager that is called with progress events and shows them.

        A warning or note that an earlier one has shown, before a question, is not repeated.
        """
        if self._progress == "json":
            return ProgressObjects(sys.stderr, _write_quietly, self._began)
        return ProgressLines(
            sys.stderr,
            _write_quietly,
            colorized=self._colorized,
            animated=self._progress == "auto",
            warnings=self._warnings,
        )

    def has_warned(self, warnings: Iterable[str]) -> None:
        """Show none of these warnings among the progress from now on."""
        self._warnings.update(warnings)

    def warning(self, text: str) -> None:
        """Print a warning line to stderr."""
        self._line("Warning: ", text, _YELLOW, kind="warning")

    def hint(self, text: str) -> None:
        """Print what to do next to stderr."""
        self._line("", text, "")

    def can_ask(self) -> bool:
        """Return whether somebody could answer a question."""
        return sys.stdin is not None and sys.stdin.isatty()

    def confirm(self, question: str) -> bool:
        """Ask a yes/no question on the terminal; no is the default.

        Raises:
            KeyboardInterrupt: Ctrl-C or the end of the input, for which click has one exception.
        """
        return _answer(lambda: click.confirm(printable(question), err=True))

    def choose(self, title: str, question: str, choices: Sequence[tuple[str, str]]) -> str:
        """Let somebody choose by number or name; each choice has a name and a description.

        Raises:
            KeyboardInterrupt: see `confirm`.
        """
        self._line("", title, "")
        width = max(len(printable(name)) for name, _about in choices)
        for number, (name, about) in enumerate(choices, 1):
            self._line("", f"{number:3}  {printable(name).ljust(width)}  {about}", "")
        names = {str(number): name for number, (name, _about) in enumerate(choices, 1)}
        names |= {name: name for name, _about in choices}
        only = choices[0][0] if len(choices) == 1 else None
        while True:
            typed = _answer(lambda: str(click.prompt(question, default=only, err=True))).strip()
            if typed in names:
                return names[typed]
            self._line("", f"'{typed}' is not in the list.", "")

    def ask_secret(self, question: str) -> str:
        """Ask on the terminal for what is not shown while it is typed.

        Raises:
            KeyboardInterrupt: see `confirm`.
        """
        # click itself ends the line of what is not shown
        ask = partial(click.prompt, printable(question), hide_input=True, err=True)
        return str(_answer(ask, ends_line=True))

    def error(self, error: CseError) -> None:
        """Print an error: words on stderr and, with -j, also an object on stdout."""
        if suggest.lacks_vcd_cli(error.hint) and _NO_VCD_CLI not in error.notes:
            error.notes.append(_NO_VCD_CLI)
        if self._progress == "json":
            found = _error_object(error)
            line = object_line("error", found.pop("error"), self._began, **found)
            _write_quietly(sys.stderr, line)
        for line in () if self._progress == "json" else _error_lines(error):
            head, separator, rest = line.partition(" ")
            if head == "Error:":
                self._line(head + separator, rest, _RED)
            else:
                self._line("", line, "")
        if self.as_json:
            with contextlib.suppress(OSError, OutputClosed):
                self.document(_error_object(error))

    def _line(self, head: str, text: str, colour: str, *, kind: str = "hint") -> None:
        if self._progress == "json":
            _write_quietly(sys.stderr, object_line(kind, printable(text), self._began))
            return
        if head and colour and self._colorized and sys.stderr is not None and sys.stderr.isatty():
            head = f"{colour}{head.rstrip()}{_RESET} "
        _write_quietly(sys.stderr, f"{head}{printable(text)}\n")


def _answer(ask: Callable[[], T], *, ends_line: bool = False) -> T:
    """Return the answer to a question; the time that somebody thinks does not count.

    What is printed after Ctrl-C begins a line of its own; `ends_line`: the question ends its line.

    Raises:
        KeyboardInterrupt: Ctrl-C or the end of the input, for which click has one exception.
    """
    try:
        with bounds.off_the_clock():
            return ask()
    except click.Abort:
        if not ends_line:
            _write_quietly(sys.stderr, "\n")
        raise KeyboardInterrupt from None


def _error_lines(error: CseError) -> list[str]:
    problems = error.problems if isinstance(error, PreflightFailed) else ()
    lines = []
    if len(problems) == 1:
        lines += _one_error(problems[0], "Error: ", "Hint: ")
    else:
        lines += [f"Error: {sentence(error.message)}"]
        for problem in problems:
            lines += _one_error(problem, "  - ", "    Hint: ")
    lines += _evidence(error)
    if error.hint:
        lines.append(f"Hint: {capital(error.hint)}")
    return lines + [f"Note: {sentence(note)}" for note in error.notes]


def _one_error(error: CseError, mark: str, hint_mark: str) -> list[str]:
    hints = [f"{hint_mark}{capital(error.hint)}"] if error.hint else []
    return [f"{mark}{sentence(error.message)}", *hints]


def _evidence(error: CseError) -> list[str]:
    if isinstance(error, GuestFailed):
        return [f"  {error.node}: {line}" for line in error.log]
    if isinstance(error, VcdFault):
        parts = [
            f"HTTP status {error.status}" if error.status else "",
            error.code,
            f"request {error.request_id}" if error.request_id else "",
        ]
        evidence = ", ".join(part for part in parts if part)
        return [f"VCD: {evidence}"] if evidence else []
    return []


def _error_object(error: CseError) -> dict[str, Any]:
    found: dict[str, Any] = {
        "error": sentence(error.message),
        "hint": capital(error.hint),
        "exit_code": error.exit_code,
    }
    if error.notes:
        found["notes"] = [sentence(note) for note in error.notes]
    if isinstance(error, PreflightFailed):
        found["problems"] = [
            {"error": sentence(p.message), "hint": capital(p.hint)} for p in error.problems
        ]
    if isinstance(error, GuestFailed):
        found.update(node=error.node, phase=error.phase, log=list(error.log))
    if isinstance(error, VcdFault):
        found.update(status=error.status, code=error.code, request_id=error.request_id)
    return found


def _write(stream: TextIO | None, text: str) -> None:
    """Write below the text layer and flush, so that a full disk or closed pipe shows here."""
    if stream is None:  # closed by whoever started us: `vcd ... >&-`
        raise OutputClosed
    data = memoryview(text.encode(stream.encoding or "utf-8", "backslashreplace"))
    try:
        stream.flush()
        while data:  # with PYTHONUNBUFFERED this is a file descriptor, which may take a part only
            data = data[stream.buffer.write(data) :]
        stream.buffer.flush()
    except BrokenPipeError as error:
        _discard(stream)
        raise OutputClosed from error
    except OSError as error:
        _discard(stream)
        raise CseError(
            f"The output could not be written: {error.strerror or error}.",
            hint="Nothing is wrong with the cluster; run the command again with room for its "
            "output.",
        ) from error


def _write_quietly(stream: TextIO | None, text: str) -> None:
    """Write, unless nobody can read it: losing a terminal must not stop the work."""
    with contextlib.suppress(CseError, OutputClosed, ValueError):
        _write(stream, text)


def _columns_left() -> int:
    """Return the width of the terminal that stdout is; 0 where it is none, or of no known width."""
    if sys.stdout is None or not sys.stdout.isatty():
        return 0
    return shutil.get_terminal_size((0, 0)).columns


def _no_reset_at_exit() -> None:
    """Keep colorama from writing `ESC[0m` to a terminal when the program ends."""
    initialise = sys.modules.get("colorama.initialise")
    if initialise is not None:
        atexit.unregister(initialise.reset_all)


def _discard(stream: TextIO) -> None:
    """Let what is still buffered go nowhere, or Python complains about it at exit."""
    with contextlib.suppress(OSError, ValueError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())
        os.close(null)
