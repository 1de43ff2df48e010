"""Answers that were found to differ from those of real API servers, 1.36.3 and 1.37.2.

`tests/real/test_judges.py` asks the real ones all of this, and more, where their programs are.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.real.judges.asking import Answer, Judge, Question
from tests.support.running_kube import Running

NS = "/api/v1/namespaces/default"
MAPS = f"{NS}/configmaps"
MERGE = "application/merge-patch+json"
APPLY = "application/apply-patch+yaml"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
PARTIAL_LIST = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
THINGS = "/apis/example.com/v1/namespaces/default/things"
REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"

Ask = Callable[..., Answer]


@pytest.fixture
def cluster(new_cluster: Callable[[str], Running]) -> Running:
    return new_cluster("1.36.3")


@pytest.fixture
def ask(cluster: Running, tmp_path: Path) -> Ask:
    """Ask a cluster that holds the ConfigMap `one`."""
    judge = Judge(cluster.port, cluster.authority, tmp_path)

    def ask(method: str, path: str, body: Any = None, kind: str = "", **rest: Any) -> Answer:
        return judge.ask(Question("", method, path, body, kind or "application/json", **rest))

    created = ask("POST", MAPS, config_map(data={"a": "1"}))
    assert created.status == 201
    return ask


def config_map(name: str = "one", **rest: Any) -> dict[str, Any]:
    metadata = {"name": name, **rest.pop("metadata", {})}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, **rest}


NOWHERE = "the server could not find the requested resource"
METHOD = "the server does not allow this method on the requested resource"
STRICT = 'ConfigMap in version "v1" cannot be handled as a ConfigMap: strict decoding error: '
TYPE = 'ConfigMap in version "v1" cannot be handled as a ConfigMap: json: cannot unmarshal '


@pytest.mark.parametrize(
    ("asked", "status", "reason", "message"),
    [
        (("GET", "/apis/apps/v9"), 404, "NotFound", NOWHERE),
        (("GET", "/api/v2"), 404, "NotFound", NOWHERE),
        (("GET", "/version/more"), 404, "NotFound", NOWHERE),
        (("POST", "/api", {}), 405, "MethodNotAllowed", METHOD),
        (("POST", "/api/v1/configmaps", config_map()), 405, "MethodNotAllowed", METHOD),
        (("DELETE", "/api/v1/namespaces"), 405, "MethodNotAllowed", METHOD),
        (("OPTIONS", MAPS), 405, "MethodNotAllowed", METHOD),
        (("POST", MAPS, "<a/>", "application/xml"), 415, "UnsupportedMediaType", "unknown format"),
        (("PATCH", f"{MAPS}/one", {}), 415, "UnsupportedMediaType", "415: Unsupported Media Type"),
        (("POST", MAPS, config_map(metadata={"labels": []})), 400, "BadRequest", f"{TYPE}array"),
        (("POST", MAPS, config_map(data={"a": 1})), 400, "BadRequest", f"{TYPE}number"),
        (
            ("POST", f"{MAPS}?fieldValidation=Strict", config_map("x", date={})),
            400,
            "BadRequest",
            f'{STRICT}unknown field "date"',
        ),
        (
            ("PATCH", f"{MAPS}/one?fieldValidation=Strict", {"date": {}}, MERGE),
            422,
            "Invalid",
            'strict decoding error: unknown field "date"',
        ),
        (("POST", f"{MAPS}?fieldValidation=x", config_map("x")), 422, "Invalid", "CreateOptions"),
        (("POST", f"{MAPS}?dryRun=x", config_map("x")), 422, "Invalid", "CreateOptions"),
        (("PATCH", f"{MAPS}/one?force=true", {}, MERGE), 422, "Invalid", "non-apply patch"),
        (("GET", f"{MAPS}?limit=many"), 400, "BadRequest", "strconv.ParseInt"),
        (("GET", f"{MAPS}?resourceVersionMatch=Exact"), 422, "Invalid", "ListOptions.meta.k8s.io"),
        (("GET", f"{MAPS}?fieldSelector=data.a%3D1"), 400, "BadRequest", "a known field selector"),
        (("GET", f"{MAPS}?labelSelector=a%3D-b"), 400, "BadRequest", "values[0][a]"),
        (("GET", f"{MAPS}?watch=1&resourceVersion=x"), 500, None, "strconv.ParseUint"),
        (
            ("POST", MAPS, config_map("x", metadata={"resourceVersion": "1"})),
            500,
            None,
            "resourceVersion should not be set on objects to be created",
        ),
        (
            ("PATCH", f"{MAPS}/two?fieldManager=x", {"metadata": {"name": "two"}}, APPLY),
            400,
            "BadRequest",
            "invalid object type: /, Kind=",
        ),
        (
            (
                "PATCH",
                f"{MAPS}/one",
                [{"op": "test", "path": "/data/a", "value": "2"}],
                "application/json-patch+json",
            ),
            422,
            "Invalid",
            "the server rejected our request due to an error in our request",
        ),
        (
            ("DELETE", f"{MAPS}/one", {"preconditions": {"resourceVersion": "1"}}),
            409,
            "Conflict",
            "The object might have been modified",
        ),
        (("DELETE", f"{MAPS}/one?propagationPolicy=x"), 422, "Invalid", "DeleteOptions"),
        (("POST", REVIEWS, {"spec": {}}), 422, "Invalid", "exactly one of"),
        (("POST", f"{NS}/pods/one/eviction", {"metadata": {}}), 404, "NotFound", 'pods "one"'),
    ],
)  # fmt: skip
def test_refusals(
    ask: Ask, asked: tuple[Any, ...], status: int, reason: str | None, message: str
) -> None:
    answer = ask(*asked)
    said = answer.value()
    assert (answer.status, said.get("reason")) == (status, reason), said
    assert message in said["message"]
    if message in (NOWHERE, METHOD):
        # it is about no object
        assert said["details"] == {}


@pytest.mark.parametrize(
    ("accept", "message"),
    [
        ("application/xml", "406: Not Acceptable"),
        ("application/json;as=Table;v=v9;g=meta.k8s.io", "only the following media types"),
    ],
)
def test_formats_that_there_are_not(ask: Ask, accept: str, message: str) -> None:
    answer = ask("GET", MAPS, accept=accept)
    assert answer.status == 406
    assert message in answer.value()["message"]


def test_the_items_of_a_list_do_not_say_what_they_are(ask: Ask) -> None:
    listed = ask("GET", MAPS).value()
    assert listed["kind"] == "ConfigMapList"
    assert all("kind" not in item and "apiVersion" not in item for item in listed["items"])
    assert ask("GET", f"{MAPS}?labelSelector=x", accept=PARTIAL_LIST).value()["items"] is None
    table = ask("GET", f"{MAPS}/one", accept=TABLE).value()
    assert table["metadata"]["resourceVersion"]


def test_unknown_fields_are_dropped_with_a_warning(ask: Ask) -> None:
    answer = ask("PATCH", f"{MAPS}/one", {"date": {"a": "1"}}, MERGE)
    assert "date" not in answer.value()
    assert answer.headers["warning"] == '299 - "unknown field \\"date\\""'
    assert "warning" not in ask(
        "PATCH", f"{MAPS}/one?fieldValidation=Ignore", {"date": {}}, MERGE
    ).headers  # fmt: skip


def test_custom_resources_have_to_fit_their_schema(ask: Ask) -> None:
    size = {"type": "integer", "minimum": 1}
    spec = {
        "type": "object",
        "required": ["size"],
        "properties": {"size": size, "color": {"type": "string", "default": "red"}},
    }
    schema = {"openAPIV3Schema": {"type": "object", "properties": {"spec": spec}}}
    version = {"name": "v1", "served": True, "storage": True, "schema": schema}
    names = {"plural": "things", "singular": "thing", "kind": "Thing"}
    crd = {"group": "example.com", "scope": "Namespaced", "names": names, "versions": [version]}
    created = ask("POST", CRDS, {"metadata": {"name": "things.example.com"}, "spec": crd})
    assert created.value()["status"]["storedVersions"] == ["v1"]

    def thing(**spec: Any) -> Answer:
        return ask("POST", THINGS, {"metadata": {"generateName": "x-"}, "spec": spec})

    made = thing(size=1, weight=2)
    assert (made.status, made.value()["spec"]) == (201, {"size": 1, "color": "red"})
    for found, message, reason in (
        (thing(size="big"), "must be of type integer", "FieldValueTypeInvalid"),
        (thing(), "spec.size: Required value", "FieldValueRequired"),
        (thing(size=0), "greater than or equal to 1", "FieldValueInvalid"),
    ):
        assert found.status == 422
        assert message in found.value()["message"]
        assert found.value()["details"]["causes"][0]["reason"] == reason


def test_conflicts_of_one_manager_are_listed_together(ask: Ask) -> None:
    two = config_map("two", data={"a": "1", "b": "1"})
    assert ask("PATCH", f"{MAPS}/two?fieldManager=x", two, APPLY).status == 201
    two["data"] = {"a": "2", "b": "2"}
    refused = ask("PATCH", f"{MAPS}/two?fieldManager=y", two, APPLY)
    assert refused.value()["message"] == (
        'Apply failed with 2 conflicts: conflicts with "x":\n- .data.a\n- .data.b'
    )


def test_an_applied_selector_is_replaced_as_a_whole(ask: Ask) -> None:
    def service(**selector: str) -> dict[str, Any]:
        ports = [{"port": 80, "protocol": "TCP"}]
        spec = {"selector": selector, "ports": ports}
        return {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "web"},
            "spec": spec,
        }

    path = f"{NS}/services/web?fieldManager=x"
    ask("PATCH", path, service(app="a", tier="b"), APPLY)
    applied = ask("PATCH", path, service(app="a"), APPLY)
    assert applied.value()["spec"]["selector"] == {"app": "a"}


def test_a_watch_can_begin_with_what_is_there(ask: Ask) -> None:
    query = "watch=1&timeoutSeconds=1&sendInitialEvents=true&allowWatchBookmarks=true"
    match = "resourceVersionMatch=NotOlderThan&fieldSelector=metadata.name%3Done"
    events = ask("GET", f"{MAPS}?{query}&{match}").value()
    assert [event["type"] for event in events] == ["ADDED", "BOOKMARK"]
    annotations = events[1]["object"]["metadata"]["annotations"]
    assert annotations == {"k8s.io/initial-events-end": "true"}


def test_a_namespace_that_ends_names_itself_as_the_cause(ask: Ask) -> None:
    spec = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "old"}}
    ask("POST", "/api/v1/namespaces", spec)
    held = {**config_map("held"), "metadata": {"name": "held", "finalizers": ["example.com/x"]}}
    ask("POST", "/api/v1/namespaces/old/configmaps", held)
    ask("DELETE", "/api/v1/namespaces/old")
    refused = ask("POST", "/api/v1/namespaces/old/configmaps", config_map()).value()
    assert refused["details"]["causes"][0]["reason"] == "NamespaceTerminating"
