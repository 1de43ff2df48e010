"""`vcd cse cluster resize`."""

from __future__ import annotations

import click

from cse_client import suggest
from cse_client.cli.node_options import (
    GrowthOptions,
    ScaleOptions,
    growth_options,
    nodes_spec,
    print_cluster_change,
    scale_options,
)
from cse_client.cli.options import as_object, org_option, timeout_option, vdc_option
from cse_client.cli.run import Run, command
from cse_client.model import ClusterRef

__all__ = ["resize_command"]


@click.command("resize")
@click.argument("name")
@click.option(
    "-N", "--nodes", type=int, required=True, metavar="COUNT", help="Desired number of workers."
)
@click.option(
    "--nodes-to-remove",
    default="",
    metavar="NODE,...",
    help="Workers to remove first when scaling down. Default: the newest.",
)
@growth_options
@scale_options
@vdc_option
@org_option
@timeout_option
@command
@as_object(GrowthOptions, "growth")
@as_object(ScaleOptions, "scale")
def resize_command(
    run: Run,
    name: str,
    nodes: int,
    nodes_to_remove: str,
    growth: GrowthOptions,
    scale: ScaleOptions,
    vdc: str,
    org: str,
    timeout: float,
) -> None:
    """Scale a cluster to a number of workers.

    New nodes are created with the cluster's settings unless you specify others. When scaling down,
    the newest workers are drained and removed from Kubernetes before their VMs are deleted; the
    control plane is never removed. To resume an interrupted run, run the same command again.

    \b
    Example
        vcd cse cluster resize demo --nodes 5
    """
    from cse_client.cli.validation import check_existing_name, check_workers

    check_existing_name(name)
    remove = _named(nodes_to_remove)
    spec = nodes_spec(
        ClusterRef(name, vdc, org),
        nodes,
        growth,
        timeout=timeout,
        scale=scale,
        problems=check_workers(nodes),
        remove=remove,
    )
    run.when_interrupted = suggest.RESUME
    options = run.options(
        timeout, rollback=not growth.disable_rollback, break_lock=scale.break_lock
    )
    engine = run.engine()
    with run.console.progress() as progress:
        cluster = engine.resize(spec, options, progress)
    print_cluster_change(run, cluster)


def _named(nodes: str) -> tuple[str, ...]:
    """Return the names in a list.

    Raises:
        WrongUsage: one is empty: it may be a slip.
    """
    from cse_client.errors import WrongUsage

    names = [part.strip() for part in nodes.split(",")] if nodes else []
    if "" in names:
        raise WrongUsage(
            f"--nodes-to-remove '{nodes}' contains an empty name.",
            hint="For example: --nodes-to-remove node-1,node-2",
        )
    return tuple(dict.fromkeys(names))
