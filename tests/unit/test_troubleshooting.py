"""The messages that docs/troubleshooting.md explains are those that the programs print."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.support.documents import anchors, text
from tests.support.messages import templates
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
    """Yield the messages in the page's headings and in the first column of its tables."""
    page = text(PAGE)
    for line in re.findall(r"^### (.*)$", page, re.M):
        yield from re.findall(r"`([^`]+)`", line)
    for line in re.findall(r"^\| (`.*?) \|", page, re.M):
        yield from (one for one in re.findall(r"`([^`]+)`", line) if " " in one)


def is_printed(message: str, package: str) -> bool:
    """Return whether a package's sources have a text that can become the message."""
    parts = [re.escape(part) for part in message.split(ANYTHING)]
    pattern = re.compile(".*".join(parts), re.S | re.I)
    return any(pattern.search(one) for one in templates(package))


@pytest.mark.parametrize("message", sorted(set(shown())))
def test_a_message_exists(message: str) -> None:
    literal = message.replace(ANYTHING, "").strip(" ,.:'()")
    if message not in OTHERS:
        assert len(literal) > len("Task failed"), "what is quoted would fit any text"
        assert is_printed(message, "cse_client"), message
    elif package := OTHERS[message]:
        name = message.replace("'cse'", ANYTHING)
        assert is_printed(name, package), message


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
