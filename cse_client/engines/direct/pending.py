"""The unfinished operation of a cluster, which a command resumes, ignores or must not touch."""

from __future__ import annotations

import re
from collections.abc import Callable

from cse_client import suggest
from cse_client.engines.direct.existing import ExistingCluster
from cse_client.engines.direct.in_place_record import read_record
from cse_client.engines.direct.operation import (
    GROW,
    HEAD_KINDS,
    REPLACE,
    SHRINK,
    UPDATE,
    UPGRADE,
    Operation,
)
from cse_client.errors import Conflict, CseError
from cse_client.model import footprint
from cse_client.plurals import counted

__all__ = [
    "finishing_command",
    "other_first",
    "pending_operation",
    "refuse_during_restore",
    "refuse_during_upgrade",
    "refuse_to_start",
    "unfinished_work",
]

#: The record of a restore into the same cluster; that of a new one has no second number.
_RESTORING = re.compile(r"\[restore [0-9a-f]{16} [0-9a-f]{8}\]", re.ASCII)


def pending_operation(
    cluster: ExistingCluster, fits: Callable[[Operation], bool], *, heads: bool = False
) -> Operation | None:
    """Return the unfinished operation that a command resumes: of control planes with `heads`.

    One that has made all its VMs and did not wait for them blocks no other.

    Raises:
        Conflict: another one must be finished first.
    """
    refuse_during_restore(cluster)
    unfinished = cluster.unfinished
    if unfinished is None:
        return None
    others = (REPLACE, UPDATE, UPGRADE)
    of_this_kind = unfinished.kind not in others and (unfinished.kind in HEAD_KINDS) == heads
    if of_this_kind and fits(unfinished):
        return unfinished
    if unfinished.kind == GROW and _all_made(cluster, unfinished):
        return None
    raise other_first(cluster, unfinished)


def _all_made(cluster: ExistingCluster, growth: Operation) -> bool:
    for pool in growth.pools:
        if pool.name == growth.pool:
            return len(cluster.workers_of(pool.name)) >= pool.size
    return len(cluster.workers) >= growth.workers


def refuse_during_restore(cluster: ExistingCluster) -> None:
    """Refuse to change a cluster whose control plane is being restored from a backup.

    Raises:
        Conflict: the restore must be finished first.
    """
    if _RESTORING.fullmatch(cluster.metadata.get(footprint.RESTORE, "")):
        raise Conflict(
            f"Cluster '{cluster.name}' has an unfinished operation: restoring it from a backup.",
            hint=f"Finish it first: {suggest.cse('cluster restore', cluster.name, 'FILE')}",
        )


def unfinished_work(cluster: ExistingCluster) -> tuple[str, str] | None:
    """Return what an earlier command left unfinished, and the command that resumes it.

    None where there is nothing, or only nodes that nobody waited for.
    """
    unfinished = cluster.unfinished
    if unfinished is None or (unfinished.kind == GROW and _all_made(cluster, unfinished)):
        return None
    return finishing_command(cluster.name, unfinished)


def refuse_during_upgrade(cluster: ExistingCluster) -> None:
    """Refuse to touch a control plane that an unfinished upgrade has changed.

    Raises:
        Conflict: an upgrade must be finished, or rolled back, first.
    """
    refuse_during_restore(cluster)
    unfinished = cluster.unfinished
    if unfinished is not None and unfinished.kind == UPGRADE:
        raise other_first(cluster, unfinished)


def refuse_to_start(cluster: ExistingCluster) -> None:
    """Refuse to start VMs while a control plane is being upgraded in place.

    It would run the upgrade while nobody waits for it, and its snapshot would be out of date. Once
    it is upgraded, or before that has begun, its cluster can be started and the upgrade resumed.

    Raises:
        Conflict: the upgrade, or a restore, must be finished first.
    """
    refuse_during_restore(cluster)
    if read_record(cluster.metadata) is not None:
        refuse_during_upgrade(cluster)


def other_first(cluster: ExistingCluster, unfinished: Operation) -> CseError:
    """Return the refusal to start an operation before another one is finished."""
    what, command = finishing_command(cluster.name, unfinished)
    return Conflict(
        f"Cluster '{cluster.name}' has an unfinished operation: {what}.",
        hint=f"Finish it first: {command}",
    )


def finishing_command(name: str, unfinished: Operation) -> tuple[str, str]:
    """Return what an unfinished operation does to the cluster `name`, and what resumes it."""
    if unfinished.kind == UPGRADE:
        what = f"upgrading to Kubernetes {unfinished.release}"
        command = suggest.cse("cluster upgrade", name)
    elif unfinished.kind == REPLACE:
        what = f"replacing {', '.join(unfinished.nodes)}"
        command = suggest.cse("pool upgrade", name, unfinished.pool)
    elif unfinished.kind in HEAD_KINDS:
        what = f"changing to {counted(unfinished.heads, 'control plane')}"
        command = suggest.cse("cluster resize", name, control_planes=unfinished.heads)
    elif unfinished.kind == SHRINK:
        what = f"removing {', '.join(unfinished.nodes)}"
        command = suggest.cse("node delete", name, *unfinished.nodes)
    elif unfinished.kind == UPDATE:
        what = f"changing the labels and taints of pool '{unfinished.pool}'"
        command = suggest.cse("pool update", name, unfinished.pool)
    else:
        what, command = _growth(name, unfinished)
    return what, command


def _growth(name: str, unfinished: Operation) -> tuple[str, str]:
    sizes = {pool.name: pool.size for pool in unfinished.pools}
    workers = sizes.get(unfinished.pool, unfinished.workers)
    of_pool = {"pool": unfinished.pool} if unfinished.pool else {}
    if unfinished.asked:
        what = f"adding {counted(unfinished.asked, 'node')}"
        command = suggest.cse("node create", name, nodes=unfinished.asked, **of_pool)
    else:
        what = f"growing to {counted(workers, 'worker')}"
        command = suggest.cse("cluster resize", name, nodes=workers, **of_pool)
    return f"{what} in pool '{unfinished.pool}'" if unfinished.pool else what, command
