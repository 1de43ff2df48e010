"""Which fields a kind has: what server-side apply demands of an object before it merges it.

An object that does not fit its schema is HTTP 500 without a reason (kubernetes/kubernetes#122480).
Checked here: the fields of Services, pods and what holds pod templates, those of custom resources
with a structural schema, and the keys of ports: `protocol` has no default in the schema of
container ports before Kubernetes 1.20 and of Service ports before 1.21 (kptdev/kpt#1928 shows the
message). Fields: the API reference of 1.36; one that came later than the cluster is let through.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any

from cse_client.simulator.kube.errors import typed_patch_failure
from cse_client.simulator.kube.objects import Obj, dig

__all__ = ["check_typed", "drop_unknown"]


_NAMES_OBJECT = 25
_UNKNOWN = "field not declared in schema"
_NO_PROTOCOL = 'associative list with keys has an element that omits key field "protocol"'
_TOP = frozenset({"apiVersion", "kind", "metadata", "spec", "status"})
_DATA = frozenset({"apiVersion", "kind", "metadata", "data", "immutable"})
_TEMPLATED = ("deployments", "daemonsets", "replicasets", "statefulsets", "jobs")
_CONTAINERS = ("initContainers", "containers", "ephemeralContainers")
_PLAIN_KINDS = {
    ("", "configmaps"): _DATA | {"binaryData"},
    ("", "secrets"): _DATA | {"stringData", "type"},
    ("", "namespaces"): _TOP,
}


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


_CONTAINER_PORTS, _SERVICE_PORTS = 20, 21
_SERVICE = _names(
    """allocateLoadBalancerNodePorts clusterIP clusterIPs externalIPs externalName
    externalTrafficPolicy healthCheckNodePort internalTrafficPolicy ipFamilies ipFamilyPolicy
    loadBalancerClass loadBalancerIP loadBalancerSourceRanges ports publishNotReadyAddresses
    selector sessionAffinity sessionAffinityConfig trafficDistribution type"""
)
_POD = _names(
    """activeDeadlineSeconds affinity automountServiceAccountToken containers dnsConfig dnsPolicy
    enableServiceLinks ephemeralContainers hostAliases hostIPC hostNetwork hostPID hostUsers
    hostname hostnameOverride imagePullSecrets initContainers nodeName nodeSelector os overhead
    preemptionPolicy priority priorityClassName readinessGates resourceClaims resources
    restartPolicy runtimeClassName schedulerName schedulingGates securityContext serviceAccount
    serviceAccountName setHostnameAsFQDN shareProcessNamespace subdomain
    terminationGracePeriodSeconds tolerations topologySpreadConstraints volumes"""
)
_CONTAINER = _names(
    """args command env envFrom image imagePullPolicy lifecycle livenessProbe name ports
    readinessProbe resizePolicy resources restartPolicy restartPolicyRules securityContext
    startupProbe stdin stdinOnce targetContainerName terminationMessagePath
    terminationMessagePolicy tty volumeDevices volumeMounts workingDir"""
)


def check_typed(
    key: tuple[str, str], obj: Obj, minor: int, schema: Mapping[str, Any] | None = None
) -> None:
    """Raise ApiError 500 for the first thing in which an applied object does not fit its schema.

    `schema` is that of a custom resource, if it has one. The message names the object's namespace
    only where the object itself does.
    """
    found = (f"{one.applied}: {_UNKNOWN}" for one in _unknown(key, obj, schema))
    why = next(chain(found, _bare_ports(key, obj, minor)), "")
    if not why:
        return
    metadata = obj.get("metadata") or {}
    name = "/".join((str(metadata.get("namespace") or ""), str(metadata.get("name") or "")))
    group, _, version = str(obj.get("apiVersion", "")).rpartition("/")
    named = f"{name}; {group}/{version}, Kind={obj.get('kind', '')}"
    raise typed_patch_failure(named if minor >= _NAMES_OBJECT else "", why)


def drop_unknown(
    key: tuple[str, str], obj: Obj, schema: Mapping[str, Any] | None = None
) -> list[str]:
    """Take the fields that are not declared out of an object; returns them, as `spec.size`."""
    found = list(_unknown(key, obj, schema))
    for one in found:
        del one.holder[one.name]
    return [one.plain for one in found]


@dataclass(frozen=True)
class _Unknown:
    """A field that is not declared: where it is, and how two kinds of messages write that."""

    holder: Obj
    name: str
    applied: str
    plain: str


def _unknown(
    key: tuple[str, str], obj: Obj, schema: Mapping[str, Any] | None
) -> Iterator[_Unknown]:
    if schema is not None:
        yield from _undeclared(obj, schema, "")
    elif key in _PLAIN_KINDS:
        yield from _beyond(obj, _PLAIN_KINDS[key], "")
    elif key == ("", "services"):
        yield from _beyond(obj, _TOP, "")
        yield from _beyond(obj.get("spec"), _SERVICE, ".spec")
    elif _pods_in(key):
        path = _pods_in(key)
        yield from _beyond(obj, _TOP, "")
        yield from _pod(dig(obj, *path), f".{'.'.join(path)}")


def _pods_in(key: tuple[str, str]) -> tuple[str, ...]:
    """Return where a kind has its pods' spec, () where it has none."""
    if key == ("", "pods"):
        return ("spec",)
    if key == ("batch", "cronjobs"):
        return ("spec", "jobTemplate", "spec", "template", "spec")
    return ("spec", "template", "spec") if key[1] in _TEMPLATED else ()


