"""VCD tasks: waiting for them with a deadline, and repeating what may be repeated.

pyvcloud's own monitor is not used: it never times out, loops for ever on a canceled task and polls
every five seconds (pyvcloud:pyvcloud/vcd/client.py `_TaskMonitor`).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from cse_client import suggest
from cse_client.clock import Clock, backoff, polling
from cse_client.errors import CseError, NotFound, Refused, TaskFailed, TimedOut, VcdFault
from cse_client.model.hrefs import href_id
from cse_client.vcd.errors import EntityBusy, cure

__all__ = ["Task", "change", "done", "wait", "wait_all"]

_Result = TypeVar("_Result")

#: Seconds that VCD may be unreachable in the middle of a wait before the wait is given up.
_PATIENCE = 180.0

#: An entity may stay locked for so many seconds after the task that held it has ended.
_UNLOCKING = 0.1
#: Seconds between two attempts of a change that found its entity busy.
_BUSY_PAUSE = 1.0
_BUSY_LONGEST = 15.0
_REPEATS = 5

#: Looks at a task at the moment at which its progress lets it end, instead of up to a second later.
#: A task whose progress stands still is looked at as often as any other after these.
_FORESEEN_LOOKS = 2
_SHORTEST_PAUSE = 0.1
_ALL = 100  # per cent

_ENDED = ("success", "error", "canceled", "aborted")


@dataclass(frozen=True)
class Task:
    """A VCD task.

    `status` is one of queued, preRunning, running, success, error, canceled, aborted; `operation`
    is VCD's sentence (its tense changes at the end), `operation_name` the stable word for it;
    `progress` is per cent, None where VCD does not say.
    """

    href: str
    status: str
    operation: str = ""
    operation_name: str = ""
    error: str = ""
    code: str = ""
    request_id: str = ""
    progress: int | None = None

    @property
    def id(self) -> str:
        """Return what `vcd task wait` takes."""
        return href_id(self.href)

    @property
    def ended(self) -> bool:
        """Return whether nothing more will happen."""
        return self.status in _ENDED

    @property
    def name(self) -> str:
        """Return what to call it in a message."""
        return self.operation or self.operation_name or f"task {self.id}"


class TaskSource(Protocol):
    """What a waiter needs: one look at a task, and a clock."""

    @property
    def clock(self) -> Clock:
        """Return the clock to wait by."""

    def task(self, href: str) -> Task:
        """Read the task once."""

    def task_href(self, task_id: str) -> str:
        """Return the address of a task of which only the id is known."""


OnProgress = Callable[[Task], None]


def wait(
    vcd: TaskSource,
    task: Task,
    *,
    deadline: float,
    on_progress: OnProgress | None = None,
) -> Task:
    """Wait until the task has succeeded and return its last state.

    `deadline` is a moment of the client's monotonic clock.

    Raises:
        TaskFailed: it ended in error, canceled or aborted; with VCD's own message.
        TimedOut: the deadline passed; the task goes on in VCD.
        SessionInvalid: the session ended meanwhile; the task goes on in VCD.
    """
    return wait_all(vcd, [task], deadline=deadline, on_progress=on_progress)[0]


def wait_all(
    vcd: TaskSource,
    tasks: Sequence[Task],
    *,
    deadline: float,
    on_progress: OnProgress | None = None,
) -> list[Task]:
    """Wait for several tasks that run at the same time; return their last states in order.

    All are waited for even when one fails, so that nothing is still at work when the first
    failure is raised; the other failures are its notes. They are looked at one after the other,
    each until it has ended, so that waiting for many costs one request more for each.

    Raises:
        TaskFailed, TimedOut, SessionInvalid: see `wait`.
    """
    began = vcd.clock.monotonic()
    states = [_Watched(task, began) for task in tasks]
    pauses = polling(vcd.clock)
    paused = False
    for state in states:
        if on_progress:
            on_progress(state.task)
        while not state.task.ended:
            if not paused:
                pause = state.sooner(next(pauses), vcd.clock.monotonic())
                _pause(vcd.clock, pause, deadline, states)
            state.look(vcd)
            if on_progress:
                on_progress(state.task)
            # the next one has been at work for as long as the one that has just ended
            paused = state.task.ended
    failures = [_failure(state.task) for state in states if state.task.status != "success"]
    if failures:
        failures[0].notes.extend(failure.message for failure in failures[1:])
        raise failures[0]
    return [state.task for state in states]


def change(
    vcd: TaskSource,
    call: Callable[[], _Result],
    deadline: float,
    *,
    idempotent: bool = False,
) -> _Result:
    """Make a change, again if its entity was busy or the request never reached VCD.

    A change whose outcome is unknown, or that VCD failed to make, is repeated only if it is
    `idempotent`; otherwise its `VcdFault` (with `outcome_unknown`) goes to the caller, who has to
    look.

    Raises:
        TimedOut: the entity was busy until the deadline.
        CseError: whatever else `call` raises.
    """
    repeats = 0
    for pause in backoff(_BUSY_PAUSE, _BUSY_LONGEST, 2):
        try:
            return call()
        except EntityBusy as busy:
            if vcd.clock.monotonic() >= deadline:
                raise TimedOut(busy.message, hint=busy.hint) from busy
            _let_the_other_finish(vcd, busy, pause, deadline)
        except VcdFault as fault:
            repeats += 1
            late = vcd.clock.monotonic() + pause >= deadline
            again = fault.repeatable or (idempotent and _may_pass(fault))
            if not again or late or repeats > _REPEATS:
                raise
            vcd.clock.sleep(_jittered(pause))
    raise AssertionError("unreachable")


def done(
    vcd: TaskSource,
    call: Callable[[], Task],
    *,
    deadline: float,
    idempotent: bool = False,
) -> Task:
    """Make a change and wait until its task has succeeded; return the task's last state.

    Raises what `change` and `wait` raise.
    """
    return wait(vcd, change(vcd, call, deadline, idempotent=idempotent), deadline=deadline)


def _may_pass(fault: VcdFault) -> bool:
    """Return whether what happened may not happen again: no answer, or a server in trouble."""
    return not fault.lasting and (fault.outcome_unknown or fault.status >= 500)  # noqa: PLR2004


class _Watched:
    """One task under watch: since when, and since when VCD has not answered about it."""

    def __init__(self, task: Task, began: float) -> None:
        self.task = task
        self._began = began
        self._foreseen = 0
        self._silent_since: float | None = None

    def sooner(self, pause: float, now: float) -> float:
        """Return a pause before the next look; less where the task's progress lets it end sooner.

        VCD estimates the progress, so this happens only a few times.
        """
        done = self.task.progress or 0
        if not 0 < done < _ALL or self._foreseen == _FORESEEN_LOOKS:
            return pause
        left = max(_SHORTEST_PAUSE, (now - self._began) * (_ALL - done) / done)
        if left >= pause:
            return pause
        self._foreseen += 1
        return left

    def look(self, vcd: TaskSource) -> None:
        """Read the task's state; tolerate a VCD that cannot be reached for a while."""
        try:
            self.task = vcd.task(self.task.href)
        except VcdFault as fault:
            now = vcd.clock.monotonic()
            if self._silent_since is None:
                self._silent_since = now
            passing = fault.unanswered or fault.status >= 500 or fault.repeatable  # noqa: PLR2004
            if not passing or fault.lasting or now - self._silent_since > _PATIENCE:
                fault.notes.append(_goes_on(self.task))
                raise
        except CseError as error:
            error.notes.append(_goes_on(self.task))
            raise
        else:
            self._silent_since = None


