"""`vcd cse pks ...`: the group of older clients, which only says that it is not here any more."""

from __future__ import annotations

import click

from cse_client import suggest
from cse_client.cli.run import Run, command
from cse_client.cli.validation import refuse_pks

__all__ = ["pks_command"]


@click.command(
    "pks",
    context_settings={"ignore_unknown_options": True},
    add_help_option=False,
    short_help="Enterprise PKS is not supported.",
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@command
def pks_command(run: Run, arguments: tuple[str, ...]) -> None:
    """Refuse; the clusters of Enterprise PKS have a command of their own."""
    del run, arguments
    refuse_pks(f"{suggest.program_name()} pks")