def _pod(spec: Any, path: str) -> Iterator[_Unknown]:
    yield from _beyond(spec, _POD, path)
    for listed in _CONTAINERS:
        for index, container in enumerate(dig(spec, listed, default=[]) or ()):
            here = f'{path}.{listed}[name="{dig(container, "name", default="")}"]'
            yield from _beyond(container, _CONTAINER, here, f"{path}.{listed}[{index}]")


def _beyond(obj: Any, known: frozenset[str], path: str, plain: str = "") -> Iterator[_Unknown]:
    for name in list(obj) if isinstance(obj, dict) else ():
        if name not in known:
            shown = f"{plain or path}.{name}"[1:]
            yield _Unknown(obj, name, f"{path}.{name}", shown)


def _bare_ports(key: tuple[str, str], obj: Obj, minor: int) -> Iterator[str]:
    """Yield the ports without a protocol where it has no default yet."""
    if key == ("", "services") and minor < _SERVICE_PORTS:
        yield from _ports(dig(obj, "spec", "ports"), ".spec.ports")
    path = _pods_in(key)
    if not path or minor >= _CONTAINER_PORTS:
        return
    for listed in _CONTAINERS:
        for container in dig(obj, *path, listed, default=[]) or ():
            here = f'.{".".join(path)}.{listed}[name="{dig(container, "name", default="")}"]'
            yield from _ports(dig(container, "ports"), f"{here}.ports")


def _ports(ports: Any, path: str) -> Iterator[str]:
    for index, port in enumerate(ports or ()):
        if "protocol" not in port:
            yield f"{path}: element {index}: {_NO_PROTOCOL}"


def _undeclared(value: Any, schema: Mapping[str, Any], path: str) -> Iterator[_Unknown]:
    """Compare a custom resource with its structural schema."""
    if schema.get("x-kubernetes-preserve-unknown-fields"):
        return
    if isinstance(value, list) and isinstance(schema.get("items"), dict):
        for index, item in enumerate(value):
            yield from _undeclared(item, schema["items"], f"{path}[{index}]")
    properties, more = schema.get("properties"), schema.get("additionalProperties")
    if not isinstance(value, dict):
        return
    for name, item in list(value.items()):
        if not path and name in ("apiVersion", "kind", "metadata"):
            continue
        here = f"{path}.{name}"
        if isinstance(properties, dict) and name in properties:
            yield from _undeclared(item, properties[name], here)
        elif isinstance(more, dict):
            yield from _undeclared(item, more, here)
        elif properties is not None and not more:
            yield _Unknown(value, name, here, here[1:])
