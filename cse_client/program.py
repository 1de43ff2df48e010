"""The program `cse`: the commands of `vcd cse` without vcd-cli.

vcd-cli is no longer developed; this works where it cannot be imported. Session and settings are in
the same profiles file, and the commands, options and exit codes are the same.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from cse_client import suggest
from cse_client.commands import stand_alone, stop_early

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None, *, program: Sequence[str] = ("cse",)) -> None:
    """Run one command and end the process with its exit code.

    `program` is how this was called, as a shell reads it: suggested commands begin with it.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    stop_early(words)
    name = suggest.shell_line(program)
    suggest.called_as(program)
    stand_alone(name).main(args=words, prog_name=name)


if __name__ == "__main__":
    main()
