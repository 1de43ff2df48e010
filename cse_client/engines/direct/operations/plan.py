"""Decide, then do: an operation as steps that can be listed, repeated and resumed.

A step knows by looking whether it is done already, so running a plan again after a crash carries
out only what is missing; a dry run lists the sentences; progress is the plan's length.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cse_client.errors import VcdFault
from cse_client.model import Event, EventKind, Progress

__all__ = ["Step", "carry_out"]

_ATTEMPTS = 3


@dataclass(frozen=True)
class Step:
    """One thing to do.

    `title` is shown while it runs, `sentence` in a dry run. `done` answers from what was last
    observed, without a request; `run` does it and may be repeated.
    """

    title: str
    sentence: str
    done: Callable[[], bool]
    run: Callable[[], None]


def carry_out(steps: Sequence[Step], progress: Progress, observe: Callable[[], None]) -> None:
    """Run the steps that are not done yet, in order, reporting each.

    When a request's outcome is unknown (the connection broke after it was sent), `observe` is
    called to look at the world again and the step is repeated only if it turns out not done.
    Raises what a step raises, after a FAILED event.
    """
    total = len(steps)
    for number, step in enumerate(steps, start=1):
        if step.done():
            progress(Event(EventKind.DONE, f"{step.title} (already done)", number, total))
            continue
        progress(Event(EventKind.STARTED, step.title, number, total))
        try:
            _perform(step, observe)
        except BaseException:
            progress(Event(EventKind.FAILED, step.title, number, total))
            raise
        progress(Event(EventKind.DONE, step.title, number, total))


def _perform(step: Step, observe: Callable[[], None]) -> None:
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            step.run()
            return
        except VcdFault as fault:
            if not fault.outcome_unknown or attempt == _ATTEMPTS:
                raise
            observe()
            if step.done():
                return
