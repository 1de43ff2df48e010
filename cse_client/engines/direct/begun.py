"""A vApp that somebody has only just made for a cluster, and not yet recorded as one.

VCD accepts no metadata for a vApp while it makes its VMs. Until then the description says whose it
is, see `footprint.describe`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta, timezone

from cse_client.errors import Conflict
from cse_client.model import VApp, footprint
from cse_client.model.footprint import id_in_description, owner_in_description

__all__ = ["is_being_made", "refuse_if_just_begun"]

#: How long a creator has between making the vApp and recording that it is a cluster.
_UNTAGGED = timedelta(minutes=5)


def is_being_made(vapp: VApp, metadata: Mapping[str, str]) -> bool:
    """Return whether VCD is making the VMs of a cluster that could not be recorded as one yet."""
    if metadata.get(footprint.CLUSTER_ID) or not vapp.running_tasks:
        return False
    return bool(id_in_description(vapp.description))


def refuse_if_just_begun(name: str, vapp: VApp, metadata: Mapping[str, str], owner: str) -> None:
    """Refuse to touch what another owner has begun a moment ago, or VCD is still making for it.

    `owner` is that of the lock. Metadata that makes the vApp a cluster says itself who holds it.

    Raises:
        Conflict: it is another owner's.
    """
    creator = owner_in_description(vapp.description)
    if creator in ("", owner) or metadata.get(footprint.CLUSTER_ID):
        return
    age = datetime.now(timezone.utc) - vapp.created if vapp.created is not None else _UNTAGGED
    if age < _UNTAGGED or vapp.running_tasks:
        raise Conflict(
            f"Cluster '{name}' is just being created by {vapp.owner or 'another user'}.",
            hint="Wait until that command ends. If it no longer runs, add --break-lock, or wait"
            " five minutes.",
        )
