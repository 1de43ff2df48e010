"""`vcd cse node create|list|info|delete`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from cse_client import suggest
from cse_client.cli.node_options import (
    GrowthOptions,
    ScaleOptions,
    growth_options,
    nodes_spec,
    pool_option,
    print_cluster_change,
    scale_options,
)
from cse_client.cli.options import (
    as_object,
    break_lock_option,
    org_option,
    timeout_option,
    vdc_option,
    yes_option,
)
from cse_client.cli.output import shows
from cse_client.cli.run import Question, Run, command
from cse_client.model import ClusterRef

if TYPE_CHECKING:
    from cse_client.engines.base import Engine
    from cse_client.model import Node, Progress

__all__ = ["create_command", "delete_command", "info_command", "list_command"]


@click.command("create")
@click.argument("cluster")
@click.option(
    "-N",
    "--nodes",
    type=int,
    default=1,
    metavar="COUNT",
    help="Number of nodes to add. Default: 1.",
)
@growth_options
@pool_option
@click.option("--enable-nfs", is_flag=True, help="Add NFS nodes (requires a CSE server).")
@break_lock_option
@vdc_option
@org_option
@timeout_option
@command
@as_object(GrowthOptions, "growth")
def create_command(
    run: Run,
    cluster: str,
    nodes: int,
    enable_nfs: bool,
    growth: GrowthOptions,
    pool: str,
    break_lock: bool,
    vdc: str,
    org: str,
    timeout: float,
) -> None:
    """Add workers to a cluster.

    New nodes are created with the cluster's settings unless you specify others. To resume an
    interrupted run, run the same command again.

    \b
    Example
        vcd cse node create demo --nodes 2
    """
    from cse_client.cli.validation import check_existing_name, check_workers
    from cse_client.errors import WrongUsage

    check_existing_name(cluster)
    problems = check_workers(nodes)
    if nodes < 1:
        problems = [
            WrongUsage(
                f"The number of new nodes cannot be {nodes}.",
                hint=f"To delete nodes: {suggest.cse('node delete', cluster, 'NODE')}",
            )
        ]
    run.when_interrupted = suggest.RESUME
    ref = ClusterRef(cluster, vdc, org)
    spec = nodes_spec(ref, nodes, growth, timeout=timeout, problems=problems, nfs=enable_nfs)
    spec = replace(spec, pool=pool)
    options = run.options(timeout, rollback=not growth.disable_rollback, break_lock=break_lock)
    engine = run.engine(needs_server=enable_nfs)
    _refuse_pool(engine, pool)
    with run.console.progress() as progress:
        changed = engine.add_nodes(spec, options, progress)
    print_cluster_change(run, changed)


@shows("list", "node", many=True)
@click.argument("cluster")
@click.option("--pool", default="", metavar="NAME", help="Show only the nodes of this worker pool.")
@vdc_option
@org_option
@command
def list_command(run: Run, cluster: str, pool: str, vdc: str, org: str) -> None:
    """List the nodes of a cluster."""
    from cse_client.cli.tables import node_columns, node_row, plain
    from cse_client.cli.validation import check_existing_name

    check_existing_name(cluster)
    ref = ClusterRef(cluster, vdc, org)
    engine = run.engine()
    _refuse_pool(engine, pool)
    nodes = engine.nodes(ref)
    if pool:
        nodes = _of_pool(cluster, pool, engine, ref, nodes)
    records = [plain(node) for node in nodes]
    empty = f"No nodes in cluster {cluster}."
    if engine.has_server:
        from cse_client.cli.server_tables import SERVED_NODE_COLUMNS, served_node_row

        rows = [served_node_row(node) for node in nodes]
        run.console.table(rows, SERVED_NODE_COLUMNS, empty=empty, records=records)
        return
    rows = [node_row(node) for node in nodes]
    run.console.table(rows, node_columns(nodes), empty=empty, records=records)


@shows("info", "node")
@click.argument("cluster")
@click.argument("node")
@vdc_option
@org_option
@command
def info_command(run: Run, cluster: str, node: str, vdc: str, org: str) -> None:
    """Show a node of a cluster."""
    from cse_client.cli.tables import node_row, plain
    from cse_client.cli.validation import check_existing_name
    from cse_client.engines.base import NodeDetails

    check_existing_name(cluster)
    ref = ClusterRef(cluster, vdc, org)
    engine = run.engine()
    if isinstance(engine, NodeDetails):
        from cse_client.cli.server_tables import served_node_details

        found = engine.node(ref, node)
        details = served_node_details(found)
        run.console.properties(list(details.items()), details, record=plain(found))
        return
    from cse_client.engines.lookup import unknown_nodes

    nodes = {one.name: one for one in engine.nodes(ref)}
    if node not in nodes:
        raise unknown_nodes(cluster, [node])
    row = node_row(nodes[node])
    pairs = [(name, row[name]) for name in row if row[name] not in ("", None)]
    run.console.properties(pairs, plain(nodes[node]))


@click.command("delete")
@click.argument("cluster")
@click.argument("nodes", nargs=-1, required=True)
@click.option(
    "--pool",
    default="",
    metavar="NAME",
    help="Worker pool that all these nodes must be in, as a safeguard.",
)
@yes_option
@scale_options
@vdc_option
@org_option
@timeout_option
@command
@as_object(ScaleOptions, "scale")
def delete_command(
    run: Run,
    cluster: str,
    nodes: tuple[str, ...],
    pool: str,
    yes: bool,
    scale: ScaleOptions,
    vdc: str,
    org: str,
    timeout: float,
) -> None:
    """Drain workers, remove them from the cluster and delete their VMs.

    Also deletes nodes that never joined, nodes that are missing in Kubernetes, and nodes whose VM
    no longer exists. Pods that cannot be evicted are reported before anything is changed.
    """
    from cse_client.cli.validation import check_existing_name
    from cse_client.model.nodes import RemovalSpec

    check_existing_name(cluster)
    named = ", ".join(nodes)
    if not yes:
        run.need_terminal(f"Deleting {named}")
    spec = RemovalSpec(
        cluster=cluster,
        nodes=tuple(dict.fromkeys(nodes)),
        vdc=vdc,
        org=org,
        force=scale.force,
        max_parallel=scale.max_parallel or 0,
        pool=pool,
    )
    options = run.options(timeout, break_lock=scale.break_lock)
    engine = run.engine()
    _refuse_pool(engine, pool)

    def look(progress: Progress) -> Question | None:
        going = engine.plan_remove_nodes(spec, options, progress).nodes
        if not going:
            return None
        their = "their VMs" if going[1:] else "its VM"
        return Question(f"Delete {', '.join(going)} and {their}?", declined="Nothing was deleted.")

    if not yes:
        run.confirm(f"Deleting {named}", look)
    run.when_interrupted = suggest.RESUME
    with run.console.progress() as progress:
        removal = engine.remove_nodes(spec, options, progress)

    from cse_client.cli.server_tables import report_task
    from cse_client.cli.tables import plain, removal_sentence

    if report_task(run, removal, f"cluster {cluster}"):
        return
    run.console.sentence(removal_sentence(removal), plain(removal))


def _of_pool(
    cluster: str, pool: str, engine: Engine, ref: ClusterRef, nodes: Sequence[Node]
) -> list[Node]:
    """Return the nodes of a pool.

    Raises:
        NotFound: the cluster has no such pool.
    """
    found = [node for node in nodes if node.pool == pool]
    if found:
        return found
    from cse_client.engines.base import Pooling
    from cse_client.engines.lookup import unknown_pool

    pools = [one.name for one in engine.pools(ref)] if isinstance(engine, Pooling) else []
    if pool not in pools:
        raise unknown_pool(cluster, pool, pools)
    return []


def _refuse_pool(engine: Engine, pool: str) -> None:
    """Refuse --pool where a CSE server has the cluster: it knows no pools.

    Raises:
        WrongUsage: a pool is named.
    """
    from cse_client.cli.needs import lacking
    from cse_client.engines.base import Pooling

    if pool and not isinstance(engine, Pooling):
        raise lacking("--pool", Pooling, engine)
