"""One span between power-on and power-off.

Everything that acts for a guest holds its `Life`. When power fails, the life ends under its lock:
whoever writes to the disk afterwards gets `PowerLoss` instead, so that the disk stays exactly as
it was at that moment.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["Life", "PowerLoss"]


class PowerLoss(BaseException):  # must pass through every `except Exception`
    """The guest was switched off while something acted for it."""


class Life:
    """Tells whether the guest is still on, and lets things wait in its time."""

    def __init__(self, speed: float) -> None:
        self.speed = max(speed, 0.001)
        self.lock = threading.RLock()
        self._over = threading.Event()
        self._awake = threading.Event()
        self._awake.set()
        self._ending: list[Callable[[], None]] = []

    @property
    def over(self) -> bool:
        """The power is off."""
        return self._over.is_set()

    def check(self) -> None:
        """Raise PowerLoss if the power is off; wait while the guest is suspended."""
        if self._over.is_set():
            raise PowerLoss
        if not self._awake.is_set():
            while not self._awake.wait(0.2):
                if self._over.is_set():
                    raise PowerLoss

    @contextmanager
    def guard(self) -> Iterator[None]:
        """Hold off the power failure for one change."""
        self.check()
        with self.lock:
            if self._over.is_set():
                raise PowerLoss
            yield

    def sleep(self, seconds: float) -> None:
        """Wait `seconds` of the guest's time.

        Raises:
            PowerLoss: power fails meanwhile.
        """
        self.wait_real(seconds / self.speed)

    def wait_real(self, seconds: float) -> None:
        """Wait `seconds` of real time.

        Raises:
            PowerLoss: power fails meanwhile.
        """
        if self._over.wait(max(seconds, 0.0)):
            raise PowerLoss
        self.check()

    def at_end(self, action: Callable[[], None]) -> None:
        """Have `action` called once power fails; at once if it has."""
        with self.lock:
            if not self._over.is_set():
                self._ending.append(action)
                return
        action()

    def freeze(self) -> None:
        """Suspend: whoever checks now waits."""
        self._awake.clear()

    def thaw(self) -> None:
        """Resume."""
        self._awake.set()

    def end(self) -> None:
        """Cut the power."""
        with self.lock:
            if self._over.is_set():
                return
            self._over.set()
            actions, self._ending = self._ending, []
        for action in actions:
            action()
