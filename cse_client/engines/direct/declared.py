"""What an existing cluster is to be, from its record: what a file for `cluster apply` declares."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from cse_client.engines.direct.existing import ExistingCluster, find_existing
from cse_client.engines.direct.holders import PREFIX, PROTECTING, UNPROTECTING, holders
from cse_client.engines.direct.lock import owner_of
from cse_client.engines.direct.metadata import (
    is_protected,
    recorded_ssh_key,
    recorded_template_revision,
)
from cse_client.engines.direct.operation import (
    GROW,
    HEAD_KINDS,
    REPLACE,
    SHRINK,
    UPDATE,
    UPGRADE,
)
from cse_client.engines.direct.quiet import quiet_vapp
from cse_client.model import ClusterSpec, Session, Template, Vdc, footprint
from cse_client.model.cluster import CONTROL_PLANES
from cse_client.model.declared import Declared
from cse_client.model.endpoints import NO_ADDRESS
from cse_client.model.hardware import NODE_OPTIONS
from cse_client.model.pools import DEFAULT_POOL, Pool
from cse_client.model.settings import OPTIONS
from cse_client.model.ssh_keys import InvalidPublicKey, parse_public_key
from cse_client.plurals import counted, noun

if TYPE_CHECKING:
    from cse_client.vcd.client import VcdClient

__all__ = ["declared_of", "find_settled"]

#: Seconds in which the task of a metadata change ends; longer ones are of what is recorded already.
_LATE_WRITE = 15.0
_POOL_ACTIONS = {REPLACE: "upgrade", UPDATE: "update"}
#: What is known from the vApp itself, or from metadata of its own.
_ELSEWHERE = (
    "catalog",
    "control_planes",
    "network",
    "revision",
    "template",
    "template_id",
    "workers",
)


def find_settled(vcd: VcdClient, session: Session, vdc: Vdc, name: str) -> ExistingCluster:
    """Find a cluster once what a killed command has recorded last can be read.

    VCD changes metadata in a task, and nothing longer is begun before that has ended. That may be
    between the reads of the metadata and of the vApp's tasks.

    Raises:
        NotFound, Conflict: see `lookup.find_cluster`.
    """
    deadline = vcd.clock.monotonic() + _LATE_WRITE
    while True:
        cluster = find_existing(vcd, session, vdc, name)
        href = cluster.vapp.href
        if cluster.vapp.running_tasks:
            quiet_vapp(vcd, href, deadline=deadline)
        elif vcd.vapp_metadata(href) == cluster.metadata:
            return cluster
        if vcd.clock.monotonic() >= deadline:
            return cluster


def declared_of(cluster: ExistingCluster, templates: Callable[[], Sequence[Template]]) -> Declared:
    """Return what a cluster is to be.

    Sizes are those that were requested last, also where nodes are missing, and the template is that
    of an upgrade which has begun. Of what is recorded in a way that cannot be meant, the name is in
    `unknown`. `templates` lists those that can be seen.
    """
    recorded, metadata = cluster.spec, cluster.metadata
    key, damaged = "", set(recorded.damaged)
    try:
        text = recorded_ssh_key(metadata)
        key = parse_public_key(text).line if text else ""
    except InvalidPublicKey:
        damaged.add("ssh_key")
    networks = cluster.vapp.networks
    template, revision, template_id = _template(cluster, templates)
    spec = ClusterSpec(
        name=cluster.name,
        network=recorded.network or (networks[0] if len(networks) == 1 else ""),
        workers=sum(pool.size for pool in cluster.pools),
        pools=() if len(cluster.pools) == 1 and _is_plain(cluster.pools[0]) else cluster.pools,
        control_planes=_odd(cluster.desired_heads),
        template=template,
        template_revision=revision,
        template_id=template_id,
        ssh_key=key,
        cpus=recorded.cpus,
        memory_mb=recorded.memory_mb,
        storage_profile=recorded.storage_profile,
        vdc=cluster.vdc.name,
        org=cluster.org,
        endpoint=recorded.endpoint,
        vip=cluster.virtual_address or ("" if "vip" in damaged else NO_ADDRESS),
        settings=recorded.settings,
        node_options=recorded.node_options,
    )
    return Declared(
        spec=spec,
        is_protected=is_protected(metadata),
        is_new=metadata.get(footprint.PHASE) == footprint.PHASE_CREATING
        or not metadata.get(footprint.CLUSTER_ID),
        unfinished=_unfinished(cluster),
        unknown=frozenset(_named(name) for name in damaged if name not in _ELSEWHERE),
        problems=tuple(_missing(cluster)),
    )


def _is_plain(pool: Pool) -> bool:
    """Return whether this is the pool of a cluster that was created without any."""
    return pool == Pool(DEFAULT_POOL, pool.size)


def _odd(heads: int) -> int:
    """Return a number of control planes that a cluster may have; it may be in between for a while.

    CSE's clusters have one, and operations are recorded with the number that they lead to.
    """
    return (
        heads if heads in CONTROL_PLANES else max(n for n in CONTROL_PLANES if n <= max(heads, 1))
    )


def _template(
    cluster: ExistingCluster, templates: Callable[[], Sequence[Template]]
) -> tuple[str, int | None, str]:
    """Return the name, the revision and the id of the cluster's template."""
    recorded, operation = cluster.spec, cluster.unfinished
    if operation is not None and operation.kind == UPGRADE:
        found = next((one for one in templates() if one.id == operation.template), None)
        if found is None:
            return operation.template, None, operation.template
        return f"{found.catalog}/{found.name}", found.revision, found.id
    name = cluster.metadata.get(footprint.TEMPLATE_NAME, "") or recorded.template
    if not name:
        return "", None, ""
    revision = recorded_template_revision(cluster.metadata)
    revision = recorded.revision if revision is None else revision
    if name == recorded.template and recorded.catalog:
        name = f"{recorded.catalog}/{name}"
    return name, revision, recorded.template_id


