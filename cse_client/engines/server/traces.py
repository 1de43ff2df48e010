"""The traces in VCD of a change whose answer was cut off: the task that the server made for it.

A CSE server makes the task before it answers, in the name of the caller, with the cluster's name in
its text; when the task fails, the text is blanked and only the error stays (container-service-
extension 2.6.1, container_service_extension/vcdbroker.py `_update_task`; 3.0.5, def_/utils and
cluster_service.py). Only the task has the server's message about a failure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Protocol

from cse_client.errors import CseError, SessionInvalid, VcdFault
from cse_client.vcd.client import VcdClient
from cse_client.vcd.recent import RecentTask

__all__ = ["Traces", "Trail", "running_task", "sent_at"]

#: How CSE servers of all releases sign their tasks.
_NAMESPACE = "vcloud.cse"
#: Seconds by which a task may seem to have begun or ended before its change was sent: VCD's cells
#: have clocks of their own, and the moment of sending is known to a tenth of a second.
_BEGUN_BEFORE, _ENDED_BEFORE = timedelta(seconds=2), timedelta(seconds=0.25)
_UNFINISHED = ("queued", "preRunning", "running")
_TICK_PAUSE, _TICK_LOOKS = 0.1, 12


def sent_at(vcd: VcdClient, began: float) -> datetime | None:
    """Return by VCD's own clock when something was sent; None where that cannot be known.

    `began` is that moment by the client's clock. HTTP dates say whole seconds, so VCD is asked
    until the second changes, which takes one at most.
    """
    before: datetime | None = None
    for _look in range(_TICK_LOOKS):
        asked = vcd.clock.monotonic()
        try:
            answer = vcd.session.ask_json("GET", "/api/session", "read VCD's time")
            now = parsedate_to_datetime(answer.headers.get("date", ""))
        except SessionInvalid:
            raise
        except (CseError, TypeError, ValueError):
            return None
        if now.tzinfo is None:
            return None
        if before is not None and now != before:
            return now - timedelta(seconds=asked - began)
        before = now
        vcd.clock.sleep(_TICK_PAUSE)
    return before - timedelta(seconds=asked - began) if before is not None else None


class Trail(Protocol):
    """What a waiter needs to find the task of a change."""

    @property
    def usable(self) -> bool:
        """Whether VCD shows such tasks at all."""

    def task(self) -> str:
        """Return the href of the change's task; empty while none is known."""

    def drop(self, href: str) -> None:
        """Take a task for another change's from now on, or for hidden."""


def running_task(vcd: VcdClient, names: Iterable[str]) -> str:
    """Return the href of a task of the server's that is at work on one of `names`; empty for none.

    `names` are those of a cluster and its nodes: later texts of a task name only nodes. Where VCD
    does not show such tasks, nothing is known of them.
    """
    known = re.compile(rf"(?<![\w-])(?:{'|'.join(map(re.escape, names))})(?![\w-])")
    try:
        for row in vcd.recent_tasks(_NAMESPACE):
            running = row.ended is None and row.status in _UNFINISHED
            if running and known.search(vcd.task(vcd.session.address(row.href)).operation):
                return row.href
    except SessionInvalid:
        raise
    except CseError:
        return ""
    return ""


class Traces:
    """Looks for the task of one change.

    A task is taken for this change's when this user had it begun after the change was sent, and it
    names the cluster, or is the only one that names no other.
    """

    def __init__(self, vcd: VcdClient, user: str, cluster: str, began: float) -> None:
        self._vcd = vcd
        self._user = user.lower()
        self._ours = re.compile(rf"(?<![\w-]){re.escape(cluster)}(?![\w-])")
        self._began = began
        self._since: datetime | None = None
        self._named: set[str] = set()
        self._others: set[str] = set()
        self._usable = True

    @property
    def usable(self) -> bool:
        """Whether VCD shows such tasks at all."""
        return self._usable

    def task(self) -> str:
        """Return the href of the change's task; empty while none is known."""
        if not self.usable:
            return ""
        try:
            return self._look()
        except SessionInvalid:
            raise
        except CseError:
            return ""

    def drop(self, href: str) -> None:
        """Take a task for another change's from now on."""
        self._others.add(href)

    def _look(self) -> str:
        try:
            rows = self._vcd.recent_tasks(_NAMESPACE)
        except SessionInvalid:
            raise
        except VcdFault as fault:
            # a passing fault of the way shows again later; a refusal of the query stays
            self._usable = fault.status in (0, 429, 500, 502, 503, 504)
            return ""
        except CseError:
            return ""
        mine = [row for row in rows if row.user.lower() in ("", self._user)]
        mine = [row for row in mine if row.href not in self._others]
        if mine and self._since is None:
            self._since = sent_at(self._vcd, self._began)
            self._usable = self._since is not None
        fresh = [row for row in mine if self._is_fresh(row)]
        for row in fresh:
            self._read(row.href)
        named = [row.href for row in fresh if row.href in self._named]
        left = named or [row.href for row in fresh if row.href not in self._others]
        return left[0] if len(left) == 1 else ""

    def _is_fresh(self, row: RecentTask) -> bool:
        """Return whether a task began after the change was sent; an earlier one had ended then."""
        if self._since is None or row.started < self._since - _BEGUN_BEFORE:
            return False
        return row.ended is None or row.ended >= self._since - _ENDED_BEFORE

    def _read(self, href: str) -> None:
        """Learn from a task's text whether it is about this cluster or about another one."""
        if href in self._named:
            return
        text = self._vcd.task(self._vcd.session.address(href)).operation
        if self._ours.search(text):
            self._named.add(href)
        elif re.search(r"[Cc]luster (?:vApp )?'?[\w.-]+", text):
            self._others.add(href)
