"""Names of a cluster's VMs, as CSE gives them.

VM names are `mstr-xxxx` and `node-xxxx` with four characters of a-z and 0-9: the prefix is all that
CSE has to recognize what a node is (container-service-extension, native cluster VM names).

The characters look random and are not: they follow from what the VM is made for. A request that was
cut off may still reach VCD while the same command, run again, asks for the same VM; VCD refuses the
second of one name in a vApp, and so nothing is made twice.
"""

from __future__ import annotations

import hashlib
import string
from collections.abc import Collection

__all__ = ["fresh_names"]

_ALPHABET = string.ascii_lowercase + string.digits


def fresh_names(prefix: str, count: int, taken: Collection[str], *, purpose: str) -> list[str]:
    """Return `count` distinct VM names with `prefix`, none of which is in `taken`.

    The same `purpose` (a creation or an operation by its random id) gives the same names.
    """
    used = set(taken)
    names: list[str] = []
    number = 0
    while len(names) < count:
        name = prefix + _four_characters(f"{purpose} {prefix} {number}")
        number += 1
        if name not in used:
            used.add(name)
            names.append(name)
    return names


def _four_characters(text: str) -> str:
    value = int.from_bytes(hashlib.sha256(text.encode()).digest(), "big")
    found = ""
    for _ in range(4):
        value, rest = divmod(value, len(_ALPHABET))
        found += _ALPHABET[rest]
    return found
