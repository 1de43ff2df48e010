"""`vcd cse cluster backup`."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

import click

from cse_client.cli.options import timeout_option, vdc_option
from cse_client.cli.run import Run, command
from cse_client.model import ClusterRef

__all__ = ["backup_command"]


@click.command("backup")
@click.argument("name")
@click.option(
    "-o",
    "--output",
    default="",
    metavar="FILE",
    help="File to write. Default: NAME-TIME.backup in the current directory.",
)
@click.option(
    "--recipient",
    "recipients",
    multiple=True,
    metavar="KEY",
    help="Encrypt to this public key, of age (age1...) or ssh (ssh-ed25519 or ssh-rsa), instead of"
    " with a passphrase. Can be repeated.",
)
@click.option(
    "--passphrase-file",
    default="",
    metavar="FILE",
    help="Read the passphrase from the first line of FILE. Default: ask for it.",
)
@vdc_option
@click.option(
    "--org",
    default="",
    metavar="NAME",
    help="Organization. Default: the organization in use.",
)
@timeout_option
@command
def backup_command(
    run: Run,
    name: str,
    output: str,
    recipients: tuple[str, ...],
    passphrase_file: str,
    vdc: str,
    org: str,
    timeout: float,
) -> None:
    """Back up a cluster's Kubernetes objects and keys to an encrypted file.

    The file holds a snapshot of etcd, the cluster's CA keys and what `cluster restore` needs to
    rebuild the control plane. It does not hold the data of persistent volumes. Nothing in the
    cluster changes.

    The passphrase can also be given in the environment variable CSE_BACKUP_PASSPHRASE.
    """
    from cse_client.cli.passphrases import new_passphrase
    from cse_client.cli.validation import check_existing_name
    from cse_client.engines.base import BackingUp
    from cse_client.errors import WrongUsage
    from cse_client.model.backups import BackupLock

    check_existing_name(name)
    if recipients and passphrase_file:
        raise WrongUsage("Specify either --recipient or --passphrase-file, not both.")
    if output == "-":
        raise click.UsageError("A backup cannot be written to stdout; name a file with -o.")
    path = Path(output).expanduser() if output else Path(_default_name(name))
    engine = run.require(BackingUp, "cluster backup")
    ref = ClusterRef(name, vdc, org)
    passphrase = ""
    if not recipients:
        passphrase = new_passphrase(
            run.console, passphrase_file, lambda: engine.check_backup(ref, path)
        )
    lock = BackupLock(passphrase=passphrase, recipients=recipients)
    with run.console.progress() as progress:
        backup = engine.back_up(ref, path, lock, progress)
    from cse_client.cli.tables import plain

    run.console.sentence(
        f"Cluster {name} is backed up to {backup.file} ({backup.size / 1e6:.1f} MB); the"
        " file was read back and verified.",
        plain(backup),
    )


def _default_name(name: str) -> str:
    return f"{name}-{datetime.now(timezone.utc):%Y%m%dT%H%M%SZ}.backup"
