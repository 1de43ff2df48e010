"""Everything that sources, help and documents suggest is a command that exists, with its words."""

from __future__ import annotations

import ast
import contextlib
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner
from vcd_cli.vcd import vcd

import cse_client.cse
from cse_client import suggest
from cse_client.model import Session
from cse_client.suggest import Target
from cse_client.vcd.errors import login_line
from tests.support.bash import NASTY, read_by_bash
from tests.support.commands import commands
from tests.support.programs import ROOT

PACKAGE = ROOT / "cse_client"
MAKERS = {"cse", "vcd", "kubectl", "program"}
#: Texts that name a command; in a message they would lack the place, and be quoted by nobody.
COMMAND = re.compile(
    r"\b(vcd (?!cse\b)[a-z-]+ [a-z-]|vcd cse [-a-z]|"
    r"kubectl (-|(get|create|delete|config|apply|drain|describe) [a-z{]))|"
    r"\b(rm|rmdir|mv|cp|unset|pip install) [/{~$A-Z]"
)
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def sources() -> list[Path]:
    """The product's sources: what messages are made in."""
    found = sorted(PACKAGE.rglob("*.py"))
    return [path for path in found if "simulator" not in path.parts and path.name != "suggest.py"]


@dataclass(frozen=True)
class Call:
    """One call that makes a suggestion: `words` and `options` hold None for what is not literal."""

    where: str
    maker: str
    words: tuple[Any, ...]
    options: dict[str, Any]

    def __str__(self) -> str:
        return self.where


def calls() -> Iterator[Call]:
    for path in sources():
        for node in ast.walk(ast.parse(path.read_text())):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
                continue
            if not (isinstance(node.func.value, ast.Name) and node.func.value.id == "suggest"):
                continue
            if node.func.attr in MAKERS:
                literal = [
                    word.value if isinstance(word, ast.Constant) else None for word in node.args
                ]
                options = {
                    one.arg: one.value.value if isinstance(one.value, ast.Constant) else None
                    for one in node.keywords
                    if one.arg
                }
                where = f"{path.relative_to(ROOT)}:{node.lineno}"
                yield Call(where, node.func.attr, tuple(literal), options)


CALLS = list(calls())


def parsed(words: list[str], *, partial: bool = False) -> tuple[str, dict[str, Any]]:
    """Return the path and the parameters of a `vcd` command line; click's errors are raised."""
    assert words[0] == "vcd"
    context = vcd.make_context("vcd", words[1:])
    while isinstance(context.command, click.Group):
        kept = getattr(context, "_protected_args", None)
        args = [*(kept if kept is not None else context.protected_args), *context.args]
        if partial and not args:
            break
        name, command, rest = context.command.resolve_command(context, args)
        assert command is not None
        context = command.make_context(name, rest, parent=context)
    return context.command_path, context.params


def parameter(command: str, option: str) -> click.Parameter:
    """Return the parameter behind an option of a `vcd cse` command."""
    found: Any = cse_client.cse.cse
    for name in command.split():
        found = found.get_command(click.Context(found), name)
    parameters: list[click.Parameter] = found.params
    return next(one for one in parameters if f"--{option.replace('_', '-')}" in one.opts)


def made(call: Call, name: str) -> str:
    """Make a call's suggestion, with `name` for everything that is not literal."""
    command, *words = call.words
    assert command is not None, f"{call}: the command must be a literal"
    filled = [name if word is None else word for word in words]
    options = {}
    for option, value in call.options.items():
        if value is None:
            kind = parameter(command, option).type if call.maker == "cse" else click.STRING
            kinds = {"integer": 3, "integer range": 3, "boolean": True}
            value = kinds.get(kind.name, name)  # noqa: PLW2901
        options[option] = value
    return str(getattr(suggest, call.maker)(command, *filled, **options))


@pytest.fixture(autouse=True)
def elsewhere() -> None:
    """A run that acts somewhere else than in the VDC and the organization in use."""
    suggest.aim(
        Target(
            cluster="demo",
            vdc="it's vdc2",
            org="o r g",
            engine="direct",
            kubeconfig="my kube/config",
            context=lambda: "demo@o r g-it's vdc2",
        )
    )


def test_the_calls_are_found() -> None:
    assert len(CALLS) > 60
    assert {call.maker for call in CALLS} == MAKERS


@pytest.mark.parametrize("call", CALLS, ids=str)
def test_a_suggestion_parses_and_acts_where_the_run_does(call: Call) -> None:
    for name in [name for name in NASTY if name]:
        line = made(call, name)
        words = read_by_bash(line.replace(" && ", " '&&' "))
        while "&&" in words:
            first, words = words[: words.index("&&")], words[words.index("&&") + 1 :]
            assert parsed(first)[0] in ("vcd org use", "vcd vdc use")
        if words[0] == "vcd":
            check_vcd(call, words)
        elif words[0] == "kubectl" and call.options.get("in_cluster"):
            assert words[words.index("--context") + 1] == "demo@o r g-it's vdc2"


def check_vcd(call: Call, words: list[str]) -> None:
    try:
        path, params = parsed(words)
    except click.exceptions.Exit:  # --help
        return
    assert path == f"vcd {'cse ' if call.maker == 'cse' else ''}{call.words[0]}"
    if call.maker != "cse":
        return
    if call.words[0] == "login":
        return
    for option, value in (("vdc", "it's vdc2"), ("org", "o r g")):
        if option in params and option not in call.options:
            assert params[option] == value, f"{call}: --{option} is not carried"
    if "kubeconfig" in params and path != "vcd cse cluster config":
        assert params["kubeconfig"] == "my kube/config"


