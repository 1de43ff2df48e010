"""The commands of `vcd cse` as click knows them."""

from __future__ import annotations

from collections.abc import Iterator

import click

from cse_client.cse import cse


def commands(group: click.Group = cse, path: str = "") -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from commands(command, f"{path}{name} ")
        else:
            yield f"{path}{name}", command
