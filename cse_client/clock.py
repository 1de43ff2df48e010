"""Time for everything that waits: a clock that tests can replace, and growing pauses."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Protocol

from cse_client import bounds

__all__ = ["SYSTEM_CLOCK", "Clock", "backoff"]


class Clock(Protocol):
    """A monotonic clock, in seconds, and a way to sleep."""

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


def backoff(first: float, longest: float, factor: float) -> Iterator[float]:
    """Yield pauses in seconds without end: `first`, then each `factor` times the one before it.

    None is longer than `longest`.
    """
    pause = first
    while True:
        yield pause
        pause = min(pause * factor, longest)
