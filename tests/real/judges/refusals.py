"""Questions that an API server refuses, each for a reason of its own."""

from __future__ import annotations

from typing import Any

from tests.real.judges.asking import Question
from tests.real.judges.verbs import APPS, MAPS, NS, RBAC, apply, get, merge, post, put, strategic

__all__ = ["REFUSALS"]


def bad_map(name: str = "bad", **rest: Any) -> dict[str, Any]:
    metadata = {"name": name, **rest.pop("metadata", {})}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, **rest}


def bad_pod(**spec: Any) -> dict[str, Any]:
    containers = [{"name": "main", "image": "example.com/main:1"}]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "bad"},
        "spec": {"serviceAccountName": "robot", "containers": containers, **spec},
    }


def bad_deployment(**spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "bad"},
        "spec": spec,
    }


ROLES = f"{RBAC}/namespaces/judges/roles"

REFUSALS: tuple[Question, ...] = (
    post("no JSON", MAPS, "{"),
    post("no body", MAPS, ""),
    post("a list as a body", MAPS, []),
    post("another kind", MAPS, {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "x"}}),
    post("another version", MAPS, {"apiVersion": "v2", "kind": "ConfigMap"}),
    post("another namespace", MAPS, bad_map(metadata={"namespace": "default"})),
    post("a revision at creation", MAPS, bad_map(metadata={"resourceVersion": "1"})),
    post("a number as text", MAPS, bad_map(data={"a": 1})),
    post("a list as labels", MAPS, bad_map(metadata={"labels": []})),
    post("no base64", f"{NS}/secrets", {"metadata": {"name": "bad"}, "data": {"a": "?"}}),
    get("a bad selector of labels", f"{MAPS}?labelSelector=a%3D%3D%3Db"),
    get("a bad value in a selector", f"{MAPS}?labelSelector=a%3D-b-"),
    get("a selector of an unknown field", f"{MAPS}?fieldSelector=data.a%3D1"),
    get("a selector of a pod's unknown field", f"{NS}/pods?fieldSelector=spec.x%3D1"),
    get("a selector that is none", f"{MAPS}?fieldSelector=nonsense"),
    get("a bad limit", f"{MAPS}?limit=many"),
    get("a bad token of a page", f"{MAPS}?limit=1&continue=nonsense"),
    get("a page and a revision", f"{MAPS}?limit=1&continue=nonsense&resourceVersion=5"),
    get("a revision from the future", f"{MAPS}?resourceVersion=999999999"),
    get("a match without a revision", f"{MAPS}?resourceVersionMatch=Exact"),
    post("a bad dry run", f"{MAPS}?dryRun=Some", bad_map()),
    post("a bad validation of fields", f"{MAPS}?fieldValidation=Sometimes", bad_map()),
    post(
        "an unknown field, strictly",
        f"{MAPS}?fieldValidation=Strict&dryRun=All",
        bad_map(date={"a": "1"}),
    ),
    post(
        "an unknown field, with a warning",
        f"{MAPS}?fieldValidation=Warn&dryRun=All",
        bad_map(date={"a": "1"}),
    ),
    post("an unknown field", f"{MAPS}?dryRun=All", bad_map(date={"a": "1"})),
    post(
        "an unknown field of a pod, strictly",
        f"{NS}/pods?fieldValidation=Strict&dryRun=All",
        bad_pod(containerz=[]),
    ),
    post(
        "a key twice, strictly",
        f"{MAPS}?fieldValidation=Strict&dryRun=All",
        '{"metadata":{"name":"x"},"data":{"a":"1","a":"2"}}',
    ),
    merge("a patch that is no JSON", f"{MAPS}/one", "{"),
    merge("a merge patch that is a list", f"{MAPS}/one", []),
    Question(
        "a JSON patch that is an object", "PATCH", f"{MAPS}/one", {}, "application/json-patch+json"
    ),
    apply("apply without a manager", f"{MAPS}/bad", bad_map()),
    apply("apply without a kind", f"{MAPS}/bad?fieldManager=x", {"metadata": {"name": "bad"}}),
    apply("apply under another name", f"{MAPS}/bad?fieldManager=x", bad_map("other")),
    apply(
        "apply with managed fields",
        f"{MAPS}/bad?fieldManager=x",
        bad_map(metadata={"managedFields": [{"manager": "x"}]}),
    ),
    apply("apply with an unknown field", f"{MAPS}/bad?fieldManager=x", bad_map(date={})),
    merge("force without apply", f"{MAPS}/one?force=true", {}),
    strategic("strategic with a bad directive", f"{MAPS}/one", {"data": {"$patch": "sideways"}}),
    get("a bad token", MAPS, who="token:abc"),
    get("nobody reads", MAPS, who="nobody"),
    get("nobody discovers", "/apis", who="nobody"),
    get("alice reads", MAPS, who="alice"),
    get("alice reads one", f"{MAPS}/one", who="alice"),
    get("alice reads nodes", "/api/v1/nodes", who="alice"),
    get("alice reads deployments", f"{APPS}/deployments/web", who="alice"),
    post("alice evicts", f"{NS}/pods/first/eviction", {}, who="alice"),
    apply("alice applies", f"{MAPS}/bad?fieldManager=x", bad_map(), who="alice"),
    get("alice reads a path", "/metrics", who="alice"),
    get("alice discovers", "/apis/apps", who="alice"),
    get("alice reads what nobody serves", "/apis/nothing.example.com/v1/things", who="alice"),
    get("an unknown group", "/apis/nothing.example.com"),
    get("an unknown group's version", "/apis/nothing.example.com/v1"),
    get("an unknown version", "/apis/apps/v9"),
    get("an unknown version's resource", "/apis/apps/v9/deployments"),
    get("an unknown version of the core", "/api/v2"),
    get("an unknown resource", "/apis/apps/v1/widgets"),
    get("an unknown core resource", f"{NS}/widgets"),
    get("an unknown group's resource", "/apis/nothing.example.com/v1/things"),
    get("an unknown path", "/nothing"),
    get("a path below version", "/version/more"),
    get("an absent object", f"{MAPS}/absent"),
    get(
        "an absent object as a table",
        f"{MAPS}/absent",
        accept="application/json;as=Table;v=v1;g=meta.k8s.io",
    ),
    get("an absent deployment", f"{APPS}/deployments/absent"),
    get("an unknown subresource", f"{MAPS}/one/status"),
    post("create in an absent namespace", "/api/v1/namespaces/absent/configmaps", bad_map()),
    apply(
        "apply in an absent namespace",
        "/api/v1/namespaces/absent/configmaps/bad?fieldManager=x",
        bad_map(),
    ),
    post("POST to an object", f"{MAPS}/one", bad_map("one")),
    put("PUT to a list", MAPS, bad_map("one")),
    merge("PATCH of a list", MAPS, {}),
    get("read a review", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"),
    get("read an eviction", f"{NS}/pods/first/eviction"),
    post("create in all namespaces", "/api/v1/configmaps", bad_map()),
    Question("an unknown method", "TRACE", MAPS),
    Question("OPTIONS", "OPTIONS", MAPS),
    get("an answer as XML", MAPS, accept="application/xml"),
    get(
        "an answer as a table only, of another version",
        MAPS,
        accept="application/json;as=Table;v=v9;g=meta.k8s.io",
    ),
    Question("a body as XML", "POST", MAPS, "<a/>", "application/xml"),
    Question("a body as a form", "POST", MAPS, "a=b", "application/x-www-form-urlencoded"),
    Question("a patch as JSON", "PATCH", f"{MAPS}/one", {}, "application/json"),
    Question(
        "a body as YAML",
        "POST",
        f"{MAPS}?dryRun=All",
        "metadata: {name: yaml2}\n",
        "application/yaml",
    ),
    post("a bad name", MAPS, bad_map("Not_A_Name")),
    post("no name", MAPS, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {}}),
    post("a bad label", MAPS, bad_map(metadata={"labels": {"-a": "b c"}})),
    post("a bad key", MAPS, bad_map(data={"a/b": "1"})),
    post("a pod without containers", f"{NS}/pods", bad_pod(containers=[])),
    post("a deployment without anything", f"{APPS}/deployments", bad_deployment()),
    post("a service without ports", f"{NS}/services", {"metadata": {"name": "bad"}, "spec": {}}),
    post(
        "a bad service's name",
        f"{NS}/services",
        {"metadata": {"name": "1bad"}, "spec": {"ports": [{"port": 80}]}},
    ),
    post(
        "a role without verbs",
        ROLES,
        {"metadata": {"name": "bad"}, "rules": [{"apiGroups": [""], "resources": ["pods"]}]},
    ),
    post("a bad namespace", "/api/v1/namespaces", {"metadata": {"name": "a.b"}}),
)
