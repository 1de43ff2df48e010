"""Typed values from metadata: whoever may edit the vApp may have written anything into it.

Nothing here raises. What is not of the wanted type, or out of any sensible range, is None or an
empty text, and the caller names the key as damaged.
"""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from cse_client import bounds

__all__ = ["MOST_WORKERS", "integer", "json_object", "moment", "text", "texts"]

#: Larger numbers of workers than this are not believed; the commands take 500 at most.
MOST_WORKERS = 10_000
MOST_CPUS = 1024
MOST_MEMORY_MB = 24 * 1024 * 1024
#: vSphere's largest virtual disk, 62 TB.
MOST_DISK_MB = 62 * 1024 * 1024
_LONGEST_TEXT = 256


def json_object(value: str) -> dict[str, Any] | None:
    """Return the JSON object that a text is, or None."""
    try:
        found = bounds.load_json(value)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def integer(value: object, low: int, high: int) -> int | None:
    """Return a whole number from `low` to `high`, or None."""
    if isinstance(value, int) and not isinstance(value, bool) and low <= value <= high:
        return value
    return None


def text(value: object, longest: int = _LONGEST_TEXT) -> str:
    """Return a text of at most `longest` characters, or an empty one."""
    return value if isinstance(value, str) and len(value) <= longest else ""


def texts(value: object, most: int) -> tuple[str, ...] | None:
    """Return a list of at most `most` texts that are not empty, or None."""
    if not isinstance(value, list) or len(value) > most:
        return None
    found = tuple(text(one) for one in value)
    return found if all(found) else None


def moment(value: object) -> datetime | None:
    """Return a time of day with its offset as UTC, or None. Without an offset it is UTC already."""
    if not isinstance(value, str):
        return None
    try:
        found = datetime.fromisoformat(value)
        if found.tzinfo is None:
            return found.replace(tzinfo=timezone.utc)
        # the first and the last day of the calendar have no UTC with every offset
        return found.astimezone(timezone.utc)
    except (ValueError, OverflowError):
        return None
