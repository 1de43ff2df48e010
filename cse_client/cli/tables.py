"""How model types look: as rows and columns for people, as plain values for JSON."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from enum import Enum
from typing import TYPE_CHECKING, Any

from cse_client.model import (
    CONTROL_PLANE,
    WORKER,
    Cluster,
    ClusterSummary,
    Deletion,
    Node,
    Template,
)
from cse_client.model.footprint import without_build
from cse_client.model.pools import DEFAULT_POOL
from cse_client.model.settings import setting_shown
from cse_client.model.support import end_of_support
from cse_client.plurals import counted, noun

if TYPE_CHECKING:
    from cse_client.model.grants import Grant
    from cse_client.model.nodes import Removal
    from cse_client.model.pools import PoolState
    from cse_client.model.templates import TemplateDetails

__all__ = [
    "CLUSTER_COLUMNS",
    "GRANT_COLUMNS",
    "POOL_COLUMNS",
    "TEMPLATE_COLUMNS",
    "all_problems",
    "cluster_object",
    "cluster_properties",
    "cluster_row",
    "deletion_sentence",
    "grant_row",
    "node_columns",
    "node_row",
    "plain",
    "pool_row",
    "removal_sentence",
    "same_ids",
    "size_sentence",
    "template_object",
    "template_properties",
    "template_row",
]

#: CSE 3.0.1's columns for a 2.6 server; absent is `N/A`.
CLUSTER_COLUMNS = (
    "Name",
    "Owner",
    "VDC",
    "Org",
    "K8s Runtime",
    "K8s Version",
    "Status",
    "Provider",
)
#: CSE 3.0.1's columns, and what we know besides.
TEMPLATE_COLUMNS = (
    "Name",
    "Revision",
    "Default",
    "Catalog",
    "Catalog Item",
    "Description",
    "OS",
    "Kubernetes",
    "CNI",
    "Origin",
    "Support Ends",
)
NODE_COLUMNS = ("Name", "Kind", "IP", "CPU", "Memory MB", "VM", "Kubernetes", "Version")

POOL_COLUMNS = ("Name", "Workers", "Ready", "Template", "Labels", "Taints")

GRANT_COLUMNS = ("Kind", "Name", "Role", "Namespace")

_ABSENT = "N/A"


def template_row(template: Template) -> dict[str, Any]:
    """Return one row of `template list`."""
    facts = template.facts
    return {
        "Name": template.name,
        "Revision": template.revision,
        "Default": "Yes" if template.is_default else "No",
        "Catalog": template.catalog,
        "Catalog Item": template.item,
        "Description": without_build(template.description),
        "OS": facts.os,
        "Kubernetes": facts.kubernetes,
        "CNI": " ".join(part for part in (facts.cni, facts.cni_version) if part),
        "Origin": template.origin,
        "Support Ends": _day(end_of_support(facts.kubernetes)),
        "Template ID": template.id,
    }


def template_properties(
    template: Template, details: TemplateDetails, clusters: Sequence[str]
) -> list[tuple[str, Any]]:
    """Return the property table of `template info`; what is empty is left out."""
    facts, vm = template.facts, details.vm
    support = _day(end_of_support(facts.kubernetes))
    pairs: list[tuple[str, Any]] = [
        ("Name", template.name),
        ("Revision", template.revision),
        ("Catalog", template.catalog),
        ("Catalog item", template.item),
        ("Template id", template.id),
        ("Origin", template.origin if facts.kubernetes else "not registered"),
        ("Built from", facts.source if template.origin == "built" else ""),
        ("Built on", facts.built),
        ("OS", facts.os),
        ("Kubernetes", facts.kubernetes),
        ("Support ends", support),
        ("CNI", _joined(facts.cni, facts.cni_version)),
        ("CNI manifest", facts.cni_manifest),
        ("Pod network", facts.pod_cidr),
        ("CPU", vm.cpus if vm else 0),
        ("Memory MB", vm.memory_mb if vm else 0),
        ("Disk MB", vm.disk_mb if vm else 0),
        ("Hardware version", details.hardware_version),
        ("Status", details.status),
        ("Owner", details.owner),
        ("Created", _time(details.created)),
        ("Lease ends", _time(details.lease_ends)),
        ("TKG version", details.properties.get("VERSION", "")),
        ("Clusters", tuple(clusters)),
    ]
    return [(name, value) for name, value in pairs if value]


def template_object(
    template: Template, details: TemplateDetails, clusters: Sequence[str]
) -> dict[str, Any]:
    """Return a template as one flat JSON object."""
    rows = template_properties(template, details, clusters)
    return {name: plain(value) for name, value in rows}


def _day(when: date | None) -> str:
    return when.isoformat() if when is not None else ""


def cluster_row(summary: ClusterSummary) -> dict[str, Any]:
    """Return one row of `cluster list`; JSON shows the keys that have no column, too."""
    row = {
        "Name": summary.name,
        "Owner": summary.owner,
        "VDC": summary.vdc,
        "Org": summary.org,
        "K8s Runtime": summary.runtime,
        "K8s Version": summary.kubernetes_version,
        "Status": _status(summary),
        "Provider": summary.provider,
    }
    shown = {key: value or _ABSENT for key, value in row.items()}
    return {
        **shown,
        "Cluster Id": summary.cluster_id,
        "Phase": summary.phase,
        "Protected": summary.protected,
        "Template": summary.template,
        "Template Revision": summary.template_revision,
        "Problems": [*summary.problems, *same_ids(summary)],
    }


#: What `cluster info` calls the settings of a cluster.
SETTING_NAMES: Mapping[str, str] = {
    "pod_cidr": "Pod network",
    "service_cidr": "Service network",
    "http_proxy": "HTTP proxy",
    "https_proxy": "HTTPS proxy",
    "no_proxy": "No proxy for",
    "registry_mirrors": "Registry mirrors",
    "registry_ca": "Registry CA",
    "image_repository": "Image repository",
    "ntp": "NTP servers",
    "dns": "DNS servers",
}


#: What `cluster info` calls the other options of a cluster's nodes.
NODE_OPTION_NAMES: Mapping[str, str] = {
    "disk_mb": "Disk size",
    "sizing_policy": "Sizing policy",
    "placement_policy": "Placement policy",
    "control_plane_cpus": "Control plane CPUs",
    "control_plane_memory_mb": "Control plane memory",
    "control_plane_sizing_policy": "Control plane sizing policy",
    "control_plane_placement_policy": "Control plane placement policy",
}


def cluster_properties(cluster: Cluster) -> list[tuple[str, Any]]:
    """Return the property table of `cluster info`; what is empty is left out."""
    summary = cluster.summary
    template = summary.template
    if template and summary.template_revision:
        template = f"{template} (revision {summary.template_revision})"
    pairs: list[tuple[str, Any]] = [
        ("Name", summary.name),
        ("Status", _status(summary)),
        ("Kubernetes", _joined(summary.kubernetes, summary.kubernetes_version)),
        ("Endpoint", cluster.endpoint),
        ("Virtual address", _virtual(cluster)),
        ("Template", template),
        ("OS", cluster.os),
        ("CNI", _joined(cluster.cni, cluster.cni_version)),
        ("Docker", cluster.docker_version),
        ("Org", summary.org),
        ("VDC", summary.vdc),
        ("Network", cluster.network),
        *(
            (NODE_OPTION_NAMES[name], f"{value} MB" if name.endswith("_mb") else value)
            for name, value in cluster.node_options.given().items()
        ),
        *(
            (SETTING_NAMES[name], setting_shown(name, value))
            for name, value in cluster.settings.given().items()
        ),
        ("Worker pools", _pools(cluster)),
        ("Owner", summary.owner),
        ("Created by", cluster.created_by),
        ("Created", _time(cluster.created)),
        ("Lease", cluster.lease),
        ("Protection", "cannot be deleted" if summary.protected else ""),
        ("CA key", "sealed: not in VCD" if cluster.sealed else ""),
        ("Cluster id", summary.cluster_id),
        ("Sources", cluster.sources),
        ("Problems", all_problems(cluster)),
    ]
    return [(name, value) for name, value in pairs if value]


def pool_row(pool: PoolState) -> dict[str, Any]:
    """Return one row of `pool list`; what is as the cluster has it is empty."""
    workers = str(pool.workers)
    if pool.workers != pool.size:
        workers = f"{pool.workers} of {pool.size}"
    template = pool.template
    if template and pool.template_revision is not None:
        template = f"{template} (revision {pool.template_revision})"
    return {
        "Name": pool.name,
        "Workers": workers,
        "Ready": "" if pool.ready is None else pool.ready,
        "Template": template,
        "Labels": ", ".join(f"{key}={value}" for key, value in pool.labels.items()),
        "Taints": ", ".join(map(str, pool.taints)),
        "CPU": pool.cpus or "",
        "Memory MB": pool.memory_mb or "",
        "Disk MB": pool.disk_mb or "",
        "Sizing Policy": pool.sizing_policy,
        "Placement Policy": pool.placement_policy,
        "Storage Profile": pool.storage_profile,
    }


def _pools(cluster: Cluster) -> str:
    """Return the pools with their sizes; empty for a cluster that has the default one only."""
    if [pool.name for pool in cluster.pools] in ([], [DEFAULT_POOL]):
        return ""
    return ", ".join(f"{pool.name} ({pool.size})" for pool in cluster.pools)


def node_row(node: Node) -> dict[str, Any]:
    """Return one row of the nodes of `cluster info`."""
    kubernetes = node.kubernetes_status
    if node.bootstrap_phase and kubernetes != "Ready":
        kubernetes = f"{kubernetes} (bootstrap: {node.bootstrap_phase})".strip()
    return {
        "Name": node.name,
        "Kind": node.kind,
        "IP": node.ip,
        "CPU": node.cpus,
        "Memory MB": node.memory_mb,
        "VM": node.vm_status,
        "Kubernetes": kubernetes,
        "Version": node.kubelet_version,
        "Pool": node.pool,
    }


def node_columns(nodes: Sequence[Node]) -> tuple[str, ...]:
    """Return the columns of nodes; that of pools is omitted where there is only the default one."""
    pools = {node.pool for node in nodes} - {"", DEFAULT_POOL}
    return (*NODE_COLUMNS, "Pool") if pools else NODE_COLUMNS


def grant_row(grant: Grant) -> dict[str, Any]:
    """Return one row of `cluster grants`; JSON shows the keys that have no column, too."""
    return {
        "Kind": grant.subject.kind.lower(),
        "Name": grant.subject.name,
        "Role": grant.role,
        "Namespace": grant.namespace or "(all)",
        "Binding": grant.binding,
        "Created": plain(grant.created),
    }


def cluster_object(cluster: Cluster) -> dict[str, Any]:
    """Return a cluster as one flat JSON object with its nodes."""
    from cse_client.model.server import ServedCluster

    if isinstance(cluster, ServedCluster):
        return dict(plain(cluster.document))
    value: dict[str, Any] = plain(cluster)
    summary = value.pop("summary")
    del summary["problems"], summary["same_id"], value["problems"]
    return {**summary, **value, "problems": list(all_problems(cluster))}


def plain(value: Any) -> Any:
    """Return a model value as what JSON can hold; times as ISO 8601."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(element) for key, element in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(element) for element in value]
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Enum):
        return value.value
    return value


