"""Objects over the API: names, versions, conflicts, lists, finalizers, watches; lightkube."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.running_kube import Running, make

MAPS = "/api/v1/namespaces/default/configmaps"
MERGE = "application/merge-patch+json"


@pytest.fixture
def cluster(tmp_path: Path) -> Running:
    return make("1.33.1", tmp_path)


def new(name: str, **data: str) -> dict[str, Any]:
    return {"metadata": {"name": name}, "data": data}


def test_create_fills_in_and_names(cluster: Running) -> None:
    made = cluster.post(MAPS, {"metadata": {"generateName": "c-"}})
    metadata = made["metadata"]
    assert made["kind"] == "ConfigMap"
    assert metadata["name"].startswith("c-")
    assert len(metadata["name"]) == 7
    assert set(metadata) >= {"uid", "resourceVersion", "creationTimestamp", "namespace"}
    assert cluster.api.request("POST", MAPS, new(metadata["name"]))[1]["reason"] == "AlreadyExists"


@pytest.mark.parametrize(
    ("place", "body", "code", "text"),
    [
        (MAPS, new("Bad_Name"), 422, "lowercase RFC 1123 subdomain"),
        (MAPS, new(""), 422, "name or generateName is required"),
        (MAPS, {"metadata": {"name": "x"}, "data": {"a": 1}}, 400, "cannot unmarshal"),
        (MAPS, {"metadata": {"name": "x", "namespace": "other"}}, 400, "does not match"),
        (MAPS, {"kind": "Secret", "metadata": {"name": "x"}}, 400, "Secret"),
        (MAPS, {"apiVersion": "v2", "metadata": {"name": "x"}}, 400, "API version"),
        ("/api/v1/namespaces/nope/configmaps", new("x"), 404, 'namespaces "nope" not found'),
        ("/api/v1/namespaces", new("a.b"), 422, "RFC 1123 label"),
        ("/api/v1/namespaces/default/pods", {"metadata": {"name": "p"}}, 422, "spec.containers"),
        ("/api/v1/namespaces/default/widgets", new("x"), 404, "could not find the requested"),
        (MAPS, "text", 400, "must be of type ConfigMap"),
    ],
)
def test_bad_objects_are_refused(
    cluster: Running, place: str, body: Any, code: int, text: str
) -> None:
    found, answer = cluster.api.request("POST", place, body)
    assert (found, answer["kind"]) == (code, "Status")
    assert text in answer["message"]


def test_stale_writes_conflict_and_idle_ones_change_nothing(cluster: Running) -> None:
    first = cluster.post(MAPS, new("c", a="1"))
    code, second = cluster.api.request("PUT", f"{MAPS}/c", {**first, "data": {"a": "2"}})
    assert code == 200
    code, answer = cluster.api.request("PUT", f"{MAPS}/c", {**first, "data": {"a": "3"}})
    assert (code, answer["reason"]) == (409, "Conflict")
    again = cluster.api.request("PUT", f"{MAPS}/c", second)[1]
    assert again["metadata"]["resourceVersion"] == second["metadata"]["resourceVersion"]
    stale = {"metadata": {"resourceVersion": "1"}, "data": {"a": "4"}}
    assert cluster.api.request("PATCH", f"{MAPS}/c", stale, content_type=MERGE)[0] == 409
    wrong = {"preconditions": {"uid": "other"}}
    assert cluster.api.request("DELETE", f"{MAPS}/c", wrong)[0] == 409


def test_lists_page_and_select(cluster: Running) -> None:
    for number in range(7):
        body = new(f"c{number}")
        body["metadata"]["labels"] = {"odd": str(number % 2)}
        cluster.post(MAPS, body)
    seen: list[str] = []
    mark = ""
    while True:
        page = cluster.get(f"{MAPS}?limit=3&continue={mark}")
        seen += [item["metadata"]["name"] for item in page["items"]]
        mark = page["metadata"].get("continue", "")
        if not mark:
            break
        assert page["metadata"]["remainingItemCount"] == 7 - len(seen)
    assert seen == [f"c{number}" for number in range(7)]
    odd = cluster.get(f"{MAPS}?labelSelector=odd%3D1")["items"]
    assert [item["metadata"]["name"] for item in odd] == ["c1", "c3", "c5"]
    gone = cluster.api.request("DELETE", f"{MAPS}?labelSelector=odd%3D1")[1]
    assert len(gone["items"]) == 3
    assert len(cluster.get(MAPS)["items"]) == 4
    assert cluster.api.request("GET", f"{MAPS}?continue=nonsense")[0] == 400


def test_finalizers_hold_an_object(cluster: Running) -> None:
    body = new("c")
    body["metadata"]["finalizers"] = ["example.com/hold"]
    cluster.post(MAPS, body)
    assert "deletionTimestamp" in cluster.api.request("DELETE", f"{MAPS}/c")[1]["metadata"]
    assert cluster.api.request("GET", f"{MAPS}/c")[0] == 200
    free = {"metadata": {"finalizers": None}}
    assert cluster.api.request("PATCH", f"{MAPS}/c", free, content_type=MERGE)[0] == 200
    assert cluster.api.request("GET", f"{MAPS}/c")[0] == 404


def test_dry_runs_keep_nothing(cluster: Running) -> None:
    assert cluster.api.request("POST", f"{MAPS}?dryRun=All", new("c"))[0] == 201
    assert cluster.api.request("GET", f"{MAPS}/c")[0] == 404
    cluster.post(MAPS, new("c", a="1"))
    patched = cluster.api.request(
        "PATCH", f"{MAPS}/c?dryRun=All", {"data": {"a": "2"}}, content_type=MERGE
    )
    assert patched[1]["data"] == {"a": "2"}
    assert cluster.api.request("DELETE", f"{MAPS}/c?dryRun=All")[0] == 200
    assert cluster.get(f"{MAPS}/c")["data"] == {"a": "1"}
    assert cluster.api.request("POST", f"{MAPS}?dryRun=Some", new("d"))[0] == 422


def test_status_and_spec_are_written_apart(cluster: Running) -> None:
    cluster.node("a")
    place = "/api/v1/nodes/a"
    body = {"spec": {"unschedulable": True}, "status": {"phase": "x"}}
    cluster.api.request("PATCH", place, body, content_type=MERGE)
    node = cluster.get(place)
    assert node["spec"]["unschedulable"] is True
    assert "phase" not in node["status"]
    cluster.api.request("PATCH", f"{place}/status", {**body, "spec": None}, content_type=MERGE)
    node = cluster.get(place)
    assert node["spec"]["unschedulable"] is True
    assert node["status"]["phase"] == "x"


def test_an_api_version_that_is_gone_is_not_found(cluster: Running) -> None:
    assert cluster.api.request("GET", "/apis/networking.k8s.io/v1beta1/ingresses")[0] == 404
    assert cluster.api.request("GET", "/apis/networking.k8s.io/v1/ingresses")[0] == 200
    assert cluster.api.request("GET", "/apis/nowhere/v1")[0] == 404
    assert cluster.api.request("PUT", MAPS, new("x"))[0] == 405


# Over a socket


@pytest.fixture
def client(cluster: Running) -> Iterator[Any]:
    """A lightkube client of a running cluster."""
    from lightkube import Client, KubeConfig

    cluster.start()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        config = KubeConfig.from_file(str(cluster.kubeconfig()))
        made = Client(config=config, trust_env=False, field_manager="test")
    yield made
    made._client._client.close()
    cluster.api.stop()


def test_lightkube_reads_and_writes(cluster: Running, client: Any) -> None:
    from lightkube.core.exceptions import ApiError
    from lightkube.models.meta_v1 import ObjectMeta
    from lightkube.resources.core_v1 import ConfigMap, Node
    from lightkube.types import PatchType

    for number in range(3):
        cluster.node(f"n{number}")
    assert [node.metadata.name for node in client.list(Node, chunk_size=2)] == ["n0", "n1", "n2"]
    config_map = ConfigMap(metadata=ObjectMeta(name="c", namespace="default"), data={"a": "1"})
    client.create(config_map)
    client.patch(ConfigMap, "c", {"data": {"b": "2"}}, patch_type=PatchType.MERGE)
    applied = ConfigMap(
        apiVersion="v1",
        kind="ConfigMap",
        metadata=ObjectMeta(name="c", namespace="default"),
        data={"c": "3"},
    )
    client.apply(applied, field_manager="applier")
    assert client.get(ConfigMap, "c").data == {"a": "1", "b": "2", "c": "3"}
    client.delete(ConfigMap, "c")
    with pytest.raises(ApiError) as raised:
        client.get(ConfigMap, "c")
    assert raised.value.status.code == 404


def test_a_watch_tells_what_happens(cluster: Running, client: Any) -> None:
    from lightkube.resources.core_v1 import ConfigMap

    cluster.post(MAPS, new("before"))
    version = cluster.get(MAPS)["metadata"]["resourceVersion"]
    seen: list[tuple[str, str]] = []

    def follow() -> None:
        events = client.watch(
            ConfigMap, resource_version=version, server_timeout=20, labels={"x": "y"}
        )
        for kind, obj in events:
            seen.append((kind, obj.metadata.name))
            if kind == "DELETED" and obj.metadata.name == "last":
                return

    thread = threading.Thread(target=follow)
    thread.start()

    def labelled(name: str) -> dict[str, Any]:
        return {"metadata": {"name": name, "labels": {"x": "y"}}}

    cluster.post(MAPS, labelled("one"))
    cluster.post(MAPS, new("unseen"))
    cluster.api.request("PATCH", f"{MAPS}/one", {"data": {"a": "b"}}, content_type=MERGE)
    # What no longer matches is gone for this watch.
    relabel = {"metadata": {"labels": {"x": "z"}}}
    cluster.api.request("PATCH", f"{MAPS}/one", relabel, content_type=MERGE)
    cluster.post(MAPS, labelled("last"))
    cluster.api.request("DELETE", f"{MAPS}/last")
    thread.join(timeout=10)
    assert not thread.is_alive()
    assert seen == [
        ("ADDED", "one"),
        ("MODIFIED", "one"),
        ("DELETED", "one"),
        ("ADDED", "last"),
        ("DELETED", "last"),
    ]


def test_a_watch_of_time_sees_a_node_fall_silent(cluster: Running, client: Any) -> None:
    from lightkube.resources.core_v1 import Node

    cluster.node("a")
    version = cluster.get("/api/v1/nodes")["metadata"]["resourceVersion"]
    cluster.clock.advance(60)
    for _kind, node in client.watch(Node, resource_version=version, server_timeout=20):
        states = {item.type: item.status for item in node.status.conditions}
        if states["Ready"] == "Unknown":
            break
    assert states["Ready"] == "Unknown"


def test_an_old_revision_is_gone(cluster: Running, client: Any) -> None:
    from lightkube.core.exceptions import ApiError
    from lightkube.resources.core_v1 import ConfigMap

    cluster.post(MAPS, new("c"))
    for number in range(4200):
        cluster.api.request("PATCH", f"{MAPS}/c", {"data": {"n": str(number)}}, content_type=MERGE)
    with pytest.raises(ApiError) as raised:
        next(iter(client.watch(ConfigMap, resource_version="1")))
    assert raised.value.status.code == 410
