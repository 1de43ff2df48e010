"""What an existing cluster is to be, from its record: what a file for `cluster apply` declares."""

from __future__ import annotations

from cse_client.engines.direct.existing import ExistingCluster
from cse_client.engines.direct.metadata import (
    is_protected,
    recorded_ssh_key,
    recorded_template_revision,
)
from cse_client.engines.direct.operation import HEAD_KINDS
from cse_client.model import ClusterSpec, footprint
from cse_client.model.cluster import CONTROL_PLANES
from cse_client.model.declared import Declared
from cse_client.model.endpoints import NO_ADDRESS
from cse_client.model.hardware import NODE_OPTIONS
from cse_client.model.settings import OPTIONS
from cse_client.model.ssh_keys import InvalidPublicKey, parse_public_key

__all__ = ["declared_of"]


def declared_of(cluster: ExistingCluster) -> Declared:
    """Return what a cluster is to be.

    Sizes are those that were requested last, also where nodes are missing. Of what is recorded in a
    way that cannot be meant, the name is in `unknown`.
    """
    recorded, metadata = cluster.spec, cluster.metadata
    key, damaged = "", set(recorded.damaged)
    try:
        text = recorded_ssh_key(metadata)
        key = parse_public_key(text).line if text else ""
    except InvalidPublicKey:
        damaged.add("ssh_key")
    networks = cluster.vapp.networks
    workers = cluster.desired_workers
    spec = ClusterSpec(
        name=cluster.name,
        network=recorded.network or (networks[0] if len(networks) == 1 else ""),
        workers=len(cluster.workers) if workers is None else workers,
        control_planes=_odd(cluster.desired_heads),
        template=_template(cluster),
        template_revision=_revision(cluster),
        template_id=recorded.template_id,
        ssh_key=key,
        cpus=recorded.cpus,
        memory_mb=recorded.memory_mb,
        storage_profile=recorded.storage_profile,
        vdc=cluster.vdc.name,
        org=cluster.org,
        endpoint=recorded.endpoint,
        vip=cluster.virtual_address or NO_ADDRESS,
        settings=recorded.settings,
        node_options=recorded.node_options,
    )
    return Declared(
        spec=spec,
        is_protected=is_protected(metadata),
        is_new=metadata.get(footprint.PHASE) == footprint.PHASE_CREATING
        or not metadata.get(footprint.CLUSTER_ID),
        unfinished=_unfinished(cluster),
        unknown=frozenset(map(_named, damaged)),
        problems=tuple(_missing(cluster)),
    )


def _odd(heads: int) -> int:
    """Return a number of control planes that a cluster may have; it may be in between for a while.

    CSE's clusters have one, and operations are recorded with the number that they lead to.
    """
    return (
        heads if heads in CONTROL_PLANES else max(n for n in CONTROL_PLANES if n <= max(heads, 1))
    )


def _template(cluster: ExistingCluster) -> str:
    name = cluster.metadata.get(footprint.TEMPLATE_NAME, "") or cluster.spec.template
    same = name == cluster.spec.template
    return f"{cluster.spec.catalog}/{name}" if name and same and cluster.spec.catalog else name


def _revision(cluster: ExistingCluster) -> int | None:
    if not _template(cluster):
        return None
    revision = recorded_template_revision(cluster.metadata)
    return cluster.spec.revision if revision is None else revision


def _unfinished(cluster: ExistingCluster) -> frozenset[str]:
    operation = cluster.unfinished
    if operation is None:
        return frozenset()
    return frozenset(["control_planes" if operation.kind in HEAD_KINDS else "workers"])


def _named(name: str) -> str:
    """Return the name of a recorded value in `ClusterSpec`."""
    if name in OPTIONS:
        return f"settings.{name}"
    return f"node_options.{name}" if name in NODE_OPTIONS else name


def _missing(cluster: ExistingCluster) -> list[str]:
    """Return where the numbers of VMs are not the requested ones and no operation is going on."""
    if cluster.unfinished is not None:
        return []
    pairs = (
        ("control plane", len(cluster.control_planes), cluster.desired_heads),
        ("worker", len(cluster.workers), cluster.desired_workers),
    )
    return [
        f"it has {there} {noun} {'VM' if there == 1 else 'VMs'} where {wanted} were requested"
        for noun, there, wanted in pairs
        if wanted is not None and there != wanted
    ]
