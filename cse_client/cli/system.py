"""`vcd cse version` and `vcd cse system info`."""

from __future__ import annotations

import click

from cse_client.cli.session import Run, command

__all__ = ["info_command", "version_command"]


@click.command("version")
@command
def version_command(run: Run) -> None:
    """Show this client's version."""
    import platform

    from cse_client import DESCRIPTION, PRODUCT, __version__

    run.console.sentence(
        f"{PRODUCT}, {DESCRIPTION}, version {__version__}",
        {
            "product": PRODUCT,
            "description": DESCRIPTION,
            "version": __version__,
            "python": platform.python_version(),
        },
    )


@click.command("info")
@command
def info_command(run: Run) -> None:
    """Show product, engine, VCD and session."""
    from cse_client.cli.tables import plain

    value = plain(run.engine().system_info())
    pairs = [(key.replace("_", " "), text) for key, text in value.items()]
    run.console.properties(pairs, value)
