"""Foreign text on every stream: one line, nothing that steers a terminal, JSON that means it."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cse_client.cli import log as runlog
from cse_client.cli.console import Console
from cse_client.errors import CseError, GuestFailed, PreflightFailed, VcdFault
from cse_client.model import Event, EventKind

#: Those that do harm, among others.
EVIL = ["\n", "\r", "\t", "\x1b[2J", "\x9b2J", "\x85", "\u2028", "\u202e", "\u2066", "\u200b"]
EVIL += ["\ufeff", "\udc9b", "\ud800", "\U000e0041", "\x00", "\x7f", "\nError: all is lost"]
foreign = st.lists(st.one_of(st.sampled_from(EVIL), st.text(max_size=3)), max_size=6).map("".join)


def harmless(text: str, lines: int) -> None:
    assert text.count("\n") == lines, text
    assert text.replace("\n", "").isprintable(), text


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(foreign)
def test_nothing_foreign_gets_through(capfd: pytest.CaptureFixture[str], text: str) -> None:
    console = Console()
    console.sentence(f"Cluster {text} is here.", {})
    console.table([{"Name": f"x{text}x"}], ["Name"], empty="Nothing.")
    console.properties([("a", f"x{text}x"), (f"b{text}", [f"x{text}x", "y"])], {})
    harmless(capfd.readouterr().out, 1 + 3 + 5)

    console.warning(f"no {text}")
    console.hint(f"see {text}")
    error = VcdFault(f"no {text}", hint=f"do {text}", code=text, request_id=text)
    error.notes += [f"note {text}", "another"]
    console.error(error)
    console.error(GuestFailed("no", node=f"n{text}", phase="p", log=[f"l{text}", "m"]))
    console.error(PreflightFailed("2", [CseError(f"a{text}", hint=f"b{text}"), CseError("c")]))
    shown = capfd.readouterr().err
    harmless(shown, 2 + (5 if text else 4) + 3 + 4)
    with console.progress() as progress:
        progress(Event(EventKind.STARTED, f"x {text}", 1, 2))
        progress(Event(EventKind.WARNING, f"y {text}"))
    harmless(capfd.readouterr().err, 2)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(foreign)
def test_json_says_the_same_in_characters_that_can_be_seen(
    capfd: pytest.CaptureFixture[str], text: str
) -> None:
    row = {"Name": text, f"key {text}": [text]}
    Console(as_json=True).table([row], ["Name"], empty="Nothing.")
    out = capfd.readouterr().out
    assert out.replace("\n", "").isprintable()
    read = json.loads(out)
    again = json.loads(json.dumps([{"Name": text, f"key {text}": [text]}]))
    assert read == again


def test_a_line_of_the_log_cannot_be_faked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    # commands that other tests ran in this process have opened it elsewhere
    for handler in list(logging.getLogger("cse_client").handlers):
        handler.close()
        logging.getLogger("cse_client").removeHandler(handler)
    log = runlog.open_log()
    try:
        log.info("a name: %s", "x\n2026-01-01 00:00:00 1 INFO cse_client all is well \x1b[2J\u202e")
        lines = runlog.log_path().read_text(encoding="utf-8").splitlines()
    finally:
        for handler in list(log.handlers):
            handler.close()
            log.removeHandler(handler)
    assert len(lines) == 2
    assert lines[1] == (r"    2026-01-01 00:00:00 1 INFO cse_client all is well \x1b[2J\u202e")
    assert isinstance(log, logging.Logger)
