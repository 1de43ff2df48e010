"""What is asked on a terminal instead of refused."""

from __future__ import annotations

import re
from pathlib import Path

from tests.support.programs import CSE
from tests.support.terminal import on_terminal

CREATE = [CSE, "cluster", "create", "asked", "--dry-run"]


def test_a_network_is_chosen_by_number_or_name(
    logged_in: Path, environment: dict[str, str], nothing_created: None
) -> None:
    shown = on_terminal(
        logged_in,
        CREATE,
        ("Network for the nodes: ", "nix"),
        ("Network for the nodes: ", "net3"),
        environment=environment,
    )
    assert "Networks of VDC vdc1:\n" in shown.out
    assert "  1  net1  routed, " in shown.out
    assert "net4" not in shown.out
    assert "'nix' is not in the list.\n" in shown.out
    assert "To skip this question: --network net3\n" in shown.out
    assert "'asked'" in shown.out or "asked" in shown.out.splitlines()[-1]
    assert shown.code == 0, shown.out


def test_no_question_while_something_else_is_wrong(
    logged_in: Path, environment: dict[str, str]
) -> None:
    shown = on_terminal(logged_in, [*CREATE, "--nodes", "-1"], environment=environment)
    assert shown.code == 2
    assert "Network for the nodes" not in shown.out


def test_ctrl_c_at_the_question(logged_in: Path, environment: dict[str, str]) -> None:
    shown = on_terminal(
        logged_in, CREATE, ("Network for the nodes: ", "\x03"), environment=environment
    )
    assert shown.code == 5
    assert "Traceback" not in shown.out
    assert re.search(r"\^C\n\S*Error:\S* Interrupted\.\n", shown.out)
