"""A creation that an earlier run has begun and not finished."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cse_client import suggest
from cse_client.engines.direct.begun import refuse_if_just_begun
from cse_client.engines.direct.metadata import recorded_spec
from cse_client.errors import Conflict
from cse_client.model import CONTROL_PLANE, WORKER, VApp, Vdc, footprint, node_kind
from cse_client.model.endpoints import is_address
from cse_client.model.footprint import address_in_description, id_in_description

if TYPE_CHECKING:
    from cse_client.vcd.client import VcdClient

__all__ = ["UnfinishedCreation", "find_unfinished"]


@dataclass(frozen=True)
class UnfinishedCreation:
    """The vApp of a cluster that is not finished, and its metadata, which may be older."""

    vapp: VApp
    cluster_id: str
    metadata: Mapping[str, str]

    def count_nodes(self) -> tuple[int, int]:
        """Return how many control planes and workers there are."""
        kinds = [node_kind(vm.name) for vm in self.vapp.vms]
        return kinds.count(CONTROL_PLANE), kinds.count(WORKER)

    @property
    def virtual_address(self) -> str:
        """The virtual address, wherever it is recorded; empty where there is none."""
        recorded = recorded_spec(self.metadata).vip
        described = address_in_description(self.vapp.description)
        return recorded or (described if is_address(described) else "")


def find_unfinished(vcd: VcdClient, vdc: Vdc, name: str, owner: str) -> UnfinishedCreation | None:
    """Return the unfinished creation of this name, None when the name is free.

    With an `owner`, one that another owner has begun a moment ago is still that owner's.

    Raises:
        Conflict: the name belongs to anything else.
    """
    record = vcd.find_vapp(vdc, name)
    if record is None:
        return None
    phase = record.metadata.get(footprint.PHASE, "")
    if record.metadata.get(footprint.CLUSTER_ID) and phase != footprint.PHASE_CREATING:
        maker = "" if phase else ", made by CSE"
        raise Conflict(
            f"Cluster '{name}' already exists in VDC '{vdc.name}'{maker}.",
            hint=f"Show it: {suggest.cse('cluster info', name)}",
        )
    # before the vApp, so that the vApp is never older than what is recorded of it
    metadata = vcd.vapp_metadata(record.href)
    vapp = vcd.vapp(record.href)
    cluster_id = record.metadata.get(footprint.CLUSTER_ID) or id_in_description(vapp.description)
    if not cluster_id:
        raise Conflict(
            f"The name '{name}' is taken by a vApp in VDC '{vdc.name}' that is not a cluster.",
            hint="Choose another name.",
        )
    if owner:
        refuse_if_just_begun(name, vapp, metadata, owner)
    return UnfinishedCreation(vapp, cluster_id, metadata)
