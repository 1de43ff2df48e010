"""Following what a CSE server started: its VCD task, or the effect where there is no task."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from cse_client import suggest
from cse_client.clock import backoff
from cse_client.content import capitalized
from cse_client.engines.server.traces import Trail, sent_at
from cse_client.errors import (
    Conflict,
    CseError,
    Interrupted,
    NotFound,
    Refused,
    SessionInvalid,
    TaskFailed,
    TimedOut,
    VcdFault,
)
from cse_client.model import Event, EventKind, Progress, silent
from cse_client.model.hrefs import href_id
from cse_client.vcd import tasks
from cse_client.vcd.client import VcdClient
from cse_client.vcd.tasks import Task

__all__ = [
    "NO_TRACE",
    "Unanswered",
    "change_or_effect",
    "follow_effect",
    "follow_task",
    "gone",
    "gone_soon",
    "refuse_older",
    "send_change",
    "task_without_answer",
]

_FIRST_PAUSE = 1.0
_LONGEST_PAUSE = 10.0

#: Seconds after which a change without an answer, of which there is neither task nor effect, is
#: given up. A server makes the task before anything else.
NO_TRACE = 300.0
_QUICK_LOOKS = 5
#: How much older than its creation's request a new vApp may seem.
_CLOCK_GRAIN = timedelta(seconds=1)
#: Seconds that VCD may still show what was deleted.
_LAG = 20.0

#: Seconds that looks at the effect may fail before the server is taken for lost.
_PATIENCE = 180.0


def follow_task(
    vcd: VcdClient,
    task_href: str,
    *,
    what: str,
    deadline: float,
    progress: Progress,
) -> Task:
    """Wait until a server's task has succeeded; its texts become lines of progress.

    `what` names the operation as a noun: "creation of cluster 'demo'". Only the task's id is taken
    from `task_href`: the token must go to no other host than the session's.

    Raises:
        TaskFailed: it ended otherwise; the message holds the server's own, whole.
        TimedOut: the deadline passed; the server goes on.
        Interrupted: Ctrl-C; the server goes on.
        NotFound: the task cannot be seen by this user.
    """
    last = Task(vcd.task_href(href_id(task_href)), "running", operation=what)
    said = ""

    def show(task: Task) -> None:
        nonlocal last, said
        last = task
        text = said or capitalized(what)
        if task.operation and task.operation != what:
            text = task.operation
        if task.progress is not None:
            text = f"{text} ({task.progress} %)"
        if text != said and not task.ended:
            said = text
            progress(Event(EventKind.RUNNING, text))

    try:
        done = tasks.wait(vcd, last, deadline=deadline, on_progress=show)
    except TaskFailed as failure:
        progress(Event(EventKind.FAILED, capitalized(what)))
        if last.error:
            failure.message = f"The {what} failed: {last.error.rstrip('.')}."
        raise
    except KeyboardInterrupt:
        raise Interrupted(
            f"Interrupted; the CSE server continues the {what}.",
            hint=suggest.vcd("task wait", last.id),
        ) from None
    progress(Event(EventKind.DONE, capitalized(what)))
    return done


def follow_effect(
    vcd: VcdClient,
    reached: Callable[[], bool],
    *,
    what: str,
    deadline: float,
    progress: Progress,
    look: str,
    traces: Trail | None = None,
    seen: Callable[[], bool] = lambda: False,
) -> bool:
    """Wait until `reached` says that a change without an answer is complete.

    `look` is the command that shows how far it is; `traces` finds the server's task for it, and
    once found that is followed instead. Without a task, and until `seen` says that something of the
    change was seen, nobody waits longer than `NO_TRACE` seconds: the server has refused it, or is
    down. Returns whether `reached` has said so; False where the task has ended instead.

    Raises:
        TaskFailed: it has failed; raised at once.
        TimedOut: the deadline passed, nobody knows how far the server got.
        Interrupted: Ctrl-C.
        CseError: what `reached` raises, where that lasts; an access that is denied as well, because
            a vApp that is being deleted answers 403 for a moment.
    """
    progress(
        Event(
            EventKind.WARNING,
            f"VCD gave no answer about the {what}. The server may still be processing it; waiting "
            "for its effect.",
        )
    )
    began = vcd.clock.monotonic()
    while True:
        try:
            href = _await_sign(
                vcd, reached, what, began, deadline, look=look, traces=traces, seen=seen
            )
        except KeyboardInterrupt:
            raise Interrupted(
                f"Interrupted; the CSE server may continue the {what}.", hint=look
            ) from None
        except CseError:
            progress(Event(EventKind.FAILED, capitalized(what)))
            raise
        if not href:
            progress(Event(EventKind.DONE, capitalized(what)))
            return True
        if _followed(vcd, href, traces, what, deadline, progress):
            return False


def _await_sign(
    vcd: VcdClient,
    reached: Callable[[], bool],
    what: str,
    began: float,
    deadline: float,
    *,
    look: str,
    traces: Trail | None,
    seen: Callable[[], bool],
) -> str:
    """Wait for the effect, which is empty text, or for the task, whose href is returned."""
    clock = vcd.clock
    failing_since: float | None = None
    for pause in backoff(_FIRST_PAUSE, _LONGEST_PAUSE, 1.5):
        now = clock.monotonic()
        try:
            if reached():
                return ""
            failing_since = None
        except SessionInvalid:
            raise
        except TaskFailed:
            # the task has the server's own message
            href = traces.task() if traces is not None else ""
            if href:
                return href
            raise
        except (VcdFault, Refused) as fault:
            failing_since = now if failing_since is None else failing_since
            lasting = isinstance(fault, VcdFault) and fault.lasting
            if lasting or now - failing_since > _PATIENCE:
                raise
        href = traces.task() if traces is not None else ""
        if href:
            return href
        silent = traces is not None and traces.usable and not seen()
        if silent and now - began >= NO_TRACE and now < deadline:
            raise _no_trace(what, look)
        if now >= deadline:
            raise TimedOut(
                f"The {what} showed no effect before the timeout expired; the CSE server may still "
                "be processing it.",
                hint=look,
            )
        clock.sleep(min(pause, max(0.0, deadline - now)))
    raise AssertionError("unreachable")


def _followed(
    vcd: VcdClient,
    href: str,
    traces: Trail | None,
    what: str,
    deadline: float,
    progress: Progress,
) -> bool:
    """Follow a task that was found to its end; return whether it could be seen."""
    try:
        follow_task(vcd, href, what=what, deadline=deadline, progress=progress)
    except NotFound:
        if traces is not None:
            traces.drop(href)
        return False
    return True


def _no_trace(what: str, look: str) -> TimedOut:
    return TimedOut(
        f"VCD gave no answer about the {what}, and after {NO_TRACE / 60:.0f} minutes it has "
        "had no effect: the CSE server has refused it, or has not started it.",
        hint=f"If the following shows no effect, run the same command again: {look}",
    )


@dataclass(frozen=True)
class Unanswered:
    """The outcome of a change whose answer was lost.

    It was followed to its end; or, where nobody waits, `task_href` is the server's task for it.
    """

    task_href: str = ""


def send_change(
    vcd: VcdClient,
    send: Callable[[], Any],
    follow: Callable[[], object],
    *,
    what: str,
    look: str,
    traces: Trail,
    wait: bool,
) -> Any:
    """Send a change that a task carries out; return its answer, or `Unanswered` where it was lost.

    The server regards a change that it has begun as accepted, so it is not sent again: `follow`
    waits for its effect. An empty answer counts as lost. `what` is a noun, `look` the command
    that shows the state of the change.

    Raises:
        TimedOut: nobody waits, and there is no task to be seen.
        CseError: what `send` and `follow` raise.
    """
    try:
        answer = send()
        if answer is None:
            raise VcdFault("The CSE server gave an empty answer.", outcome_unknown=True)
    except VcdFault as fault:
        if not fault.outcome_unknown:
            raise
        if wait:
            follow()
            return Unanswered()
        href = task_without_answer(vcd, traces)
        if not href:
            raise _unanswered(what, look, fault) from None
        return Unanswered(href)
    return answer


def change_or_effect(
    vcd: VcdClient,
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
            raise _unanswered(what, look, fault) from None
    follow_effect(
        vcd,
        reached,
        what=what,
        deadline=deadline,
        progress=progress,
        look=look,
    )
    return None


def _unanswered(what: str, look: str, fault: VcdFault) -> TimedOut:
    """Make the error for a change without an answer that nobody waits for."""
    return TimedOut(
        f"VCD gave no answer about the {what} ({fault.clause}); the CSE server may still be "
        "processing it.",
        hint=look,
    )


def task_without_answer(vcd: VcdClient, traces: Trail) -> str:
    """Return the href of the task of a change without an answer, looked for a moment."""
    for left in reversed(range(_QUICK_LOOKS)):
        href = traces.task()
        if href or not traces.usable or not left:
            return href
        vcd.clock.sleep(_FIRST_PAUSE)
    return ""


def refuse_older(vcd: VcdClient, name: str, vapp_href: str, began: float) -> None:
    """Refuse to take a cluster for one whose creation got no answer, if it was there before.

    `began` is the moment of the client's clock at which the creation was sent. The vApp's age
    tells, by VCD's own clock; where either is not known, nothing is refused.

    Raises:
        Conflict: it is older; the server has refused the creation, or will.
    """
    try:
        created = vcd.vapp(vcd.session.address(vapp_href)).created if vapp_href else None
    except CseError:
        return
    since = sent_at(vcd, began) if created is not None else None
    if created is not None and since is not None and created < since - _CLOCK_GRAIN:
        raise Conflict(
            f"VCD gave no answer about the creation of cluster '{name}', and there was a cluster "
            "of that name before.",
            hint=f"Check whether it is yours: {suggest.cse('cluster info', name)}",
        )


def gone(look: Callable[[], object]) -> bool:
    """Return whether a look finds nothing any more."""
    try:
        look()
    except NotFound:
        return True
    return False


def gone_soon(vcd: VcdClient, look: Callable[[], object]) -> bool:
    """Return whether a look finds nothing after a deletion that has succeeded.

    VCD's lists are a little behind: for a moment a deleted cluster is still shown, or denied (403).
    """
    until = vcd.clock.monotonic() + _LAG
    while True:
        try:
            if gone(look):
                return True
        except SessionInvalid:
            raise
        except (VcdFault, Refused):
            pass
        if vcd.clock.monotonic() >= until:
            return False
        vcd.clock.sleep(_FIRST_PAUSE)
