"""Suggested commands, pasted into a shell: they act on what the user's own command was about."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator

import pytest

from tests.support.programs import Result
from tests.support.simulator import Control

Run = Callable[..., Result]
NAME = "twin-00001"


@pytest.fixture
def twin(cse: Run, control: Control) -> Iterator[None]:
    """A healthy cluster of the name, in the VDC in use."""
    control.set("vapps", count=1, prefix="twin")
    yield
    control.ask("DELETE", "faults")
    for vdc in found(cse):
        cse("cluster", "delete", NAME, "--vdc", vdc, "--yes")


def found(cse: Run) -> list[str]:
    """Return the VDCs that have a cluster of the name."""
    listed = json.loads(cse("cluster", "list", options=("-j",)).out)
    return sorted(one["VDC"] for one in listed if one["Name"] == NAME)


def test_what_a_failed_creation_suggests_deletes_what_it_made(
    cse: Run, control: Control, twin: None, run: Run
) -> None:
    control.set("faults", kind="task", operation="vdcRecomposeVapp", status="error")
    made = ("cluster", "create", NAME, "-n", "vdc2-net", "--vdc", "vdc2", "-N", "0")
    failed = cse("--engine", "direct", *made, "--disable-rollback")
    assert failed.code == 1
    assert found(cse) == ["vdc1", "vdc2"]
    (command,) = re.findall(r"remove it with `(.*)`\.\n", failed.err)
    assert command == f"vcd cse --engine direct cluster delete {NAME} --vdc vdc2"

    asked = run("sh", "-c", command)
    assert asked.code == 2
    assert asked.err == (
        f"Error: Deleting {NAME} must be confirmed, and there is no terminal; use --yes.\n"
        f"Hint: {command} --yes\n"
    )
    run("sh", "-c", f"{command} --yes").checked()
    assert found(cse) == ["vdc1"]


def test_a_name_with_blanks_is_quoted(cse: Run) -> None:
    result = cse("cluster", "delete", "it's; one $HOME")
    assert result.err.endswith("Hint: vcd cse cluster delete 'it'\"'\"'s; one $HOME' --yes\n")
    result = cse("cluster", "stop", "--vdc", "a b", "--", "-x")
    assert result.err.endswith("Hint: vcd cse cluster stop --vdc 'a b' --yes -- -x\n")
