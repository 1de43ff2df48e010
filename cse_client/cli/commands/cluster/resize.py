"""`vcd cse cluster resize`."""

from __future__ import annotations

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
    dry_run_option,
    org_option,
    timeout_option,
    vdc_option,
)
from cse_client.cli.run import Run, command
from cse_client.model import ClusterRef

if TYPE_CHECKING:
    from cse_client.errors import CseError

__all__ = ["resize_command"]


@click.command("resize")
@click.argument("name")
@click.option("-N", "--nodes", type=int, metavar="COUNT", help="Desired number of workers.")
@click.option(
    "--control-planes", type=int, metavar="1|3|5", help="Desired number of control planes."
)
@click.option(
    "--nodes-to-remove",
    default="",
    metavar="NODE,...",
    help="Workers to remove first when scaling down. Default: the newest.",
)
@pool_option
@growth_options
@scale_options
@dry_run_option
@vdc_option
@org_option
@timeout_option
@command
@as_object(GrowthOptions, "growth")
@as_object(ScaleOptions, "scale")
def resize_command(
    run: Run,
    name: str,
    nodes: int | None,
    control_planes: int | None,
    nodes_to_remove: str,
    pool: str,
    growth: GrowthOptions,
    scale: ScaleOptions,
    dry_run: bool,
    vdc: str,
    org: str,
    timeout: float,
) -> None:
    """Scale a cluster to a number of workers, or of control planes.

    New nodes are created with the cluster's settings unless you specify others. When scaling down,
    the newest nodes are drained and removed from Kubernetes before their VMs are deleted. Control
    planes require a cluster with a virtual address; they join and leave etcd one at a time. To
    resume an interrupted run, run the same command again.

    \b
    Example
        vcd cse cluster resize demo --nodes 5
    """
    from cse_client.cli.validation import check_existing_name
    from cse_client.engines.base import Planning

    check_existing_name(name)
    remove = _named(nodes_to_remove)
    spec = nodes_spec(
        ClusterRef(name, vdc, org),
        nodes or 0,
        growth,
        timeout=timeout,
        scale=scale,
        problems=_check(nodes, control_planes, pool),
        remove=remove,
    )
    spec = replace(spec, control_planes=control_planes or 0, pool=pool)
    run.when_interrupted = suggest.RESUME
    options = run.options(
        timeout, rollback=not growth.disable_rollback, break_lock=scale.break_lock
    )
    engine = run.engine()
    if control_planes is not None and engine.has_server:
        from cse_client.errors import WrongUsage

        raise WrongUsage("A CSE server cannot change the number of control planes.")
    if pool and engine.has_server:
        from cse_client.errors import WrongUsage

        raise WrongUsage("A CSE server knows no worker pools.", hint="Omit --pool.")
    if dry_run:
        planning = run.require(Planning, "cluster resize --dry-run")
        with run.console.progress() as progress:
            planned = planning.plan_resize(spec, options, progress)
        if planned:
            run.console.plan(planned, cluster=name)
        else:
            run.console.sentence("Nothing would be changed.", {"cluster": name, "plan": []})
        return
    with run.console.progress() as progress:
        cluster = engine.resize(spec, options, progress)
    print_cluster_change(run, cluster)


def _check(nodes: int | None, control_planes: int | None, pool: str) -> list[CseError]:
    from cse_client.cli.validation import check_control_planes, check_workers
    from cse_client.errors import WrongUsage

    if (nodes is None) == (control_planes is None):
        what = "Missing option" if nodes is None else "Use only one of the options"
        return [WrongUsage(f"{what} '-N' / '--nodes' or '--control-planes'.")]
    if control_planes is not None and pool:
        return [WrongUsage("Control planes are in no pool.", hint="Omit --pool.")]
    if control_planes is not None:
        return check_control_planes(control_planes)
    return check_workers(nodes or 0)


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
