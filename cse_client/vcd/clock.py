"""Time for the waiters: a monotonic clock and a sleep that tests can replace."""

from __future__ import annotations

import time
from typing import Protocol

from cse_client import bounds

__all__ = ["SYSTEM_CLOCK", "Clock"]


class Clock(Protocol):
    """Seconds that only grow, and a way to let some of them pass."""

    def monotonic(self) -> float:
        """Return seconds since some fixed moment."""

    def sleep(self, seconds: float) -> None:
        """Return after `seconds`, or when the command's time is up."""


class _SystemClock:
    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        bounds.sleep(seconds)


SYSTEM_CLOCK: Clock = _SystemClock()
