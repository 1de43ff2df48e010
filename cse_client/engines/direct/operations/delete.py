"""Deleting a cluster from whatever state it is in, and proving that it is gone."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from cse_client import suggest
from cse_client.bounds import TimeUp
from cse_client.engines.direct import custody
from cse_client.engines.direct import metadata as keys
from cse_client.engines.direct.names import id_in_description
from cse_client.errors import (
    Conflict,
    CseError,
    Interrupted,
    NotFound,
    Refused,
    SessionInvalid,
    TaskFailed,
    VcdFault,
    WrongUsage,
)
from cse_client.model import Deletion, Event, EventKind, Progress, VApp, VAppRecord, Vdc
from cse_client.model.identity import ClusterIdentity
from cse_client.vcd import tasks

if TYPE_CHECKING:
    from cse_client.engines.direct.lock import ClusterLock
    from cse_client.vcd.client import VcdClient

_BAD_REQUEST = 400


class DeletedMeanwhile(NotFound):
    """The cluster that a command was at work on was deleted from elsewhere."""


def out_of_reach(error: CseError) -> bool:
    """Say whether VCD does not answer, or somebody else does: nothing can be removed then."""
    if isinstance(error, TimeUp):
        return True
    fault = isinstance(error, VcdFault) and not isinstance(error, TaskFailed)
    return fault and (not getattr(error, "status", 0) or getattr(error, "lasting", False))


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
    unreachable = (
        isinstance(error, VcdFault) and not isinstance(error, TaskFailed) and not error.status
    )
    if unreachable or not href:
        return False
    return _absent(vcd, href)


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
    if keys.CLUSTER_ID not in record.metadata and not id_in_description(vapp.description):
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


def delete_vapp(vcd: VcdClient, vapp_href: str, *, deadline: float) -> None:
    """Delete a vApp by force; undeploy it first where VCD insists. Absence is success."""
    try:
        _delete(vcd, vapp_href, deadline)
    except SessionInvalid:
        raise
    except (VcdFault, Refused, NotFound) as fault:
        if _absent(vcd, vapp_href):
            return
        if not isinstance(fault, TaskFailed) and getattr(fault, "status", 0) != _BAD_REQUEST:
            raise
        try:
            task = tasks.change(vcd, lambda: vcd.undeploy(vapp_href), deadline=deadline)
            tasks.wait(vcd, task, deadline=deadline)
            _delete(vcd, vapp_href, deadline)
        except SessionInvalid:
            raise
        except (VcdFault, Refused, NotFound) as second:
            if _absent(vcd, vapp_href):
                return
            # The first refusal tells why; the second attempt is a note under it.
            fault.notes.append(f"Stopping it first did not help: {second.message}")
            raise fault from second


def _delete(vcd: VcdClient, vapp_href: str, deadline: float) -> None:
    # What is deleted twice is as gone as what is deleted once.
    task = tasks.change(vcd, lambda: vcd.delete_vapp(vapp_href), deadline=deadline, idempotent=True)
    tasks.wait(vcd, task, deadline=deadline)


def _absent(vcd: VcdClient, vapp_href: str) -> bool:
    """Say whether it is known to be gone; what goes wrong in looking is no news."""
    try:
        return vcd.gone(vapp_href)
    except CseError:
        return False


def delete_cluster(
    vcd: VcdClient,
    vdc: Vdc,
    name: str,
    *,
    lock: ClusterLock,
    break_lock: bool,
    deadline: float,
    progress: Progress,
) -> Deletion:
    """Delete cluster `name` and return the proof of absence.

    Raises:
        NotFound: there is none.
        Conflict: it is no cluster, or somebody else is changing it.
    """
    vapp, metadata = find_cluster(vcd, vdc, name)
    lock.refuse_if_held(metadata, break_lock=break_lock)
    vms = tuple(vm.name for vm in vapp.vms)
    text = f"Deleting vApp '{name}' and its {len(vms)} VM{'s' if len(vms) != 1 else ''}"
    progress(Event(EventKind.STARTED, text, 1, 2))
    try:
        delete_vapp(vcd, vapp.href, deadline=deadline)
    except BaseException:
        progress(Event(EventKind.FAILED, text, 1, 2))
        raise
    progress(Event(EventKind.DONE, text, 1, 2))
    proof = "Checking that nothing is left"
    progress(Event(EventKind.STARTED, proof, 2, 2))
    left = [] if vcd.gone(vapp.href) else [f"vApp {name}"]
    left.extend(vm.name for vm in vcd.vm_records(vapp.href))
    if left:
        progress(Event(EventKind.FAILED, proof, 2, 2))
        raise CseError(
            f"VCD reported cluster '{name}' as deleted, but still shows: {', '.join(left)}.",
            hint=f"Run it again: {suggest.cse('cluster delete', name)}",
        )
    progress(Event(EventKind.DONE, proof, 2, 2))
    cluster_id = metadata.get(keys.CLUSTER_ID) or id_in_description(vapp.description)
    identity = custody.identity_of(vcd, vdc, vapp, {**metadata, keys.CLUSTER_ID: cluster_id})
    for note in _forget_key(vcd, vapp, identity):
        progress(Event(EventKind.WARNING, note))
    return Deletion(
        cluster=name,
        vapp=vapp.id,
        vms=vms,
        verified_gone=True,
        cluster_id=cluster_id,
        identity=identity,
    )


def _forget_key(vcd: VcdClient, vapp: VApp, identity: ClusterIdentity) -> list[str]:
    """Remove the CA file of the cluster; what hinders that does not undo the deletion."""
    try:
        return custody.forget(vcd, vapp, identity)
    except CseError as error:
        hint = f" {error.hint}" if error.hint else ""
        return [f"The cluster's CA file is left: {error.message}{hint}"]
