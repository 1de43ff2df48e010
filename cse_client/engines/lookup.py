"""Finding a cluster's vApp, whichever engine manages the cluster."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from cse_client import looked_at, suggest
from cse_client.errors import Conflict, NotFound
from cse_client.model import VApp, VAppRecord, Vdc, footprint
from cse_client.model.footprint import id_in_description

if TYPE_CHECKING:
    from cse_client.vcd.client import VcdClient

__all__ = ["find_cluster", "find_vapp", "unknown_nodes", "unknown_pool"]


def find_cluster(vcd: VcdClient, vdc: Vdc, name: str) -> tuple[VApp, dict[str, str]]:
    """Return a cluster's vApp and metadata.

    A vApp is a cluster when it carries CSE's id, or when its description does (made by us, the
    client died before it could be tagged).

    Raises:
        NotFound: there is no such vApp.
        Conflict: the vApp is not a cluster.
        Replaced: the name was another cluster's when this command looked at it before.
    """
    record = vcd.find_vapp(vdc, name)
    if record is None:
        raise _no_cluster(vdc, name)
    try:
        # before the vApp: what a later operation changed is never older than what the records say
        metadata = vcd.vapp_metadata(record.href)
    except NotFound:
        raise _no_cluster(vdc, name) from None
    return _cluster_vapp(vcd, vdc, record), metadata


def find_vapp(vcd: VcdClient, vdc: Vdc, name: str) -> tuple[VAppRecord, VApp]:
    """Return a cluster's vApp as a row (with the metadata of a list) and as a document.

    Raises:
        NotFound, Conflict, Replaced: see `find_cluster`.
    """
    record = vcd.find_vapp(vdc, name)
    if record is None:
        raise _no_cluster(vdc, name)
    return record, _cluster_vapp(vcd, vdc, record)


def _cluster_vapp(vcd: VcdClient, vdc: Vdc, record: VAppRecord) -> VApp:
    name = record.name
    try:
        vapp = vcd.vapp(record.href)
    except NotFound:
        # deleted a moment ago
        raise _no_cluster(vdc, name) from None
    if footprint.CLUSTER_ID not in record.metadata and not id_in_description(vapp.description):
        raise Conflict(
            f"vApp '{name}' exists but is not a Kubernetes cluster.",
            hint=f"To look at it: {suggest.vcd('vapp info', name)}",
        )
    looked_at.check_cluster(name, vapp.id, vdc.href)
    return vapp


def unknown_nodes(cluster: str, names: Sequence[str], *, kind: str = "node") -> NotFound:
    """Make the error for names that no node (or no `kind`) of a cluster has."""
    listed = ", ".join(f"'{name}'" for name in names)
    return NotFound(
        f"Cluster '{cluster}' has no {kind} {listed}.",
        hint=f"List its nodes: {suggest.cse('node list', cluster)}",
    )


def unknown_pool(cluster: str, name: str, pools: Iterable[str]) -> NotFound:
    """Make the error for a name that none of the worker pools of a cluster has."""
    return NotFound(
        f"Cluster '{cluster}' has no worker pool '{name}'; its pools: {', '.join(pools)}.",
        hint=f"List them: {suggest.cse('pool list', cluster)}",
    )


def _no_cluster(vdc: Vdc, name: str) -> NotFound:
    return NotFound(
        f"Cluster '{name}' was not found in VDC '{vdc.name}'.",
        hint=f"List the clusters: {suggest.cse('cluster list')}",
    )
