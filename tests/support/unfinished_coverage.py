"""Removes the coverage data that programs were writing when a test killed them.

One damaged file would make `coverage combine` give all of them up.
"""

from __future__ import annotations

import contextlib
import sqlite3
import sys
from pathlib import Path

__all__ = ["remove_unfinished"]


def remove_unfinished(folder: Path) -> list[Path]:
    """Remove the damaged data files in a folder, and return them."""
    found = [one for one in folder.glob(".coverage.*") if not _is_whole(one)]
    for one in found:
        one.unlink()
    return found


def _is_whole(file: Path) -> bool:
    try:
        with contextlib.closing(sqlite3.connect(file)) as database:
            return bool(database.execute("PRAGMA quick_check").fetchall() == [("ok",)])
    except sqlite3.DatabaseError:
        return False


if __name__ == "__main__":
    for name in remove_unfinished(Path.cwd()):
        sys.stderr.write(f"{name.name} was not written to its end and is left out.\n")
