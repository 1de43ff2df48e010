"""Removing what earlier versions of these tests left in the cache."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

__all__ = ["remove_unused"]

_DAYS = 30


def remove_unused(cache: Path, used: Iterable[Path]) -> Iterator[Path]:
    """Remove components and kits that were not used for 30 days; yield what was removed.

    `used` are the folders of this run: they are marked as used, by their time. Another checkout
    may use others, and does the same.
    """
    kept = set(used)
    for folder in kept:
        if folder.is_dir():
            os.utime(folder)
    oldest = time.time() - _DAYS * 24 * 3600
    for folder in sorted([*cache.glob("*-*"), *cache.glob("kits/*")]):
        if folder.is_dir() and folder not in kept and folder.stat().st_mtime < oldest:
            shutil.rmtree(folder)
            yield folder
