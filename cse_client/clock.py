"""Time for everything that waits: a clock that tests can replace, and how often to look.

`polling` is for looking at something that takes its time, `backoff` for repeating what failed.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Protocol

from cse_client import bounds

__all__ = ["SYSTEM_CLOCK", "Clock", "StoppableClock", "Stopped", "backoff", "polling"]

#: Seconds between two looks at something that is being done: never more than one in the first five
#: minutes, then a 300th of its age, at most five. So a minute of waiting costs 63 looks at most.
_FIRST_LOOK = 0.1
_GROWTH = 2.0
_LONGEST_AT_FIRST = 1.0
_AT_FIRST = 300.0
_LONGEST = 5.0
#: How long a `StoppableClock` may sleep after it was stopped.
_PIECE = 0.2


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


class Stopped(Exception):
    """What waits with a `StoppableClock` must not go on: another part of the work has failed."""


class StoppableClock:
    """A clock for several threads that wait, so that they end together."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._stopped = threading.Event()

    def stop(self) -> None:
        """End all sleeps, present and future ones."""
        self._stopped.set()

    def monotonic(self) -> float:
        """Return seconds since some fixed moment."""
        return self._clock.monotonic()

    def sleep(self, seconds: float) -> None:
        """Return after `seconds`.

        Raises:
            Stopped: `stop` was called.
        """
        while not self._stopped.is_set():
            piece = min(seconds, _PIECE)
            self._clock.sleep(piece)
            seconds -= piece
            if seconds <= 0:
                return
        raise Stopped


def backoff(first: float, longest: float, factor: float) -> Iterator[float]:
    """Yield pauses in seconds without end: `first`, then each `factor` times the one before it.

    None is longer than `longest`.
    """
    pause = first
    while True:
        yield pause
        pause = min(pause * factor, longest)


def polling(clock: Clock, first: float = _FIRST_LOOK) -> Iterator[float]:
    """Yield pauses in seconds, without end, for looking at something that begins now.

    They follow its age: `first`, then growing to one second, and longer only for what takes more
    than five minutes. Look at one thing after each pause: several that are waited for together
    share the pauses.
    """
    began = clock.monotonic()
    quick = first
    while True:
        age = clock.monotonic() - began
        longest = _LONGEST_AT_FIRST if age < _AT_FIRST else min(_LONGEST, age / _AT_FIRST)
        yield min(quick, longest)
        quick = min(quick * _GROWTH, _LONGEST)
