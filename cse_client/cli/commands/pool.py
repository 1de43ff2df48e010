"""`vcd cse pool list|create|resize|update|upgrade|delete`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from cse_client import sent, suggest
from cse_client.cli.node_options import ScaleOptions, scale_options
from cse_client.cli.options import (
    accept_eulas_option,
    as_object,
    break_lock_option,
    disable_rollback_option,
    dry_run_option,
    org_option,
    template_option,
    template_revision_option,
    timeout_option,
    vdc_option,
    yes_option,
)
from cse_client.cli.output import plans, shows
from cse_client.cli.pool_options import (
    MarkOptions,
    PoolOptions,
    changed_marks,
    mark_options,
    new_pool,
    pool_options,
)
from cse_client.cli.run import Asking, Question, Run, command
from cse_client.cli.text import numbered
from cse_client.model import ClusterRef, Progress

if TYPE_CHECKING:
    from cse_client.model import Cluster, RunOptions
    from cse_client.model.pools import PoolSpec

__all__ = [
    "create_command",
    "delete_command",
    "list_command",
    "resize_command",
    "update_command",
    "upgrade_command",
]


@dataclass(frozen=True)
class ReplaceOptions:
    """How a pool's workers are replaced."""

    template: str
    template_revision: int | None
    max_surge: int
    force: bool
    disable_rollback: bool
    accept_eulas: bool


@shows("list", "pool", many=True)
@click.argument("cluster")
@vdc_option
@org_option
@command
def list_command(run: Run, cluster: str, vdc: str, org: str) -> None:
    """List the worker pools of a cluster."""
    from cse_client.cli.tables import POOL_COLUMNS, plain, pool_row
    from cse_client.cli.validation import check_existing_name
    from cse_client.engines.base import Pooling

    check_existing_name(cluster)
    pools = run.require(Pooling, "pool list").pools(ClusterRef(cluster, vdc, org))
    run.console.table(
        [pool_row(pool) for pool in pools],
        POOL_COLUMNS,
        empty=f"No worker pools in cluster {cluster}.",
        records=[plain(pool) for pool in pools],
    )


@plans("create")
@click.argument("cluster")
@click.argument("pool")
@click.option(
    "-N", "--nodes", type=int, default=1, metavar="COUNT", help="Number of workers. Default: 1."
)
@pool_options
@mark_options
@dry_run_option
@break_lock_option
@vdc_option
@org_option
@timeout_option
@command
@as_object(PoolOptions, "made_of")
@as_object(MarkOptions, "marks")
def create_command(
    run: Run,
    cluster: str,
    pool: str,
    nodes: int,
    made_of: PoolOptions,
    marks: MarkOptions,
    dry_run: bool,
    break_lock: bool,
    vdc: str,
    org: str,
    timeout: float,
) -> None:
    """Add a worker pool to a cluster.

    The workers of a pool are created alike and have the same labels and taints in Kubernetes, and
    the label cse-client/pool with the name of the pool. What you do not specify is as the cluster
    was created. To resume an interrupted run, run the same command again.

    \b
    Example
        vcd cse pool create demo gpu --nodes 2 --taint gpu=yes:NoSchedule
    """
    from cse_client.engines.base import Pooling
    from cse_client.model.pools import PoolSpec

    spec = PoolSpec(
        cluster,
        new_pool(pool, nodes, made_of, marks, timeout=timeout),
        vdc,
        org,
        accept_eulas=made_of.accept_eulas,
        keep_healthy=made_of.keep_healthy,
    )
    options = run.options(timeout, rollback=not made_of.disable_rollback, break_lock=break_lock)
    if dry_run:
        _show_plan(run, "create", spec, options)
        return
    changed = run.change(
        cluster,
        "pool create",
        Pooling,
        lambda engine, progress: engine.create_pool(spec, options, progress),
    )
    _print_pool(run, changed, pool, "is created:", "is being created")


