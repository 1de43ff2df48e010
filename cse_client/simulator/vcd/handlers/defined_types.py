"""Interfaces and entity types, and the making of entities.

Addresses and bodies: vmware/go-vcloud-director, govcd/defined_interface.go and
govcd/defined_entity.go. Only system administrators may add or remove types
(govcd/defined_entity_test.go: ACCESS_TO_RESOURCE_IS_FORBIDDEN for others).
"""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from cse_client.simulator.http import Response
from cse_client.simulator.vcd.defined import DefinedEntity, EntityType, Interface, Invocation
from cse_client.simulator.vcd.documents.defined import entity_document
from cse_client.simulator.vcd.errors import VcdError, bad_request, forbidden
from cse_client.simulator.vcd.openapi import answer, page, read_body, since
from cse_client.simulator.vcd.routes import Call, route
from cse_client.simulator.vcd.tasks import Task

_BASE = "/cloudapi/1.0.0"
_ENTITIES = 35, 0
_HOOKS = 36, 0
_FILTERS = ("id", "name", "vendor", "nss", "version", "readonly", "interfaces")


def _interface_document(one: Interface) -> dict[str, Any]:
    return {
        "id": one.id,
        "name": one.name,
        "vendor": one.vendor,
        "nss": one.nss,
        "version": one.version,
        "readonly": one.readonly,
    }


def _type_document(call: Call, one: EntityType) -> dict[str, Any]:
    document = {
        "id": one.id,
        "name": one.name,
        "description": one.description,
        "vendor": one.vendor,
        "nss": one.nss,
        "version": one.version,
        "externalId": None,
        "schema": dict(one.schema),
        "interfaces": list(one.interfaces),
        "readonly": one.readonly,
    }
    if call.version >= _HOOKS:
        document |= {"hooks": dict(one.hooks) or None, "inheritedVersion": None}
    return document


def _provider_only(call: Call, right: str) -> None:
    if not call.user.is_provider:
        raise forbidden(right)


@route("GET", _BASE + "/interfaces")
def _interfaces(call: Call) -> Response:
    since(call, *_ENTITIES)
    known = list(call.cloud.defined.interfaces.values())
    return page(call, known, _interface_document, _FILTERS)


@route("GET", _BASE + "/interfaces/{interface*}")
def _interface(call: Call) -> Response:
    since(call, *_ENTITIES)
    found = call.cloud.defined.interfaces.get(call.ids["interface"])
    if found is None:
        wanted = call.ids["interface"]
        raise VcdError(404, "NOT_FOUND", f"[ {uuid4()} ] The interface {wanted} was not found.")
    return answer(call, _interface_document(found))


@route("GET", _BASE + "/entityTypes")
def _types(call: Call) -> Response:
    since(call, *_ENTITIES)
    known = list(call.cloud.defined.types.values())
    return page(call, known, lambda one: _type_document(call, one), _FILTERS)


@route("POST", _BASE + "/entityTypes")
def _make_type(call: Call) -> Response:
    since(call, *_ENTITIES)
    _provider_only(call, "Manage Custom Entity definition")
    supported = ("vendor", "nss", "version", "name", "description", "schema", "interfaces", "hooks")
    body = read_body(call, supported, {"readonly": False, "inheritedVersion": None})
    try:
        one = EntityType(
            vendor=body["vendor"],
            nss=body["nss"],
            version=body["version"],
            name=body["name"],
            description=body.get("description") or "",
            schema=body.get("schema") or {},
            interfaces=list(body.get("interfaces") or ()),
            hooks=dict(body.get("hooks") or {}),
        )
    except KeyError as error:
        raise bad_request(f"The property {error.args[0]} is missing.") from error
    if one.id in call.cloud.defined.types:
        raise VcdError(400, "DUPLICATE_NAME", f"[ {uuid4()} ] {one.id} already exists.")
    call.cloud.defined.register(one)
    return answer(call, _type_document(call, one), 201)


@route("GET", _BASE + "/entityTypes/{type*}")
def _type(call: Call) -> Response:
    since(call, *_ENTITIES)
    return answer(call, _type_document(call, call.cloud.defined.type(call.ids["type"])))


@route("DELETE", _BASE + "/entityTypes/{type*}")
def _remove_type(call: Call) -> Response:
    since(call, *_ENTITIES)
    _provider_only(call, "Manage Custom Entity definition")
    one = call.cloud.defined.type(call.ids["type"])
    if any(entity.type is one for entity in call.cloud.defined.entities.values()):
        raise bad_request(f"The entity type {one.id} has entities.")
    del call.cloud.defined.types[one.id]
    return Response(204)


@route("POST", _BASE + "/entityTypes/{type*}")
def _make_entity(call: Call) -> Response:
    """Make an entity: 202 with a task that runs until the entity is resolved, or its hook's."""
    since(call, *_ENTITIES)
    one = call.cloud.defined.type(call.ids["type"])
    body = read_body(call, ("name", "entity", "externalId"), {"entityType": one.id})
    if not isinstance(body.get("entity"), dict) or not body.get("name"):
        raise bad_request("The properties name and entity are required.")
    given = body.get("externalId")
    entity = call.cloud.defined.make(one, call.user, str(body["name"]), body["entity"], given)
    hook = call.cloud.defined.behaviors.get(one.hooks.get("PostCreate", ""))
    if hook is not None and call.version >= _HOOKS:
        task = hook(Invocation(entity, call.user, call.request.host))
    else:
        task = entity.creation = _creation(call, entity)
    headers = {"Location": f"{call.view.api}/task/{task.id}"}
    return answer(call, entity_document(entity), 202, headers)


def _creation(call: Call, entity: DefinedEntity) -> Task:
    """Begin the task of a creation, which stays at 1 % until the entity is resolved."""
    tasks = call.cloud.tasks
    text = f"Created Runtime Defined Entity {entity.name}({entity.id})"
    return tasks.begin_foreign(
        "com.vmware.vcloud", "CREATE_RUNTIME_DEFINED_ENTITY", text, entity, call.user
    )