def test_the_table_of_accepted_options_is_that_of_the_commands() -> None:
    """Every command that has --vdc, --org or --kubeconfig gets it, and no other one."""
    for command in commands():
        options = {name for one in command[1].params for name in one.opts}
        if command[0] == "login":  # --vdc chooses the one in use
            continue
        line = suggest.cse(command[0], save=True if "--save" in options else None)
        for option in ("--vdc", "--org", "--kubeconfig"):
            assert (option in shlex.split(line)) == (option in options), f"{command[0]}: {option}"
        by_id = suggest.cse(command[0], "urn:vcloud:entity:cse:nativeCluster:1")
        if command[0] != "cluster apply":
            assert ("--id" in shlex.split(by_id)) == ("--id" in options), command[0]


def test_login_lines_parse() -> None:
    session = Session("a host", "an org", "me", "37.0", "t")
    file = replace(session, token_file="my token")
    given: dict[str, Any] = {"host": "a host", "org": "an org", "user": "me", "vdc": ""}
    given.update(token_file="", session_stdin=False, ca_file="")
    for line, wanted in (
        (login_line(session, "38.0"), given),
        (login_line(session, ca_file="FILE"), {**given, "ca_file": "FILE"}),
        (login_line(session, org="other"), {**given, "org": "other"}),
        (login_line(file), {**given, "user": "", "token_file": "my token"}),
    ):
        assert parsed(shlex.split(line)) == ("vcd cse login", wanted)


def test_without_verification_only_vcd_cli_logs_in() -> None:
    session = Session("a host", "an org", "me", "37.0", "t", verify=False)
    path, params = parsed(shlex.split(login_line(session, "38.0")))
    assert path == "vcd login"
    assert params["verify_ssl_certs"] is False
    assert params["api_version"] == "38.0"
    assert (params["host"], params["org"], params["user"]) == ("a host", "an org", "me")


def message_texts(tree: ast.AST) -> Iterator[ast.Constant]:
    """Yield the string constants that are no docstrings and no help of a click command."""
    skipped: set[ast.AST] = set()
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            # docstrings, and texts that stand alone
            skipped |= {one.value for one in body if isinstance(one, ast.Expr)}
        if isinstance(node, ast.keyword) and node.arg == "help":
            skipped |= set(ast.walk(node.value))
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in skipped:
            yield node


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_message_spells_a_command_itself(path: Path) -> None:
    """`suggest` makes them: a literal neither says where it acts nor is quoted."""
    allowed = {
        "commands.py",  # the group's help, parsed below
        "samples.py",  # comments of a file that is written for later
        "pks.py",  # names what was typed
        "shells.py",  # programs for shells
    }
    if path.name in allowed:
        return
    found = [
        f"{path.name}:{node.lineno}: {node.value!r}"
        for node in message_texts(ast.parse(path.read_text()))
        if COMMAND.search(str(node.value))
    ]
    assert found == []


def examples() -> Iterator[tuple[str, str]]:
    """Yield the command lines of the documents' blocks and of the commands' own help."""
    for path in DOCUMENTS:
        if path.name == "cli.md":
            continue
        for block in re.findall(r"^```[a-z]*\n(.*?)^```", path.read_text(), re.M | re.S):
            for line in block.replace("\\\n", " ").splitlines():
                yield path.name, line
    for path in (ROOT / "docs" / "images").glob("*.svg"):  # what was typed in a recording
        for line in re.findall(r"<desc>(.*?)</desc>", path.read_text(), re.S)[0].splitlines():
            yield path.name, line
    for name, command in commands():
        for line in (command.help or "").splitlines():
            yield name, line
    for line in (cse_client.cse.cse.help or "").splitlines():
        yield "cse", line


def vcd_lines() -> Iterator[tuple[str, str]]:
    for where, line in examples():
        words = line.strip().removeprefix("$ ")
        if words.startswith("vcd ") and "   " not in words:  # no row of a table
            yield where, re.split(r" 2?[|<>]|  +#", words)[0]


@pytest.mark.parametrize(("where", "line"), sorted(set(vcd_lines())))
def test_an_example_parses(where: str, line: str) -> None:
    with contextlib.suppress(click.exceptions.Exit, click.Abort), CliRunner().isolation():
        parsed(shlex.split(line))  # some ask


def inline_commands() -> Iterator[tuple[str, str]]:
    for path in DOCUMENTS:
        text = re.sub(r"^```.*?^```", "", path.read_text(), flags=re.M | re.S)
        for found in re.findall(r"`(vcd [^`]*)`", text):
            yield path.name, " ".join(found.split())


@pytest.mark.parametrize(("where", "line"), sorted(set(inline_commands())))
def test_a_command_in_a_sentence_exists(where: str, line: str) -> None:
    """What is named may lack its arguments, but not have others than the command."""
    words = shlex.split(re.split(r" *(\.\.\.|\\?\|)", line)[0])
    try:
        with CliRunner().isolation():  # some ask
            parsed(words, partial=True)
    except (click.MissingParameter, click.exceptions.Exit, click.Abort):
        pass
    except click.UsageError as error:
        if "Missing" not in error.format_message():
            raise