@click.command("resize")
@click.argument("cluster")
@click.argument("pool")
@click.option("-N", "--nodes", type=int, required=True, metavar="COUNT", help="Number of workers.")
@scale_options
@vdc_option
@org_option
@timeout_option
@command
@as_object(ScaleOptions, "scale")
def resize_command(
    run: Run,
    cluster: str,
    pool: str,
    nodes: int,
    scale: ScaleOptions,
    vdc: str,
    org: str,
    timeout: float,
) -> None:
    """Change the number of a pool's workers.

    New workers are created as the pool defines them; when scaling down, the newest are drained and
    deleted. 0 keeps the pool without workers. To resume an interrupted run, run the same command
    again.
    """
    from cse_client.cli.validation import check_workers, raise_all
    from cse_client.engines.base import Pooling
    from cse_client.model.nodes import NodesSpec

    raise_all(check_workers(nodes))
    spec = NodesSpec(
        cluster,
        nodes,
        vdc,
        org,
        force=scale.force,
        max_parallel=scale.max_parallel or 0,
        pool=pool,
    )
    options = run.options(timeout, break_lock=scale.break_lock)
    changed = run.change(
        cluster,
        "pool resize",
        Pooling,
        lambda engine, progress: engine.resize_pool(spec, options, progress),
    )
    _print_pool(run, changed, pool, "has", "is being resized")


@plans("update")
@click.argument("cluster")
@click.argument("pool")
@mark_options
@dry_run_option
@break_lock_option
@vdc_option
@org_option
@timeout_option
@command
@as_object(MarkOptions, "marks")
def update_command(
    run: Run,
    cluster: str,
    pool: str,
    marks: MarkOptions,
    dry_run: bool,
    break_lock: bool,
    vdc: str,
    org: str,
    timeout: float,
) -> None:
    """Change the labels and taints of a pool and of its nodes.

    KEY- removes a label, KEY:EFFECT- or KEY- a taint. Other labels and taints stay, those that
    somebody else has set on the nodes as well. Without options, the nodes get the pool's labels and
    taints again.

    \b
    Example
        vcd cse pool update demo gpu --label tier=front --taint gpu-
    """
    from cse_client.engines.base import Pooling
    from cse_client.model.pools import PoolSpec

    found = run.require(Pooling, "pool update").pools(ClusterRef(cluster, vdc, org))
    spec = PoolSpec(cluster, changed_marks(cluster, pool, found, marks), vdc, org)
    options = run.options(timeout, break_lock=break_lock)
    if dry_run:
        _show_plan(run, "update", spec, options)
        return
    changed = run.change(
        cluster,
        "pool update",
        Pooling,
        lambda engine, progress: engine.update_pool(spec, options, progress),
    )
    from cse_client.cli.tables import cluster_object

    run.console.sentence(f"Pool {pool} of cluster {cluster} is updated.", cluster_object(changed))


@plans("upgrade")
@click.argument("cluster")
@click.argument("pool")
@template_option(help="Template of the new workers. Default: the cluster's.")
@template_revision_option()
@click.option(
    "--max-surge",
    type=click.IntRange(1),
    default=1,
    metavar="N",
    help="Workers to replace at a time. Default: 1.",
)
@click.option("--force", is_flag=True, help="Also evict pods that no controller would start again.")
@accept_eulas_option
@disable_rollback_option
@yes_option
@dry_run_option
@break_lock_option
@vdc_option
@org_option
@timeout_option
@command
@as_object(ReplaceOptions, "replace")
def upgrade_command(
    run: Run,
    cluster: str,
    pool: str,
    replace: ReplaceOptions,
    yes: bool,
    dry_run: bool,
    break_lock: bool,
    vdc: str,
    org: str,
    timeout: float,
) -> None:
    """Replace the workers of a pool by new ones of another template.

    A new worker joins and is Ready before an old one is drained and deleted. The template must have
    the Kubernetes minor release of the control plane or the one before; `cluster upgrade` upgrades
    the control plane. To resume an interrupted run, run the same command again.
    """
    from cse_client.cli.validation import node_source, raise_all
    from cse_client.engines.base import Pooling
    from cse_client.model.pools import Pool, PoolSpec

    template, revision, _key, problems = node_source(
        replace.template, replace.template_revision, None
    )
    raise_all(problems)
    spec = PoolSpec(
        cluster,
        Pool(pool, template=template, template_revision=revision),
        vdc,
        org,
        accept_eulas=replace.accept_eulas,
        force=replace.force,
        max_surge=replace.max_surge,
    )
    options = run.options(timeout, rollback=not replace.disable_rollback, break_lock=break_lock)
    if dry_run:
        _show_plan(run, "upgrade", spec, options)
        return

    def look(engine: Pooling, progress: Progress) -> Question | None:
        steps = engine.plan_pool("upgrade", spec, options, progress)
        text = f"Upgrade pool {pool} of cluster {cluster}?"
        return Question(text, numbered(steps)) if steps else None

    changed = run.change(
        cluster,
        "pool upgrade",
        Pooling,
        lambda engine, progress: engine.upgrade_pool(spec, options, progress),
        asking=None if yes else Asking(f"Upgrading pool {pool}", look),
    )
    from cse_client.cli.tables import cluster_object

    state = "is upgraded" if sent.changes() else "is already upgraded"
    run.console.sentence(f"Pool {pool} of cluster {cluster} {state}.", cluster_object(changed))


