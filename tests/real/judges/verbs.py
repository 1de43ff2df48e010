"""Questions in short, and the paths that the story is about."""

from __future__ import annotations

from typing import Any

from tests.real.judges.asking import Question

__all__ = [
    "APPS",
    "BARE",
    "BUDGETS",
    "CRDS",
    "JSON_PATCH",
    "LEASES",
    "MAPS",
    "NS",
    "PARTIAL",
    "PARTIAL_LIST",
    "RBAC",
    "SELF_REVIEW",
    "TABLE",
    "THINGS",
    "apply",
    "delete",
    "evict",
    "get",
    "merge",
    "post",
    "put",
    "strategic",
]

NS = "/api/v1/namespaces/judges"
BARE = "/api/v1/namespaces/judges-bare"
MAPS = f"{NS}/configmaps"
APPS = "/apis/apps/v1/namespaces/judges"
LEASES = "/apis/coordination.k8s.io/v1/namespaces/judges/leases"
RBAC = "/apis/rbac.authorization.k8s.io/v1"
BUDGETS = "/apis/policy/v1/namespaces/judges/poddisruptionbudgets"
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
THINGS = "/apis/example.com/v1/namespaces/judges/things"
SELF_REVIEW = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"

TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
PARTIAL = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"
PARTIAL_LIST = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"
JSON_PATCH = "application/json-patch+json"


def get(name: str, path: str, **rest: Any) -> Question:
    return Question(name, "GET", path, **rest)


def post(name: str, path: str, body: Any, **rest: Any) -> Question:
    return Question(name, "POST", path, body, **rest)


def put(name: str, path: str, body: Any, **rest: Any) -> Question:
    return Question(name, "PUT", path, body, **rest)


def delete(name: str, path: str, body: Any = None, **rest: Any) -> Question:
    return Question(name, "DELETE", path, body, **rest)


def merge(name: str, path: str, body: Any, **rest: Any) -> Question:
    return Question(name, "PATCH", path, body, "application/merge-patch+json", **rest)


def strategic(name: str, path: str, body: Any, **rest: Any) -> Question:
    return Question(name, "PATCH", path, body, "application/strategic-merge-patch+json", **rest)


def apply(name: str, path: str, body: Any, manager: str = "", **rest: Any) -> Question:
    """Server-side apply; without a manager where the path names one, or none is wanted."""
    path += f"?fieldManager={manager}" if manager else ""
    return Question(name, "PATCH", path, body, "application/apply-patch+yaml", **rest)


def evict(name: str, pod: str) -> Question:
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod}}
    return post(name, f"{NS}/pods/{pod}/eviction", body)