def _pause(clock: Clock, pause: float, deadline: float, states: Sequence[_Watched]) -> None:
    """Pause before a look.

    Raises:
        TimedOut: the deadline has passed.
    """
    remaining = deadline - clock.monotonic()
    if remaining <= 0:
        raise _too_late([state.task for state in states if not state.task.ended])
    clock.sleep(min(pause, remaining))


def _let_the_other_finish(vcd: TaskSource, busy: EntityBusy, pause: float, deadline: float) -> None:
    """Wait for the task that holds the entity, or a while where it is not known."""
    remaining = max(0.0, deadline - vcd.clock.monotonic())
    if busy.task_id:
        try:
            other = vcd.task(vcd.task_href(busy.task_id))
            wait(vcd, other, deadline=deadline)
        except (TaskFailed, TimedOut):
            # How the other's task ended is not our affair; it no longer holds the entity, or the
            # deadline has passed, which the caller notices.
            pass
        except (VcdFault, NotFound, Refused):
            vcd.clock.sleep(min(_jittered(pause), remaining))
        else:
            # The lock may be let go of a moment after the task has ended.
            vcd.clock.sleep(min(_UNLOCKING, remaining))
        return
    vcd.clock.sleep(min(_jittered(pause), remaining))


def _jittered(pause: float) -> float:
    """Spread attempts, so that two clients do not meet again and again."""
    return pause * random.uniform(0.5, 1.0)  # noqa: S311 - no secret depends on it


def _failure(task: Task) -> TaskFailed:
    reason = task.error.rstrip(".") or f"VCD gives no reason; the task is {task.status}"
    request = f" (request {task.request_id})" if task.request_id else ""
    return TaskFailed(
        f'Task "{task.name}" failed: {reason}{request}.',
        hint=cure(reason)
        or f"`{suggest.vcd('task list')}` lists the tasks; this one is {task.id}.",
        code=task.code,
        request_id=task.request_id,
    )


def _too_late(pending: Sequence[Task]) -> TimedOut:
    first = pending[0]
    more = f" and {len(pending) - 1} more" if len(pending) > 1 else ""
    return TimedOut(
        f'Task "{first.name}"{more} was still {first.status} when the timeout expired.',
        hint=f"It continues in VCD; `{suggest.vcd('task wait', first.id)}` waits for its end.",
    )


def _goes_on(task: Task) -> str:
    wait = suggest.vcd("task wait", task.id)
    return f'Task "{task.name}" continues in VCD; `{wait}` waits for its end.'
