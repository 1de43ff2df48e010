"""What `doctor` looks at, and what it finds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

__all__ = ["ERROR", "OK", "WARNING", "Finding"]

#: States: as it should be; something may go wrong; something does not work.
OK, WARNING, ERROR = "ok", "warning", "error"


@dataclass(frozen=True)
class Finding:
    """The result of one check.

    `check` names it in a word or two, `message` is a sentence. `cure` is a sentence or a command to
    type. `fix` does something safe about it and returns a sentence about that; it raises OSError or
    CseError where it cannot.
    """

    state: str
    check: str
    message: str
    cure: str = ""
    fix: Callable[[], str] | None = field(default=None, repr=False, compare=False)
