"""Every text for a user is plain technical English, spelled as in VMware's documentation."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from cse_client.commands import cse
from tests.support.programs import ROOT

PACKAGE = ROOT / "cse_client"
WIDTH = 80

#: British spellings, and phrases that a reader has to translate: pattern -> what to write.
AVOIDED = {
    r"[Oo]rganisation": "organization",
    r"[Ll]icence": "license",
    r"[Cc]atalogue": "catalog",
    r"\b[Cc]olour": "color",
    r"\b(behaviour|honour|favour)": "behavior, honor, favor",
    r"(?<![Tt]here )\b(is|are|was) no (?!longer|more than|one\b)": "is not a ...",
    r"[Cc]arr(y|ies) on": "resume, continue",
    r"\bheed": "respect",
    r"\b(is|was|are) told\b|\btells\b": "report, show",
    r"\bspoil|\bspoilt": "damage",
    r"\banew\b": "again",
    r"\bneeds a yes\b": "must be confirmed",
    r"\bat hand\b": "available",
    r"\b(is|are) wanted\b": "is required",
    r"\bno more\b": "no longer",
    r"\bgone already\b": "already deleted",
}


def product() -> list[Path]:
    """Return the modules whose texts a user reads."""
    found = sorted(PACKAGE.rglob("*.py"))
    return [path for path in found if "simulator" not in path.parts]


def docstrings(tree: ast.Module) -> set[int]:
    """Return the ids of the nodes that are docstrings; those of commands are read as help pages."""
    owners = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    return {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, owners) and node.body and isinstance(node.body[0], ast.Expr)
    }


def texts(path: Path) -> Iterator[tuple[str, str]]:
    """Yield where and what the string constants of a module say, except docstrings."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    skipped = docstrings(tree)
    constants = (node for node in ast.walk(tree) if isinstance(node, ast.Constant))
    for node in constants:
        text = node.value if isinstance(node.value, str) else ""
        if id(node) not in skipped and not text.isidentifier():
            yield f"{path.relative_to(ROOT)}:{node.lineno}", text


def pages(
    command: click.Command = cse, name: str = "vcd cse", parent: click.Context | None = None
) -> Iterator[tuple[str, str]]:
    """Yield the path and the help page of every group and command."""
    context = click.Context(
        command,
        info_name=name,
        parent=parent,
        terminal_width=WIDTH,
        max_content_width=WIDTH,
        help_option_names=["-h", "--help"],  # as vcd has it; click keeps the first answer
    )
    yield context.command_path, command.get_help(context)
    if isinstance(command, click.Group):
        for child in command.list_commands(context):
            found = command.get_command(context, child)
            assert found is not None
            yield from pages(found, child, context)


PAGES = dict(pages())


#: A number before one of these may be 1.
_PLURALS = (
    r" (?:[a-z]+ )?(?:nodes|workers|VMs|control planes|pods|pools|files|addresses|objects|CRDs"
    r"|clusters|templates|members|days|hours|minutes)\b"
)
#: Numbers that are never 1 where they stand, or constants, or not numbers.
_SEVERAL = {
    "backup.heads",
    "count",
    "fewer",
    "kind",
    "kinds",
    "lacking",
    "len(cluster.pools)",
    "len(found)",
    "len(names)",
    "len(pools)",
    "len(there)",
    "longest.days",
    "missing",
    "path",
    "self._most",
    "spec.control_planes",
    "workers",
}


def numbers(path: Path) -> Iterator[tuple[str, str]]:
    """Yield where and what stands before a plural in an f-string, except in `3 of {n} nodes`."""
    found = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    for node in (one for one in found if isinstance(one, ast.JoinedStr)):
        parts = node.values
        for before, number, after in zip([None, *parts], parts, parts[1:]):
            if not (isinstance(number, ast.FormattedValue) and isinstance(after, ast.Constant)):
                continue
            said = str(before.value) if isinstance(before, ast.Constant) else ""
            name = ast.unparse(number.value)
            fixed = name.startswith(("counted(", "', '.join(")) or name.split()[0].isupper()
            of_all = said.endswith((" of ", " of the "))
            if re.match(_PLURALS, str(after.value)) and not fixed and not of_all:
                yield f"{path.relative_to(ROOT)}:{node.lineno}", name


