"""Deleting a cluster from whatever state it is in, and verifying that nothing is left."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from cse_client import bounds, suggest
from cse_client.clock import Clock
from cse_client.engines.direct import custody
from cse_client.engines.direct.begun import refuse_if_just_begun
from cse_client.engines.direct.deletion import known_absent
from cse_client.engines.direct.existing import ExistingCluster, find_existing
from cse_client.engines.direct.lock import ClusterLock
from cse_client.engines.direct.metadata import is_protected
from cse_client.engines.direct.operations import upgrade_backup
from cse_client.engines.direct.separation import drop_separation
from cse_client.errors import (
    CseError,
    Interrupted,
    NotFound,
    Refused,
    SessionInvalid,
    TaskFailed,
    VcdFault,
)
from cse_client.model import (
    ClusterRef,
    Deletion,
    Event,
    EventKind,
    Progress,
    RunOptions,
    Session,
    Vdc,
    footprint,
)
from cse_client.model.footprint import id_in_description
from cse_client.plurals import counted
from cse_client.vcd import tasks

if TYPE_CHECKING:
    from cse_client.vcd.client import VcdClient

__all__ = ["ClusterDeletion", "deletable", "delete_cluster", "delete_vapp"]

_BAD_REQUEST = 400


def delete_vapp(vcd: VcdClient, vapp_href: str, *, deadline: float) -> None:
    """Delete a vApp by force; undeploy it first where VCD insists. Absence is success."""
    try:
        _delete(vcd, vapp_href, deadline)
    except SessionInvalid:
        raise
    except (VcdFault, Refused, NotFound) as fault:
        if known_absent(vcd, vapp_href):
            return
        if not _wants_undeploy(fault):
            raise
        try:
            tasks.done(vcd, lambda: vcd.undeploy(vapp_href), deadline=deadline)
            _delete(vcd, vapp_href, deadline)
        except SessionInvalid:
            raise
        except (VcdFault, Refused, NotFound) as second:
            if known_absent(vcd, vapp_href):
                return
            # The first refusal tells why; the second attempt is a note under it.
            fault.notes.append(f"Stopping it first did not help: {second.message}")
            raise fault from second


def _wants_undeploy(fault: CseError) -> bool:
    """Return whether VCD refused the deletion itself; stopping the vApp first may help then."""
    return isinstance(fault, TaskFailed) or (
        isinstance(fault, VcdFault) and fault.status == _BAD_REQUEST
    )


def _delete(vcd: VcdClient, vapp_href: str, deadline: float) -> None:
    tasks.done(vcd, lambda: vcd.delete_vapp(vapp_href), deadline=deadline, idempotent=True)


class ClusterDeletion:
    """One deletion of a cluster, by name."""

    def __init__(
        self,
        vcd: VcdClient,
        session: Session,
        clock: Clock,
        ref: ClusterRef,
        options: RunOptions,
    ) -> None:
        self._vcd = vcd
        self._session = session
        self._clock = clock
        self._ref = ref
        self._options = options

    def plan(self) -> Deletion:
        """Return what would be deleted, after the same checks."""
        name, break_lock = self._ref.name, self._options.break_lock
        with self._locked() as (vdc, lock):
            cluster = deletable(
                *(self._vcd, self._session, vdc, name), lock=lock, break_lock=break_lock
            )
        vapp = cluster.vapp
        return Deletion(name, vapp.id, tuple(vm.name for vm in vapp.vms))

    def run(self, progress: Progress) -> Deletion:
        """Delete the cluster from whatever state it is in, and prove that it is gone."""
        deadline = self._clock.monotonic() + bounds.share(self._options.timeout)
        with self._locked() as (vdc, lock):
            return delete_cluster(
                self._vcd,
                self._session,
                vdc,
                self._ref.name,
                lock=lock,
                break_lock=self._options.break_lock,
                deadline=deadline,
                progress=progress,
            )

    @contextmanager
    def _locked(self) -> Iterator[tuple[Vdc, ClusterLock]]:
        """Keep this user's other commands on this machine off a cluster that is to be deleted."""
        ref = self._ref
        vdc = self._vcd.surroundings.vdc(ref.vdc, ref.org)
        lock = ClusterLock(
            self._vcd, self._session, name=ref.name, vdc_href=vdc.href, clock=self._clock
        )
        if not self._options.break_lock:
            lock.acquire_local()
        try:
            yield vdc, lock
        except KeyboardInterrupt:
            raise Interrupted(
                f"Interrupted; VCD may still be deleting cluster '{ref.name}'.",
                hint=f"Run it again to make sure: {suggest.cse('cluster delete', ref.name)}",
            ) from None
        finally:
            lock.release_local()


def deletable(
    vcd: VcdClient,
    session: Session,
    vdc: Vdc,
    name: str,
    *,
    lock: ClusterLock,
    break_lock: bool,
) -> ExistingCluster:
    """Return cluster `name` if it may be deleted now.

    Raises:
        NotFound: there is none.
        Conflict: it is not a cluster, or another command is changing it.
        Refused: it is protected.
    """
    cluster = find_existing(vcd, session, vdc, name)
    if is_protected(cluster.metadata):
        raise Refused(
            f"Cluster '{name}' is protected against deletion; nothing was changed.",
            hint=f"To remove the protection: {suggest.cse('cluster unprotect', name)}",
        )
    lock.refuse_if_held(cluster.metadata, break_lock=break_lock)
    if not break_lock:
        refuse_if_just_begun(name, cluster.vapp, cluster.metadata, lock.owner)
    return cluster


def delete_cluster(
    vcd: VcdClient,
    session: Session,
    vdc: Vdc,
    name: str,
    *,
    lock: ClusterLock,
    break_lock: bool,
    deadline: float,
    progress: Progress,
) -> Deletion:
    """Delete cluster `name` and verify that nothing is left.

    Raises:
        CseError: see `deletable`, or it could not be deleted.
    """
    cluster = deletable(vcd, session, vdc, name, lock=lock, break_lock=break_lock)
    vapp = cluster.vapp
    vms = tuple(vm.name for vm in vapp.vms)
    text = f"Deleting vApp '{name}' and its {counted(len(vms), 'VM')}"
    progress(Event(EventKind.STARTED, text, 1, 2))
    try:
        drop_separation(vcd, vdc, vapp, progress)
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
    cluster_id = cluster.cluster_id or id_in_description(vapp.description)
    metadata = {**cluster.metadata, footprint.CLUSTER_ID: cluster_id}
    cluster = replace(cluster, metadata=metadata)
    for note in _remove_ca_file(cluster):
        progress(Event(EventKind.WARNING, note))
    upgrade_backup.discard(cluster)
    return Deletion(
        cluster=name,
        vapp=vapp.id,
        vms=vms,
        verified_gone=True,
        cluster_id=cluster_id,
        identity=custody.identity_of(cluster),
    )


def _remove_ca_file(cluster: ExistingCluster) -> list[str]:
    """Remove the cluster's CA file; a failure is a note, since the cluster itself is deleted."""
    try:
        return custody.remove_ca_file(cluster)
    except CseError as error:
        hint = f" {error.hint}" if error.hint else ""
        return [f"The cluster's CA file is left: {error.message}{hint}"]
