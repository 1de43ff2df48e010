"""What a client asks before anything else: version, groups, resources, health, OpenAPI.

What a CRD defines appears here a moment after it is served (see `Cluster.discovered`).

OpenAPI: the answer to /openapi/v2 is an empty protobuf document, which switches kubectl's own
validation off without an error; /openapi/v3 does not exist. `kubectl explain` therefore fails.
"""

from __future__ import annotations

from typing import Any

from cse_client.simulator.kube.errors import (
    method_not_allowed,
    not_found,
    not_implemented,
    page_not_found,
)
from cse_client.simulator.kube.objects import Obj
from cse_client.simulator.kube.requests import Answer, Call
from cse_client.simulator.kube.resources import Resource
from cse_client.simulator.kube.state import Cluster

__all__ = ["discover"]

_PROTO = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
_HEALTH = ("/healthz", "/livez", "/readyz")
#: Of the many single checks, those that clients know.
_CHECKS = tuple(f"{path}/{check}" for path in _HEALTH for check in ("ping", "etcd", "log"))
_SUBRESOURCES = {
    "scale": ("Scale", "autoscaling", "v1", ("get", "patch", "update")),
    "eviction": ("Eviction", "policy", "v1", ("create",)),
    "token": ("TokenRequest", "authentication.k8s.io", "v1", ("create",)),
    "binding": ("Binding", "", "v1", ("create",)),
    "log": ("", "", "", ("get",)),
    "exec": ("PodExecOptions", "", "v1", ("create", "get")),
    "attach": ("PodAttachOptions", "", "v1", ("create", "get")),
    "portforward": ("PodPortForwardOptions", "", "v1", ("create", "get")),
    "proxy": ("", "", "", ("create", "delete", "get", "patch", "update")),
    "finalize": ("", "", "", ("update",)),
    "approval": ("", "", "", ("get", "patch", "update")),
    "status": ("", "", "", ("get", "patch", "update")),
}
_EVICTION_V1 = 22
_PLAIN = "text/plain; charset=utf-8"
# Seen on 1.36; the first release that does so may be an earlier one.
_SAYS_COMPATIBLE = 36


def discover(cluster: Cluster, call: Call) -> Answer:
    """Answer a request for a path that is not a resource's.

    Raises:
        ApiError: 404.
    """
    path = call.path.rstrip("/") or "/"
    if path in _HEALTH or path in _CHECKS:
        return Answer(
            raw=b"ok",
            content_type=_PLAIN,
            headers={"X-Content-Type-Options": "nosniff"} if path in _HEALTH else {},
        )
    if path == "/metrics":
        return Answer(raw=_metrics(cluster).encode(), content_type=_PLAIN)
    if path.startswith("/version/"):
        raise not_found("", "", "")
    if path == "/openapi/v2":
        if "protobuf" not in call.headers.get("accept", "protobuf"):
            raise not_implemented("the OpenAPI document as JSON")
        return Answer(raw=b"", content_type=_PROTO)
    fixed = {"/": _paths, "/version": _version, "/api": _core_versions, "/apis": _groups}
    value = fixed[path](cluster) if path in fixed else _below(cluster, path.split("/")[1:])
    if value is None:
        raise page_not_found()
    if call.method not in ("GET", "HEAD"):
        raise method_not_allowed()
    return Answer(value=value)


def _metrics(cluster: Cluster) -> str:
    """Return one of the API server's metrics (apiserver/pkg/endpoints/metrics/metrics.go)."""
    name = "apiserver_requested_deprecated_apis"
    lines = [
        f"# HELP {name} [STABLE] Gauge of deprecated APIs that have been requested, broken out by"
        " API group, version, resource, subresource, and removed_release.",
        f"# TYPE {name} gauge",
    ]
    for group, version, resource, subresource, removed in sorted(cluster.deprecated):
        lines.append(
            f'{name}{{group="{group}",removed_release="1.{removed}",resource="{resource}",'
            f'subresource="{subresource}",version="{version}"}} 1'
        )
    return "\n".join(lines) + "\n"


