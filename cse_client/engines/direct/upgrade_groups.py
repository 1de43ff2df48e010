"""The workers that an upgrade replaces, by pool: a pool with a template of its own keeps it."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from cse_client import suggest
from cse_client.engines.direct.existing import ExistingCluster
from cse_client.engines.direct.operation import Operation
from cse_client.model import WORKER, node_kind
from cse_client.model.pools import Pool

__all__ = ["Group", "groups_of", "kept_pools", "replaced_counts", "replaced_workers"]


@dataclass(frozen=True)
class Group:
    """The workers of one pool that are replaced; `pool` is None for a cluster without pools."""

    names: tuple[str, ...]
    pool: Pool | None = None

    def mark(self, operation: Operation) -> str:
        """Return what the descriptions of the new VMs contain."""
        own = f" for pool '{self.pool.name}'" if self.pool is not None else ""
        return f"{operation.mark()}{own}"


def replaced_workers(
    cluster: ExistingCluster, pools: tuple[Pool, ...], done: Collection[str] = ()
) -> list[str]:
    """Return the workers that an upgrade replaces, pool by pool: all but those that are `done`."""
    if not pools:
        return [vm.name for vm in cluster.workers if vm.name not in done]
    return [name for pool in pools for name in _of_pool(cluster, pool, done)]


def replaced_counts(
    cluster: ExistingCluster, pools: tuple[Pool, ...], done: Collection[str] = ()
) -> tuple[int, ...]:
    """Return how many of `replaced_workers` are of each pool, whatever its size is to be."""
    return tuple(len(_of_pool(cluster, pool, done)) for pool in pools)


def _of_pool(cluster: ExistingCluster, pool: Pool, done: Collection[str]) -> list[str]:
    if pool.template:
        return []
    return [vm.name for vm in cluster.workers_of(pool.name) if vm.name not in done]


def groups_of(operation: Operation) -> list[Group]:
    """Return the workers of an upgrade by pool: `replaced_workers` gave their order."""
    names = [name for name in operation.nodes if node_kind(name) == WORKER]
    if not operation.pools:
        return [Group(tuple(names))] if names else []
    found = []
    for pool, count in zip(operation.pools, operation.counts):
        if count:
            found.append(Group(tuple(names[:count]), pool))
            names = names[count:]
    return found


def kept_pools(cluster: ExistingCluster, pools: tuple[Pool, ...]) -> Iterator[str]:
    """Yield a sentence for each pool whose workers stay as they are."""
    for pool in pools:
        if pool.template and pool.size:
            upgrade = suggest.cse("pool upgrade", cluster.name, pool.name)
            yield (
                f"The workers of the pool '{pool.name}' keep its own template '{pool.template}'."
                f" To replace them afterwards: {upgrade}"
            )
