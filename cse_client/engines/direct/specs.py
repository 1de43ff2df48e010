"""The options of a run on what exists: those given now, and those recorded in the vApp.

For a creation that is resumed, and for new workers of an existing cluster.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from cse_client import suggest
from cse_client.engines.direct.metadata import (
    RecordedSpec,
    options_digest,
    recorded_cluster_id,
    recorded_spec,
    recorded_ssh_key,
    recorded_template_revision,
    unusable_metadata,
)
from cse_client.engines.direct.root_key import inherited_key, parse_recorded, show_key
from cse_client.engines.direct.templates import name_of
from cse_client.errors import Conflict, CseError
from cse_client.model import ClusterSpec, Template, VApp, footprint
from cse_client.model.endpoints import AUTO, NO_ADDRESS
from cse_client.model.footprint import options_in_description
from cse_client.model.hardware import NODE_OPTIONS, NodeOptions
from cse_client.model.nodes import NodesSpec
from cse_client.model.pools import Pool
from cse_client.model.settings import OPTIONS, ClusterSettings, setting_shown
from cse_client.model.ssh_keys import parse_public_key

if TYPE_CHECKING:
    from cse_client.engines.direct.existing import ExistingCluster
    from cse_client.vcd.client import VcdClient

__all__ = [
    "inherited_spec",
    "lost_settings",
    "pool_spec",
    "refuse_other_options",
    "resumed_spec",
    "same_pool",
    "unusable_records",
    "with_recorded_key",
]


def inherited_spec(
    cluster: ExistingCluster, wanted: NodesSpec, target: int, pool: Pool | None = None
) -> ClusterSpec:
    """Return what new nodes are made from: what is requested now, else what is recorded.

    Recorded of their pool, else of the cluster. `target` is the number of workers that the cluster
    will have.
    """
    recorded = _recorded_of(cluster, pool)
    networks, options = cluster.vapp.networks, recorded.node_options
    options = replace(
        options,
        disk_mb=wanted.disk_mb or options.disk_mb,
        sizing_policy=wanted.sizing_policy or options.sizing_policy,
        placement_policy=wanted.placement_policy or options.placement_policy,
    )
    if wanted.control_planes:
        options = _for_control_planes(options, wanted)
    # another policy mostly defines other sizes
    general = None if wanted.sizing_policy else recorded
    template, revision, earlier = wanted.template, wanted.template_revision, ""
    if not template:
        earlier, template = recorded.template_id, recorded.template
        if revision is None:
            revision = recorded.template_revision
    return ClusterSpec(
        name=cluster.name,
        network=wanted.network or recorded.network or (networks[0] if networks else ""),
        workers=target,
        control_planes=len(cluster.control_planes),
        template=template,
        template_revision=revision,
        template_id=earlier,
        ssh_key=wanted.ssh_key,
        cpus=wanted.cpus or (general.cpus if general is not None else None),
        memory_mb=wanted.memory_mb or (general.memory_mb if general is not None else None),
        storage_profile=wanted.storage_profile or recorded.storage_profile,
        endpoint=recorded.endpoint,
        vip=recorded.vip,
        settings=recorded.settings,
        node_options=options,
        accept_eulas=wanted.accept_eulas,
    )


def _recorded_of(cluster: ExistingCluster, pool: Pool | None) -> ClusterSpec:
    """Return what is recorded of a cluster's nodes, of the workers of a pool in particular."""
    recorded, metadata = cluster.spec, cluster.metadata
    spec = ClusterSpec(
        name=cluster.name,
        network=recorded.network,
        template=metadata.get(footprint.TEMPLATE_NAME, ""),
        template_revision=recorded_template_revision(metadata),
        template_id=recorded.template_id,
        cpus=recorded.cpus,
        memory_mb=recorded.memory_mb,
        storage_profile=recorded.storage_profile,
        endpoint=recorded.endpoint,
        vip=recorded.vip,
        settings=recorded.settings,
        node_options=recorded.node_options,
    )
    return pool_spec(spec, pool) if pool is not None else spec


