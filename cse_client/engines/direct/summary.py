"""Clusters as a list shows them: what one query of VCD knows of each."""

from __future__ import annotations

from collections.abc import Mapping

from cse_client.engines.direct.metadata import is_protected, missing_keys
from cse_client.model import ClusterSummary, VAppRecord, footprint

__all__ = ["shown", "summarize"]

_LONGEST_SHOWN = 200


def summarize(record: VAppRecord, org: str) -> ClusterSummary:
    """Turn one row of the vApp query into one row of `cluster list`."""
    data = record.metadata
    return ClusterSummary(
        name=record.name,
        vdc=record.vdc,
        org=org,
        owner=record.owner,
        kubernetes=shown(data, footprint.KUBERNETES),
        kubernetes_version=shown(data, footprint.KUBERNETES_VERSION),
        status=record.status,
        phase=shown(data, footprint.PHASE),
        cluster_id=shown(data, footprint.CLUSTER_ID),
        template=shown(data, footprint.TEMPLATE_NAME),
        template_revision=shown(data, footprint.TEMPLATE_REVISION),
        protected=is_protected(data),
        problems=tuple(f"metadata {key} is missing" for key in missing_keys(data)),
    )


def shown(metadata: Mapping[str, str], key: str) -> str:
    """Return a value for a table: whoever may edit the vApp may have written one of any length."""
    value = metadata.get(key, "")
    return value if len(value) <= _LONGEST_SHOWN else f"{value[: _LONGEST_SHOWN - 1]}…"
