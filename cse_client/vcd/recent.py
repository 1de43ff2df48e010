"""Tasks as VCD's query service lists them: those of an extension service, or about some entities.

Attributes: VMware's schema queryRecordView.xsd, QueryResultTaskRecordType. VCD forgets tasks after
a time that the provider sets.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from lxml import etree

from cse_client.vcd import queries
from cse_client.vcd.errors import Action
from cse_client.vcd.reading import moment
from cse_client.vcd.transport import Transport

__all__ = ["RecentTask", "recent_tasks", "tasks_about"]

#: Entities in one query: their addresses must fit into one address.
_TOGETHER = 20


@dataclass(frozen=True)
class RecentTask:
    """A task as the query service lists it.

    `ended` is None while it goes on; `user` is the name of who had it begun. `name` is VCD's word
    for the operation, such as vdcRecomposeVapp, `about` the name of the entity.
    """

    href: str
    status: str
    started: datetime
    ended: datetime | None
    user: str
    name: str = ""
    about: str = ""


def recent_tasks(transport: Transport, namespace: str) -> list[RecentTask]:
    """Return the tasks of an extension service that this user sees, the newest first.

    `namespace` is the service's, such as `vcloud.cse`. One request for every 128 tasks.
    """
    found = []
    action = Action("look for the tasks of the extension service")
    conditions = [queries.equals("serviceNamespace", namespace)]
    for record in queries.records(transport, "task", action, conditions=conditions):
        one = _task(record)
        if one is not None and record.get("serviceNamespace") == namespace:
            found.append(one)
    return sorted(found, key=lambda one: one.started, reverse=True)


def tasks_about(transport: Transport, hrefs: Sequence[str]) -> list[RecentTask]:
    """Return the tasks about entities that this user sees, the oldest first.

    One request for every 20 entities and 128 tasks.
    """
    found = {}
    action = Action("list the tasks")
    for first in range(0, len(hrefs), _TOGETHER):
        term = queries.any_of(transport, "object", hrefs[first : first + _TOGETHER])
        for record in queries.records(transport, "task", action, raw=(term,)):
            one = _task(record)
            if one is not None:
                found[one.href] = one
    return sorted(found.values(), key=lambda one: one.started)


def _task(record: etree._Element) -> RecentTask | None:
    started = moment(record.get("startDate"))
    href = record.get("href")
    if not href or started is None:
        return None
    return RecentTask(
        href,
        record.get("status") or "",
        started,
        moment(record.get("endDate")),
        record.get("ownerName") or "",
        record.get("name") or "",
        record.get("objectName") or "",
    )
