"""Numbers of things in sentences: `1 worker`, `2 workers`."""

from __future__ import annotations

__all__ = ["counted", "noun"]


def counted(number: int, one: str, several: str = "") -> str:
    """Return a number with its noun; `several` is the plural where that is not `one` with an s."""
    return f"{number} {noun(number, one, several)}"


def noun(number: float, one: str, several: str = "") -> str:
    """Return the form of a noun, or of a verb, that goes with a number."""
    return one if number == 1 else several or f"{one}s"
