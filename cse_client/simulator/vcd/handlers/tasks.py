"""Tasks: reading and cancelling."""

from __future__ import annotations

from cse_client.simulator.http import Response
from cse_client.simulator.vcd.documents import common
from cse_client.simulator.vcd.errors import no_access
from cse_client.simulator.vcd.routes import Call, route
from cse_client.simulator.vcd.tasks import Task


def _task(call: Call) -> Task:
    task = call.cloud.task(call.ids["task"])
    if not (call.user.sees_all or task.user is call.user):
        raise no_access("task", task.id)
    return task


@route("GET", "/api/task/{task}")
def _read(call: Call) -> Response:
    task = _task(call)
    call.cloud.tasks.look(task)
    return call.xml(common.task(call.view, task), "task")


@route("POST", "/api/task/{task}/action/cancel")
def _cancel(call: Call) -> Response:
    call.cloud.tasks.cancel(_task(call))
    return Response(204)