def avoided(text: str) -> list[str]:
    return [
        f"{found.group()!r}: write {better}"
        for pattern, better in AVOIDED.items()
        for found in re.finditer(pattern, text)
    ]


def hints(path: Path) -> Iterator[tuple[str, ast.expr]]:
    """Yield where and what a module passes as `hint=`, except what is only known at run time."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        for keyword in node.keywords if isinstance(node, ast.Call) else []:
            if keyword.arg == "hint" and isinstance(keyword.value, (ast.Constant, ast.JoinedStr)):
                yield f"{path.relative_to(ROOT)}:{keyword.value.lineno}", keyword.value


def is_styled(hint: ast.expr) -> bool:
    """Return whether a hint is a sentence with a capital and a stop, or ends in a command."""
    parts = hint.values if isinstance(hint, ast.JoinedStr) else [hint]
    text = "".join(str(one.value) if isinstance(one, ast.Constant) else "{}" for one in parts)
    begins = re.match(r"[A-Z`{]|--|$", text)
    ends = re.search(r"([.?]|: [^ ].*|\{\})$|^$", text)
    return bool(begins and ends)


def test_what_is_avoided_is_found() -> None:
    assert avoided("The file is no kubeconfig of your organisation.") == [
        "'organisation': write organization",
        "'is no ': write is not a ...",
    ]
    assert avoided("The server is no longer registered; there is no route.") == []


@pytest.mark.parametrize("path", product(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_messages_are_plain_english(path: Path) -> None:
    assert [f"{where}: {text}" for where, line in texts(path) for text in avoided(line)] == []


@pytest.mark.parametrize(
    ("hint", "good"),
    [
        ("'Omit --strict.'", True),
        ("f'List the clusters: {command}'", True),
        ("'To create a key: ssh-keygen -t ed25519'", True),
        ("'omit --strict.'", False),
        ("'Omit --strict'", False),
        ("f'`{command}` shows them'", False),
    ],
)
def test_a_hint_without_style_is_found(hint: str, *, good: bool) -> None:
    assert is_styled(ast.parse(hint, mode="eval").body) is good


@pytest.mark.parametrize("path", product(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_hints_are_sentences_or_end_in_a_command(path: Path) -> None:
    assert [
        f"{where}: {ast.unparse(one)}" for where, one in hints(path) if not is_styled(one)
    ] == []


@pytest.mark.parametrize("name", PAGES)
def test_help_is_plain_english(name: str) -> None:
    page = PAGES[name]
    assert avoided(page) == []
    assert [line for line in page.splitlines() if len(line) > WIDTH] == []
    assert "\\b" not in page  # click's mark, mistyped


@pytest.mark.parametrize("name", PAGES)
def test_help_begins_with_one_imperative_sentence(name: str) -> None:
    usage, summary, *_ = PAGES[name].split("\n\n")
    assert usage.startswith(f"Usage: {name} ")
    assert re.fullmatch(r"  [A-Z].*\.", summary), summary


@pytest.mark.parametrize("name", PAGES)
def test_options_are_explained_in_sentences(name: str) -> None:
    command: click.Command = cse
    context = click.Context(command)
    for step in name.split()[2:]:
        assert isinstance(command, click.Group)
        found = command.get_command(context, step)
        assert found is not None
        command = found
    for option in command.params:
        if isinstance(option, click.Option) and not option.hidden:
            text = (option.help or "").replace("  [required]", "")
            assert re.fullmatch(r"[A-Z].*\.", text), (option.name, text)
            assert not re.search(r"; default", text), (option.name, text)


def test_a_number_that_may_be_one_goes_with_its_noun() -> None:
    """`plurals.counted` makes both forms."""
    wrong = [
        f"{where}: {{{name}}}"
        for path in product()
        for where, name in numbers(path)
        if name not in _SEVERAL
    ]
    assert not wrong, "\n".join(wrong)
