"""What an add-on's workloads and load balancer Services are seen to do."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import Any

from cse_client.kube.addons.objects import Object, Objects, Ref
from cse_client.model.addons import AddressRange

__all__ = [
    "balancers",
    "daemons_missing",
    "deployment_missing",
    "ingress_addresses",
    "open_nodes",
    "service_name",
    "used_addresses",
]

_CONTROL_PLANE = ("node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master")
_KEEPS_OUT = ("NoSchedule", "NoExecute")


def deployment_missing(objects: Objects, namespace: str, name: str) -> str:
    """Return why a Deployment does not run, as text; empty when it does."""
    found = objects.get(Ref("apps/v1", "Deployment", namespace, name))
    if found is None:
        return f"Deployment {namespace}/{name} is not there"
    wanted = int(found["spec"].get("replicas", 1))
    status = found.get("status") or {}
    if int(status.get("observedGeneration", 0)) < int(found["metadata"].get("generation", 0)):
        return f"Deployment {namespace}/{name} was not looked at yet"
    updated, running = (int(status.get(k, 0)) for k in ("updatedReplicas", "availableReplicas"))
    if min(updated, running) < wanted:
        why = _why_pods_wait(objects, namespace, name)
        return f"Deployment {namespace}/{name}: {min(updated, running)} of {wanted} pods run{why}"
    return ""


def daemons_missing(objects: Objects, namespace: str, name: str, *, everywhere: bool) -> str:
    """Return why a DaemonSet does not run, as text; empty when it does.

    `everywhere`: on every node that is Ready and not kept free by somebody's own taint.
    """
    found = objects.get(Ref("apps/v1", "DaemonSet", namespace, name))
    if found is None:
        return f"DaemonSet {namespace}/{name} is not there"
    status = found.get("status") or {}
    if int(status.get("observedGeneration", 0)) < int(found["metadata"].get("generation", 0)):
        return f"DaemonSet {namespace}/{name} was not looked at yet"
    wanted = int(status.get("desiredNumberScheduled", 0))
    running = min(
        int(status.get("numberAvailable", 0)), int(status.get("updatedNumberScheduled", 0))
    )
    if wanted == 0 or running < wanted:
        why = _why_pods_wait(objects, namespace, name)
        return f"DaemonSet {namespace}/{name}: {running} of {wanted} pods run{why}"
    if everywhere:
        uid = found["metadata"]["uid"]
        there = {
            (pod.get("spec") or {}).get("nodeName")
            for pod in objects.list("v1", "Pod", namespace=namespace)
            if any(o.get("uid") == uid for o in pod["metadata"].get("ownerReferences") or ())
        }
        lacking = [one for one in _open_nodes(objects) if one not in there]
        if lacking:
            return f"DaemonSet {namespace}/{name} has no pod on node {', '.join(lacking)}"
    return ""


def _why_pods_wait(objects: Objects, namespace: str, name: str) -> str:
    """Return in brackets what keeps the first waiting pod of a workload, or an empty text."""
    for pod in objects.list("v1", "Pod", namespace=namespace):
        if not pod["metadata"]["name"].startswith(f"{name}-"):
            continue
        status = pod.get("status") or {}
        for one in status.get("conditions") or ():
            if one["type"] == "PodScheduled" and one["status"] == "False":
                return f" ({one.get('message') or one.get('reason') or 'not scheduled'})"
        for one in status.get("containerStatuses") or ():
            waiting = (one.get("state") or {}).get("waiting") or {}
            if waiting.get("reason"):
                message = f": {waiting['message']}" if waiting.get("message") else ""
                return f" ({waiting['reason']}{message})"
    return ""


def _open_nodes(objects: Objects) -> list[str]:
    return [str(node["metadata"]["name"]) for node in open_nodes(objects)]


def open_nodes(objects: Objects) -> list[Object]:
    """Return the Nodes that are Ready and not kept free by somebody's own taint."""
    found = []
    for node in objects.list("v1", "Node"):
        conditions = (node.get("status") or {}).get("conditions") or ()
        ready = any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)
        taints = (node.get("spec") or {}).get("taints") or ()
        closed = any(
            one.get("effect") in _KEEPS_OUT and one.get("key") not in _CONTROL_PLANE
            for one in taints
        )
        if ready and not closed:
            found.append(node)
    return found


def balancers(objects: Objects) -> list[Object]:
    """Return every Service of type LoadBalancer."""
    services = objects.list("v1", "Service")
    return [one for one in services if one["spec"].get("type") == "LoadBalancer"]


def ingress_addresses(service: Object) -> list[str]:
    """Return the addresses (or names) that a Service got."""
    balancer: Any = (service.get("status") or {}).get("loadBalancer") or {}
    found = [one.get("ip") or one.get("hostname") for one in balancer.get("ingress") or ()]
    return [str(one) for one in found if one]


def service_name(service: Object) -> str:
    """Return NAMESPACE/NAME."""
    return f"{service['metadata']['namespace']}/{service['metadata']['name']}"


def used_addresses(
    services: Sequence[Object], ranges: Sequence[AddressRange]
) -> dict[str, list[str]]:
    """Return which addresses of the ranges are in use, by which Services."""
    used: dict[str, list[str]] = {}
    for service in services:
        for text in ingress_addresses(service):
            try:
                address = ipaddress.IPv4Address(text)
            except ValueError:
                continue
            if any(address in one for one in ranges):
                used.setdefault(text, []).append(service_name(service))
    return used
