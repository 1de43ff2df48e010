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
    from cse_client.cli.shells import script

    program = _program()
    run.console.text(script(shell, program))
    _prepare(program)


def _program() -> str:
    """Return the path of the program that the script asks.

    Raises:
        CseError: it is not installed.
    """
    import sys
    from pathlib import Path
    from shutil import which

    from cse_client.errors import CseError

    folders = [str(Path(one).parent) for one in (sys.argv[0], sys.executable)]
    for path in (*folders, None):
        found = which(_PROGRAM, path=path)
        if found is not None:
            return str(Path(found).absolute())
    raise CseError(
        f"The program {_PROGRAM} of this package was not found beside {sys.executable}.",
        hint="Install the package again: pip install --force-reinstall cse-client",
    )


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
