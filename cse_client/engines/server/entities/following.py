"""Following a change of an entity to its end: the server's task, and then the entity itself.

A server 3.0 calls its task a success before it has written the entity, and after a failed resize,
too (container-service-extension 3.0.5, container_service_extension/def_/cluster_service.py
`_monitor_create`, `_monitor_resize`), so the task alone proves nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from cse_client import bounds, suggest
from cse_client.clock import backoff
from cse_client.content import capitalized
from cse_client.engines.server.entities import documents
from cse_client.engines.server.entities.documents import Found
from cse_client.engines.server.entities.reading import EntityReader
from cse_client.engines.server.traces import Traces
from cse_client.engines.server.waiting import (
    Unanswered,
    follow_effect,
    follow_task,
    gone,
    refuse_older,
    send_change,
    task_without_answer,
)
from cse_client.errors import Conflict, CseError, NotFound, TaskFailed
from cse_client.model import Event, EventKind, Progress, RunOptions
from cse_client.model.hrefs import href_id
from cse_client.model.server import ServedCluster

__all__ = ["Change", "EntityChanges", "idle"]

#: Seconds in which an entity must say what its task has said.
_SETTLING = 60.0
_FIRST_PAUSE = 0.3
_LONGEST_PAUSE = 5.0


@dataclass
class Change:
    """One change: what is sent, and how its effect is seen.

    `what` is a noun ("creation of cluster 'demo'"); `look` reads the entity anew, `done` says
    whether it is as wanted; `old_task` is the task that it named before. `seen` is the last look.
    A creation says its `vdc`: a server 3.0 may answer with another cluster of that name.
    `cluster` is the cluster's name; `began` is when it was sent (the client's clock).
    """

    method: str
    path: str
    what: str
    look: Callable[[], Found]
    done: Callable[[Found], bool]
    body: Mapping[str, Any] | None = None
    missing: str = ""
    old_task: str = ""
    show: str = field(default_factory=lambda: suggest.cse("cluster list"))
    seen: Found | None = None
    vdc: str = ""
    cluster: str = ""
    began: float = 0.0

    def reached(self) -> bool:
        """Look whether the change is complete.

        Raises:
            TaskFailed: it has failed.
        """
        try:
            now = self.look()
        except NotFound:
            if self.seen is None:
                return False
            raise TaskFailed(
                f"The {self.what} failed: the cluster no longer exists.", hint=self.show
            ) from None
        self.seen = now
        if now.busy:
            return False
        if now.failed and now.task != self.old_task:
            raise TaskFailed(
                f"The {self.what} failed: the cluster's phase is {now.phase}.", hint=self.show
            )
        return self.done(now)


class EntityChanges:
    """Sends changes and waits for their ends."""

    def __init__(self, reader: EntityReader) -> None:
        self._reader = reader
        self._vcd = reader.vcd

    def send(self, change: Change, options: RunOptions, progress: Progress) -> ServedCluster:
        """Carry a change out; return the cluster afterwards, or as it was answered.

        Raises:
            TaskFailed: it failed; with the server's whole message.
            TimedOut, Interrupted: it goes on.
        """
        deadline = self.deadline(options)
        answered = self._ask(change, options, progress, deadline)
        if not options.wait:
            if isinstance(answered, str):
                return self._reader.shown(change.look(), task_href=answered)
            return self._reader.shown(answered, task_href=answered.task)
        if not isinstance(answered, str):
            if change.vdc and answered.id and answered.vdc == change.vdc:
                identity = answered.id
                change.look = lambda: self._reader.read(identity)
            self.follow(change, answered.task, deadline, progress)
        return self._reader.shown(change.seen or change.look())

    def send_deletion(self, change: Change, options: RunOptions, progress: Progress) -> str:
        """Carry a deletion out; return the task's href where nobody waits for it."""
        deadline = self.deadline(options)
        answered = self._ask(change, options, progress, deadline, deletion=True)
        if isinstance(answered, str):
            return answered
        if options.wait:
            self.follow(change, answered.task, deadline, progress, deletion=True)
        return answered.task

    def _ask(
        self,
        change: Change,
        options: RunOptions,
        progress: Progress,
        deadline: float,
        *,
        deletion: bool = False,
    ) -> Found | str:
        """Send it and return the answer.

        Where no answer came, wait for the effect; or, where nobody waits, return its task's href.
        """
        change.began = self._vcd.clock.monotonic()
        answer = send_change(
            self._vcd,
            lambda: self._reader.server.change(
                change.method,
                change.path,
                f"start the {change.what}",
                deadline=deadline,
                body=change.body,
                missing=change.missing,
            ),
            lambda: self._await_effect(change, deadline, progress, deletion=deletion),
            what=change.what,
            look=change.show,
            traces=self._traces(change),
            wait=options.wait,
        )
        if isinstance(answer, Unanswered):
            return answer.task_href
        return documents.found(answer, f"the {change.what}")

    def _traces(self, change: Change) -> Traces:
        user = self._reader.session.user
        return Traces(self._vcd, user, change.cluster, change.began)

    def follow(
        self,
        change: Change,
        href: str,
        deadline: float,
        progress: Progress,
        *,
        deletion: bool = False,
    ) -> None:
        """Wait for the end of a change whose task is `href`; by its effect where there is none."""
        if not href:
            self._await_effect(change, deadline, progress, deletion=deletion)
            return
        try:
            follow_task(self._vcd, href, what=change.what, deadline=deadline, progress=progress)
        except NotFound:
            # the administrator's task may be hidden from this user
            self._await_effect(change, deadline, progress, deletion=deletion, hidden=True)
            return
        if not deletion:
            self._settle(change, deadline, progress)

    def _await_effect(
        self,
        change: Change,
        deadline: float,
        progress: Progress,
        *,
        deletion: bool,
        hidden: bool = False,
    ) -> None:
        """Wait for the effect, and follow the task as soon as one is known (and not `hidden`).

        Only the task has the server's message about a failure. The entity names it; else VCD's list
        of tasks does.
        """

        def reached() -> bool:
            if deletion:
                return gone(change.look)
            first = change.seen is None
            done = change.reached()
            if first and change.vdc and change.seen is not None and not hidden:
                href = change.seen.external_id
                refuse_older(self._vcd, change.seen.name, href, change.began)
            return done

        traces = None if hidden else _EntityTraces(self._traces(change), change)
        # a server 3.0 deletes the entity first and then the vApp (def_/cluster_service.py)
        first_step = deletion and not self._reader.dialect.second_generation and traces is not None
        by_effect = follow_effect(
            self._vcd,
            reached,
            what=change.what,
            deadline=deadline,
            progress=_without_end(progress) if first_step else progress,
            look=change.show,
            traces=traces,
            seen=lambda: change.seen is not None and (change.vdc != "" or change.seen.busy),
        )
        if not by_effect and not deletion:
            self._settle(change, deadline, progress)
        if by_effect and first_step and traces is not None:
            href = task_without_answer(self._vcd, traces)
            if href:
                self.follow(change, href, deadline, progress, deletion=True)
            else:
                progress(Event(EventKind.DONE, capitalized(change.what)))

    def _settle(self, change: Change, deadline: float, progress: Progress) -> None:
        """Wait until the entity shows what the task has reported."""
        clock = self._vcd.clock
        until = min(deadline, clock.monotonic() + _SETTLING)
        for pause in backoff(_FIRST_PAUSE, _LONGEST_PAUSE, 2):
            if self._reached(change):
                return
            if clock.monotonic() >= until:
                text = (
                    f"The {change.what} has ended, but the cluster's entity does not show it yet."
                )
                progress(Event(EventKind.WARNING, text))
                return
            clock.sleep(pause)

    def _reached(self, change: Change) -> bool:
        try:
            return change.reached()
        except TaskFailed:
            raise
        except CseError as error:
            error.notes.append("The change itself has succeeded; only reading it back failed.")
            raise

    def deadline(self, options: RunOptions) -> float:
        """Return the moment of the client's clock until which a change is waited for."""
        return self._vcd.clock.monotonic() + bounds.share(options.timeout)


