"""The columns of each kind, and how an object fills them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cse_client.simulator.kube.custom_columns import Cells, Column, Since, custom_rows
from cse_client.simulator.kube.objects import Obj, condition, dig
from cse_client.simulator.kube.resources import Resource
from cse_client.simulator.kube.selectors import selector_text

__all__ = ["Cells", "Column", "cells_of", "columns_of", "pod_phase"]

_ROLE = "node-role.kubernetes.io/"


_Rows = tuple[tuple[Column, ...], Cells]
_SHOWS_CREATION = frozenset(
    {
        ("rbac.authorization.k8s.io", "roles"),
        ("rbac.authorization.k8s.io", "clusterroles"),
    }
)


def _columns(text: str) -> tuple[Column, ...]:
    """Read `Name Ready# Node+`: # marks an integer, + a wide column, _ a space."""
    return tuple(
        (
            word.rstrip("+#").replace("_", " "),
            "integer" if "#" in word else "string",
            word.endswith("+"),
        )
        for word in text.split()
    )


def _name(obj: Obj) -> str:
    return str(obj["metadata"]["name"])


def _born(obj: Obj, since: Since) -> str:
    return since(obj["metadata"].get("creationTimestamp"))


def _node(obj: Obj, since: Since) -> Sequence[Any]:
    ready = condition(obj, "Ready")
    status = (
        "Unknown" if ready is None else ("Ready" if ready.get("status") == "True" else "NotReady")
    )
    if dig(obj, "spec", "unschedulable"):
        status += ",SchedulingDisabled"
    labels = obj["metadata"].get("labels") or {}
    roles = sorted(key[len(_ROLE) :] for key in labels if key.startswith(_ROLE))
    addresses = {
        item["type"]: item["address"] for item in dig(obj, "status", "addresses", default=[])
    }
    info = dig(obj, "status", "nodeInfo", default={})
    return (
        _name(obj),
        status,
        ",".join(roles) or "<none>",
        _born(obj, since),
        info.get("kubeletVersion", ""),
        addresses.get("InternalIP"),
        addresses.get("ExternalIP"),
        info.get("osImage") or "<unknown>",
        info.get("kernelVersion") or "<unknown>",
        info.get("containerRuntimeVersion") or "<unknown>",
    )


def pod_phase(obj: Obj) -> str:
    """Return the word in kubectl's STATUS column."""
    phase = str(dig(obj, "status", "reason") or dig(obj, "status", "phase", default="Unknown"))
    for status in dig(obj, "status", "containerStatuses", default=[]):
        for state in ("waiting", "terminated"):
            phase = dig(status, "state", state, "reason", default=phase)
    if obj["metadata"].get("deletionTimestamp"):
        return "Unknown" if dig(obj, "status", "reason") == "NodeLost" else "Terminating"
    return phase


def _pod(obj: Obj, since: Since) -> Sequence[Any]:
    statuses = dig(obj, "status", "containerStatuses", default=[])
    ready = sum(1 for status in statuses if status.get("ready"))
    restarts = sum(status.get("restartCount", 0) for status in statuses)
    return (
        _name(obj),
        f"{ready}/{len(dig(obj, 'spec', 'containers', default=[]))}",
        pod_phase(obj),
        str(restarts),
        _born(obj, since),
        dig(obj, "status", "podIP"),
        dig(obj, "spec", "nodeName"),
        dig(obj, "status", "nominatedNodeName"),
        "<none>",
    )


def _ingress_addresses(obj: Obj) -> str:
    return ",".join(
        item.get("ip") or item.get("hostname") or ""
        for item in dig(obj, "status", "loadBalancer", "ingress", default=[])
    )


def _service(obj: Obj, since: Since) -> Sequence[Any]:
    spec = obj.get("spec") or {}
    kind = spec.get("type", "ClusterIP")
    external = ",".join(spec.get("externalIPs") or ())
    if kind == "LoadBalancer":
        external = ",".join(filter(None, (_ingress_addresses(obj), external))) or "<pending>"
    if kind == "ExternalName":
        external = spec.get("externalName", "")
    ports = ",".join(
        f"{port['port']}"
        + (f":{port['nodePort']}" if port.get("nodePort") else "")
        + f"/{port.get('protocol', 'TCP')}"
        for port in spec.get("ports") or ()
    )
    selector = spec.get("selector")
    return (
        _name(obj),
        kind,
        spec.get("clusterIP") or "<none>",
        external or "<none>",
        ports or "<none>",
        _born(obj, since),
        selector_text({"matchLabels": selector} if selector else None),
    )


def _made_of(obj: Obj) -> tuple[str, str]:
    containers = dig(obj, "spec", "template", "spec", "containers", default=[])
    return (
        ",".join(str(item.get("name")) for item in containers),
        ",".join(str(item.get("image")) for item in containers),
    )


