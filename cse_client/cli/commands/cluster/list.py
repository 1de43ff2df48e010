"""`vcd cse cluster list`."""

from __future__ import annotations

import click

from cse_client.cli.options import org_option, vdc_option
from cse_client.cli.output import shows
from cse_client.cli.run import Run, command

__all__ = ["list_command"]


@shows("list", "cluster-summary", many=True)
@vdc_option
@org_option
@click.option("-A", "--all", "_everything", is_flag=True, hidden=True)
@command
def list_command(run: Run, vdc: str, org: str, _everything: bool) -> None:
    """List clusters.

    Lists all clusters that you have access to, without paging. Without --vdc, lists the clusters
    in all VDCs of the organization.
    """
    from cse_client.cli.records import summary_record
    from cse_client.cli.tables import CLUSTER_COLUMNS, cluster_row
    from cse_client.engines.servers import Entities

    engine = run.engine()
    found = list(engine.clusters(vdc=vdc, org=org))
    empty = f"No clusters in {run.scope(vdc=vdc, org=org)}."
    records = (summary_record(summary) for summary in found)
    if isinstance(engine, Entities):
        from cse_client.cli.server_tables import ENTITY_COLUMNS, entity_row

        entities = [entity_row(summary) for summary in found]
        run.console.table(entities, ENTITY_COLUMNS, empty=empty, records=records)
        return
    rows = [cluster_row(summary) for summary in found]
    if engine.has_server:
        # a server's clusters have nothing behind CSE's own columns
        rows = [{key: row[key] for key in CLUSTER_COLUMNS} for row in rows]
    run.console.table(rows, CLUSTER_COLUMNS, empty=empty, records=records)
