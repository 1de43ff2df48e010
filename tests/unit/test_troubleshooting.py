"""The messages that docs/troubleshooting.md explains are those that the programs print."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.support.documents import anchors, text
from tests.support.messages import VARIABLE, arguments, templates
from tests.support.programs import ROOT

PAGE = ROOT / "docs" / "troubleshooting.md"
#: What stands for any text in the page.
ANYTHING = "..."
#: Messages of other programs, and the Python package that prints them; "" for kubectl and Python.
OTHERS = {
    "No such command 'cse'": "click",
    "the extension module ... could not be imported": "vcd_cli",
    "No module named 'pkg_resources'": "",
    "'NoneType' is not iterable": "",
    "Permission denied: ... vcd.log": "",
    "Unable to find a supported API version": "pyvcloud",
    "x509: certificate signed by unknown authority": "",
    "You must be logged in to the server (Unauthorized)": "",
    "Unable to connect to the server: dial tcp ...: i/o timeout": "",
    "Error from server (Forbidden): ...": "",
    "<pending>": "",
}


def shown() -> Iterator[str]:
    """Yield the messages in the page's headings, in its tables, and what it says is printed."""
    page = text(PAGE)
    yield from re.findall(r"prints `([^`]+)`", page)
    for line in re.findall(r"^### (.*)$", page, re.M):
        found = re.findall(r"`([^`]+)`", line)
        yield from (one for one in found if " " in one or one in OTHERS)
    for line in re.findall(r"^\| (`.*?) \|", page, re.M):
        yield from (one for one in re.findall(r"`([^`]+)`", line) if " " in one)


def can_become(text: str, message: str) -> bool:
    """Return whether a text in the sources can become the message."""
    parts = [re.escape(part) for part in message.split(ANYTHING)]
    return re.search(".*".join(parts), text, re.S | re.I) is not None


def is_printed(message: str, package: str) -> bool:
    """Return whether a package's sources have a text that can become the message."""
    return any(can_become(one, message) for one in templates(package))


def diagnoses() -> Iterator[str]:
    """Yield what `cluster diagnose` and `doctor` find wrong, as their sources have it."""
    direct = ROOT / "cse_client/engines/direct"
    for path in (direct / "diagnosis.py", direct / "kube_symptoms.py"):
        yield from (first for first, *_rest in arguments(path, "Cause"))
    for path in (ROOT / "cse_client/engines/doctor.py", ROOT / "cse_client/cli/environment.py"):
        yield from (
            text for state, _check, text, *_rest in arguments(path, "Finding") if state != "OK"
        )


@pytest.mark.parametrize("message", sorted(set(shown())))
def test_a_message_exists(message: str) -> None:
    literal = message.replace(ANYTHING, "").strip(" ,.:'()")
    if message not in OTHERS:
        assert len(literal) > len("failed at"), "what is quoted would fit any text"
        assert is_printed(message, "cse_client"), message
    elif package := OTHERS[message]:
        name = message.replace("'cse'", ANYTHING)
        assert is_printed(name, package), message


def test_what_diagnose_and_doctor_find_is_explained() -> None:
    found = [text for text in diagnoses() if " " in text.replace(VARIABLE, "").strip()]
    assert len(found) > 30
    messages = [message for message in shown() if message not in OTHERS]
    assert [one for one in found if not any(can_become(one, message) for message in messages)] == []


def test_a_message_that_nothing_prints_is_found() -> None:
    assert is_printed("VDC '...' has no network '...'; available: ....", "cse_client")
    assert not is_printed("VDC '...' has no nettwork '...'; available: ....", "cse_client")
    assert not is_printed("The network '...' is not a VDC.", "cse_client")


def test_messages_of_others_are_on_the_page() -> None:
    assert set(OTHERS) <= set(shown())


def test_phases_are_those_of_the_scripts() -> None:
    rows = re.findall(r"^\| ((?:`[a-z]+`(?:, )?)+) \|", text(PAGE), re.M)
    phases = {phase for row in rows for phase in re.findall(r"`([a-z]+)`", row)}
    scripts = (ROOT / "cse_client/guest/scripts").glob("*.sh")
    steps = {step for path in scripts for step in re.findall(r"\bstep ([a-z]+)", path.read_text())}
    assert "join" in phases
    assert phases <= steps


def test_headings_are_told_apart() -> None:
    assert not [one for one in anchors(PAGE) if re.search(r"-\d+$", one)]
