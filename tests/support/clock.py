"""Clocks for code that takes one: `monotonic()` and `sleep()`."""

from __future__ import annotations

import time


class FakeClock:
    """Time that passes only when somebody sleeps; `slept` keeps each pause, in seconds."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


class QuickClock:
    """Real time with pauses a twentieth as long as asked for, since the simulator is quick."""

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds / 20)
