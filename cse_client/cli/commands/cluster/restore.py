"""`vcd cse cluster restore`."""

from __future__ import annotations

from pathlib import Path

import click

from cse_client.cli.options import break_lock_option, org_option, timeout_option, vdc_option
from cse_client.cli.run import Question, Run, command
from cse_client.model import ClusterRef

__all__ = ["restore_command"]


@click.command("restore")
@click.argument("name")
@click.argument("file", metavar="FILE")
@click.option(
    "--passphrase-file",
    default="",
    metavar="FILE",
    help="Read the passphrase from the first line of FILE. Default: ask for it.",
)
@click.option(
    "--identity",
    default="",
    metavar="FILE",
    help="File with the private key, of age or ssh, for a backup made with --recipient.",
)
@click.option("-y", "--yes", is_flag=True, help="Do not ask for confirmation.")
@break_lock_option
@vdc_option
@org_option
@timeout_option
@command
def restore_command(
    run: Run,
    name: str,
    file: str,
    passphrase_file: str,
    identity: str,
    yes: bool,
    break_lock: bool,
    vdc: str,
    org: str,
    timeout: float,
) -> None:
    """Rebuild a cluster's control plane from a backup.

    Replaces the control plane VM by a new one with the same name, address and keys, and with the
    Kubernetes objects in FILE, which `cluster backup` wrote. Workers and kubeconfigs keep working.
    What was changed in the cluster since the backup is lost.

    The backup must be of this cluster, and the cluster's API address must be reachable from here.
    """
    from cse_client.cli.passphrases import known_passphrase, private_key
    from cse_client.cli.tables import cluster_object, size_sentence
    from cse_client.cli.validation import check_existing_name
    from cse_client.engines.base import BackingUp
    from cse_client.errors import WrongUsage
    from cse_client.model.backups import BackupKey

    check_existing_name(name)
    if identity and passphrase_file:
        raise WrongUsage("Specify either --identity or --passphrase-file, not both.")
    key = (
        BackupKey(identity=private_key(identity))
        if identity
        else BackupKey(passphrase=known_passphrase(run.console, passphrase_file))
    )
    ref, options = ClusterRef(name, vdc, org), run.options(timeout, break_lock=break_lock)
    path = Path(file).expanduser()
    question = Question(
        f"Replace the control plane of cluster {name} and everything in it by the backup?",
        action=f"Restoring {name}",
        declined="Nothing was changed.",
    )
    cluster = run.change(
        name,
        "cluster restore",
        BackingUp,
        lambda engine, progress: engine.restore(ref, path, key, options, progress),
        question=None if yes else question,
    )
    run.console.sentence(
        f"Cluster {name} is restored: {size_sentence(cluster.nodes)}.", cluster_object(cluster)
    )
