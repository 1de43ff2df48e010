"""What new VMs need of a VDC, beside what is left of it."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Need"]


@dataclass(frozen=True)
class Need:
    """One resource: how much is needed, and how much is left for this user.

    None: it is not known, or nothing limits it. `unit` is empty for numbers of things.
    """

    resource: str
    needed: int | None
    left: int | None
    unit: str = ""
