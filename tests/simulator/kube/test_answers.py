"""Answers of real API servers (1.36.2 and 1.20.2) that clients stumble over."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from tests.support.running_kube import Running, make

APPLY = "application/apply-patch+yaml"
PODS = "/api/v1/namespaces/default/pods"
NAMESPACE = {"apiVersion": "v1", "kind": "Namespace"}
PAGE = {"raw": "404 page not found\n"}


@pytest.fixture
def cluster(tmp_path: Path) -> Running:
    return make("1.33.1", tmp_path)


def apply(cluster: Running, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    return cluster.api.request(
        "PATCH", f"{path}?fieldManager=test&force=true", body, content_type=APPLY
    )


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/apis/metallb.io", PAGE),
        ("/apis/metallb.io/v1beta1", PAGE),
        ("/apis/metallb.io/v1beta1/ipaddresspools", PAGE),
        ("/apis/metallb.io/v1beta1/namespaces/default/ipaddresspools/x", PAGE),
        ("/apis/apps/v9/deployments", "the server could not find the requested resource"),
        ("/nothing", PAGE),
        ("/apis/apps/v1/widgets", "the server could not find the requested resource"),
        ("/api/v1/widgets", "the server could not find the requested resource"),
    ],
)
def test_what_is_not_served_is_text_where_nobody_serves_the_group(
    cluster: Running, path: str, found: object
) -> None:
    code, answer = cluster.api.request("GET", path)
    assert code == 404
    assert answer.get("message", answer) == found


def crd(kind: str = "Thing", schema: dict[str, Any] | None = None) -> dict[str, Any]:
    plural = f"{kind.lower()}s"
    return {
        "metadata": {"name": f"{plural}.example.com"},
        "spec": {
            "group": "example.com",
            "scope": "Namespaced",
            "names": {"plural": plural, "kind": kind},
            "versions": [
                {
                    "name": "v1",
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": schema or {"type": "object"}},
                }
            ],
        },
    }


CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


def test_discovery_shows_a_new_group_and_a_new_kind_a_moment_later(cluster: Running) -> None:
    group, things = "/apis/example.com/v1", "/apis/example.com/v1/things"
    cluster.post(CRDS, crd())
    stored = cluster.get(f"{CRDS}/things.example.com")
    assert "Established" in str(stored["status"]["conditions"])
    assert cluster.get(things)["items"] == []
    assert cluster.api.request("GET", group) == (404, PAGE)
    cluster.clock.advance(1)
    assert [one["kind"] for one in cluster.get(group)["resources"]] == ["Thing"]
    cluster.post(CRDS, crd("Other"))
    assert [one["kind"] for one in cluster.get(group)["resources"]] == ["Thing"]
    cluster.clock.advance(1)
    assert [one["kind"] for one in cluster.get(group)["resources"]] == ["Other", "Thing"]
    assert cluster.api.request("DELETE", f"{CRDS}/things.example.com")[0] == 200
    assert [one["kind"] for one in cluster.get(group)["resources"]] == ["Other"]
    assert cluster.api.request("GET", things) == (404, PAGE)


def service(**spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web"},
        "spec": {"ports": [{"port": 80, "protocol": "TCP"}], **spec},
    }


def pod(**container: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "web"},
        "spec": {"containers": [{"name": "web", "image": "x", **container}]},
    }


SERVICE = "/api/v1/namespaces/default/services/web"
NO_KEY = 'element 0: associative list with keys has an element that omits key field "protocol"'


@pytest.mark.parametrize(
    ("version", "path", "body", "why"),
    [
        (
            "1.33.1",
            SERVICE,
            service(topologyKeys=["x"]),
            " (/web; /v1, Kind=Service): .spec.topologyKeys: field not declared in schema",
        ),
        (
            "1.20.2",
            f"{PODS}/web",
            pod(_ports=[]),
            ': .spec.containers[name="web"]._ports: field not declared in schema',
        ),
        ("1.20.2", SERVICE, service(ports=[{"port": 80}]), f": .spec.ports: {NO_KEY}"),
        (
            "1.19.0",
            f"{PODS}/web",
            pod(ports=[{"containerPort": 80}]),
            f': .spec.containers[name="web"].ports: {NO_KEY}',
        ),
        ("1.20.2", f"{PODS}/web", pod(ports=[{"containerPort": 80}]), ""),
        ("1.21.0", SERVICE, service(ports=[{"port": 80}]), ""),
        ("1.18.6", SERVICE, service(), ""),
    ],
)
def test_applying_what_does_not_fit_its_schema_is_a_500_without_a_reason(
    tmp_path: Path, version: str, path: str, body: dict[str, Any], why: str
) -> None:
    code, answer = apply(make(version, tmp_path), path, body)
    if not why:
        assert code == 201
        return
    assert (code, answer) == (
        500,
        {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": f"failed to create typed patch object{why}",
            "code": 500,
        },
    )


def test_custom_resources_are_held_against_their_schema(cluster: Running) -> None:
    spec = {"type": "object", "properties": {"size": {"type": "integer"}}}
    cluster.post(CRDS, crd(schema={"type": "object", "properties": {"spec": spec}}))
    path = "/apis/example.com/v1/namespaces/default/things/one"
    thing = {"apiVersion": "example.com/v1", "kind": "Thing", "metadata": {"name": "one"}}
    assert apply(cluster, path, {**thing, "spec": {"size": 1}})[0] == 201
    code, answer = apply(cluster, path, {**thing, "spec": {"sise": 1}})
    assert (code, answer["message"]) == (
        500,
        "failed to create typed patch object (/one; example.com/v1, Kind=Thing): "
        ".spec.sise: field not declared in schema",
    )


def run(cluster: Running, name: str, ready: str = "True") -> None:
    """Report a pod as its kubelet does."""
    status = {"phase": "Running", "conditions": [{"type": "Ready", "status": ready}]}
    patched = cluster.api.request(
        "PATCH",
        f"{PODS}/{name}/status",
        {"status": status},
        content_type="application/merge-patch+json",
    )
    assert patched[0] == 200, patched


def evict(cluster: Running, name: str) -> tuple[int, dict[str, Any]]:
    return cluster.api.request("POST", f"{PODS}/{name}/eviction", {"metadata": {"name": name}})


def test_two_budgets_over_one_pod(cluster: Running) -> None:
    body = pod()
    body["metadata"]["labels"] = {"app": "web"}
    cluster.post(PODS, body)
    run(cluster, "web")
    for name in ("one", "two"):
        cluster.post(
            "/apis/policy/v1/namespaces/default/poddisruptionbudgets",
            {
                "metadata": {"name": name},
                "spec": {"maxUnavailable": 1, "selector": {"matchLabels": {"app": "web"}}},
            },
        )
    code, answer = evict(cluster, "web")
    assert (code, answer.get("reason")) == (500, None)
    assert answer["message"] == (
        "This pod has more than one PodDisruptionBudget, which the eviction subresource does not "
        "support."
    )


@pytest.mark.parametrize(
    ("path", "body", "moves"),
    [
        ("/api/v1/namespaces/n1", {**NAMESPACE, "metadata": {"name": "n1"}}, True),
        (
            "/api/v1/namespaces/n1",
            {**NAMESPACE, "metadata": {"name": "n1", "labels": {"a": "b"}}},
            False,
        ),
        (
            "/apis/policy/v1beta1/podsecuritypolicies/p",
            {
                "apiVersion": "policy/v1beta1",
                "kind": "PodSecurityPolicy",
                "metadata": {"name": "p"},
                "spec": {"privileged": False},
            },
            True,
        ),
    ],
)
def test_some_objects_get_a_new_revision_with_every_apply(
    tmp_path: Path, path: str, body: dict[str, Any], moves: bool
) -> None:
    cluster = make("1.20.2", tmp_path)
    first = apply(cluster, path, body)[1]
    time.sleep(0.01)
    second = apply(cluster, path, body)[1]
    moved = first["metadata"]["resourceVersion"] != second["metadata"]["resourceVersion"]
    assert moved is moves


def test_an_apply_that_creates_asks_for_create_with_the_objects_name(cluster: Running) -> None:
    roles = "/apis/rbac.authorization.k8s.io/v1/namespaces/default/roles"
    cluster.post(
        roles,
        {
            "metadata": {"name": "r"},
            "rules": [
                {
                    "apiGroups": [""],
                    "resources": ["configmaps"],
                    "resourceNames": ["mine"],
                    "verbs": ["create", "patch"],
                },
                {
                    "apiGroups": [""],
                    "resources": ["configmaps"],
                    "resourceNames": ["half"],
                    "verbs": ["patch"],
                },
            ],
        },
    )
    cluster.post(
        roles.replace("roles", "rolebindings"),
        {
            "metadata": {"name": "b"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "r"},
            "subjects": [
                {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "alice"}
            ],
        },
    )
    maps = "/api/v1/namespaces/default/configmaps"

    def as_alice(method: str, path: str, name: str, kind: str = "application/json") -> int:
        return cluster.api.request(
            method,
            f"{path}?fieldManager=t",
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}},
            user="alice",
            groups=["system:authenticated"],
            content_type=kind,
        )[0]

    assert as_alice("PATCH", f"{maps}/mine", "mine", APPLY) == 201
    assert as_alice("PATCH", f"{maps}/half", "half", APPLY) == 403
    assert as_alice("PATCH", f"{maps}/other", "other", APPLY) == 403
    assert as_alice("POST", maps, "mine") == 403
