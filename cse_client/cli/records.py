"""What JSON, YAML and queries show of model values: flat objects with documented keys.

The keys are the same whichever engine is in use, and the schemas in `cse_client/schemas` describe
them: a new field of a model type needs a line there. What a CSE server itself shows of an object is
in `server_document`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cse_client.cli.tables import all_problems, plain, same_ids
from cse_client.model.support import end_of_support

if TYPE_CHECKING:
    from cse_client.model import Cluster, ClusterSummary, SystemInfo, Template
    from cse_client.model.grants import Grant
    from cse_client.model.server import OvdcState, Share
    from cse_client.model.templates import TemplateDetails

__all__ = [
    "cluster_record",
    "grant_record",
    "ovdc_record",
    "share_record",
    "summary_record",
    "system_record",
    "template_details_record",
    "template_record",
]

_DOCUMENT = "server_document"


def summary_record(summary: ClusterSummary) -> dict[str, Any]:
    """Return what `cluster list` shows of one cluster."""
    record: dict[str, Any] = plain(summary)
    del record["same_id"]
    return {**record, "problems": [*summary.problems, *same_ids(summary)]}


def cluster_record(cluster: Cluster) -> dict[str, Any]:
    """Return what `cluster info` shows."""
    record: dict[str, Any] = plain(cluster)
    del record["summary"]
    # of a server's clusters only
    record.pop("task_href", None)
    record.pop("vapp", None)
    document = record.pop("document", None)
    found = {**summary_record(cluster.summary), **record, "problems": list(all_problems(cluster))}
    return found if document is None else {**found, _DOCUMENT: document}


def template_record(template: Template) -> dict[str, Any]:
    """Return what `template list` shows of one template."""
    record: dict[str, Any] = plain(template)
    facts = record.pop("facts")
    del record["href"]
    support = end_of_support(template.facts.kubernetes)
    return {
        **record,
        "id": template.id,
        **facts,
        "origin": template.origin,
        "support_ends": None if support is None else support.isoformat(),
    }


def template_details_record(
    template: Template, details: TemplateDetails, clusters: Sequence[str]
) -> dict[str, Any]:
    """Return what `template info` shows; None where VCD does not show it."""
    vm = details.vm
    return {
        **template_record(template),
        "status": details.status,
        "owner": details.owner,
        "created": plain(details.created),
        "lease_ends": plain(details.lease_ends),
        "hardware_version": details.hardware_version,
        "vms": details.vms,
        "cpus": vm.cpus if vm else None,
        "memory_mb": vm.memory_mb if vm else None,
        "disk_mb": vm.disk_mb if vm else None,
        "clusters": list(clusters),
    }


def grant_record(grant: Grant) -> dict[str, Any]:
    """Return what `cluster grants` shows of one grant."""
    record: dict[str, Any] = plain(grant)
    del record["subject"]
    return {"name": grant.subject.name, "kind": grant.subject.kind, **record}


def ovdc_record(ovdc: OvdcState) -> dict[str, Any]:
    """Return what `ovdc list` and `ovdc info` show of an org VDC."""
    record: dict[str, Any] = plain(ovdc)
    return _with_document(record)


def share_record(share: Share) -> dict[str, Any]:
    """Return what `cluster share-list` shows of one user."""
    return {"name": share.username, "member_id": share.member_id, "level": share.level}


def system_record(info: SystemInfo) -> dict[str, Any]:
    """Return what `system info` shows."""
    return _with_document(plain(info))


def _with_document(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return a record with what the server shows under its documented key, if it shows anything."""
    document = record.get("document")
    found = {key: value for key, value in record.items() if key != "document"}
    return {**found, _DOCUMENT: document} if document else found
