"""A unit of the service manager and its state."""

from __future__ import annotations

import threading
import time
from typing import Protocol

from cse_client.simulator.guest.jobs import Job
from cse_client.simulator.guest.units import UnitFile

__all__ = ["Native", "Unit"]


class Native(Protocol):
    """A service that the simulator plays itself, such as the kubelet."""

    def begin(self) -> None:
        """Start.

        Raises:
            OSError: with what the journal shows when it cannot.
        """

    def end(self) -> None:
        """Stop."""


class Unit:
    """One unit and its state."""

    def __init__(self, name: str, file: UnitFile) -> None:
        self.name = name
        self.file = file
        self.state = "inactive"
        self.sub = "dead"
        self.result = "success"
        self.code = 0
        self.since = 0.0
        self.stopping = False
        self.supervised = False
        self.settled = threading.Event()
        self.settled.set()
        self.job: Job | None = None
        self.starts: list[float] = []

    def told_to_stop(self) -> bool:
        """Somebody stops the unit; read each time, because other threads set it."""
        return self.stopping

    def become(self, state: str, sub: str) -> None:
        """Enter a state."""
        self.state, self.sub = state, sub
        self.since = time.time()
        if state != "activating" or sub == "auto-restart":
            self.settled.set()