def _workload(obj: Obj) -> tuple[str, str, str]:
    return (*_made_of(obj), selector_text(dig(obj, "spec", "selector")))


def _status(obj: Obj, *names: str) -> list[int]:
    return [dig(obj, "status", name, default=0) for name in names]


def _deployment(obj: Obj, since: Since) -> Sequence[Any]:
    ready, updated, available = _status(
        obj, "readyReplicas", "updatedReplicas", "availableReplicas"
    )
    wanted = dig(obj, "spec", "replicas", default=1)
    return (_name(obj), f"{ready}/{wanted}", updated, available, _born(obj, since), *_workload(obj))


def _daemon_set(obj: Obj, since: Since) -> Sequence[Any]:
    counts = _status(
        obj,
        "desiredNumberScheduled",
        "currentNumberScheduled",
        "numberReady",
        "updatedNumberScheduled",
        "numberAvailable",
    )
    nodes = dig(obj, "spec", "template", "spec", "nodeSelector")
    selector = selector_text({"matchLabels": nodes} if nodes else None)
    return (_name(obj), *counts, selector, _born(obj, since), *_workload(obj))


def _replica_set(obj: Obj, since: Since) -> Sequence[Any]:
    counts = _status(obj, "replicas", "readyReplicas")
    wanted = dig(obj, "spec", "replicas", default=1)
    return (_name(obj), wanted, *counts, _born(obj, since), *_workload(obj))


def _stateful_set(obj: Obj, since: Since) -> Sequence[Any]:
    (ready,) = _status(obj, "readyReplicas")
    wanted = dig(obj, "spec", "replicas", default=1)
    return (_name(obj), f"{ready}/{wanted}", _born(obj, since), *_made_of(obj))


def _job(obj: Obj, since: Since) -> Sequence[Any]:
    (done,) = _status(obj, "succeeded")
    finished = condition(obj, "Complete")
    state = "Complete" if finished else "Running"
    return (
        _name(obj),
        state,
        f"{done}/{dig(obj, 'spec', 'completions', default=1)}",
        since(dig(obj, "status", "startTime")),
        _born(obj, since),
        *_workload(obj),
    )


def _csr(obj: Obj, since: Since) -> Sequence[Any]:
    kinds = [item["type"] for item in dig(obj, "status", "conditions", default=[])]
    state = next((kind for kind in ("Denied", "Approved") if kind in kinds), "Pending")
    if "Failed" in kinds:
        state += ",Failed"
    if dig(obj, "status", "certificate"):
        state += ",Issued"
    return (
        _name(obj),
        _born(obj, since),
        dig(obj, "spec", "signerName"),
        dig(obj, "spec", "username"),
        state,
    )


def _subjects(obj: Obj, kind: str) -> str:
    return ", ".join(
        "/".join(filter(None, (item.get("namespace"), item["name"])))
        for item in obj.get("subjects") or ()
        if item.get("kind") == kind
    )


def _binding(obj: Obj, since: Since) -> Sequence[Any]:
    role = obj["roleRef"]
    return (
        _name(obj),
        f"{role['kind']}/{role['name']}",
        _born(obj, since),
        _subjects(obj, "User"),
        _subjects(obj, "Group"),
        _subjects(obj, "ServiceAccount"),
    )


def _ingress(obj: Obj, since: Since) -> Sequence[Any]:
    rules = dig(obj, "spec", "rules", default=[])
    ports = "80, 443" if dig(obj, "spec", "tls") else "80"
    return (
        _name(obj),
        dig(obj, "spec", "ingressClassName"),
        ",".join(rule.get("host") or "*" for rule in rules) or "*",
        _ingress_addresses(obj),
        ports,
        _born(obj, since),
    )


def _endpoints(obj: Obj, since: Since) -> Sequence[Any]:
    found = [
        f"{address['ip']}:{port['port']}"
        for subset in obj.get("subsets") or ()
        for address in subset.get("addresses") or ()
        for port in subset.get("ports") or ()
    ]
    more = f" + {len(found) - 3} more..." if len(found) > 3 else ""  # noqa: PLR2004
    return (_name(obj), (",".join(found[:3]) + more) or "<none>", _born(obj, since))


def _budget(obj: Obj, since: Since) -> Sequence[Any]:
    return (
        _name(obj),
        str(dig(obj, "spec", "minAvailable", default="N/A")),
        str(dig(obj, "spec", "maxUnavailable", default="N/A")),
        dig(obj, "status", "disruptionsAllowed", default=0),
        _born(obj, since),
    )


