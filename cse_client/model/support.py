"""Until when Kubernetes' minor releases are supported by the Kubernetes project."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from cse_client.versions import version_key

__all__ = ["AS_OF", "ENDS", "NEWEST_MINOR", "end_of_support", "is_supported"]

#: When the table was compared with https://kubernetes.io/releases/ and its patch-releases page.
AS_OF = date(2026, 11, 26)

#: The last day of support of each minor release 1.N.
ENDS: Mapping[int, date] = {
    12: date(2019, 7, 8),
    13: date(2019, 10, 15),
    14: date(2019, 12, 11),
    15: date(2020, 5, 6),
    16: date(2020, 9, 2),
    17: date(2021, 1, 13),
    18: date(2021, 6, 18),
    19: date(2021, 10, 28),
    20: date(2022, 2, 28),
    21: date(2022, 6, 28),
    22: date(2022, 10, 28),
    23: date(2023, 2, 28),
    24: date(2023, 7, 28),
    25: date(2023, 10, 28),
    26: date(2024, 2, 28),
    27: date(2024, 6, 28),
    28: date(2024, 10, 28),
    29: date(2025, 2, 28),
    30: date(2025, 6, 28),
    31: date(2025, 10, 28),
    32: date(2026, 2, 28),
    33: date(2026, 6, 28),
    34: date(2026, 10, 27),
    35: date(2027, 2, 28),
    36: date(2027, 6, 28),
    37: date(2027, 10, 28),
}
NEWEST_MINOR = max(ENDS)


def end_of_support(kubernetes: str) -> date | None:
    """Return the last day of support of a version (X.Y or X.Y.Z), None where it is not known."""
    version = version_key(kubernetes)
    return ENDS.get(version[1]) if version[:1] == (1,) and len(version) > 1 else None


def is_supported(kubernetes: str, today: date) -> bool | None:
    """Return whether a version is supported on a day, None where that is not known.

    A release that is newer than the table is.
    """
    version = version_key(kubernetes)
    if len(version) < 2 or version[0] != 1:  # noqa: PLR2004 - X.Y
        return None
    if version[1] > NEWEST_MINOR:
        return True
    end = ENDS.get(version[1])
    return end is not None and today <= end