def pool_spec(spec: ClusterSpec, pool: Pool) -> ClusterSpec:
    """Return what the workers of a pool are made from: what it gives, else what `spec` does."""
    options = replace(
        spec.node_options,
        disk_mb=pool.disk_mb or spec.node_options.disk_mb,
        sizing_policy=pool.sizing_policy or spec.node_options.sizing_policy,
        placement_policy=pool.placement_policy or spec.node_options.placement_policy,
    )
    # another policy mostly defines other sizes
    sized = spec if not pool.sizing_policy else replace(spec, cpus=None, memory_mb=None)
    if pool.template:
        sized = replace(
            sized,
            template=pool.template,
            template_revision=pool.template_revision,
            template_id=pool.template_id,
        )
    return replace(
        sized,
        workers=pool.size,
        cpus=pool.cpus or sized.cpus,
        memory_mb=pool.memory_mb or sized.memory_mb,
        storage_profile=pool.storage_profile or spec.storage_profile,
        node_options=options,
        pools=(),
    )


def _for_control_planes(options: NodeOptions, wanted: NodesSpec) -> NodeOptions:
    """Let what is requested for new control planes replace what is recorded for them alone."""
    if wanted.sizing_policy:
        options = replace(options, control_plane_cpus=None, control_plane_memory_mb=None)
    return replace(
        options,
        control_plane_cpus=wanted.cpus or options.control_plane_cpus,
        control_plane_memory_mb=wanted.memory_mb or options.control_plane_memory_mb,
        control_plane_sizing_policy=wanted.sizing_policy or options.control_plane_sizing_policy,
        control_plane_placement_policy=(
            wanted.placement_policy or options.control_plane_placement_policy
        ),
    )


def unusable_records(cluster: ExistingCluster, wanted: NodesSpec) -> Iterator[CseError]:
    """Name what new nodes are made from that is recorded in a way that cannot be meant."""
    recorded = cluster.spec
    options = {
        "network": ("--network", wanted.network),
        "cpus": ("--cpu", wanted.cpus),
        "memory_mb": ("--memory", wanted.memory_mb),
        "storage_profile": ("--storage-profile", wanted.storage_profile),
        "disk_mb": ("--disk-size", wanted.disk_mb),
        "sizing_policy": ("--sizing-policy", wanted.sizing_policy),
        "placement_policy": ("--placement-policy", wanted.placement_policy),
    }
    missing = [
        options[name][0] for name in recorded.damaged if name in options and not options[name][1]
    ]
    if not missing:
        yield from lost_settings(cluster)
    if missing:
        yield Conflict(
            f"The options that cluster '{cluster.name}' was created with are not known: its"
            f" metadata {footprint.SPEC} cannot be used.",
            hint=f"Specify it: {', '.join(missing)}.",
        )
    if not recorded_cluster_id(cluster.metadata):
        yield Conflict(
            f"Cluster '{cluster.name}' has no usable id in its metadata {footprint.CLUSTER_ID}.",
            hint="No nodes can be added to it.",
        )


def lost_settings(cluster: ExistingCluster) -> Iterator[CseError]:
    """Name the settings that every node of the cluster has and that are recorded unusably."""
    lost = [name for name in cluster.spec.damaged if name in OPTIONS]
    if lost:
        yield Conflict(
            f"The settings that cluster '{cluster.name}' was created with are not known: its"
            f" metadata {footprint.SPEC} has no usable {', '.join(lost)}.",
            hint="No node can be set up without them.",
        )


def with_recorded_key(
    vcd: VcdClient, spec: ClusterSpec, vapp: VApp, metadata: Mapping[str, str]
) -> tuple[ClusterSpec, str]:
    """Return `spec` with the recorded ssh key where the user named none, and a warning or ""."""
    if spec.ssh_key:
        return spec, ""
    key, warning = inherited_key(vcd, vapp, metadata)
    return replace(spec, ssh_key=key.line if key is not None else ""), warning


