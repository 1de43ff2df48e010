"""`vcd cse pks ...`: the group of older clients, which only says that it is not here any more."""

from __future__ import annotations

import click

from cse_client.cli.run import Run, command

__all__ = ["pks_command", "refuse_pks"]


@click.command(
    "pks",
    context_settings={"ignore_unknown_options": True},
    add_help_option=False,
    short_help="Enterprise PKS is not supported.",
)
@click.argument("words", nargs=-1, type=click.UNPROCESSED)
@command
def pks_command(run: Run, words: tuple[str, ...]) -> None:
    """Refuse; the clusters of Enterprise PKS have a command of their own."""
    del run, words
    refuse_pks("vcd cse pks")


def refuse_pks(words: str) -> None:
    """Refuse an option or a command that is about Enterprise PKS.

    Raises:
        WrongUsage: always.
    """
    from cse_client.errors import WrongUsage

    raise WrongUsage(
        f"{words} is not supported: Enterprise PKS has reached its end of life, and this "
        "client makes native clusters only.",
        hint="clusters of PKS are managed with its own `pks` or `tkgi` command",
    )
