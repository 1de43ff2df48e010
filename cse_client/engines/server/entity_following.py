"""Following a change of an entity to its end: the server's task, and then the entity itself.

A server 3.0 calls its task a success before it has written the entity, and after a failed resize,
too (container-service-extension 3.0.5, container_service_extension/def_/cluster_service.py
`_monitor_create`, `_monitor_resize`), so the task alone proves nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from cse_client.engines.server import entity_documents as documents
from cse_client.engines.server.entity_documents import Found
from cse_client.engines.server.entity_reading import EntityReading
from cse_client.engines.server.waiting import follow_effect, follow_task, gone, refuse_older
from cse_client.errors import Conflict, CseError, NotFound, TaskFailed, VcdFault
from cse_client.model import Event, EventKind, Progress, RunOptions
from cse_client.model.server import ServedCluster

__all__ = ["Change", "EntityFollowing", "idle"]

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
    `began` is when it was sent (the gateway's clock).
    """

    method: str
    path: str
    what: str
    look: Callable[[], Found]
    done: Callable[[Found], bool]
    body: Mapping[str, Any] | None = None
    missing: str = ""
    old_task: str = ""
    show: str = "vcd cse cluster list"
    seen: Found | None = None
    vdc: str = ""
    began: float = 0.0

    @property
    def started(self) -> bool:
        """Whether the last look found the server at work, and on which task."""
        now = self.seen
        return now is not None and now.busy and now.task not in ("", self.old_task)

    def reached(self) -> bool:
        """Look whether the change has taken place. Raises TaskFailed when it has failed."""
        try:
            now = self.look()
        except NotFound:
            if self.seen is None:
                return False
            raise TaskFailed(
                f"the {self.what} failed: the cluster was there and is gone", hint=self.show
            ) from None
        self.seen = now
        if now.busy:
            return False
        if now.failed and now.task != self.old_task:
            raise TaskFailed(
                f"the {self.what} failed: the cluster's phase is {now.phase}", hint=self.show
            )
        return self.done(now)


class EntityFollowing(EntityReading):
    """Sends changes and waits for their ends."""

    def _send(self, change: Change, options: RunOptions, progress: Progress) -> ServedCluster:
        """Carry a change out; return the cluster afterwards, or as it was answered.

        Raises:
            TaskFailed: it failed; with the server's whole message.
            TimedOut, Interrupted: it goes on.
        """
        deadline = self._deadline(options)
        answered = self._ask(change, options, progress, deadline)
        if not options.wait:
            if answered is None:
                raise VcdFault(
                    f"the CSE server gave no answer about the {change.what}", hint=change.show
                )
            return documents.cluster(answered, server=self._found.seen, task_href=answered.task)
        if answered is not None:
            if change.vdc and answered.id and answered.vdc == change.vdc:
                identity = answered.id
                change.look = lambda: self._read(identity)
            self._follow(change, answered.task, deadline, progress)
        return documents.cluster(change.seen or change.look(), server=self._found.seen)

    def _send_deletion(self, change: Change, options: RunOptions, progress: Progress) -> str:
        """Carry a deletion out; return the task's href where nobody waits for it."""
        deadline = self._deadline(options)
        answered = self._ask(change, options, progress, deadline, deletion=True)
        href = answered.task if answered is not None else ""
        if options.wait and answered is not None:
            self._follow(change, href, deadline, progress, deletion=True)
        return href

    def _ask(
        self,
        change: Change,
        options: RunOptions,
        progress: Progress,
        deadline: float,
        *,
        deletion: bool = False,
    ) -> Found | None:
        """Send it; None where no answer came and the effect has been waited for."""
        change.began = self._gateway.clock.monotonic()
        try:
            said = self._server.change(
                change.method,
                change.path,
                f"start the {change.what}",
                deadline=deadline,
                body=change.body,
                missing=change.missing,
            )
            if said is None:
                raise VcdFault("the CSE server gave an empty answer", outcome_unknown=True)
        except VcdFault as fault:
            if not fault.outcome_unknown:
                raise
            if not options.wait:
                fault.hint = f"the server may still be at work on it; see: {change.show}"
                raise
            self._await_effect(change, deadline, progress, deletion=deletion)
            return None
        return documents.found(said, f"the {change.what}")

    def _follow(
        self,
        change: Change,
        href: str,
        deadline: float,
        progress: Progress,
        *,
        deletion: bool = False,
    ) -> None:
        if not href:
            self._await_effect(change, deadline, progress, deletion=deletion)
            return
        try:
            follow_task(self._gateway, href, what=change.what, deadline=deadline, progress=progress)
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
        """Wait for the effect; where the entity comes to name its task (not `hidden`), for that.

        Only the task has the server's words about a failure.
        """
        held: list[Event] = []

        def show(event: Event) -> None:
            (held.append if event.kind is EventKind.DONE else progress)(event)

        def reached() -> bool:
            if deletion:
                return gone(change.look)
            first = change.seen is None
            done = change.reached() or (change.started and not hidden)
            if first and change.vdc and change.seen is not None and not hidden:
                href = change.seen.external_id
                refuse_older(self._gateway, self._root, change.seen.name, href, change.began)
            return done

        follow_effect(
            self._gateway,
            reached,
            what=change.what,
            deadline=deadline,
            progress=show,
            look=change.show,
        )
        if change.seen is not None and change.started and not hidden:
            self._follow(change, change.seen.task, deadline, progress)
            return
        for event in held:
            progress(event)

    def _settle(self, change: Change, deadline: float, progress: Progress) -> None:
        """Wait until the entity says what the task has said already."""
        clock = self._gateway.clock
        until = min(deadline, clock.monotonic() + _SETTLING)
        pause = _FIRST_PAUSE
        while not self._reached(change):
            if clock.monotonic() >= until:
                text = f"the {change.what} has ended, but the cluster's entity does not show it yet"
                progress(Event(EventKind.WARNING, text))
                return
            clock.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)

    def _reached(self, change: Change) -> bool:
        try:
            return change.reached()
        except TaskFailed:
            raise
        except CseError as error:
            error.notes.append("the change itself has succeeded; only reading it back failed")
            raise

    def _deadline(self, options: RunOptions) -> float:
        return self._gateway.clock.monotonic() + options.timeout


def idle(one: Found) -> Found:
    """Return an entity that nothing is at work on. Raises Conflict for another one."""
    if one.busy:
        task = one.task.rstrip("/").rsplit("/", 1)[-1]
        raise Conflict(
            f"the CSE server is at work on cluster '{one.name}' ({one.phase})",
            hint=f"vcd task wait {task}" if task else f"vcd cse cluster info {one.name}",
        )
    return one