def resumed_spec(spec: ClusterSpec, metadata: Mapping[str, str]) -> ClusterSpec:
    """Return what the interrupted run was asked for; different options now are a Conflict.

    `metadata` is that of the unfinished cluster's vApp.
    """
    recorded = recorded_spec(metadata)
    if recorded.damaged or (
        metadata.get(footprint.CLUSTER_ID) and not recorded_cluster_id(metadata)
    ):
        what = "; ".join(unusable_metadata(metadata))
        raise Conflict(
            f"The unfinished cluster '{spec.name}' cannot be finished: {what}.",
            hint=f"Remove it: {suggest.cse('cluster delete', spec.name)}",
        )
    if recorded.workers is None:
        return spec
    differences = [
        f"{words} {'not given' if was is None else was} (now {now})"
        for words, was, now in (
            ("--nodes", recorded.workers, spec.workers),
            ("--control-planes", recorded.control_planes or 1, spec.control_planes),
            ("--network", recorded.network, spec.network),
            ("--template", recorded.template, name_of(spec.template, recorded)),
            ("--cpu", recorded.cpus, spec.cpus),
            ("--memory", recorded.memory_mb, spec.memory_mb),
            *_node_options(recorded.node_options, spec.node_options),
            ("--vip", recorded.vip or NO_ADDRESS, spec.vip if spec.vip != AUTO else ""),
            *_settings(recorded.settings, spec.settings),
        )
        if now not in ("", None) and was != now
    ]
    differences += _other_pools(recorded, spec)
    differences += _other_key(spec, metadata)
    if differences:
        raise Conflict(
            f"An unfinished cluster '{spec.name}' was started with different options:"
            f" {', '.join(differences)}.",
            hint="Repeat the first command to finish it, or: "
            + suggest.cse("cluster delete", spec.name),
        )
    return replace(
        spec,
        template=recorded.template,
        template_revision=recorded.revision,
        template_id=recorded.template_id,
        storage_profile=recorded.storage_profile or spec.storage_profile,
        endpoint=recorded.endpoint or spec.endpoint,
        cpus=recorded.cpus,
        memory_mb=recorded.memory_mb,
        vip=recorded.vip or NO_ADDRESS,
        settings=recorded.settings,
        node_options=recorded.node_options,
        pools=recorded.pools,
        workers=recorded.workers,
    )


def _other_pools(recorded: RecordedSpec, spec: ClusterSpec) -> Iterator[str]:
    """Name the pools that are requested otherwise than they were; none is as many as there were."""
    if not spec.pools:
        return
    was, now = ({one.name: one for one in pools} for pools in (recorded.pools, spec.pools))
    for name in sorted({*was, *now}):
        if name not in was or name not in now:
            yield f"pool '{name}' {'not given' if name in now else 'given'} then"
        elif not same_pool(was[name], now[name], recorded):
            yield f"pool '{name}'"


def same_pool(was: Pool, now: Pool, recorded: RecordedSpec) -> bool:
    """Return whether a pool is requested as it was; only the record has the template's id."""
    name = was.template if now.template == was.template_id else name_of(now.template, recorded)
    return replace(
        now,
        template=name,
        template_revision=now.template_revision or was.template_revision,
        template_id=was.template_id,
        labels=dict(now.labels),
        taints=tuple(now.taints),
    ) == replace(was, labels=dict(was.labels), taints=tuple(was.taints))


def _node_options(was: NodeOptions, now: NodeOptions) -> Iterator[tuple[str, object, object]]:
    for name, option in NODE_OPTIONS.items():
        recorded, typed = getattr(was, name) or None, getattr(now, name)
        if name == "disk_mb":
            recorded, typed = recorded and f"{recorded}M", typed and f"{typed}M"
        yield option, recorded, typed


def _settings(was: ClusterSettings, now: ClusterSettings) -> Iterator[tuple[str, object, object]]:
    for name, option in OPTIONS.items():
        recorded, typed = getattr(was, name), getattr(now, name)
        # the record has what is always reached without a proxy, too
        if name == "no_proxy" and set(typed.split(",")) <= set(recorded.split(",")):
            continue
        yield option, setting_shown(name, recorded) or None, setting_shown(name, typed)


def refuse_other_options(
    vapp: VApp, metadata: Mapping[str, str], spec: ClusterSpec, template: Template
) -> None:
    """Refuse to finish with the options in `spec` what left VMs that were made with others.

    For a creation that ended before its options were recorded: only their digest is known.

    Raises:
        Conflict: they are different.
    """
    recorded = options_in_description(vapp.description)
    if metadata.get(footprint.CLUSTER_ID) or not vapp.vms or not recorded:
        return
    if recorded != options_digest(spec, template):
        raise Conflict(
            f"An unfinished cluster '{spec.name}' was started with different options.",
            hint="Repeat the first command to finish it, or: "
            + suggest.cse("cluster delete", spec.name),
        )


def _other_key(spec: ClusterSpec, metadata: Mapping[str, str]) -> list[str]:
    text = recorded_ssh_key(metadata)
    if not spec.ssh_key or not text:
        return []
    typed = parse_public_key(spec.ssh_key)
    recorded = parse_recorded(spec.name, text)
    if recorded.same_key(typed):
        return []
    return [f"--ssh-key {show_key(recorded)} (now {show_key(typed)})"]
