"""`vcd cse cluster delete`."""

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
    yes_option,
)
from cse_client.cli.run import Question, Run, command
from cse_client.cli.target import cluster_reference, id_option
from cse_client.model import ClusterRef, Deletion, Progress
from cse_client.plurals import counted

__all__ = ["delete_command"]


@click.command("delete")
@click.argument("name", required=False)
@yes_option
@click.option(
    "-f", "--force", is_flag=True, help="Force deletion when a normal delete fails (CSE 3.1 only)."
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
    """Delete a cluster and verify that nothing is left.

    Works in every state of the cluster, including after a failed or interrupted creation. Entries
    that `cluster config --save` added to your kubeconfig are removed.
    """
    from cse_client.engines.servers import Entities
    from cse_client.errors import CseError, NotFound, WrongUsage

    reference = cluster_reference(name, cluster_id)
    ref = ClusterRef(reference, vdc, org)
    if not yes:
        run.need_terminal(f"Deleting {reference}")
    engine = run.engine_of(reference, needs_server=force)
    if force and not isinstance(engine, Entities):
        raise WrongUsage(
            "--force requires a CSE server 3.1.",
            hint="Without a CSE server, clusters are deleted in every state unless they are"
            " protected (`cluster unprotect`): omit --force.",
        )
    options = run.options(timeout, break_lock=break_lock, force=force)
    from cse_client.cli.saved_kubeconfigs import forget_left, forget_saved
    from cse_client.cli.tables import deletion_sentence, plain

    def look(_progress: Progress) -> Question:
        vms = engine.plan_delete(ref, options).vms
        its = f" and its {counted(len(vms), 'VM')}" if vms else ""
        return Question(f"Delete cluster {reference}{its}?", declined="Nothing was deleted.")

    try:
        if not yes:
            run.confirm(f"Deleting {reference}", look)
        run.when_interrupted = suggest.RESUME
        with run.console.progress() as progress:
            deletion = engine.delete(ref, options, progress)
    except NotFound as absent:
        if cluster_id:
            raise
        try:
            left = forget_left(run, engine, ref, explicit=kubeconfig)
        except CseError as second:
            absent.notes.append(second.message)
            raise absent from None
        if not left:
            raise
        return
    if _finished(run, deletion):
        forget_saved(run, engine, deletion, explicit=kubeconfig)
        shown = {key: value for key, value in plain(deletion).items() if key != "identity"}
        run.console.sentence(deletion_sentence(deletion), shown)


def _finished(run: Run, deletion: Deletion) -> bool:
    """Return whether a deletion has ended; where it has not, print how to follow it.

    Raises:
        CseError: it has ended, and something is left.
    """
    from cse_client.cli.server_tables import report_task
    from cse_client.errors import CseError

    if report_task(run, deletion, f"cluster {deletion.cluster}"):
        return False
    if deletion.left:
        raise CseError(
            f"Cluster {deletion.cluster} was not deleted completely. Remaining:"
            f" {', '.join(deletion.left)}.",
            hint=f"To show what remains: {suggest.cse('cluster info', deletion.cluster)}",
        )
    return True
