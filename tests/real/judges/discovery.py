"""What there is, how it is, and who may ask."""

from __future__ import annotations

from tests.real.judges.asking import Question
from tests.real.judges.verbs import get, post

__all__ = ["DISCOVERY"]

SERVED = (
    "pods pods/status pods/eviction pods/binding nodes nodes/status configmaps secrets "
    "serviceaccounts serviceaccounts/token namespaces namespaces/status namespaces/finalize "
    "services"
)

DISCOVERY: tuple[Question, ...] = (
    Question("the root's paths", "HEAD", "/"),
    get("the core group's versions", "/api"),
    get("the core group's resources", "/api/v1", only=tuple(SERVED.split())),
    get("the groups", "/apis", only=("apps", "batch", "policy", "rbac.authorization.k8s.io")),
    get("one group", "/apis/apps"),
    get(
        "a group's resources",
        "/apis/apps/v1",
        only=("deployments", "deployments/scale", "deployments/status", "daemonsets"),
    ),
    get("the resources for rights", "/apis/authorization.k8s.io/v1"),
    get("the version", "/version"),
    get("the version, asked by nobody", "/version", who="nobody"),
    get("the health", "/healthz"),
    get("the health, asked by nobody", "/healthz", who="nobody"),
    get("that it lives", "/livez"),
    get("that it is ready", "/readyz"),
    get("one check of readiness", "/readyz/ping"),
    get("a check that does not exist", "/readyz/nothing"),
    get(
        "discovery of all groups at once",
        "/apis",
        accept="application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json",
    ),
    get(
        "OpenAPI as kubectl asks for it",
        "/openapi/v2",
        accept="application/com.github.proto-openapi.spec.v2.v1.0+protobuf",
    ),
    get("OpenAPI 3", "/openapi/v3"),
    get("a group's discovery with a slash", "/apis/apps/"),
    get("a list with a slash", "/api/v1/nodes/"),
    post("discovery of nothing by POST", "/api", {}),
)
