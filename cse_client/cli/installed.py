"""Where the programs of this package are installed."""

from __future__ import annotations

import sys
from pathlib import Path
from shutil import which

from cse_client.errors import CseError

__all__ = ["program_path"]


def program_path(name: str) -> str:
    """Return the absolute path of a program of this package.

    Raises:
        CseError: it is not installed.
    """
    folders = [str(Path(one).parent) for one in (sys.argv[0], sys.executable)]
    for path in (*folders, None):
        found = which(name, path=path)
        if found is not None:
            return str(Path(found).absolute())
    raise CseError(
        f"The program {name} of this package was not found beside {sys.executable}.",
        hint="Install the package again: pip install --force-reinstall cse-client",
    )
