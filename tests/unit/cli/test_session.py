from __future__ import annotations

import json
import os
import signal
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from click.testing import CliRunner

from cse_client import sent
from cse_client.cli.log import log_path
from cse_client.cli.profile import read_session
from cse_client.cli.run import Run, command
from cse_client.errors import Interrupted, InterruptedBefore, Refused, SessionInvalid

TOKEN = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhZG1pbiJ9.c2lnbmF0dXJl"
PROFILE: dict[str, Any] = {
    "name": "default",
    "host": "vcd.example.com",
    "org": "org1",
    "user": "ann",
    "token": TOKEN,
    "is_jwt_token": True,
    "api_version": "36.0",
    "verify": True,
    "disable_warnings": False,
    "org_in_use": "org2",
    "vdc_in_use": "vdc1",
    "vapp_in_use": "",
    "org_href": "https://vcd.example.com/api/org/2",
    "vdc_href": "https://vcd.example.com/api/vdc/1",
}


@pytest.fixture
def store(home: Path) -> Callable[[Any], None]:
    """Write the profiles file; text as it is, anything else as YAML."""

    def write(data: Any) -> None:
        text = data if isinstance(data, str) else yaml.safe_dump(data)
        (home / ".vcd-cli" / "profiles.yaml").write_text(text)

    return write


def test_what_login_stored(store: Callable[[Any], None]) -> None:
    store({"active": "default", "profiles": [{"name": "other"}, PROFILE], "extensions": ["x"]})
    session, warn = read_session()
    assert session.host == "vcd.example.com"
    assert session.org == "org2"
    assert session.vdc == "vdc1"
    assert session.token == TOKEN
    assert session.verify
    assert warn
    assert TOKEN not in repr(session)


def test_no_vdc_chosen(store: Callable[[Any], None]) -> None:
    store({"profiles": [{**PROFILE, "vdc_in_use": "", "vdc_href": "", "verify": False}]})
    session, _ = read_session()
    assert session.vdc == ""
    assert not session.verify


@pytest.mark.parametrize(
    "data",
    [
        {"active": None},
        {"extensions": ["cse_client.cse"]},
        {"profiles": []},
        {"profiles": None},
        {"profiles": [{"name": "default", "token": ""}]},
        {"profiles": [{**PROFILE, "token": None}]},
        {"profiles": [{**PROFILE, "name": "other"}]},
        "profiles: [unparsable",
        "",
    ],
)
def test_not_logged_in(store: Callable[[Any], None], data: Any) -> None:
    store(data)
    with pytest.raises(SessionInvalid) as caught:
        read_session()
    assert caught.value.message == "You are not logged in."
    assert caught.value.hint == "Log in: vcd cse login HOST ORGANIZATION USER"


@pytest.mark.parametrize(
    "data",
    [{"profiles": {}}, {"profiles": "x"}, {"profiles": ["x"]}, "just text", "[1, 2]"],
)
def test_damaged_profiles(store: Callable[[Any], None], data: Any) -> None:
    store(data)
    with pytest.raises(SessionInvalid, match=r"profiles\.yaml is damaged"):
        read_session()


def test_a_profile_without_a_host(store: Callable[[Any], None]) -> None:
    store({"profiles": [{k: v for k, v in PROFILE.items() if k not in ("host", "api_version")}]})
    with pytest.raises(SessionInvalid, match="host, api_version missing in"):
        read_session()


def invoke(body: Callable[[Run], None], *words: str) -> Any:
    """Run a function as the command `vcd x`."""
    root = click.Group("vcd")
    root.params.append(click.Option(["-j", "json_output"], is_flag=True))
    root.callback = lambda json_output: None
    root.add_command(click.Command("x", callback=command(body)))
    return CliRunner().invoke(root, [*words, "x"], standalone_mode=True)


def test_an_error_becomes_words_and_a_code() -> None:
    def body(_run: Run) -> None:
        raise Refused("No.", hint="Ask.")

    result = invoke(body)
    assert (result.exit_code, result.stdout) == (4, "")
    assert result.stderr == "Error: No.\nHint: Ask.\n"
    result = invoke(body, "-j")
    assert json.loads(result.stdout) == {"error": "No.", "exit_code": 4, "hint": "Ask."}


def test_clicks_own_errors_keep_their_code() -> None:
    def body(_run: Run) -> None:
        raise click.UsageError("Nonsense.")

    result = invoke(body)
    assert result.exit_code == 2
    assert "Error: Nonsense." in result.stderr


def test_what_has_only_read_has_changed_nothing() -> None:
    def body(run: Run) -> None:
        run.when_interrupted = "Type it again."
        sent.note("GET")
        raise KeyboardInterrupt

    result = invoke(body)
    assert result.exit_code == 5
    assert result.stderr == "Error: Interrupted; nothing was changed.\n"


@pytest.mark.parametrize(
    ("method", "shown"),
    [
        ("GET", "Error: Interrupted; nothing was changed.\n"),
        ("POST", "Error: Interrupted; demo is not finished.\nHint: Delete it.\n"),
    ],
)
def test_an_operation_that_has_only_read_has_changed_nothing(method: str, shown: str) -> None:
    def body(_run: Run) -> None:
        sent.note(method)
        raise Interrupted("Interrupted; demo is not finished.", hint="Delete it.")

    result = invoke(body)
    assert (result.exit_code, result.stderr) == (5, shown)


def test_what_was_put_back_has_changed_nothing() -> None:
    def body(run: Run) -> None:
        run.when_interrupted = "Type it again."
        sent.note("POST")
        raise InterruptedBefore

    result = invoke(body)
    assert (result.exit_code, result.stderr) == (5, "Error: Interrupted; nothing was changed.\n")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_say_how_to_go_on(number: signal.Signals) -> None:
    def body(run: Run) -> None:
        run.when_interrupted = "Type it again."
        sent.note("POST")
        os.kill(os.getpid(), number)
        signal.pause()

    before = signal.getsignal(number)
    result = invoke(body)
    assert result.exit_code == 5
    assert result.stderr == "Error: Interrupted.\nHint: Type it again.\n"
    assert signal.getsignal(number) == before


def test_an_ignored_signal_stays_ignored() -> None:
    def body(run: Run) -> None:
        os.kill(os.getpid(), signal.SIGHUP)
        run.console.text("done\n")

    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        result = invoke(body)
    finally:
        signal.signal(signal.SIGHUP, before)
    assert (result.exit_code, result.stdout) == (0, "done\n")


def test_a_bug_is_one_line_and_a_private_log() -> None:
    def body(_run: Run) -> None:
        raise KeyError(f"token {TOKEN}")

    result = invoke(body)
    assert result.exit_code == 1
    assert result.stderr == (
        f"Error: This is a bug in cse-client (KeyError); details are in {log_path()}.\n"
        "Hint: Please report it, with this file. Keys, tokens and passwords are removed from"
        " it.\n"
    )
    assert stat.S_IMODE(log_path().stat().st_mode) == 0o600
    log = log_path().read_text()
    assert "KeyError" in log
    assert "Traceback" in log
    assert TOKEN not in log


def test_a_bug_without_a_place_for_the_log(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def body(_run: Run) -> None:
        raise KeyError(f"token {TOKEN}")

    (home / "file").write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", str(home / "file"))
    result = invoke(body)
    assert result.exit_code == 1
    assert result.stderr == (
        "Error: This is a bug in cse-client (KeyError: 'token [redacted]'); its log cannot be "
        "written.\n"
    )
