"""Which cluster is which: read from VCD, and never from what a vApp says of itself."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from cse_client.model import ClusterSummary
from cse_client.model.identity import ClusterIdentity

if TYPE_CHECKING:
    from cse_client.vcd.client import VcdClient

__all__ = ["identify", "is_gone", "named", "with_same_ids"]

_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\Z")


def identify(
    vcd: VcdClient, *, cluster: str, vdc: str, org: str, vapp: str = "", cluster_id: str = ""
) -> ClusterIdentity:
    """Return a cluster's identity.

    `org` is the organization's name as VCD spells it where the identity's name is to be shown or
    written. `vapp` is the vApp's id or address, or an entity's id; anything else counts as unknown.
    """
    from cse_client.kube.kubeconfig.document import context_name

    return ClusterIdentity(
        host=vcd.session.host,
        org=org,
        vapp=_uuid(vapp),
        name=context_name(cluster, org, vdc),
        cluster_id=cluster_id,
    )


def is_gone(vcd: VcdClient, identity: ClusterIdentity) -> bool:
    """Return whether a cluster is known to be deleted; one request.

    False where that cannot be asked: it is another VCD's, or its vApp is not known. A vApp that
    this user may not see any more counts as gone, since VCD answers the same for both.
    """
    if identity.host != vcd.session.host or not _uuid(identity.vapp):
        return False
    return vcd.gone(vcd.vapp_href(identity.vapp))


def with_same_ids(summaries: Iterable[ClusterSummary]) -> list[ClusterSummary]:
    """Return the clusters, each with the names of the others that have its id."""
    listed = list(summaries)
    by_id: dict[str, list[ClusterSummary]] = {}
    for one in listed:
        by_id.setdefault(one.cluster_id, []).append(one)
    return [
        replace(one, same_id=tuple(named(two.name, two.vdc) for two in others if two is not one))
        if one.cluster_id and len(others := by_id[one.cluster_id]) > 1
        else one
        for one in listed
    ]


def named(cluster: str, vdc: str) -> str:
    """Return a cluster's name with its VDC, for messages about several clusters."""
    return f"{cluster} in VDC {vdc}" if vdc else cluster


def _uuid(reference: str) -> str:
    found = _UUID.search(reference)
    return found.group().lower() if found else ""
