"""Finding a cluster's vApp, and noticing that it was deleted while a command changed it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from cse_client import suggest
from cse_client.bounds import TimeUp
from cse_client.engines.direct.names import id_in_description
from cse_client.errors import (
    Conflict,
    CseError,
    Interrupted,
    NotFound,
    SessionInvalid,
    VcdFault,
    WrongUsage,
)
from cse_client.model import VApp, VAppRecord, Vdc, footprint

if TYPE_CHECKING:
    from cse_client.vcd.client import VcdClient

__all__ = [
    "DeletedMeanwhile",
    "find_cluster",
    "find_vapp",
    "known_absent",
    "noticing_deletion",
    "out_of_reach",
]


class DeletedMeanwhile(NotFound):
    """The cluster that a command was at work on was deleted from elsewhere."""


def out_of_reach(error: CseError) -> bool:
    """Return whether VCD does not answer, or another server does: nothing can be removed then."""
    if isinstance(error, TimeUp):
        return True
    return isinstance(error, VcdFault) and (error.unanswered or error.lasting)


@contextlib.contextmanager
def noticing_deletion(vcd: VcdClient, name: str, href: Callable[[], str]) -> Iterator[None]:
    """Tell a failure that came because cluster `name` was deleted by somebody else as just that.

    A vApp that is no more answers as one that is forbidden (403), and its task or its nodes fail
    in many ways: all of them are symptoms. `href` returns the vApp's, empty while there is none.

    Raises:
        DeletedMeanwhile: instead of what was raised within, which is its cause.
    """
    try:
        yield
    except (DeletedMeanwhile, SessionInvalid, Interrupted, WrongUsage):
        raise
    except CseError as error:
        if not _is_gone(vcd, href(), error):
            raise
        told = DeletedMeanwhile(
            f"Cluster '{name}' was deleted by somebody else while this command was changing it.",
            hint=f"See which there are: {suggest.cse('cluster list')}",
        )
        told.notes.append(f"It was first noticed as: {error.message}")
        raise told from error


def _is_gone(vcd: VcdClient, href: str, error: CseError) -> bool:
    unanswered = isinstance(error, VcdFault) and error.unanswered
    return bool(href) and not unanswered and known_absent(vcd, href)


def find_cluster(vcd: VcdClient, vdc: Vdc, name: str) -> tuple[VApp, dict[str, str]]:
    """Return a cluster's vApp and metadata.

    A vApp is a cluster when it carries CSE's id, or when its description does (made by us, the
    client died before it could be tagged). Raises NotFound, or Conflict for any other vApp.
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
        NotFound, Conflict: see `find_cluster`.
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
    return vapp


def _no_cluster(vdc: Vdc, name: str) -> NotFound:
    return NotFound(
        f"Cluster '{name}' was not found in VDC '{vdc.name}'.",
        hint=f"See which there are: {suggest.cse('cluster list')}",
    )


def known_absent(vcd: VcdClient, vapp_href: str) -> bool:
    """Say whether it is known to be gone; what goes wrong in looking is no news."""
    try:
        return vcd.gone(vapp_href)
    except CseError:
        return False
