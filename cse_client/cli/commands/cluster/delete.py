"""`vcd cse cluster list|info|delete|seal`; `create` and `config` have modules of their own."""

from __future__ import annotations

import click

from cse_client import suggest
from cse_client.cli.options import (
    break_lock_option,
    kubeconfig_option,
    org_option,
    runtime_option,
    timeout_option,
    vdc_option,
)
from cse_client.cli.run import Run, command
from cse_client.cli.target import chosen, engine_of, id_option

__all__ = ["delete_command", "info_command", "list_command", "seal_command"]


@click.command("list")
@vdc_option
@org_option
@click.option("-A", "--all", "_everything", is_flag=True, hidden=True)
@command
def list_command(run: Run, vdc: str, org: str, _everything: bool) -> None:
    """List the clusters that you can see.

    Without --vdc: in all VDCs of the organisation. The list is always whole.
    """
    from cse_client.cli.tables import CLUSTER_COLUMNS, cluster_row
    from cse_client.engines.base import Entities

    engine = run.engine()
    if isinstance(engine, Entities):
        from cse_client.cli.server_tables import ENTITY_COLUMNS, entity_row

        entities = [entity_row(one) for one in engine.clusters(vdc=vdc, org=org)]
        run.console.table(entities, ENTITY_COLUMNS)
        return
    rows = [cluster_row(summary) for summary in engine.clusters(vdc=vdc, org=org)]
    if engine.name == "server":
        # a server's clusters have nothing behind CSE's own columns
        rows = [{key: row[key] for key in CLUSTER_COLUMNS} for row in rows]
    run.console.table(rows, CLUSTER_COLUMNS)


@click.command("info")
@click.argument("name", required=False)
@vdc_option
@org_option
@runtime_option
@id_option
@command
def info_command(run: Run, name: str | None, vdc: str, org: str, cluster_id: str) -> None:
    """Show a cluster and its nodes.

    What is known comes from VCD and, where it can be reached from here, from the cluster's own
    Kubernetes API; `Evidence` says which of them answered. A CSE server shows what it knows.
    """
    from cse_client.cli.tables import (
        NODE_COLUMNS,
        cluster_object,
        cluster_properties,
        node_row,
    )
    from cse_client.model.server import ServedCluster

    reference = chosen(name, cluster_id)
    cluster = engine_of(run, reference).cluster(reference, vdc=vdc, org=org)
    if isinstance(cluster, ServedCluster):
        from cse_client.cli.server_tables import show_cluster

        show_cluster(run, cluster)
        return
    run.console.properties(cluster_properties(cluster), cluster_object(cluster))
    if not run.console.as_json:
        run.console.text("\n")
        run.console.table([node_row(node) for node in cluster.nodes], NODE_COLUMNS)


@click.command("delete")
@click.argument("name", required=False)
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.option(
    "-f", "--force", is_flag=True, help="Also what cannot be deleted in order (CSE server 3.1)."
)
@break_lock_option
@vdc_option
@org_option
@runtime_option
@id_option
@kubeconfig_option
@timeout_option
@command
def delete_command(
    run: Run,
    name: str | None,
    yes: bool,
    force: bool,
    break_lock: bool,
    vdc: str,
    org: str,
    cluster_id: str,
    kubeconfig: str,
    timeout: float,
) -> None:
    """Delete a cluster and prove that it is gone.

    Works from every state, also on what a failed or stopped creation left. What
    `cluster config --save` put into your kubeconfig is taken out again.
    """
    from cse_client.engines.base import Entities
    from cse_client.errors import CseError, NotFound, WrongUsage
    from cse_client.model import RunOptions

    reference = chosen(name, cluster_id)
    if not yes:
        _ask(run, reference)
    run.when_interrupted = "The same command again carries on."
    engine = engine_of(run, reference, needs_server=force)
    if force and not isinstance(engine, Entities):
        raise WrongUsage(
            "--force needs a CSE server 3.1.", hint="Without it any cluster is deleted here."
        )
    options = RunOptions(timeout=timeout, wait=run.wait, break_lock=break_lock, force=force)
    from cse_client.cli.commands.cluster.config import forget_left, forget_saved

    try:
        with run.console.progress() as progress:
            deletion = engine.delete(reference, options, progress, vdc=vdc, org=org)
    except NotFound as absent:
        if cluster_id:
            raise
        try:
            left = forget_left(run, engine, reference, vdc=vdc, org=org, explicit=kubeconfig)
        except CseError as second:
            absent.notes.append(second.message)
            raise absent from None
        if not left:
            raise
        return

    from cse_client.cli.server_tables import report_task
    from cse_client.cli.tables import deletion_sentence, plain

    if report_task(run, deletion, f"cluster {deletion.cluster}"):
        return
    if deletion.left:
        raise CseError(
            f"Cluster {deletion.cluster} is not gone: {', '.join(deletion.left)}.",
            hint=f"See what is there: {suggest.cse('cluster info', deletion.cluster)}",
        )
    forget_saved(run, engine, deletion, explicit=kubeconfig)
    shown = {key: value for key, value in plain(deletion).items() if key != "identity"}
    run.console.sentence(deletion_sentence(deletion), shown)


def _ask(run: Run, reference: str) -> None:
    """Ask before deleting. Raises CseError for a no, WrongUsage where nobody can be asked."""
    from cse_client.errors import CseError, WrongUsage

    if not run.console.can_ask():
        raise WrongUsage(
            f"Deleting {reference} needs a yes, and there is no terminal to ask on.",
            hint=suggest.again(yes=True),
        )
    if not run.console.confirm(f"Delete the cluster {reference} and all its virtual machines?"):
        raise CseError("Nothing was deleted.")


@click.command("seal")
@click.argument("name")
@click.option(
    "--adopt",
    "adopted",
    default="",
    metavar="FILE",
    help="Use the CA key in this file, which was kept for the cluster before it was restored or"
    " moved.",
)
@vdc_option
@org_option
@command
def seal_command(run: Run, name: str, adopted: str, vdc: str, org: str) -> None:
    """Take a cluster's CA key out of VCD.

    From then on whoever may read the control plane's VM in VCD can no longer become the cluster's
    administrator. `config` works where the key is kept: keep a copy.

    The key is kept for this vApp only. A vApp that was restored from a backup, or moved, is another
    one to VCD: --adopt FILE keeps the same key for it, once the cluster's API has shown that it is
    the right one.
    """
    from cse_client.cli.validation import check_existing_name

    check_existing_name(name)
    run.when_interrupted = "The same command again carries on."
    engine = run.engine()
    with run.console.progress() as progress:
        place = engine.seal(name, progress, vdc=vdc, org=org, adopted=adopted)
    if adopted:
        run.console.sentence(
            f"The CA key of cluster {name} is kept in {place}; {adopted} is as it was.",
            {"cluster": name, "kept_in": place},
        )
        return
    run.console.sentence(
        f"Cluster {name} is sealed; its CA key is kept in {place}.",
        {"cluster": name, "kept_in": place},
    )
