"""Pages of the documentation, command by command as a reader types them."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path

from tests.support.pages import Shown, commands
from tests.support.programs import Result
from tests.support.simulator import Control


def test_what_stands_for_anything() -> None:
    shown = Shown("x", "a ... c\n...\nend\n")
    assert shown.matches("a b c\nend\n")
    assert shown.matches("a  c\nd\ne\nend\n")
    assert not shown.matches("a b c\nend\nmore\n")
    assert not shown.matches("b\nend\n")


def test_node_templates(vcd: Callable[..., Result], logged_in: Path, control: Control) -> None:
    before = control.possessions()
    shown = commands("templates.md")
    assert len(shown) >= 7
    for one in shown:
        first, *words = shlex.split(one.command)
        assert first == "vcd", one.command
        done = vcd(*words)
        assert done.code == 0, f"{one.command}\n{done.err}{done.out}"
        printed = done.err + done.out
        assert one.matches(printed), f"{one.command}\n{printed}"
    assert control.possessions() == before
