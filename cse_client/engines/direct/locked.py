"""An existing cluster that is to be changed, locked against others."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cse_client import bounds, suggest
from cse_client.clock import Clock
from cse_client.engines.direct.existing import ExistingCluster, find_existing
from cse_client.engines.direct.lock import ClusterLock
from cse_client.errors import Conflict
from cse_client.model import RunOptions, Session, Vdc, footprint
from cse_client.vcd import tasks

if TYPE_CHECKING:
    from cse_client.vcd.client import VcdClient

__all__ = ["LockedCluster", "Writer", "locked_cluster"]

#: Writes metadata of a cluster.
Writer = Callable[[Mapping[str, str]], None]


@dataclass(frozen=True)
class LockedCluster:
    """A cluster that no other command of this user on this machine changes meanwhile.

    Commands elsewhere are kept off it once the lock's claim is written, see `ClusterLock.claim`.
    """

    existing: ExistingCluster
    lock: ClusterLock

    @property
    def adoption(self) -> dict[str, str]:
        """The metadata to write with the first change, for a creation that nobody waited for."""
        creating = self.existing.metadata.get(footprint.PHASE) == footprint.PHASE_CREATING
        return {footprint.PHASE: footprint.PHASE_READY} if creating else {}

    @contextmanager
    def claimed(self, doing: str, options: RunOptions) -> Iterator[Writer]:
        """Hold the cluster while something short is done that leaves no record of its own.

        Gives what writes metadata until the time of `options` is up. An operation that was
        unfinished before stays so.

        Raises:
            Conflict: see `ClusterLock.claim`.
        """
        cluster, lock = self.existing, self.lock
        href = cluster.vapp.href
        deadline = lock.clock.monotonic() + bounds.share(options.timeout)

        def write(values: Mapping[str, str]) -> None:
            vcd = cluster.vcd
            tasks.done(vcd, lambda: vcd.write_metadata(href, values), deadline=deadline)

        lock.claim(
            href,
            cluster.metadata,
            doing=doing,
            deadline=deadline,
            break_lock=options.break_lock,
        )
        try:
            first = {**self.adoption, **lock.ending_broken()}
            if first:
                write(first)
            yield write
        finally:
            lock.release(href, ended=cluster.unfinished is None)


@contextmanager
def locked_cluster(
    vcd: VcdClient,
    session: Session,
    vdc: Vdc,
    name: str,
    *,
    clock: Clock,
    break_lock: bool = False,
) -> Iterator[LockedCluster]:
    """Find a finished cluster, and keep this user's other commands on this machine off it.

    Failures inside that come of the cluster's deletion are raised as DeletedMeanwhile.

    Raises:
        NotFound, Conflict: see `lookup.find_cluster`; it is still being created; or somebody else
            is changing it.
    """
    lock = ClusterLock(vcd, session, name=name, vdc_href=vdc.href, clock=clock)
    lock.acquire_local()
    try:
        cluster = find_existing(vcd, session, vdc, name)
        lock.refuse_if_held(cluster.metadata, break_lock=break_lock)
        if cluster.journal.unclear and not break_lock:
            raise _unclear(cluster)
        if not _is_complete(cluster):
            raise Conflict(
                f"Cluster '{name}' is not finished yet.",
                hint="Finish it with the command that created it, or: "
                + suggest.cse("cluster delete", name),
            )
        with cluster.noticing_deletion():
            yield LockedCluster(cluster, lock)
    finally:
        lock.release_local()


def _is_complete(cluster: ExistingCluster) -> bool:
    """Return whether the cluster's creation has made everything that was requested."""
    if footprint.CLUSTER_ID not in cluster.metadata:
        return False
    if cluster.metadata.get(footprint.PHASE) != footprint.PHASE_CREATING:
        return True
    desired = cluster.desired_workers
    has_head = cluster.control_plane is not None
    return has_head and desired is not None and len(cluster.workers) >= desired


def _unclear(cluster: ExistingCluster) -> Conflict:
    damaged = ", ".join(cluster.journal.damaged)
    return Conflict(
        f"The unfinished operation on cluster '{cluster.name}' is unknown: its metadata"
        f" {damaged} cannot be read.",
        hint="If no other command is changing it, add --break-lock: the entry is then erased.",
    )
