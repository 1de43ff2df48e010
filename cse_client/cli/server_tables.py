"""How a CSE server's answers look: the columns and keys of CSE's own 3.0.1 client.

container-service-extension 3.0.1: container_service_extension/client/cse.py and
client/response_processor.py; so that scripts which read them survive.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cse_client import suggest
from cse_client.cli.tables import plain
from cse_client.model import CONTROL_PLANE, NFS, Cluster, ClusterSummary, Deletion, Node
from cse_client.model.hrefs import href_id
from cse_client.model.nodes import Removal
from cse_client.model.server import (
    EntityCluster,
    OvdcState,
    ServedCluster,
    ServedDeletion,
    ServedNode,
    ServedRemoval,
    ServedSystem,
    ServedTemplate,
    UpgradeTarget,
)

if TYPE_CHECKING:
    from cse_client.cli.run import Run

__all__ = [
    "ENTITY_COLUMNS",
    "OVDC_COLUMNS",
    "OVDC_RUNTIME_COLUMNS",
    "SERVED_NODE_COLUMNS",
    "SERVED_TEMPLATE_COLUMNS",
    "UPGRADE_COLUMNS",
    "document_pairs",
    "entity_row",
    "ovdc_row",
    "report_task",
    "served_node_details",
    "served_node_row",
    "served_template_row",
    "show_cluster",
    "show_task",
    "system_object",
    "upgrade_row",
]

SERVED_TEMPLATE_COLUMNS = (
    "Name",
    "Revision",
    "Default",
    "Catalog",
    "Catalog Item",
    "Description",
)
SERVED_NODE_COLUMNS = ("Name", "IP Address", "Number of CPUs", "Memory MB")
UPGRADE_COLUMNS = ("Template Name", "Template Revision", "Kubernetes", "Docker-CE", "CNI")
#: CSE 3's, where clusters are entities.
ENTITY_COLUMNS = ("Name", "VDC", "Org", "K8s Runtime", "K8s Version", "Status", "Owner")
#: CSE 2.6.1's own spelling.
OVDC_COLUMNS = ("name", "org", "k8s provider")
#: CSE 3's, for servers that keep clusters as entities.
OVDC_RUNTIME_COLUMNS = ("Name", "ID", "K8s Runtime")

#: CSE's words for the kinds of nodes.
_KINDS = {CONTROL_PLANE: "master", NFS: "nfs"}


def served_template_row(template: ServedTemplate) -> dict[str, Any]:
    """Return one row of `template list`."""
    return {
        "Name": template.name,
        "Revision": template.revision,
        "Default": "Yes" if template.is_default else "No",
        "Catalog": template.catalog,
        "Catalog Item": template.item,
        "Description": template.description,
    }


def entity_row(summary: ClusterSummary) -> dict[str, Any]:
    """Return one row of `cluster list` where clusters are entities; JSON shows the id, too."""
    row = {
        "Name": summary.name,
        "VDC": summary.vdc,
        "Org": summary.org,
        "K8s Runtime": summary.runtime,
        "K8s Version": summary.kubernetes_version,
        "Status": summary.status,
        "Owner": summary.owner,
    }
    return {**{key: value or "N/A" for key, value in row.items()}, "Cluster Id": summary.cluster_id}


def served_node_row(node: Node) -> dict[str, Any]:
    """Return one row of `node list`; sizes are blank where the server does not send them."""
    return {
        "Name": node.name,
        "IP Address": node.ip,
        "Number of CPUs": node.cpus if node.cpus is not None else "",
        "Memory MB": node.memory_mb if node.memory_mb is not None else "",
    }


def served_node_details(node: Node) -> dict[str, Any]:
    """Return the properties of `node info`; an NFS node's exports come last."""
    details = {
        "Name": node.name,
        "Node Type": _KINDS.get(node.kind, node.kind),
        "IP Address": node.ip,
        "Number of CPUs": node.cpus,
        "Memory MB": node.memory_mb,
        "Status": node.vm_status,
    }
    exports = list(node.exports) if isinstance(node, ServedNode) else []
    return {**details, "Exports": exports} if exports else details


def upgrade_row(target: UpgradeTarget) -> dict[str, Any]:
    """Return one row of `cluster upgrade-plan`."""
    return {
        "Template Name": target.template,
        "Template Revision": target.revision,
        "Kubernetes": target.kubernetes,
        "Docker-CE": target.docker,
        "CNI": target.cni,
    }


def ovdc_row(ovdc: OvdcState) -> dict[str, Any]:
    """Return one row of `ovdc list`, with the keys of either protocol."""
    if not ovdc.provider:
        return {"Name": ovdc.name, "ID": ovdc.id, "K8s Runtime": list(ovdc.runtimes)}
    return {"name": ovdc.name, "org": ovdc.org, "k8s provider": ovdc.provider}


def document_pairs(document: dict[str, Any]) -> list[tuple[str, Any]]:
    """Return a server's object as properties, as vcd-cli shows an object: sorted by key.

    A list takes one line an element; an object in it is shown as `key: value, ...`.
    """
    return [(key, _cell(document[key])) for key in sorted(document)]


def system_object(info: ServedSystem) -> dict[str, Any]:
    """Return `system info`: what this client knows, and what the server reports about itself."""
    ours = plain(info)
    document = ours.pop("document")
    return {**ours, **document}


def show_cluster(run: Run, cluster: ServedCluster) -> None:
    """Print a cluster as the server shows it; an entity as YAML, as CSE's own clients do."""
    from cse_client.cli.records import cluster_record

    document, record = dict(plain(cluster.document)), cluster_record(cluster)
    if not isinstance(cluster, EntityCluster):
        run.console.properties(document_pairs(document), document, record=record)
        return
    import yaml

    run.console.passage(yaml.safe_dump(document, sort_keys=True), document, record=record)


def report_task(run: Run, result: Cluster | Deletion | Removal, what: str) -> bool:
    """Print the task of a change that was not waited for, and how to follow it.

    Returns whether there was one; `what` names the cluster.
    """
    if not isinstance(result, (ServedCluster, ServedDeletion, ServedRemoval)):
        return False
    if run.wait or not result.task_href:
        return False
    document = result.document if isinstance(result, ServedCluster) else {}
    show_task(run, result.task_href, what, document)
    return True


def show_task(run: Run, href: str, what: str, document: Any) -> None:
    """Print a task that goes on in VCD; with -j the server's own answer."""
    command = suggest.vcd("task wait", href_id(href))
    if run.console.as_json:
        run.console.document({**plain(document), "task_href": href, "follow": command})
        return
    run.console.sentence(f"The CSE server is processing {what}. To follow it:", {})
    run.console.sentence(command, {})


def _cell(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return [_line(one) for one in value]
    if isinstance(value, dict):
        return [f"{key}: {_line(value[key])}" for key in sorted(value)]
    return "" if value is None else value


def _line(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key}: {value[key]}" for key in sorted(value))
    return str(value)
