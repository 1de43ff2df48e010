"""The program `cse` where vcd-cli cannot be imported, nor what it needs."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.programs import CSE, VCD, Result
from tests.support.simulator import Cloud

Run = Callable[..., Result]

#: Fails every import of what is named; Python runs it at its start.
BLOCKER = """
import sys
for name in ("vcd_cli", "pkg_resources", "colorama", "keyring", "pygments"):
    sys.modules[name] = None
"""


@pytest.fixture
def alone(run: Run, tmp_path: Path, logged_in: Path) -> Run:
    """Run `cse` where vcd-cli cannot be imported."""
    (tmp_path / "blocker").mkdir()
    (tmp_path / "blocker" / "sitecustomize.py").write_text(BLOCKER)

    def start(*words: str, program: tuple[str, ...] = (CSE,)) -> Result:
        return run(*program, *words, env={"PYTHONPATH": str(tmp_path / "blocker")})

    return start


def test_vcd_itself_is_blocked(alone: Run) -> None:
    assert "ModuleNotFoundError" in alone("version", program=(VCD,)).err


def test_commands_work(alone: Run, cloud: Cloud) -> None:
    assert "(cse-client), version" in alone("version").checked()
    listed = json.loads(alone("-j", "template", "list").checked())
    assert listed
    info = alone("system", "info").checked()
    assert "direct" in info
    missing = alone("cluster", "info", "nope")
    assert missing.code == 3
    module = (sys.executable, "-m", "cse_client")
    assert json.loads(alone("-j", "template", "list", program=module).checked()) == listed


def test_a_dry_run_and_what_it_suggests(alone: Run) -> None:
    words = ("cluster", "create", "demo", "--network", "net1")
    plan = alone(*words, "--dry-run")
    assert plan.code == 0, plan.err
    assert "vcd cse" not in plan.out + plan.err
    refused = alone("cluster", "delete", "nope")
    assert "vcd cse" not in refused.err


def test_what_only_vcd_cli_has_is_named_as_such(run: Run, logged_in: Path) -> None:
    words = ("cluster", "create", "demo")
    note = "Note: The command `vcd` is part of vcd-cli, which is not installed here.\n"
    refused = run(CSE, *words)
    assert "vcd network list" in refused.err
    assert note not in refused.err
    refused = run(CSE, *words, env={"PATH": "/usr/bin:/bin"})
    assert refused.err.endswith(note)


def test_help_names_the_program(alone: Run) -> None:
    shown = alone("-h").checked()
    assert shown.startswith("Usage: cse [OPTIONS] COMMAND [ARGS]...\n")
    assert "  cse cluster create demo --network net1 --nodes 2\n" in shown
    assert "vcd cse" not in shown
    create = alone("cluster", "create", "-h").checked()
    assert "see `cse template list`" in " ".join(create.split())
    assert "vcd cse" not in create


def test_confirmation_is_suggested_with_the_options_before(alone: Run) -> None:
    refused = alone("-j", "--engine", "direct", "cluster", "delete", "nope")
    hint = json.loads(refused.out)["hint"]
    assert "vcd" not in hint.split()
