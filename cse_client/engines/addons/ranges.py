"""Which addresses a cluster's load balancer may give out, as they are typed."""

from __future__ import annotations

import re

from cse_client.errors import WrongUsage
from cse_client.model.addons import AddressRange

__all__ = ["parse_auto", "parse_ranges"]

_FORM = "Write it as FIRST-LAST[,FIRST-LAST], such as 10.0.0.200-10.0.0.210, or auto:N."
_MOST = 4096


def parse_auto(text: str) -> int:
    """Return N of `auto:N`, or 0 for any other text.

    Raises:
        WrongUsage: N is not a valid number.
    """
    if not text.lower().startswith("auto"):
        return 0
    found = re.fullmatch(r"auto:([0-9]{1,6})", text.lower())
    if found is None or not 1 <= int(found[1]) <= _MOST:
        raise WrongUsage(
            f"In '{text}', the number of addresses is not between 1 and {_MOST}.", hint=_FORM
        )
    return int(found[1])


def parse_ranges(text: str) -> tuple[AddressRange, ...]:
    """Read `A-B[,C-D]`; a single address stands for itself. Sorted.

    Raises:
        WrongUsage: it is nothing like that, a range is reversed, or two overlap.
    """
    found = []
    for part in text.split(","):
        first, dash, last = (word.strip() for word in part.partition("-"))
        try:
            one = AddressRange.of(first, last if dash else first)
        except ValueError:
            raise WrongUsage(f"'{part.strip()}' is not an address range.", hint=_FORM) from None
        if one.first > one.last:
            raise WrongUsage(
                f"The range {one} is reversed.", hint=f"Did you mean {one.last}-{one.first}?"
            )
        found.append(one)
    found.sort()
    for before, after in zip(found, found[1:]):
        if before.overlaps(after):
            raise WrongUsage(f"The ranges {before} and {after} overlap.")
    return tuple(found)
