"""`vcd cse completion`."""

from __future__ import annotations

import click

from cse_client.cli.run import Run, command
from cse_client.cli.shells import SHELLS

__all__ = ["completion_command"]

_PROGRAM = "cse-complete"
#: Seconds for preparing the first completion.
_PATIENCE = 20.0


@click.command("completion")
@click.argument("shell", type=click.Choice(SHELLS), metavar="bash|zsh|fish")
@command
def completion_command(run: Run, shell: str) -> None:
    """Print a script with which a shell completes commands, options and names.

    Completes `vcd` and `cse`: commands and options, and the names of clusters, nodes, templates,
    networks, storage profiles and org VDCs in the cloud that you are logged in to. The names are
    kept for a minute.

    To install it, type the line for your shell once, and start a new shell.

    \b
    Examples
        vcd cse completion bash >> ~/.bashrc
        vcd cse completion zsh >> ~/.zshrc
        vcd cse completion fish > ~/.config/fish/conf.d/cse-client.fish
    """
    from cse_client.cli.installed import program_path
    from cse_client.cli.shells import script

    program = program_path(_PROGRAM)
    run.console.text(script(shell, program))
    _prepare(program)


def _prepare(program: str) -> None:
    """Fill the cache of commands, which takes a second; without it the first Tab does that."""
    import contextlib
    import subprocess

    with contextlib.suppress(OSError, subprocess.SubprocessError):
        subprocess.run(
            [program, "bash", "vcd ", ""],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
            timeout=_PATIENCE,
        )
