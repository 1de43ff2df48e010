"""Pages of the documentation, command by command as a reader types them."""

from __future__ import annotations

import os
import re
import socket
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.pages import Reader, Shown, commands
from tests.support.programs import ROOT, clean_environment
from tests.support.simulator import Control

#: In the tutorial: its port, for which the test takes a free one, and the speed of the guests.
PORT, SPEED = "8443", "--guest-speed 10"


def test_what_stands_for_anything() -> None:
    shown = Shown("x", "a ... c\n...\nend\n")
    assert shown.matches("a b c\nend\n")
    assert shown.matches("a  c\nd\ne\nend  \n")
    assert not shown.matches("a b c\nend\nmore\n")
    assert not shown.matches("b\nend\n")


def test_a_page_that_is_wrong_fails(home: Path) -> None:
    with Reader(home, clean_environment(home)) as reader:
        reader.follow([Shown("x=one", ""), Shown("echo $x >&2", "one\n")])
        reader.follow([Shown("echo echo two", "echo ...\n"), Shown("echo t...", "two\n")])
    for wrong in (
        Shown("false", ""),
        Shown("echo two", "one\n"),
        Shown("nothing has printed ...", ""),
        Shown("exit 0", ""),
    ):
        with Reader(home, clean_environment(home)) as reader, pytest.raises(AssertionError):
            reader.follow([wrong])


def test_every_page_with_commands_is_followed() -> None:
    docs = ROOT / "docs"
    names = {str(path.relative_to(docs)) for path in docs.rglob("*.md")}
    pages = {name for name in names if commands(name)}
    followed = set(re.findall(r'commands\("(.+?)"\)', Path(__file__).read_text(encoding="utf-8")))
    assert pages == followed


def _short(shown: Shown) -> Shown:
    """Take the program `cse`, which starts faster."""
    command, output = (text.replace("vcd cse ", "cse ") for text in (shown.command, shown.output))
    return Shown(command, output)


def test_node_templates(logged_in: Path, environment: dict[str, str], control: Control) -> None:
    before = control.possessions()
    page = [_short(one) for one in commands("templates.md")]
    assert len(page) >= 7
    with Reader(logged_in, environment) as reader:
        reader.follow(page)
    assert control.possessions() == before


def test_files(logged_in: Path, environment: dict[str, str], control: Control) -> None:
    before = control.possessions()
    page = commands("files.md")
    assert len(page) >= 7
    text = (ROOT / "docs" / "files.md").read_text(encoding="utf-8")
    (file,) = re.findall(r"^```yaml\n(.*?)^```$", text, re.M | re.S)
    wrong = file.replace("web", "no").replace("size: 1", "size: x")
    wrong = wrong.replace("network: net1", "netwrok: net1\n  virtualAddress: 10.0.0.300")
    wrong += "  - name: default\n    size: 1\n"
    (logged_in / "wrong.yaml").write_text(wrong)
    (logged_in / "web.yaml").write_text(file)
    with Reader(logged_in, environment) as reader:
        reader.follow(page)
    assert control.possessions() == before


@pytest.mark.timeout(400)  # some thirty programs, and machines that boot
@pytest.mark.skipif("CSE_E2E_HOST" in os.environ, reason="starts a simulator of its own")
def test_tutorial(home: Path) -> None:
    page = commands("tutorial.md")
    assert len(page) >= 25
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
    assert SPEED in page[0].command
    page[0] = replace(page[0], command=page[0].command.replace(SPEED, "--guest-speed 30"))
    page = [
        replace(one, command=one.command.replace(PORT, port), output=one.output.replace(PORT, port))
        for one in page
    ]
    # the simulator prints the second one, for vcd
    page[2:] = [_short(one) for one in page[2:]]
    with Reader(home, clean_environment(home)) as reader:
        reader.follow(page)
    assert not (home / "alice.kubeconfig").exists()
    assert "demo" not in (home / ".kube" / "config").read_text()