def _below(cluster: Cluster, parts: list[str]) -> Obj | None:
    """Return what /api/VERSION, /apis/GROUP or /apis/GROUP/VERSION shows."""
    groups = cluster.discovered.groups()
    if parts[0] == "api":
        if parts[1:] != ["v1"]:
            raise not_found("", "", "")
        return _resources(cluster, "", "v1")
    if parts[0] != "apis" or parts[1] not in groups:
        return None
    group, rest = parts[1], parts[2:]
    if len(rest) == 1 and rest[0] not in groups[group] and cluster.table.is_built_in(group):
        raise not_found(group, "", "")
    if not rest:
        return {"kind": "APIGroup", "apiVersion": "v1", **_group(cluster, group)}
    if len(rest) > 1 or rest[0] not in groups[group]:
        return None
    return _resources(cluster, group, rest[0])


def _core_versions(cluster: Cluster) -> Obj:
    address = {
        "clientCIDR": "0.0.0.0/0",
        "serverAddress": f"{cluster.address[0]}:{cluster.address[1]}",
    }
    return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": [address]}


def _groups(cluster: Cluster) -> Obj:
    groups = [_group(cluster, name) for name in cluster.discovered.groups() if name]
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}


def _paths(cluster: Cluster) -> Obj:
    paths = ["/api", "/api/v1", "/apis", *_HEALTH, "/openapi/v2", "/version"]
    return {"paths": sorted(paths + _group_paths(cluster))}


def _version(cluster: Cluster) -> Obj:
    compatible = {
        "emulationMajor": "1",
        "emulationMinor": str(cluster.minor),
        "minCompatibilityMajor": "1",
        "minCompatibilityMinor": str(cluster.minor - 1),
    }
    return {
        "major": "1",
        "minor": str(cluster.minor),
        **(compatible if cluster.minor >= _SAYS_COMPATIBLE else {}),
        "gitVersion": f"v{cluster.version}",
        "gitCommit": "0" * 40,
        "gitTreeState": "clean",
        "buildDate": "2020-01-01T00:00:00Z",
        "goVersion": "go1.13.9",
        "compiler": "gc",
        "platform": "linux/amd64",
    }


def _group_paths(cluster: Cluster) -> list[str]:
    return [
        path
        for group, versions in cluster.discovered.groups().items()
        if group
        for path in (f"/apis/{group}", *(f"/apis/{group}/{version}" for version in versions))
    ]


def _group(cluster: Cluster, name: str) -> Obj:
    versions = [
        {"groupVersion": f"{name}/{version}", "version": version}
        for version in cluster.discovered.groups()[name]
    ]
    return {"name": name, "versions": versions, "preferredVersion": versions[0]}


def _resources(cluster: Cluster, group: str, version: str) -> Obj:
    listed = []
    for resource in cluster.discovered.of_version(group, version):
        listed.append(_entry(resource))
        listed.extend(_subresource(cluster, resource, name) for name in resource.subresources)
    return {
        "kind": "APIResourceList",
        **({"apiVersion": "v1"} if group else {}),
        "groupVersion": f"{group}/{version}" if group else version,
        "resources": listed,
    }


def _entry(resource: Resource) -> Obj:
    entry: dict[str, Any] = {
        "name": resource.plural,
        "singularName": resource.singular or resource.kind.lower(),
        "namespaced": resource.namespaced,
        "kind": resource.kind,
        "verbs": list(resource.verbs),
    }
    if resource.short:
        entry["shortNames"] = list(resource.short)
    if resource.categories:
        entry["categories"] = list(resource.categories)
    return entry


def _subresource(cluster: Cluster, resource: Resource, name: str) -> Obj:
    kind, group, version, verbs = _SUBRESOURCES[name]
    entry: dict[str, Any] = {
        "name": f"{resource.plural}/{name}",
        "singularName": "",
        "namespaced": resource.namespaced,
        "kind": kind or resource.kind,
        "verbs": list(verbs),
    }
    if name == "eviction" and cluster.minor < _EVICTION_V1:
        version = "v1beta1"
    if group:
        entry["group"], entry["version"] = group, version
    return entry