def _event(obj: Obj, since: Since) -> Sequence[Any]:
    about = obj.get("involvedObject") or {}
    return (
        since(obj.get("lastTimestamp") or obj.get("eventTime")),
        obj.get("type", ""),
        obj.get("reason", ""),
        f"{str(about.get('kind', '')).lower()}/{about.get('name', '')}",
        obj.get("message", ""),
    )


def _counted(field: str) -> Cells:
    return lambda obj, since: (_name(obj), len(obj.get(field) or ()), _born(obj, since))


_TABLES: dict[tuple[str, str], _Rows] = {
    ("", "nodes"): (
        _columns(
            "Name Status Roles Age Version Internal-IP+ External-IP+ OS-Image+ Kernel-Version+ "
            "Container-Runtime+"
        ),
        _node,
    ),
    ("", "pods"): (
        _columns("Name Ready Status Restarts Age IP+ Node+ Nominated_Node+ Readiness_Gates+"),
        _pod,
    ),
    ("", "services"): (
        _columns("Name Type Cluster-IP External-IP Port(s) Age Selector+"),
        _service,
    ),
    ("", "namespaces"): (
        _columns("Name Status Age"),
        lambda obj, since: (_name(obj), dig(obj, "status", "phase"), _born(obj, since)),
    ),
    ("", "configmaps"): (_columns("Name Data Age"), _counted("data")),
    ("", "secrets"): (
        _columns("Name Type Data Age"),
        lambda obj, since: (
            _name(obj),
            obj.get("type"),
            len(obj.get("data") or ()),
            _born(obj, since),
        ),
    ),
    ("", "endpoints"): (_columns("Name Endpoints Age"), _endpoints),
    ("", "events"): (_columns("Last_Seen Type Reason Object Message"), _event),
    ("apps", "deployments"): (
        _columns("Name Ready Up-to-date# Available# Age Containers+ Images+ Selector+"),
        _deployment,
    ),
    ("apps", "daemonsets"): (
        _columns(
            "Name Desired# Current# Ready# Up-to-date# Available# Node_Selector Age Containers+ "
            "Images+ Selector+"
        ),
        _daemon_set,
    ),
    ("apps", "replicasets"): (
        _columns("Name Desired# Current# Ready# Age Containers+ Images+ Selector+"),
        _replica_set,
    ),
    ("apps", "statefulsets"): (_columns("Name Ready Age Containers+ Images+"), _stateful_set),
    ("batch", "jobs"): (
        _columns("Name Status Completions Duration Age Containers+ Images+ Selector+"),
        _job,
    ),
    ("certificates.k8s.io", "certificatesigningrequests"): (
        _columns("Name Age SignerName Requestor Condition"),
        _csr,
    ),
    ("rbac.authorization.k8s.io", "rolebindings"): (
        _columns("Name Role Age Users+ Groups+ ServiceAccounts+"),
        _binding,
    ),
    ("rbac.authorization.k8s.io", "clusterrolebindings"): (
        _columns("Name Role Age Users+ Groups+ ServiceAccounts+"),
        _binding,
    ),
    ("networking.k8s.io", "ingresses"): (
        _columns("Name Class Hosts Address Ports Age"),
        _ingress,
    ),
    ("policy", "poddisruptionbudgets"): (
        _columns("Name Min_Available Max_Unavailable Allowed_Disruptions# Age"),
        _budget,
    ),
    ("coordination.k8s.io", "leases"): (
        _columns("Name Holder Age"),
        lambda obj, since: (
            _name(obj),
            dig(obj, "spec", "holderIdentity", default=""),
            _born(obj, since),
        ),
    ),
    ("apiextensions.k8s.io", "customresourcedefinitions"): (
        (("Name", "string", False), ("Created At", "date", False)),
        lambda obj, _since: (_name(obj), obj["metadata"].get("creationTimestamp")),
    ),
    ("storage.k8s.io", "storageclasses"): (
        _columns("Name Provisioner Age"),
        lambda obj, since: (_name(obj), obj.get("provisioner"), _born(obj, since)),
    ),
}

_PLAIN: _Rows = (
    _columns("Name Age"),
    lambda obj, since: (_name(obj), _born(obj, since)),
)
_CREATED: _Rows = (
    _columns("Name Created_At"),
    lambda obj, _since: (_name(obj), obj["metadata"].get("creationTimestamp")),
)


def _of(resource: Resource) -> _Rows:
    if resource.columns:
        return custom_rows(resource)
    if resource.key in _SHOWS_CREATION:
        return _CREATED
    return _TABLES.get(resource.key, _PLAIN)


def columns_of(resource: Resource) -> tuple[Column, ...]:
    """Return a kind's columns."""
    return _of(resource)[0]


def cells_of(resource: Resource) -> Cells:
    """Return what makes an object's cells, in the order of the columns."""
    return _of(resource)[1]
