"""What a cluster's own API shows of its troubles: health, nodes, pods, events, certificate."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any

from cse_client import suggest
from cse_client.errors import ClusterUnreachable
from cse_client.kube.api import ClusterAPI
from cse_client.model import NodeReport
from cse_client.model.diagnosis import Cause

__all__ = ["KubeSymptoms", "look_at_kubernetes"]

_MOST_EVENTS = 200
_MOST_PODS = 100
_LOG_LINES = 10
_ENDS_SOON = timedelta(days=14)
_SYSTEM = "kube-system"
#: The label of a cluster's DNS server, and the name of its Service, as kubeadm gives them
#: (kubernetes: cmd/kubeadm/app/phases/addons/dns).
_DNS_LABEL, _DNS_SERVICE = "k8s-app=kube-dns", "kube-dns"
#: Conditions of a Node that are bad when True.
_PRESSURES = ("MemoryPressure", "DiskPressure", "PIDPressure", "NetworkUnavailable")


@dataclass(frozen=True)
class KubeSymptoms:
    """What was seen. `silence` is why the API could not be asked.

    `unready` maps Nodes to the reason and message of their Ready condition, `pressed` to the
    conditions that are bad; `pods` are those in trouble, each with namespace, name, node and why.
    `cordoned` are Nodes that accept no pods; `no_dns` is why names cannot be resolved in the
    cluster although no pod is in trouble, with its cure. `reports` are what nodes reported of their
    bootstrap.
    """

    silence: ClusterUnreachable | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    health: tuple[str, ...] = ()
    unready: Mapping[str, str] = field(default_factory=dict)
    pressed: Mapping[str, str] = field(default_factory=dict)
    pods: tuple[Mapping[str, str], ...] = ()
    cordoned: tuple[str, ...] = ()
    no_dns: tuple[str, str] | None = None
    reports: Mapping[str, NodeReport] = field(default_factory=dict)
    certificate_end: datetime | None = None

    def causes(self, running: Collection[str], repair: str, renew: str) -> Iterator[Cause]:
        """Yield what is wrong with what runs; `running` are the VMs that are on.

        `repair` and `renew` are the commands that do that to the cluster.
        """
        if self.health:
            yield Cause(
                "The API server reports that parts of it do not work.",
                f"Look at the control plane's pods in {_SYSTEM}.",
                self.health,
            )
        for node, report in self.reports.items():
            if report.status == "failed" and node in running:
                yield Cause(
                    f"The bootstrap of node {node} failed in the phase {report.phase}"
                    f" (exit code {report.exit_code}).",
                    f"Show how to repair it: {repair}",
                    tuple(f"{node}: {line}" for line in report.log[-_LOG_LINES:]),
                )
        for node, why in self.unready.items():
            if node in running:  # that a VM is off has been named
                yield Cause(f"Node {node} is not Ready: {why}.", f"Show how to repair it: {repair}")
        for node, why in self.pressed.items():
            yield Cause(f"Node {node} lacks resources: {why}.", "Free some, or add workers.")
        if self.no_dns is not None:
            yield Cause(*self.no_dns)
        system = [one for one in self.pods if one["namespace"] == _SYSTEM]
        for pod in system[:3] or self.pods[:3]:
            yield Cause(
                f"Pod {pod['namespace']}/{pod['name']} on node {pod['node'] or '(none)'} is in"
                f" trouble: {pod['why']}.",
                "Look at its events and its log with kubectl.",
            )
        end = self.certificate_end
        if end is not None and end - datetime.now(timezone.utc) < _ENDS_SOON:
            yield Cause(
                f"The API server's certificate ends at {end:%Y-%m-%d %H:%M} UTC.",
                f"Renew it: {renew}",
            )
        for node in self.cordoned:
            yield Cause(
                f"Node {node} is cordoned: no new pods are scheduled on it.",
                "When its maintenance has ended: " + suggest.program("kubectl uncordon", node),
            )


def look_at_kubernetes(api: ClusterAPI) -> KubeSymptoms:
    """Ask a cluster's API; some ten requests.

    Raises:
        ClusterUnreachable: it does not answer.
    """
    nodes = list(api.listing("/api/v1/nodes", "Node", "list nodes"))
    pods = [one for one in (_pod(pod) for pod in _listing(api, "pods", "Pod")) if one is not None]
    events = list(_events(api))
    health = _health(api)
    no_dns = _no_dns(api)
    end = api.certificate_end()
    reports = api.bootstrap_reports()
    facts = {
        "version": api.version(),
        "nodes": [_node_facts(node) for node in nodes],
        "pods in trouble": pods[:_MOST_PODS],
        "events": events[-_MOST_EVENTS:],
        "health": list(health),
        "DNS": no_dns[0] if no_dns is not None else None,
        "bootstrap reports": {node: asdict(one) for node, one in reports.items()},
        "certificate ends": end.isoformat() if end is not None else None,
    }
    unready = {}
    pressed = {}
    for node in nodes:
        name = str(node.get("metadata", {}).get("name"))
        conditions = _conditions(node)
        ready = conditions.get("Ready", {})
        if ready.get("status") != "True":
            unready[name] = _why(ready) or "it has no Ready condition"
        bad = [_why(one) or kind for kind, one in conditions.items() if _is_bad(kind, one)]
        if bad:
            pressed[name] = "; ".join(bad)
    return KubeSymptoms(
        facts=facts,
        health=tuple(health),
        unready=unready,
        pressed=pressed,
        pods=tuple(pods),
        cordoned=tuple(
            str(node.get("metadata", {}).get("name"))
            for node in nodes
            if (node.get("spec") or {}).get("unschedulable")
        ),
        no_dns=no_dns,
        reports=reports,
        certificate_end=end,
    )


def _listing(api: ClusterAPI, plural: str, kind: str) -> Iterator[dict[str, Any]]:
    yield from api.listing(f"/api/v1/{plural}", kind, f"list {plural}")


def _events(api: ClusterAPI) -> Iterator[dict[str, str]]:
    for one in _listing(api, "events", "Event"):
        about = one.get("involvedObject") or {}
        yield {
            "when": str(one.get("lastTimestamp") or one.get("eventTime") or ""),
            "type": str(one.get("type") or ""),
            "reason": str(one.get("reason") or ""),
            "object": f"{about.get('kind')}/{about.get('namespace', '')}/{about.get('name')}",
            "message": str(one.get("message") or "")[:500],
        }


def _health(api: ClusterAPI) -> list[str]:
    """Return the checks of /readyz that fail, etcd's among them.

    An API server that is well answers with text, which is no answer that `api` takes.
    """
    try:
        _status, answer = api.ask("GET", "/readyz", query={"verbose": "true"}, forbidden=True)
    except ClusterUnreachable:
        return []
    text = str(answer.get("message") or "")
    return [line.strip() for line in text.splitlines() if line.startswith("[-]")]


def _no_dns(api: ClusterAPI) -> tuple[str, str] | None:
    """Return why no DNS server is there, and the cure; a server that fails is a pod in trouble."""
    install = suggest.program("kubeadm init phase addon coredns")
    consequence = "so that names cannot be resolved in the cluster"
    at = f"/apis/apps/v1/namespaces/{_SYSTEM}"
    # some installations run it as a DaemonSet
    query = {"labelSelector": _DNS_LABEL}
    deployed = list(api.listing(f"{at}/deployments", "Deployment", "list deployments", query))
    others = list(api.listing(f"{at}/daemonsets", "DaemonSet", "list daemonsets", query))
    if not deployed and not others:
        return (
            f"{_SYSTEM} has no CoreDNS, {consequence}.",
            f"Install it, on a control plane: {install}",
        )
    if not others and all((one.get("spec") or {}).get("replicas") == 0 for one in deployed):
        name = str((deployed[0].get("metadata") or {}).get("name"))
        return (
            f"Deployment {_SYSTEM}/{name} is scaled to 0, {consequence}.",
            "Scale it: "
            + suggest.program("kubectl scale deployment", name, namespace=_SYSTEM, replicas=2),
        )
    services = api.listing(f"/api/v1/namespaces/{_SYSTEM}/services", "Service", "list services")
    if not any((one.get("metadata") or {}).get("name") == _DNS_SERVICE for one in services):
        return (
            f"{_SYSTEM} has no Service {_DNS_SERVICE}, {consequence}.",
            f"Create it, on a control plane: {install}",
        )
    return None


def _pod(pod: Mapping[str, Any]) -> dict[str, str] | None:
    """Return what is wrong with a pod; None where it runs or has ended well."""
    status = pod.get("status") or {}
    phase = str(status.get("phase") or "Unknown")
    why = ""
    states = [
        *(status.get("initContainerStatuses") or ()),
        *(status.get("containerStatuses") or ()),
    ]
    for one in states:
        waiting = (one.get("state") or {}).get("waiting") or {}
        reason = str(waiting.get("reason") or "")
        if reason and reason not in ("ContainerCreating", "PodInitializing"):
            why = f"{reason} {waiting.get('message') or ''}".strip()
            break
    if not why and phase in ("Failed", "Unknown", "Pending"):
        conditions = {one.get("type"): one for one in status.get("conditions") or ()}
        scheduled = conditions.get("PodScheduled") or {}
        unscheduled = scheduled.get("status") == "False"
        if phase != "Pending" or unscheduled:
            why = str(scheduled.get("message") or status.get("message") or phase)
    if not why:
        return None
    metadata = pod.get("metadata") or {}
    return {
        "namespace": str(metadata.get("namespace") or ""),
        "name": str(metadata.get("name") or ""),
        "node": str((pod.get("spec") or {}).get("nodeName") or ""),
        "phase": phase,
        "why": " ".join(why.split())[:300].rstrip("."),
    }


def _conditions(node: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    found = (node.get("status") or {}).get("conditions") or ()
    return {str(one.get("type")): one for one in found}


def _is_bad(kind: str, condition: Mapping[str, Any]) -> bool:
    return kind in _PRESSURES and condition.get("status") == "True"


def _why(condition: Mapping[str, Any]) -> str:
    parts = (condition.get("reason"), condition.get("message"))
    return " ".join(" ".join(str(one).split()) for one in parts if one)[:300].rstrip(".")


def _node_facts(node: Mapping[str, Any]) -> dict[str, Any]:
    metadata, info = node.get("metadata") or {}, (node.get("status") or {}).get("nodeInfo") or {}
    return {
        "name": metadata.get("name"),
        "unschedulable": bool((node.get("spec") or {}).get("unschedulable")),
        "kubelet": info.get("kubeletVersion"),
        "runtime": info.get("containerRuntimeVersion"),
        "kernel": info.get("kernelVersion"),
        "conditions": {
            kind: f"{one.get('status')} {_why(one)}".strip()
            for kind, one in _conditions(node).items()
        },
    }
