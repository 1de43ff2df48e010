"""Runtime defined entities: lists, one entity, its life, who shares it.

Addresses and bodies: vmware/go-vcloud-director, govcd/defined_entity.go and types/v56/openapi.go;
`If-Match`, `invokeHooks` and the tasks of hooks from API 36 on: container-service-extension
3.1.4:container_service_extension/rde/common/entity_service.py. What VCD says at API versions below
35, which know no entities, is not recorded; here it is a 404.
"""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from cse_client.simulator.http import Response
from cse_client.simulator.vcd.defined import (
    FULL_CONTROL,
    READ_ONLY,
    READ_WRITE,
    AccessControl,
    DefinedEntity,
    EntityType,
    Invocation,
)
from cse_client.simulator.vcd.documents.defined import entity_document
from cse_client.simulator.vcd.errors import VcdError, bad_request, forbidden
from cse_client.simulator.vcd.openapi import answer, page, read_body, since
from cse_client.simulator.vcd.routes import Call, route
from cse_client.simulator.vcd.tasks import Task

_BASE = "/cloudapi/1.0.0"
_ENTITIES = 35, 0
_HOOKS = 36, 0
_FILTERS = ("id", "name", "externalId", "entityType", "entity", "state", "owner", "org")


def _tagged(call: Call, entity: DefinedEntity, task: Task | None = None) -> Response:
    headers = {}
    if call.version >= _HOOKS:
        headers["ETag"] = entity.etag
    if task is not None:
        headers["X-VMWARE-VCLOUD-TASK-LOCATION"] = _task_href(call, task)
    return answer(call, entity_document(entity), headers=headers)


def _task_href(call: Call, task: Task) -> str:
    return f"{call.view.api}/task/{task.id}"


@route("GET", _BASE + "/entities/types/{kind*}")
def _by_type(call: Call) -> Response:
    since(call, *_ENTITIES)
    wanted = "urn:vcloud:type:" + call.ids["kind"].replace("/", ":")
    # A type of any version may be asked for; one that is not there is a 404.
    call.cloud.defined.type(wanted)
    found = [one for one in call.cloud.defined.visible(call.user) if one.type.id == wanted]
    return page(call, found, entity_document, _FILTERS)


@route("GET", _BASE + "/entities/interfaces/{kind*}")
def _by_interface(call: Call) -> Response:
    since(call, *_ENTITIES)
    wanted = "urn:vcloud:interface:" + call.ids["kind"].replace("/", ":")
    found = [one for one in call.cloud.defined.visible(call.user) if wanted in one.type.interfaces]
    return page(call, found, entity_document, _FILTERS)


@route("POST", _BASE + "/entities/{entity*}/resolve")
def _resolve(call: Call) -> Response:
    since(call, *_ENTITIES)
    entity = call.cloud.defined.find(call.ids["entity"], call.user, READ_WRITE)
    entity.resolve()
    if entity.creation is not None:
        call.cloud.tasks.end_foreign(entity.creation)
    return _tagged(call, entity)


@route("GET", _BASE + "/entities/{entity*}/accessControls")
def _access(call: Call) -> Response:
    since(call, *_ENTITIES)
    entity = call.cloud.defined.find(call.ids["entity"], call.user)
    return page(call, entity.access, lambda one: _access_document(entity, one), _FILTERS)


@route("POST", _BASE + "/entities/{entity*}/accessControls")
def _share(call: Call) -> Response:
    since(call, *_ENTITIES)
    entity = call.cloud.defined.find(call.ids["entity"], call.user, FULL_CONTROL)
    same = {
        "grantType": "MembershipAccessControlGrant",
        "objectId": entity.id,
        "tenant": _tenant_of(entity),
    }
    body = read_body(call, ("accessLevelId", "memberId"), same)
    level, member = body.get("accessLevelId"), body.get("memberId")
    if level not in (READ_ONLY, READ_WRITE, FULL_CONTROL):
        raise bad_request(f"Unknown access level {level}.")
    users = {f"urn:vcloud:user:{user.id}" for user in call.cloud.users.values()}
    if member not in users:
        raise bad_request(f"Unknown member {member}.")
    return answer(call, _access_document(entity, entity.share(str(member), str(level))), 201)