def idle(one: Found) -> Found:
    """Return an entity that nothing is at work on.

    Raises:
        Conflict: something is at work on it.
    """
    if one.busy:
        task = href_id(one.task)
        raise Conflict(
            f"The CSE server is still processing cluster '{one.name}' ({one.phase}).",
            hint=suggest.vcd("task wait", task) if task else suggest.cse("cluster info", one.name),
        )
    return one


class _EntityTraces:
    """The task that an entity names, and VCD's list of tasks where it names none."""

    def __init__(self, listed: Traces, change: Change) -> None:
        self._listed = listed
        self._change = change
        self._hidden: set[str] = set()

    @property
    def usable(self) -> bool:
        """Whether tasks can be seen at all."""
        return self._listed.usable

    def task(self) -> str:
        """Return the href of the change's task; empty while none is known."""
        now = self._change.seen
        named = now.task if now is not None and (now.busy or now.failed) else ""
        if named and named != self._change.old_task and named not in self._hidden:
            return named
        return self._listed.task()

    def drop(self, href: str) -> None:
        """Forget a task that this user cannot see."""
        self._hidden.add(href)
        self._listed.drop(href)


def _without_end(progress: Progress) -> Progress:
    """Return a progress that leaves out the end of what is only a first step."""

    def show(event: Event) -> None:
        if event.kind is not EventKind.DONE:
            progress(event)

    return show
