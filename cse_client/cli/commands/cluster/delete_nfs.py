"""`vcd cse cluster delete-nfs`."""

from __future__ import annotations

import click

from cse_client.cli.options import org_option, timeout_option, vdc_option
from cse_client.cli.run import Run, command
from cse_client.model import ClusterRef

__all__ = ["delete_nfs_command"]


@click.command("delete-nfs")
@click.argument("cluster")
@click.argument("node")
@vdc_option
@org_option
@timeout_option
@command
def delete_nfs_command(
    run: Run, cluster: str, node: str, vdc: str, org: str, timeout: float
) -> None:
    """Delete an NFS node from a cluster.

    All data on the node is lost. Requires a CSE server 3.

    \b
    Example
        vcd cse cluster delete-nfs demo nfsd-a1b2
    """
    from cse_client.cli.server_tables import report_task
    from cse_client.cli.tables import plain, removal_sentence
    from cse_client.cli.target import cluster_reference
    from cse_client.engines.servers import Entities

    cluster_reference(cluster, "")
    options = run.options(timeout)
    engine = run.require(Entities, "cluster delete-nfs")
    with run.console.progress() as progress:
        removal = engine.delete_nfs(ClusterRef(cluster, vdc, org), node, options, progress)
    if not report_task(run, removal, f"cluster {cluster}"):
        run.console.sentence(removal_sentence(removal), plain(removal))
