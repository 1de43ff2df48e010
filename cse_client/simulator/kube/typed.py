"""What server-side apply demands of an object's form before it merges it.

An object that does not fit its schema is HTTP 500 without a reason (kubernetes/kubernetes#122480).
Checked here: the fields of Services, pods and what holds pod templates, those of custom resources
with a structural schema, and the keys of ports: `protocol` has no default in the schema of
container ports before Kubernetes 1.20 and of Service ports before 1.21 (kptdev/kpt#1928 shows the
message). Fields: the API reference of 1.36; one that came later than the cluster is let through.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from cse_client.simulator.kube.errors import typed_patch_failure
from cse_client.simulator.kube.objects import Obj, dig

__all__ = ["check_typed"]


_NAMES_OBJECT = 25
_UNKNOWN = "field not declared in schema"
_NO_PROTOCOL = 'associative list with keys has an element that omits key field "protocol"'
_TOP = frozenset({"apiVersion", "kind", "metadata", "spec", "status"})
_DATA = frozenset({"apiVersion", "kind", "metadata", "data", "binaryData", "stringData", "type"})
_PLAIN = frozenset({"immutable", *_DATA})
_TEMPLATED = ("deployments", "daemonsets", "replicasets", "statefulsets", "jobs")
_CONTAINERS = ("initContainers", "containers", "ephemeralContainers")
_PLAIN_KINDS = {("", "configmaps"): _PLAIN, ("", "secrets"): _PLAIN, ("", "namespaces"): _TOP}


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

    `schema` is that of a custom resource, if it has one.
    """
    why = next(_faults(key, obj, minor, schema), "")
    if not why:
        return
    metadata = obj.get("metadata") or {}
    name = "/".join((str(metadata.get("namespace") or ""), str(metadata.get("name") or "")))
    group, _, version = str(obj.get("apiVersion", "")).rpartition("/")
    named = f"{name}; {group}/{version}, Kind={obj.get('kind', '')}"
    raise typed_patch_failure(named if minor >= _NAMES_OBJECT else "", why)


def _faults(
    key: tuple[str, str], obj: Obj, minor: int, schema: Mapping[str, Any] | None
) -> Iterator[str]:
    if schema is not None:
        yield from _undeclared(obj, schema, "")
    elif key in _PLAIN_KINDS:
        yield from _beyond(obj, _PLAIN_KINDS[key], "")
    elif key == ("", "services"):
        yield from _beyond(obj, _TOP, "")
        yield from _beyond(obj.get("spec"), _SERVICE, ".spec")
        if minor < _SERVICE_PORTS:
            yield from _ports(dig(obj, "spec", "ports"), ".spec.ports")
    elif key == ("", "pods"):
        yield from _pod(obj.get("spec"), ".spec", minor)
    elif key[1] in _TEMPLATED:
        yield from _beyond(obj, _TOP, "")
        yield from _pod(dig(obj, "spec", "template", "spec"), ".spec.template.spec", minor)
    elif key == ("batch", "cronjobs"):
        path = ("spec", "jobTemplate", "spec", "template", "spec")
        yield from _pod(dig(obj, *path), f".{'.'.join(path)}", minor)


def _pod(spec: Any, path: str, minor: int) -> Iterator[str]:
    yield from _beyond(spec, _POD, path)
    for listed in _CONTAINERS:
        for container in dig(spec, listed, default=[]) or ():
            here = f'{path}.{listed}[name="{dig(container, "name", default="")}"]'
            yield from _beyond(container, _CONTAINER, here)
            if minor < _CONTAINER_PORTS:
                yield from _ports(dig(container, "ports"), f"{here}.ports")


def _ports(ports: Any, path: str) -> Iterator[str]:
    for index, port in enumerate(ports or ()):
        if "protocol" not in port:
            yield f"{path}: element {index}: {_NO_PROTOCOL}"


def _beyond(obj: Any, known: frozenset[str], path: str) -> Iterator[str]:
    for name in obj if isinstance(obj, dict) else ():
        if name not in known:
            yield f"{path}.{name}: {_UNKNOWN}"


def _undeclared(value: Any, schema: Mapping[str, Any], path: str) -> Iterator[str]:
    """Compare a custom resource with its structural schema."""
    if schema.get("x-kubernetes-preserve-unknown-fields"):
        return
    if isinstance(value, list) and isinstance(schema.get("items"), dict):
        for index, item in enumerate(value):
            yield from _undeclared(item, schema["items"], f"{path}[{index}]")
    properties, more = schema.get("properties"), schema.get("additionalProperties")
    if not isinstance(value, dict):
        return
    for name, item in value.items():
        if not path and name in ("apiVersion", "kind", "metadata"):
            continue
        if isinstance(properties, dict) and name in properties:
            yield from _undeclared(item, properties[name], f"{path}.{name}")
        elif isinstance(more, dict):
            yield from _undeclared(item, more, f"{path}.{name}")
        elif properties is not None and not more:
            yield f"{path}.{name}: {_UNKNOWN}"
