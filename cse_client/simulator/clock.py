"""The simulator's clock: real time plus an offset that tests can move forward.

Leases, session lifetimes, certificate validity and task ages are all read from one `Clock`, so a
test can let a week pass in one call. It may also be wrong: then no time passes, and only the time
of day that VCD shows is another.
"""

from __future__ import annotations

import threading
import time
from datetime import datetime, timedelta, timezone

__all__ = ["Clock"]


class Clock:
    """Real time shifted by an offset in seconds; safe to use from several threads."""

    def __init__(self) -> None:
        self._offset = 0.0
        #: Seconds by which the time of day is wrong.
        self.error = 0.0
        self._lock = threading.Lock()

    def now(self) -> datetime:
        """Return the simulated time, timezone-aware, in UTC."""
        with self._lock:
            offset = self._offset + self.error
        return datetime.now(timezone.utc) + timedelta(seconds=offset)

    def monotonic(self) -> float:
        """Return seconds that only grow, the offset included."""
        with self._lock:
            return time.monotonic() + self._offset

    def advance(self, seconds: float) -> None:
        """Move the clock forward by `seconds`; a negative number raises ValueError."""
        if seconds < 0:
            raise ValueError("the simulator's clock cannot go back")
        with self._lock:
            self._offset += seconds
