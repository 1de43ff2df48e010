"""Comparing versions: of Kubernetes, of VCD's API, of CSE."""

from __future__ import annotations

import re

__all__ = ["version_key"]


def version_key(version: str) -> tuple[int, ...]:
    """Return the numbers in a version, to compare it: '1.18.6' is (1, 18, 6), 'v37.10' (37, 10).

    Neither text nor floats order versions: 37.3 < 37.10 < 38.0.
    """
    return tuple(int(number) for number in re.findall(r"\d+", version))
