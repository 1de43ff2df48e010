"""Every text for a user is plain technical English, spelled as in VMware's documentation."""

from __future__ import annotations

import re
from collections.abc import Iterator

import click
import pytest

from cse_client.cse import cse

WIDTH = 80

#: British spellings, and phrases that a reader has to translate: pattern -> what to write.
AVOIDED = {
    r"[Oo]rganisation": "organization",
    r"[Ll]icence": "license",
    r"[Cc]atalogue": "catalog",
    r"\b[Cc]olour": "color",
    r"\b(behaviour|honour|favour)": "behavior, honor, favor",
    r"\b(is|are|was) no (?!longer|more than|one\b)": "is not a ...",
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


def avoided(text: str) -> list[str]:
    return [
        f"{found.group()!r}: write {better}"
        for pattern, better in AVOIDED.items()
        for found in re.finditer(pattern, text)
    ]


def test_what_is_avoided_is_found() -> None:
    assert avoided("The file is no kubeconfig of your organisation.") == [
        "'organisation': write organization",
        "'is no ': write is not a ...",
    ]
    assert avoided("The server is no longer registered.") == []


@pytest.mark.parametrize("name", PAGES)
def test_help_is_plain_english(name: str) -> None:
    page = PAGES[name]
    assert avoided(page) == []
    assert [line for line in page.splitlines() if len(line) > WIDTH] == []


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