def _unfinished(cluster: ExistingCluster) -> dict[str, str]:
    """Return what has begun and not ended, see `Declared`."""
    return {**_unfinished_protection(cluster), **_unfinished_operation(cluster)}


def _unfinished_protection(cluster: ExistingCluster) -> dict[str, str]:
    """Return that a command of this user has not ended, after which others may go on."""
    claim = holders(cluster.metadata).get(f"{PREFIX}{owner_of(cluster.session)}")
    doing = "" if claim is None else claim.doing
    actions = {PROTECTING: "protect", UNPROTECTING: "unprotect"}
    return {"deletion_protection": actions[doing]} if doing in actions else {}


def _unfinished_operation(cluster: ExistingCluster) -> dict[str, str]:
    operation = cluster.unfinished
    if operation is None:
        return {}
    if operation.kind == UPGRADE:
        return {"template": "upgrade"}
    if operation.kind in HEAD_KINDS:
        return {"control_planes": "resize"}
    name = operation.pool or DEFAULT_POOL
    if operation.kind in _POOL_ACTIONS:
        return {f"pools.{name}": _POOL_ACTIONS[operation.kind]}
    recorded = {pool.name for pool in cluster.recorded_pools}
    wanted = {pool.name for pool in cluster.pools}
    action = "resize"
    if operation.kind == GROW and name not in recorded:
        action = "create"
    elif operation.kind == SHRINK and name not in wanted:
        action = "delete"
    return {f"pools.{name}": action}


def _named(name: str) -> str:
    """Return the name of a recorded value in `ClusterSpec`."""
    if name in OPTIONS:
        return f"settings.{name}"
    return f"node_options.{name}" if name in NODE_OPTIONS else name


def _missing(cluster: ExistingCluster) -> list[str]:
    """Return where the numbers of VMs are not the requested ones and no operation is going on."""
    if cluster.unfinished is not None:
        return []
    pairs = [("control plane", len(cluster.control_planes), cluster.desired_heads)]
    for pool in cluster.pools:
        what = "worker" if len(cluster.pools) == 1 else f"'{pool.name}' worker"
        pairs.append((what, len(cluster.workers_of(pool.name)), pool.size))
    return [
        f"it has {counted(there, f'{what} VM')} where {wanted} {noun(wanted, 'was', 'were')}"
        " requested"
        for what, there, wanted in pairs
        if there != wanted
    ]
