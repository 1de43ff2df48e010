"""Options of the commands that add nodes or take them out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from cse_client.cli.options import break_lock_option

if TYPE_CHECKING:
    from cse_client.cli.run import Run
    from cse_client.errors import CseError
    from cse_client.model import Cluster
    from cse_client.model.nodes import NodesSpec

__all__ = ["growth_options", "nodes_spec", "said_of", "scale_options"]


F = TypeVar("F", bound=Callable[..., Any])


def growth_options(function: F) -> F:
    """Add what new nodes are made from; not said, it is as the cluster was made."""
    options = [
        click.option(
            "-n",
            "--network",
            default="",
            metavar="NAME",
            help="Org VDC network. Default: the cluster's.",
        ),
        click.option(
            "-c",
            "--cpu",
            type=int,
            metavar="COUNT",
            help="Virtual CPUs per node. Default: the cluster's.",
        ),
        click.option(
            "-m",
            "--memory",
            type=int,
            metavar="MB",
            help="Memory per node. Default: the cluster's.",
        ),
        click.option(
            "-t",
            "--template",
            "--template-name",
            "template",
            default="",
            metavar="NAME",
            help="Template. Default: the cluster's.",
        ),
        click.option(
            "-r", "--template-revision", type=int, metavar="N", help="Revision of the template."
        ),
        click.option(
            "-k",
            "--ssh-key",
            metavar="FILE",
            help="SSH public key for root. Default: the cluster's.",
        ),
        click.option(
            "-s",
            "--storage-profile",
            default="",
            metavar="NAME",
            help="Storage profile. Default: the cluster's.",
        ),
        click.option(
            "--accept-eulas", is_flag=True, help="Accept the template's license agreements."
        ),
        click.option("--disable-rollback", is_flag=True, help="Do not clean up after a failure."),
        click.option(
            "--keep-healthy",
            is_flag=True,
            help="After a failure, keep the new nodes that are Ready.",
        ),
    ]
    for option in reversed(options):
        function = option(function)
    return function


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
    for option in reversed(options):
        function = option(function)
    return function


def nodes_spec(
    cluster: str,
    workers: int,
    words: dict[str, Any],
    *,
    problems: Sequence[CseError] = (),
    remove: tuple[str, ...] = (),
    nfs: bool = False,
) -> NodesSpec:
    """Return what was asked for; raise every problem at once, with those found before."""
    from cse_client.cli.validation import check_sizes, node_source, raise_all
    from cse_client.model.nodes import NodesSpec

    sizes = check_sizes(cpus=words["cpu"], memory_mb=words["memory"], timeout=words["timeout"])
    template, revision, ssh_key, wrong = node_source(words)
    raise_all([*problems, *sizes, *wrong])
    return NodesSpec(
        cluster=cluster,
        workers=workers,
        vdc=words["vdc"],
        org=words["org"],
        network=words["network"],
        template=template,
        template_revision=revision,
        ssh_key=ssh_key,
        cpus=words["cpu"],
        memory_mb=words["memory"],
        storage_profile=words["storage_profile"],
        accept_eulas=words["accept_eulas"],
        keep_healthy=words["keep_healthy"],
        remove=remove,
        force=words.get("force", False),
        max_parallel=words.get("max_parallel") or 0,
        nfs=nfs,
    )


def said_of(run: Run, cluster: Cluster) -> None:
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
        said = f"Cluster {name} has {size}."
    else:
        said = f"Cluster {name} is being changed; the rest completes in the background."
    run.console.sentence(said, cluster_object(cluster))
