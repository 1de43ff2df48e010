"""Options of the commands that add nodes or take them out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import click

from cse_client.cli.options import (
    accept_eulas_option,
    break_lock_option,
    cpu_option,
    disable_rollback_option,
    disk_size_option,
    memory_option,
    placement_policy_option,
    sizing_policy_option,
    storage_profile_option,
    template_option,
    template_revision_option,
    with_options,
)

if TYPE_CHECKING:
    from cse_client.cli.run import Run
    from cse_client.errors import CseError
    from cse_client.model import Cluster, ClusterRef
    from cse_client.model.nodes import NodesSpec

__all__ = [
    "NEW_NODE_OPTIONS",
    "TEMPLATE_OPTIONS",
    "GrowthOptions",
    "ScaleOptions",
    "growth_options",
    "nodes_spec",
    "pool_option",
    "print_cluster_change",
    "print_new_cluster",
    "scale_options",
]


F = TypeVar("F", bound=Callable[..., Any])


#: What new nodes are made from.
TEMPLATE_OPTIONS: Sequence[Callable[[Any], Any]] = (
    template_option(help="Template. Default: the cluster's."),
    template_revision_option(),
)
#: How new nodes are made, and what becomes of them if that fails.
NEW_NODE_OPTIONS: Sequence[Callable[[Any], Any]] = (
    accept_eulas_option,
    disable_rollback_option,
    click.option(
        "--keep-healthy",
        is_flag=True,
        help="After a failure, keep the new nodes that are Ready.",
    ),
)


@dataclass(frozen=True)
class GrowthOptions:
    """The options of `growth_options` as they were typed; empty or None: as the cluster has it."""

    network: str
    cpu: int | None
    memory: int | None
    template: str
    template_revision: int | None
    ssh_key: str | None
    storage_profile: str
    disk_size: int | None
    sizing_policy: str
    placement_policy: str
    accept_eulas: bool
    disable_rollback: bool
    keep_healthy: bool


@dataclass(frozen=True)
class ScaleOptions:
    """The options of `scale_options` as they were typed."""

    force: bool
    max_parallel: int | None
    break_lock: bool


def pool_option(function: F) -> F:
    """Add --pool."""
    return click.option(
        "--pool",
        default="",
        metavar="NAME",
        help="Worker pool. May be omitted if the cluster has only one.",
    )(function)


def growth_options(function: F) -> F:
    """Add the settings of new nodes; they default to the settings of the cluster."""
    options = [
        click.option(
            "-n",
            "--network",
            default="",
            metavar="NAME",
            help="Org VDC network. Default: the cluster's.",
        ),
        cpu_option("Virtual CPUs per node. Default: the cluster's."),
        memory_option("Memory per node. Default: the cluster's."),
        *TEMPLATE_OPTIONS,
        click.option(
            "-k",
            "--ssh-key",
            metavar="FILE",
            help="SSH public key for root. Default: the cluster's.",
        ),
        storage_profile_option("Storage profile. Default: the cluster's."),
        disk_size_option("Disk per node, for example 40G. Default: the cluster's."),
        sizing_policy_option("VM sizing policy. Default: the cluster's."),
        placement_policy_option("VM placement policy. Default: the cluster's."),
        *NEW_NODE_OPTIONS,
    ]
    return with_options(function, options)


def scale_options(function: F) -> F:
    """Add how nodes are taken out."""
    options = [
        click.option(
            "-f",
            "--force",
            is_flag=True,
            help="Delete pods that cannot be evicted; skip unreachable nodes.",
        ),
        click.option(
            "--max-parallel",
            type=click.IntRange(1),
            metavar="COUNT",
            help="Nodes to drain at a time. Default: a tenth of the workers.",
        ),
        break_lock_option,
    ]
    return with_options(function, options)


def nodes_spec(
    ref: ClusterRef,
    workers: int,
    growth: GrowthOptions,
    *,
    timeout: float,
    scale: ScaleOptions | None = None,
    problems: Sequence[CseError] = (),
    remove: tuple[str, ...] = (),
    nfs: bool = False,
) -> NodesSpec:
    """Return what was asked for; raise every problem at once, with those found before."""
    from cse_client.cli.validation import check_sizes, node_source, raise_all
    from cse_client.model.nodes import NodesSpec

    sizes = check_sizes(cpus=growth.cpu, memory_mb=growth.memory, timeout=timeout)
    template, revision, ssh_key, wrong = node_source(
        growth.template, growth.template_revision, growth.ssh_key
    )
    raise_all([*problems, *sizes, *wrong])
    return NodesSpec(
        cluster=ref.name,
        workers=workers,
        vdc=ref.vdc,
        org=ref.org,
        network=growth.network,
        template=template,
        template_revision=revision,
        ssh_key=ssh_key,
        cpus=growth.cpu,
        memory_mb=growth.memory,
        storage_profile=growth.storage_profile,
        disk_mb=growth.disk_size,
        sizing_policy=growth.sizing_policy,
        placement_policy=growth.placement_policy,
        accept_eulas=growth.accept_eulas,
        keep_healthy=growth.keep_healthy,
        remove=remove,
        force=scale is not None and scale.force,
        max_parallel=(scale.max_parallel or 0) if scale is not None else 0,
        nfs=nfs,
    )


def print_cluster_change(run: Run, cluster: Cluster) -> None:
    """Print what a cluster consists of after a change."""
    from cse_client.cli.server_tables import report_task
    from cse_client.cli.tables import cluster_object, size_sentence
    from cse_client.model.server import ServedCluster

    name = cluster.summary.name
    if report_task(run, cluster, f"cluster {name}"):
        return
    size = size_sentence(cluster.nodes)
    if run.wait or isinstance(cluster, ServedCluster):
        # without a task of its own a server had nothing to do
        sentence = f"Cluster {name} has {size}."
    else:
        sentence = f"Cluster {name} is being changed; the rest completes in the background."
    run.console.sentence(sentence, cluster_object(cluster))


def print_new_cluster(run: Run, cluster: Cluster, seconds: float) -> None:
    """Print what a new cluster consists of, how long it took, and what to do next."""
    from cse_client import suggest
    from cse_client.cli.server_tables import report_task
    from cse_client.cli.tables import cluster_object, size_sentence
    from cse_client.cli.text import duration

    name = cluster.summary.name
    if report_task(run, cluster, f"cluster {name}"):
        return
    if run.wait:
        sentence = f"Cluster {name} is ready: {size_sentence(cluster.nodes)}, {duration(seconds)}."
        following = f"Next: {suggest.cse('cluster config', name, save=True)}"
    else:
        sentence = f"Cluster {name} is being created; the rest completes in the background."
        following = (
            "When its nodes are Ready, run the same command without -n to complete the creation;"
            f" until then, the lease of its vApp ends. Next: {suggest.cse('cluster info', name)}"
        )
    run.console.sentence(sentence, cluster_object(cluster))
    if not run.console.as_json:
        run.console.hint(following)
