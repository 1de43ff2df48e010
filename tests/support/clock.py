"""Clocks for code that takes one: `monotonic()` and `sleep()`."""

from __future__ import annotations

import time
from collections.abc import Callable


class FakeClock:
    """Time that passes only when somebody sleeps; `slept` keeps each pause, in seconds.

    `on_sleep` is called with each pause.
    """

    def __init__(self, now: float = 0.0, on_sleep: Callable[[float], object] | None = None) -> None:
        self.now = now
        self._on_sleep = on_sleep
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds
        if self._on_sleep is not None:
            self._on_sleep(seconds)


class QuickClock:
    """Real time with pauses a twentieth as long as asked for, since the simulator is quick."""

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds / 20)