@plans("delete")
@click.argument("cluster")
@click.argument("pool")
@yes_option
@dry_run_option
@scale_options
@vdc_option
@org_option
@timeout_option
@command
@as_object(ScaleOptions, "scale")
def delete_command(
    run: Run,
    cluster: str,
    pool: str,
    yes: bool,
    dry_run: bool,
    scale: ScaleOptions,
    vdc: str,
    org: str,
    timeout: float,
) -> None:
    """Drain the workers of a pool, delete their VMs, and delete the pool.

    One pool must remain; `pool resize` with --nodes 0 removes all its workers. To resume an
    interrupted run, run the same command again.
    """
    from cse_client.engines.base import Pooling
    from cse_client.model.pools import Pool, PoolSpec

    spec = PoolSpec(
        cluster,
        Pool(pool),
        vdc,
        org,
        force=scale.force,
        max_parallel=scale.max_parallel or 0,
    )
    options = run.options(timeout, break_lock=scale.break_lock)
    if dry_run:
        _show_plan(run, "delete", spec, options)
        return

    def look(engine: Pooling, progress: Progress) -> Question:
        steps = engine.plan_pool("delete", spec, options, progress)
        text = f"Delete pool {pool} of cluster {cluster} and its VMs?"
        return Question(text, numbered(steps), declined="Nothing was deleted.")

    removal = run.change(
        cluster,
        "pool delete",
        Pooling,
        lambda engine, progress: engine.delete_pool(spec, options, progress),
        asking=None if yes else Asking(f"Deleting pool {pool}", look),
    )
    from cse_client.cli.tables import plain

    run.console.sentence(f"Pool {pool} is deleted from cluster {cluster}.", plain(removal))


def _print_pool(run: Run, cluster: Cluster, pool: str, done: str, doing: str) -> None:
    """Print what became of a pool, and how many workers it has."""
    from cse_client.cli.tables import cluster_object
    from cse_client.plurals import counted

    name = cluster.summary.name
    workers = counted(sum(node.pool == pool for node in cluster.nodes), "worker")
    sentence = f"Pool {pool} of cluster {name} {done} {workers}."
    if not run.wait:
        sentence = f"Pool {pool} of cluster {name} {doing}; the rest completes in the background."
    run.console.sentence(sentence, cluster_object(cluster))


def _show_plan(run: Run, change: str, spec: PoolSpec, options: RunOptions) -> None:
    """Print what a change would do."""
    from cse_client.cli.validation import check_existing_name
    from cse_client.engines.base import Pooling

    check_existing_name(spec.cluster)
    engine = run.require(Pooling, f"pool {change} --dry-run")
    run.when_interrupted = suggest.RESUME
    with run.console.progress() as progress:
        steps = list(engine.plan_pool(change, spec, options, progress))
    run.console.plan(steps, cluster=spec.cluster, pool=spec.pool.name)
