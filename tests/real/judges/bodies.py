"""The objects that the story writes."""

from __future__ import annotations

from typing import Any

__all__ = [
    "EVICTION",
    "NODE",
    "RUNNING",
    "SERVICE",
    "UNREADY",
    "config_map",
    "crd",
    "deployment",
    "meta",
    "obj",
    "pod",
    "review",
    "thing",
]


def meta(name: str, **rest: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, **rest}}


def obj(api_version: str, kind: str, name: str, **rest: Any) -> dict[str, Any]:
    metadata = {"name": name, **rest.pop("metadata", {})}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **rest}


def config_map(name: str, **rest: Any) -> dict[str, Any]:
    return obj("v1", "ConfigMap", name, **rest)


def pod(name: str, **spec: Any) -> dict[str, Any]:
    container = {"name": "main", "image": "example.com/main:1", "ports": [{"containerPort": 80}]}
    return obj(
        "v1",
        "Pod",
        name,
        metadata={"labels": {"app": "web"}},
        spec={
            "nodeName": "judged-node",
            "serviceAccountName": "robot",
            "automountServiceAccountToken": False,
            "containers": [container],
            **spec,
        },
    )


def deployment(name: str) -> dict[str, Any]:
    labels = {"app": name}
    return obj(
        "apps/v1",
        "Deployment",
        name,
        spec={
            "replicas": 0,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "main", "image": "example.com/main:1"}]},
            },
        },
    )


NODE = obj(
    "v1",
    "Node",
    "judged-node",
    metadata={"labels": {"kubernetes.io/hostname": "judged-node"}},
    status={
        "capacity": {"cpu": "2", "memory": "2Gi", "pods": "110"},
        "addresses": [{"type": "InternalIP", "address": "192.0.2.7"}],
    },
)

SERVICE = obj(
    "v1",
    "Service",
    "web",
    spec={"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": "http"}]},
)


def crd() -> dict[str, Any]:
    schema = {
        "type": "object",
        "properties": {
            "spec": {
                "type": "object",
                "required": ["size"],
                "properties": {"size": {"type": "integer"}, "color": {"type": "string"}},
            }
        },
    }
    return obj(
        "apiextensions.k8s.io/v1",
        "CustomResourceDefinition",
        "things.example.com",
        spec={
            "group": "example.com",
            "scope": "Namespaced",
            "names": {"plural": "things", "singular": "thing", "kind": "Thing"},
            "versions": [
                {
                    "name": "v1",
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": schema},
                    "subresources": {"status": {}},
                    "additionalPrinterColumns": [
                        {"name": "Size", "type": "integer", "jsonPath": ".spec.size"}
                    ],
                }
            ],
        },
    )


def thing(name: str, **spec: Any) -> dict[str, Any]:
    return obj("example.com/v1", "Thing", name, spec=spec)


def review(**spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": spec,
    }


RUNNING = {"status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}}
UNREADY = {"status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "False"}]}}
EVICTION = obj("policy/v1", "Eviction", "first", metadata={"namespace": "judges"})
