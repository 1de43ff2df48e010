"""Following what a CSE server started: its VCD task, or the effect where there is no task."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from cse_client.engines.server.answers import Wish
from cse_client.engines.server.extension import Extension
from cse_client.errors import (
    Conflict,
    CseError,
    Interrupted,
    NotFound,
    TaskFailed,
    TimedOut,
    VcdFault,
)
from cse_client.model import Event, EventKind, Progress, silent
from cse_client.vcd import tasks
from cse_client.vcd.gateway import Gateway
from cse_client.vcd.tasks import Task

__all__ = ["change_or_effect", "follow_effect", "follow_task", "gone", "refuse_older", "task_id"]

_FIRST_PAUSE = 1.0
_LONGEST_PAUSE = 10.0

#: How much an HTTP date may be behind the moment that it stands for, and a little more.
_CLOCK_GRAIN = timedelta(seconds=2)

#: Seconds that looks at the effect may fail before the server is taken for lost.
_PATIENCE = 180.0


def task_id(task_href: str) -> str:
    """Return what `vcd task wait` takes."""
    return task_href.rstrip("/").rsplit("/", 1)[-1]


def follow_task(
    gateway: Gateway,
    task_href: str,
    *,
    what: str,
    deadline: float,
    progress: Progress,
) -> Task:
    """Wait until a server's task has succeeded; its words become lines of progress.

    `what` names the operation as a noun: "creation of cluster 'demo'". Only the task's id is taken
    from `task_href`: the token must go to no other host than the session's.

    Raises:
        TaskFailed: it ended otherwise; the message holds the server's own, whole.
        TimedOut: the deadline passed; the server goes on.
        Interrupted: Ctrl-C; the server goes on.
        NotFound: the task cannot be seen by this user.
    """
    last = Task(gateway.task_href(task_id(task_href)), "running", operation=what)
    said = ""

    def show(task: Task) -> None:
        nonlocal last, said
        last = task
        text = said or _title(what)
        if task.operation and task.operation != what:
            text = task.operation
        if task.progress is not None:
            text = f"{text} ({task.progress} %)"
        if text != said and not task.ended:
            said = text
            progress(Event(EventKind.RUNNING, text))

    try:
        done = tasks.wait(gateway, last, deadline=deadline, on_progress=show)
    except TaskFailed as failure:
        progress(Event(EventKind.FAILED, _title(what)))
        if last.error:
            failure.message = f"the {what} failed: {last.error}"
        raise
    except KeyboardInterrupt:
        raise Interrupted(
            f"Interrupted; the CSE server goes on with the {what}.",
            hint=f"vcd task wait {last.id}",
        ) from None
    progress(Event(EventKind.DONE, _title(what)))
    return done


def follow_effect(
    gateway: Gateway,
    reached: Callable[[], bool],
    *,
    what: str,
    deadline: float,
    progress: Progress,
    look: str,
) -> None:
    """Wait until `reached` says that a change of which no task is known has taken place.

    `look` is the command that shows how far it is.

    Raises:
        TimedOut: the deadline passed, nobody knows how far the server got.
        Interrupted: Ctrl-C.
        CseError: what `reached` raises; faults of the way only when they last.
    """
    progress(
        Event(
            EventKind.WARNING,
            f"VCD gave no answer about the {what}; the server may still be at work on it, and "
            "this waits for its effect",
        )
    )
    pause = _FIRST_PAUSE
    silent_since: float | None = None
    try:
        while True:
            now = gateway.clock.monotonic()
            try:
                if reached():
                    break
                silent_since = None
            except VcdFault as fault:
                silent_since = now if silent_since is None else silent_since
                if fault.lasting or now - silent_since > _PATIENCE:
                    raise
            if now >= deadline:
                raise TimedOut(
                    f"the {what} showed no effect until the time was up; the CSE server may still "
                    "be at work on it",
                    hint=look,
                )
            gateway.clock.sleep(min(pause, max(0.0, deadline - now)))
            pause = min(pause * 1.5, _LONGEST_PAUSE)
    except KeyboardInterrupt:
        raise Interrupted(
            f"Interrupted; the CSE server may go on with the {what}.", hint=look
        ) from None
    except CseError:
        progress(Event(EventKind.FAILED, _title(what)))
        raise
    progress(Event(EventKind.DONE, _title(what)))


def change_or_effect(
    gateway: Gateway,
    send: Callable[[], Any],
    reached: Callable[[], bool],
    *,
    what: str,
    deadline: float,
    look: str,
    progress: Progress = silent,
    wait: bool = True,
) -> Any:
    """Send a change and return its answer; wait for its effect where VCD cut the answer off.

    Then the answer is None: the server takes a change for accepted that it has begun, so it is
    not sent again.

    Raises:
        CseError: what `send` raises; see `follow_effect` for the rest.
    """
    try:
        return send()
    except VcdFault as fault:
        if not fault.outcome_unknown:
            raise
        if not wait:
            fault.hint = f"the server may still be at work on it; see: {look}"
            raise
    follow_effect(gateway, reached, what=what, deadline=deadline, progress=progress, look=look)
    return None


def refuse_older(
    gateway: Gateway, server: Extension, name: str, vapp_href: str, began: float
) -> None:
    """Refuse to take a cluster for one whose creation got no answer, if it was there before.

    `began` is the moment of the gateway's clock at which the creation was sent. The vApp's age
    tells, by VCD's own clock; where either is not to be had, nothing is said.

    Raises:
        Conflict: it is older; the server has refused the creation, or will.
    """
    since = gateway.clock.monotonic()
    said = server.answer("/system", Wish("look at the CSE server")).headers.get("date", "")
    try:
        created = gateway.vapp(gateway.address(vapp_href)).created if vapp_href else None
        now = parsedate_to_datetime(said)
    except (CseError, TypeError, ValueError):
        return
    if created is None or now.tzinfo is None:
        return
    if created < now - timedelta(seconds=since - began) - _CLOCK_GRAIN:
        raise Conflict(
            f"VCD gave no answer about the creation of cluster '{name}', and there was a cluster "
            "of that name before.",
            hint=f"look whether it is yours: vcd cse cluster info {name}",
        )


def _title(what: str) -> str:
    return what[:1].upper() + what[1:]


def gone(look: Callable[[], object]) -> bool:
    """Say whether a look finds nothing any more."""
    try:
        look()
    except NotFound:
        return True
    return False
