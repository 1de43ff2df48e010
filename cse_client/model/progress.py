"""Progress of a long command: the events that an engine reports and a terminal shows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

__all__ = ["Event", "EventKind", "Progress", "silent"]


class EventKind(str, Enum):
    """What a progress event says."""

    STARTED = "started"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    WARNING = "warning"
    NOTE = "note"
    PHASE = "phase"


@dataclass(frozen=True)
class Event:
    """A line of progress. `step` of `total` when it belongs to a plan (1-based), else 0.

    `share` is how much is done, from 0 to 1, None where that is not known; `detail` goes with it.
    `node` and `phase` are set where a node has entered a phase (`PHASE`), which is for programs:
    the texts for people count such nodes.
    """

    kind: EventKind
    text: str
    step: int = 0
    total: int = 0
    share: float | None = None
    detail: str = ""
    node: str = ""
    phase: str = ""


Progress = Callable[[Event], None]


def silent(_event: Event) -> None:
    """Drop a progress event."""