@route("DELETE", _BASE + "/entities/{entity*}/accessControls/{control*}")
def _unshare(call: Call) -> Response:
    since(call, *_ENTITIES)
    entity = call.cloud.defined.find(call.ids["entity"], call.user, FULL_CONTROL)
    for one in entity.access:
        if one.id == call.ids["control"]:
            entity.access.remove(one)
            return Response(204)
    raise VcdError(
        404, "NOT_FOUND", f"[ {uuid4()} ] The access control {call.ids['control']} was not found."
    )


def _tenant_of(entity: DefinedEntity) -> dict[str, str]:
    return {"name": entity.org_name, "id": f"urn:vcloud:org:{entity.org_id}"}


def _access_document(entity: DefinedEntity, one: AccessControl) -> dict[str, Any]:
    return {
        "id": one.id,
        "tenant": _tenant_of(entity),
        "grantType": "MembershipAccessControlGrant",
        "objectId": entity.id,
        "accessLevelId": one.level,
        "memberId": one.member,
    }


@route("POST", _BASE + "/entities/{entity*}/behaviors/{behavior*}/invocations")
def _invoke(call: Call) -> Response:
    since(call, *_ENTITIES)
    entity = call.cloud.defined.find(call.ids["entity"], call.user, READ_ONLY)
    run = call.cloud.defined.behaviors.get(call.ids["behavior"])
    if run is None:
        raise bad_request(f"The behavior {call.ids['behavior']} was not found.")
    arguments = read_body(call, ("arguments",), {}).get("arguments") or {}
    task = run(Invocation(entity, call.user, call.request.host, arguments))
    return Response(202, b"", "", {"Location": _task_href(call, task)})


@route("GET", _BASE + "/entities/{entity*}")
def _read(call: Call) -> Response:
    since(call, *_ENTITIES)
    return _tagged(call, call.cloud.defined.find(call.ids["entity"], call.user))


@route("PUT", _BASE + "/entities/{entity*}")
def _change(call: Call) -> Response:
    """Change an entity, and have its type's hook follow; the task is named by a header."""
    since(call, *_ENTITIES)
    entity = call.cloud.defined.find(call.ids["entity"], call.user, READ_WRITE)
    hooks = _hooks(call, entity.type)
    wanted = call.request.headers.get("if-match")
    if wanted is not None and call.version >= _HOOKS and wanted != entity.etag:
        raise VcdError(
            412, "PRECONDITION_FAILED", f"[ {uuid4()} ] The ETag {wanted} is not the current one."
        )
    body = read_body(call, ("entity", "name", "externalId"), entity_document(entity))
    if not isinstance(body.get("entity"), dict):
        raise bad_request("The property entity is missing.")
    entity.change(body["entity"], body.get("name") or entity.name, body.get("externalId"))
    return _tagged(call, entity, _hook(call, entity, "PostUpdate", hooks))


@route("DELETE", _BASE + "/entities/{entity*}")
def _remove(call: Call) -> Response:
    since(call, *_ENTITIES)
    entity = call.cloud.defined.find(call.ids["entity"], call.user, FULL_CONTROL)
    call.cloud.defined.refuse_unresolved(entity)
    task = _hook(call, entity, "PreDelete", _hooks(call, entity.type))
    if task is None:
        call.cloud.defined.remove(entity)
        return Response(204)
    return Response(202, b"", "", {"Location": _task_href(call, task)})


def _hooks(call: Call, kind: EntityType) -> bool:
    """Return whether hooks run; only who administers the type may say that they shall not."""
    if call.version < _HOOKS:
        return False
    if call.parameters.get("invokeHooks", "true").lower() != "false":
        return True
    right = kind.right("Administrator Full access")
    if not (call.user.is_provider and call.user.may(right)):
        raise forbidden(right)
    return False


def _hook(call: Call, entity: DefinedEntity, event: str, run: bool) -> Task | None:
    behavior = entity.type.hooks.get(event)
    known = call.cloud.defined.behaviors.get(behavior) if behavior and run else None
    if known is None:
        return None
    return known(Invocation(entity, call.user, call.request.host))
