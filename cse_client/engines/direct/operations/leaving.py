"""Which workers leave a cluster: those that were chosen by name, or the best ones to lose."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from cse_client.engines.direct.existing import ExistingCluster
from cse_client.engines.direct.operation import SHRINK, Operation
from cse_client.engines.direct.pools import pool_of, total
from cse_client.engines.lookup import unknown_nodes
from cse_client.errors import Refused, WrongUsage
from cse_client.kube.drain import Stuck, find_stuck_pods
from cse_client.model import KubeNode, Vm
from cse_client.model.nodes import NodesSpec
from cse_client.plurals import counted

if TYPE_CHECKING:
    from cse_client.kube.api import ClusterAPI

__all__ = [
    "begin_removal",
    "check_choice",
    "choose_workers",
    "name_stuck",
    "refuse_stuck_pods",
    "removed_before",
]

#: How many pods a refusal names.
_SHOWN = 10


def choose_workers(
    vms: Sequence[Vm], nodes: Mapping[str, KubeNode], count: int, first: Sequence[str]
) -> list[str]:
    """Return the names of the workers to go: those named, those that never joined, the newest.

    `nodes` holds what Kubernetes knows, by name; it is empty where nobody could be asked, and
    VCD's order decides then, the last VM first.
    """
    rest = [vm.name for vm in vms if vm.name not in first]
    position = {name: number for number, name in enumerate(rest)}

    def age(name: str) -> tuple[int, float, int]:
        node = nodes.get(name)
        if nodes and node is None:
            return (0, 0.0, -position[name])
        created = node.created.timestamp() if node is not None and node.created else 0.0
        return (1, -created, -position[name])

    return [*first, *sorted(rest, key=age)][:count]


def check_choice(cluster: ExistingCluster, spec: NodesSpec, pool: str) -> None:
    """Refuse names for --nodes-to-remove that are not workers of this pool, or too many.

    Raises:
        NotFound: some names are of no VM.
        Conflict: some are not workers.
        WrongUsage: some are of another pool, or there are more names than workers to be removed.
    """
    vms = {vm.name: vm for vm in cluster.vapp.vms}
    unknown = [name for name in spec.remove if name not in vms]
    if unknown:
        raise unknown_nodes(cluster.name, unknown)
    cluster.check_workers(spec.remove)
    cluster.check_pool([vms[name] for name in spec.remove], pool)
    surplus = len(cluster.workers_of(pool)) - spec.workers
    if len(spec.remove) > surplus:
        raise WrongUsage(
            f"--nodes-to-remove names {counted(len(spec.remove), 'node')}, but {surplus} must go to"
            f" leave {spec.workers}.",
            hint=f"Specify at most {surplus}, or change --nodes.",
        )


def begin_removal(
    cluster: ExistingCluster, names: Sequence[str], known: Mapping[str, KubeNode]
) -> Operation:
    """Return the operation that takes `names` out.

    Raises:
        NotFound: some names are of no node, neither in VCD nor in Kubernetes; all are named.
        Conflict: some are not workers.
    """
    vms = {vm.name for vm in cluster.vapp.vms}
    before = cluster.journal.removed
    unknown = [n for n in names if n not in vms and n not in known and n not in before]
    if unknown:
        raise unknown_nodes(cluster.name, unknown)
    cluster.check_workers([name for name in names if name in vms])
    workers = [vm.name for vm in cluster.workers if vm.name not in names]
    if cluster.records_pools:
        return _begin_in_pools(cluster, names, known)
    return Operation.begin(
        SHRINK,
        workers=len(workers),
        before=len(cluster.workers),
        nodes=tuple(dict.fromkeys(names)),
    )


def _begin_in_pools(
    cluster: ExistingCluster, names: Sequence[str], known: Mapping[str, KubeNode]
) -> Operation:
    """Return the operation that takes `names` out of their pools, which are smaller then.

    A node without a VM is of the pool that its label names.
    """
    vms = {vm.name: pool_of(vm) for vm in cluster.workers}
    lost = {name: known[name].pool for name in names if name not in vms and name in known}
    of_pools = {**{name: vms[name] for name in names if name in vms}, **lost}
    leaving = Counter(of_pools.values())
    left = Counter(pool for name, pool in vms.items() if name not in names)
    pools = tuple(
        replace(pool, size=max(left[pool.name], pool.size - leaving[pool.name]))
        for pool in cluster.pools
    )
    return Operation.begin(
        SHRINK,
        workers=total(pools),
        before=total(cluster.pools),
        nodes=tuple(dict.fromkeys(names)),
        pool=next(iter(leaving)) if len(leaving) == 1 else "",
        pools=pools,
    )


def removed_before(cluster: ExistingCluster, names: Sequence[str]) -> bool:
    """Return whether a command before this one took all of these nodes out.

    It may have been stopped after its last request: its repetition has nothing left to do.
    """
    vms = {vm.name for vm in cluster.vapp.vms}
    return all(name in cluster.journal.removed and name not in vms for name in names)


def refuse_stuck_pods(api: ClusterAPI, names: Sequence[str]) -> None:
    """Refuse to drain nodes that have pods which a drain could not move.

    Raises:
        Refused: each of the pods is named with the reason.
    """
    stuck = find_stuck_pods(api, names)
    if stuck:
        raise Refused(
            f"{counted(len(stuck), 'pod')} cannot be moved to other nodes, so nothing was touched:"
            f" {_listed(stuck)}.",
            hint="Move or delete them yourself, or delete them with --force.",
        )


def name_stuck(stuck: Sequence[Stuck]) -> str:
    """Return a clause that names the pods and why each cannot be moved."""
    return f"{counted(len(stuck), 'pod')} cannot be moved to other nodes: {_listed(stuck)}"


def _listed(stuck: Sequence[Stuck]) -> str:
    listed = [f"{one.namespace}/{one.pod} on {one.node} ({one.reason})" for one in stuck]
    more = f" and {len(listed) - _SHOWN} more" if len(listed) > _SHOWN else ""
    return f"{', '.join(listed[:_SHOWN])}{more}"