def size_sentence(nodes: Sequence[Node]) -> str:
    """Return what a cluster consists of, for example `1 control plane and 2 workers`."""
    control_planes = sum(node.kind == CONTROL_PLANE for node in nodes)
    workers = sum(node.kind == WORKER for node in nodes)
    return f"{counted(control_planes, CONTROL_PLANE)} and {counted(workers, WORKER)}"


def deletion_sentence(deletion: Deletion) -> str:
    """Return what was deleted, and how sure that is."""
    machines = f" and {counted(len(deletion.vms), 'virtual machine')}" if deletion.vms else ""
    name = deletion.cluster
    if not deletion.verified_gone:
        return f"Cluster {name} is being deleted: its vApp{machines}."
    verb = "" if machines else "s"
    return f"Cluster {name} is deleted: its vApp{machines} no longer exist{verb}."


def removal_sentence(removal: Removal) -> str:
    """Return which nodes went, and which were gone before."""
    words = []
    if removal.nodes:
        verb = noun(len(removal.nodes), "is", "are")
        words.append(f"{', '.join(removal.nodes)} {verb} removed from cluster {removal.cluster}.")
    if removal.already_gone:
        words.append(f"Already deleted: {', '.join(removal.already_gone)}.")
    return " ".join(words)


def all_problems(cluster: Cluster) -> tuple[str, ...]:
    """Return what is wrong with a cluster, each of it once."""
    found = (*cluster.summary.problems, *cluster.problems, *same_ids(cluster.summary))
    return tuple(dict.fromkeys(found))


def same_ids(summary: ClusterSummary) -> list[str]:
    """Say which other clusters have the same id: copies, or what pretends to be this one."""
    return [f"same cluster id as {other}" for other in summary.same_id]


def _status(summary: ClusterSummary) -> str:
    """Return the vApp's status, and in brackets what else there is to know."""
    remarks = [summary.phase if summary.phase not in ("", "ready") else ""]
    remarks.append("protected" if summary.protected else "")
    remarks.append("damaged" if summary.problems else "")
    remarks.append("cluster id not unique" if summary.same_id else "")
    note = ", ".join(remark for remark in remarks if remark)
    return f"{summary.status or _ABSENT} ({note})" if note else summary.status


def _virtual(cluster: Cluster) -> str:
    if not cluster.virtual_address:
        return ""
    holder = cluster.holder or "not known"
    return f"{cluster.virtual_address} (held by: {holder})"


def _joined(*parts: str) -> str:
    return " ".join(part for part in parts if part)


def _time(when: datetime | None) -> str:
    return when.strftime("%Y-%m-%d %H:%M:%S %Z").strip() if when else ""
