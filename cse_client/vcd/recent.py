"""The tasks that an extension service has begun lately, for a change whose answer was lost.

Attributes: VMware's schema queryRecordView.xsd, QueryResultTaskRecordType.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from cse_client.vcd import queries
from cse_client.vcd.errors import Action
from cse_client.vcd.reading import moment
from cse_client.vcd.transport import Transport

__all__ = ["RecentTask", "recent_tasks"]


@dataclass(frozen=True)
class RecentTask:
    """A task as the query service lists it.

    `ended` is None while it goes on; `user` is the name of who had it begun.
    """

    href: str
    status: str
    started: datetime
    ended: datetime | None
    user: str


def recent_tasks(transport: Transport, namespace: str) -> list[RecentTask]:
    """Return the tasks of an extension service that this user sees, the newest first.

    `namespace` is the service's, such as `vcloud.cse`. One request for every 128 tasks.
    """
    found = []
    action = Action("look for the tasks of the extension service")
    conditions = [queries.equals("serviceNamespace", namespace)]
    for record in queries.records(transport, "task", action, conditions=conditions):
        started = moment(record.get("startDate"))
        href = record.get("href")
        if href and started is not None and record.get("serviceNamespace") == namespace:
            user = record.get("ownerName") or ""
            ended = moment(record.get("endDate"))
            found.append(RecentTask(href, record.get("status") or "", started, ended, user))
    return sorted(found, key=lambda one: one.started, reverse=True)
