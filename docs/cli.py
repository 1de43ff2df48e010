"""Write docs/cli.md from the commands' own help; `--check` only compares, for the tests."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import click

from cse_client.commands import cse

TARGET = Path(__file__).with_name("cli.md")
HEAD = """\
# Commands

Written by `make docs` from the commands' own `--help`; do not edit.
"""


def pages(command: click.Command, context: click.Context) -> Iterator[tuple[str, str]]:
    """Yield each command's path and its help, depth first."""
    text = "\n".join(line.rstrip() for line in command.get_help(context).splitlines())
    yield context.command_path, text
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            child = command.get_command(context, name)
            assert child is not None
            yield from pages(child, sub(child, name, context))


def sub(command: click.Command, name: str, parent: click.Context | None) -> click.Context:
    """Return a context in which help looks the same on any terminal."""
    return click.Context(
        command,
        info_name=name,
        parent=parent,
        terminal_width=80,
        max_content_width=80,
        help_option_names=["-h", "--help"],
    )


def document() -> str:
    """Return the whole text of docs/cli.md."""
    context = sub(cse, "vcd cse", None)
    parts = [f"\n## {path}\n\n```\n{text}\n```\n" for path, text in pages(cse, context)]
    return HEAD + "".join(parts)


def main() -> int:
    """Write the document, or with --check say whether it is up to date."""
    text = document()
    if "--check" in sys.argv:
        return int(text != TARGET.read_text(encoding="utf-8"))
    TARGET.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
