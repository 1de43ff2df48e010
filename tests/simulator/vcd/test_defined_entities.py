"""Runtime defined entities over the wire: types, states, tags, pages, filters, sharing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from cse_client.simulator import Simulator
from cse_client.simulator.vcd.defined import READ_ONLY, EntityType, Interface
from tests.simulator.client import Answer, Tenant

BASE = "/cloudapi/1.0.0"
TYPE = "urn:vcloud:type:ours:thing:1.0.0"
INTERFACE = "urn:vcloud:interface:ours:base:1.0.0"
SCHEMA = {
    "type": "object",
    "required": ["foo"],
    "properties": {"foo": {"type": "string"}, "size": {"type": "integer", "maximum": 9}},
}


@pytest.fixture
def things(simulator: Simulator) -> Iterator[Tenant]:
    with simulator.cloud.lock:
        defined = simulator.cloud.defined
        defined.interfaces[INTERFACE] = Interface("ours", "base", "1.0.0", "Base")
        defined.register(
            EntityType("ours", "thing", "1.0.0", "Thing", schema=SCHEMA, interfaces=[INTERFACE])
        )
    one = Tenant(simulator).login()
    yield one
    one.close()


def ask(tenant: Tenant, method: str, path: str, body: Any = None, **headers: str) -> Answer:
    text = json.dumps(body) if body is not None else ""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return tenant.send(
        method, BASE + path, text, "application/json", "application/json", headers=named
    )


def make(tenant: Tenant, name: str, entity: dict[str, Any]) -> dict[str, Any]:
    answer = ask(tenant, "POST", f"/entityTypes/{TYPE}", {"name": name, "entity": entity})
    assert answer.status == 202
    found: dict[str, Any] = answer.json
    found["task"] = answer.headers["Location"]
    return found


def test_an_entity_is_made_resolved_and_deleted(things: Tenant) -> None:
    made = make(things, "a", {"foo": "x"})
    assert made["state"] == "PRE_CREATED"
    assert "message" not in made  # the genuine model of CSE 3.0.5 knows no such key
    assert things.get(made["task"]).get("status") == "running"
    refused = ask(things, "DELETE", f"/entities/{made['id']}")
    assert (refused.status, refused.json["minorErrorCode"]) == (400, "RDE_ENTITY_NOT_RESOLVED")
    resolved = ask(things, "POST", f"/entities/{made['id']}/resolve")
    assert (resolved.status, resolved.json["state"]) == (200, "RESOLVED")
    task = things.get(made["task"])
    assert task.get("status") == "success"
    assert task.find("{*}Owner").get("id") == made["id"]
    assert ask(things, "DELETE", f"/entities/{made['id']}").status == 204
    gone = ask(things, "GET", f"/entities/{made['id']}")
    assert (gone.status, gone.json["minorErrorCode"]) == (403, "ACCESS_TO_RESOURCE_IS_FORBIDDEN")
    assert set(gone.json) == {"minorErrorCode", "message", "stackTrace"}


def test_what_violates_the_schema_is_an_error_until_it_is_mended(things: Tenant) -> None:
    made = make(things, "a", {"size": 12})
    path = f"/entities/{made['id']}"
    wrong = ask(things, "POST", f"{path}/resolve").json
    assert wrong["state"] == "RESOLUTION_ERROR"
    assert "required key [foo]" in wrong["message"]
    assert "size: 12 is not less" in wrong["message"]
    mended = ask(things, "PUT", path, {"name": "a", "entity": {"foo": "x", "size": 3}})
    assert (mended.status, mended.json["state"]) == (200, "RESOLUTION_ERROR")
    assert ask(things, "POST", f"{path}/resolve").json["state"] == "RESOLVED"
    refused = ask(things, "PUT", path, {"name": "a", "entity": {"foo": 3}})
    assert refused.status == 400
    assert ask(things, "GET", path).json["entity"] == {"foo": "x", "size": 3}


@pytest.mark.parametrize("name", ["a\x07b", "a\x00", "\ud800", "\uffff"])
def test_a_name_that_no_document_can_hold_is_refused(things: Tenant, name: str) -> None:
    """Its task would name it as the owner, in XML."""
    body = {"name": name, "entity": {"foo": "x"}}
    refused = ask(things, "POST", f"/entityTypes/{TYPE}", body)
    assert (refused.status, refused.json["minorErrorCode"]) == (400, "BAD_REQUEST")
    path = f"/entities/{make(things, 'a', {'foo': 'x'})['id']}"
    refused = ask(things, "PUT", path, body)
    assert (refused.status, refused.json["minorErrorCode"]) == (400, "BAD_REQUEST")
    assert ask(things, "GET", path).json["name"] == "a"


def test_a_stale_tag_is_refused_from_36_on(things: Tenant) -> None:
    made = make(things, "a", {"foo": "x"})
    path = f"/entities/{made['id']}"
    tag = ask(things, "GET", path).headers["ETag"]
    body = {"name": "b", "entity": {"foo": "y"}}
    changed = ask(things, "PUT", path, body, If_Match=tag)
    assert changed.status == 200
    assert changed.headers["ETag"] != tag
    assert ask(things, "PUT", path, body, If_Match=tag).status == 412
    things.version = "35.0"
    assert "ETag" not in ask(things, "GET", path).headers
    assert ask(things, "PUT", path, body, If_Match=tag).status == 200


def test_lists_are_filtered_sorted_and_paged(things: Tenant) -> None:
    for name in ("c", "a", "b"):
        make(things, name, {"foo": name, "metadata": {"org_name": "acme" if name < "c" else "o"}})
    path = "/entities/types/ours/thing/1.0.0"
    first = ask(things, "GET", f"{path}?page=1&pageSize=2&sortAsc=name").json
    assert [one["name"] for one in first["values"]] == ["a", "b"]
    assert (first["resultTotal"], first["pageCount"], first["page"]) == (3, 2, 1)
    assert ask(things, "GET", f"{path}?page=3&pageSize=2").json["values"] == []

    def names(text: str) -> list[str]:
        found = ask(things, "GET", f"{path}?filter={text}&page=1&sortAsc=name").json["values"]
        return [one["name"] for one in found]

    assert names("name==b") == ["b"]
    assert names("entity.metadata.org_name==acme") == ["a", "b"]
    assert names("name==a;entity.metadata.org_name==o") == []
    assert names("entity.no.such==x") == []
    assert names(f"(entityType=={TYPE},entityType==urn:x)") == ["a", "b", "c"]
    assert ask(things, "GET", f"{path}?filter=colour==red").status == 400
    interface = ask(things, "GET", "/entities/interfaces/ours/base/1.0.0").json
    assert interface["resultTotal"] == 3
    assert ask(things, "GET", "/entities/types/ours/nothing/1.0.0").status == 404


def test_others_see_what_is_shared_with_them(simulator: Simulator, things: Tenant) -> None:
    author = Tenant(simulator, "author").login()
    path = f"/entities/{make(things, 'a', {'foo': 'x'})['id']}"
    assert ask(author, "GET", path).status == 403
    member = f"urn:vcloud:user:{simulator.cloud.users['author'].id}"
    grant = {
        "grantType": "MembershipAccessControlGrant",
        "accessLevelId": READ_ONLY,
        "memberId": member,
    }
    shared = ask(things, "POST", f"{path}/accessControls", grant)
    assert shared.status == 201
    assert ask(author, "GET", path).status == 200
    assert ask(author, "PUT", path, {"name": "b", "entity": {}}).status == 403
    listed = ask(things, "GET", f"{path}/accessControls?page=1&pageSize=25").json
    assert {one["memberId"] for one in listed["values"]} >= {member}
    control = f"{path}/accessControls/{shared.json['id']}"
    assert ask(things, "DELETE", control).status == 204
    assert ask(author, "GET", path).status == 403
    author.close()


def test_types_are_the_providers_and_unknown_to_old_versions(things: Tenant) -> None:
    tanzu = ask(things, "GET", "/entities/types/vmware/tkgcluster/1.0.0")
    assert (tanzu.status, tanzu.json["values"]) == (200, [])  # VCD's own, without rights to it
    types = ask(things, "GET", "/entityTypes?filter=nss==thing").json["values"]
    assert [one["id"] for one in types] == [TYPE]
    body = {"vendor": "x", "nss": "y", "version": "1.0.0", "name": "z", "schema": {}}
    assert ask(things, "POST", "/entityTypes", body).status == 403
    things.version = "34.0"
    for path in ("/entityTypes", "/interfaces", "/entities/types/ours/thing/1.0.0"):
        refused = ask(things, "GET", path)
        assert (refused.status, refused.json["minorErrorCode"]) == (404, "NOT_FOUND")
