"""`vcd cse cluster info`."""

from __future__ import annotations

import click

from cse_client.cli.options import org_option, runtime_option, vdc_option
from cse_client.cli.output import shows
from cse_client.cli.run import Run, command
from cse_client.cli.target import cluster_reference, id_option
from cse_client.model import ClusterRef

__all__ = ["info_command"]


@shows("info", "cluster")
@click.argument("name", required=False)
@vdc_option
@org_option
@runtime_option
@id_option
@command
def info_command(run: Run, name: str | None, vdc: str, org: str, cluster_id: str) -> None:
    """Show a cluster and its nodes.

    The details come from VCD and, if it can be reached, from the cluster's Kubernetes API;
    `Sources` shows which of them responded. With a CSE server, they come from the server.
    """
    from cse_client.cli.records import cluster_record
    from cse_client.cli.tables import (
        cluster_object,
        cluster_properties,
        node_columns,
        node_row,
    )
    from cse_client.model.server import ServedCluster

    reference = cluster_reference(name, cluster_id)
    cluster = run.engine_of(reference).cluster(ClusterRef(reference, vdc, org))
    if isinstance(cluster, ServedCluster):
        from cse_client.cli.server_tables import show_cluster

        show_cluster(run, cluster)
        return
    run.console.properties(
        cluster_properties(cluster), cluster_object(cluster), record=cluster_record(cluster)
    )
    if run.console.shows_tables:
        run.console.text("\n" if cluster.nodes else "")
        rows = [node_row(node) for node in cluster.nodes]
        run.console.table(
            rows, node_columns(cluster.nodes), empty=f"No nodes in cluster {cluster.summary.name}."
        )
