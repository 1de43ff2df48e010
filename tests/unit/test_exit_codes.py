"""docs/exit-codes.md and the tree of errors say the same."""

from __future__ import annotations

import re

import pytest

from cse_client import errors
from cse_client.errors import CseError, PreflightFailed
from tests.support.programs import ROOT

PAGE = (ROOT / "docs" / "exit-codes.md").read_text(encoding="utf-8")
ROWS = dict(re.findall(r"^\| (\d+) \| (.+) \|$", PAGE, re.M))
KINDS = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, CseError) and kind is not PreflightFailed
]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_kind_of_error_is_in_the_tree_with_its_exit_code(kind: type[CseError]) -> None:
    found = re.search(rf"\b{kind.__name__} +(\d)  ", str(errors.__doc__))
    assert found is not None and int(found[1]) == kind.exit_code
    assert str(kind.exit_code) in ROWS


@pytest.mark.parametrize(
    ("example", "kind"),
    [
        ("VCD or the connection to it failed", errors.VcdFault),
        ("a VCD task ended in error", errors.TaskFailed),
        ("a node's bootstrap failed", errors.GuestFailed),
        ("the name or address is in use", errors.Conflict),
        ("another command is changing the cluster", errors.Conflict),
        ("an unfinished operation must be finished first", errors.Conflict),
        ("an unknown option", errors.WrongUsage),
        ("an unknown cluster", errors.NotFound),
        ("not logged in", errors.SessionInvalid),
        ("too few free addresses", errors.Refused),
        ("a protected cluster", errors.Refused),
        ("an add-on or a template that is in use", errors.Refused),
        ("`--timeout` expired", errors.TimedOut),
        ("Ctrl-C", errors.Interrupted),
    ],
)
def test_the_page_names_it_at_its_exit_code(example: str, kind: type[CseError]) -> None:
    assert [code for code, text in ROWS.items() if example in text] == [str(kind.exit_code)]


def test_several_problems_have_the_exit_code_of_the_first() -> None:
    found = [errors.Refused("No."), errors.NotFound("No."), errors.WrongUsage("No.")]
    assert [PreflightFailed("No.", found[at:]).exit_code for at in range(3)] == [4, 3, 2]
