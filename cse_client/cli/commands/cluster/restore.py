"""`vcd cse cluster restore`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cse_client import suggest
from cse_client.cli.options import (
    as_object,
    break_lock_option,
    dry_run_option,
    org_option,
    template_revision_option,
    timeout_option,
    vdc_option,
    yes_option,
)
from cse_client.cli.output import plans
from cse_client.cli.run import Asking, Question, Run, command
from cse_client.cli.text import numbered
from cse_client.model import ClusterRef

if TYPE_CHECKING:
    from collections.abc import Callable

    from cse_client.engines.base import BackingUp
    from cse_client.model import Cluster, Progress
    from cse_client.model.backups import BackupKey, RestoredSpec, RestorePlan

__all__ = ["restore_command"]

#: What only a new cluster can be given, by the name of the parameter.
_OF_NEW = {
    "network": "--network",
    "nodes": "--nodes",
    "vip": "--vip",
}


@dataclass(frozen=True)
class NewOptions:
    """What a cluster is to be like, as it was typed; empty or None: as in the backup, or as it is.

    Of an existing cluster, only the template can be chosen.
    """

    network: str
    nodes: int | None
    template: str
    template_revision: int | None
    vip: str
    accept_eulas: bool


@plans("restore")
@click.argument("name")
@click.argument("file", metavar="FILE")
@click.option(
    "--new", is_flag=True, help="Make a new cluster, called NAME, with the objects in FILE."
)
@click.option(
    "-n",
    "--network",
    default="",
    metavar="NAME",
    help="With --new: org VDC network. Default: as in the backup.",
)
@click.option(
    "-N",
    "--nodes",
    type=int,
    metavar="COUNT",
    help="With --new: number of workers. Default: as in the backup.",
)
@click.option(
    "-t",
    "--template",
    default="",
    metavar="NAME",
    help="Template of the new nodes. Default: as in the backup, or as the cluster has it.",
)
@template_revision_option(help="Revision of the template. Default: the newest.")
@click.option(
    "--vip",
    default="",
    metavar="ADDRESS|auto|none",
    help="With --new: virtual address of the API. Default: auto, if the old cluster had one.",
)
@click.option("--accept-eulas", is_flag=True, help="Accept the template's license agreements.")
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
@dry_run_option
@yes_option
@break_lock_option
@vdc_option
@org_option
@timeout_option
@command
@as_object(NewOptions, "options")
def restore_command(
    run: Run,
    name: str,
    file: str,
    new: bool,
    options: NewOptions,
    passphrase_file: str,
    identity: str,
    dry_run: bool,
    yes: bool,
    break_lock: bool,
    vdc: str,
    org: str,
    timeout: float,
) -> None:
    """Restore a cluster from a backup, or make a new cluster from it.

    Replaces the control plane VMs by new ones, the first with the same name, address and keys, and
    with the Kubernetes objects in FILE, which `cluster backup` wrote. Workers and kubeconfigs keep
    working. What was changed in the cluster since the backup is lost.

    The backup must be of this cluster, and the cluster's API address must be reachable from here.

    With --new, a new cluster with keys of its own gets the objects; the cluster that was backed up
    is not touched, and does not have to exist.
    """
    from cse_client.cli.tables import cluster_object, size_sentence

    ref, how = ClusterRef(name, vdc, org), run.options(timeout, break_lock=break_lock)
    if not new:
        _check(name, options)
    wanted = _wanted(ref, options, new=new)
    path = Path(file).expanduser()

    def look_at_file() -> None:
        from cse_client.engines.base import BackingUp

        run.require(BackingUp, "cluster restore").check_restore(ref, path, new=new)

    key = _key(run, identity, passphrase_file, look_at_file)
    if dry_run:
        _show(
            run,
            name,
            lambda engine, progress: (
                engine.plan_restore_new(wanted, path, key, how, progress)
                if new
                else engine.plan_restore(wanted, path, key, how, progress)
            ),
        )
        return
    if new:
        cluster = _restore_new(run, wanted, path, key, timeout, break_lock=break_lock)
        sentence = f"Cluster {name} is made from the backup: {size_sentence(cluster.nodes)}."
        run.console.sentence(sentence, cluster_object(cluster))
        if not run.console.as_json:
            run.console.hint(f"Next: {suggest.cse('cluster config', name, save=True)}")
        return

    from cse_client.engines.base import BackingUp

    def look(engine: BackingUp, progress: Progress) -> Question:
        return Question(
            f"Replace the control plane of cluster {name} and everything in it by the backup?",
            _lines(engine.plan_restore(wanted, path, key, how, progress)),
        )

    cluster = run.change(
        name,
        "cluster restore",
        BackingUp,
        lambda engine, progress: engine.restore(wanted, path, key, how, progress),
        asking=None if yes else Asking(f"Restoring {name}", look),
    )
    run.console.sentence(
        f"Cluster {name} is restored: {size_sentence(cluster.nodes)}.", cluster_object(cluster)
    )


def _show(run: Run, name: str, plan: Callable[[BackingUp, Progress], RestorePlan]) -> None:
    from cse_client.engines.base import BackingUp

    engine = run.require(BackingUp, "cluster restore --dry-run")
    with run.console.progress() as progress:
        found = plan(engine, progress)
    record = {"cluster": name, "plan": list(found.steps), "not_brought_back": list(found.lost)}
    if not run.console.documented(record, record):
        run.console.lines("".join(f"{line}\n" for line in _lines(found)))


def _lines(plan: RestorePlan) -> list[str]:
    """Return the steps of a plan with their numbers, and what it does not bring back as a list."""
    return [*numbered(plan.steps), "Not brought back:", *(f"- {one}" for one in plan.lost)]


def _restore_new(
    run: Run, wanted: RestoredSpec, path: Path, key: BackupKey, timeout: float, *, break_lock: bool
) -> Cluster:
    from cse_client.engines.base import BackingUp

    options = run.options(timeout, break_lock=break_lock)
    return run.change(
        wanted.name,
        "cluster restore",
        BackingUp,
        lambda engine, progress: engine.restore_new(wanted, path, key, options, progress),
    )


def _check(name: str, options: NewOptions) -> None:
    """Refuse options of a new cluster.

    Raises:
        WrongUsage: one is given, or the name is empty.
    """
    from cse_client.cli.validation import check_existing_name
    from cse_client.errors import WrongUsage

    check_existing_name(name)
    for parameter, option in _OF_NEW.items():
        if getattr(options, parameter) not in ("", None, False):
            raise WrongUsage(
                f"{option} requires --new.",
                hint="Without --new, the cluster stays as it is, and gets the objects back.",
            )


def _wanted(ref: ClusterRef, options: NewOptions, *, new: bool) -> RestoredSpec:
    """Return what was asked for; raise every problem with the options at once."""
    from cse_client.cli.validation import check_vip, check_workers, node_source, raise_all
    from cse_client.model.backups import RestoredSpec
    from cse_client.model.names import check_name

    template, revision, _key, wrong = node_source(options.template, options.template_revision, None)
    workers = [] if options.nodes is None else check_workers(options.nodes)
    named = check_name(ref.name) if new else []
    raise_all([*named, *workers, *check_vip(options.vip), *wrong])
    return RestoredSpec(
        name=ref.name,
        vdc=ref.vdc,
        org=ref.org,
        network=options.network,
        template=template,
        template_revision=revision,
        vip=options.vip,
        workers=options.nodes,
        accept_eulas=options.accept_eulas,
    )


def _key(run: Run, identity: str, passphrase_file: str, look: Callable[[], None]) -> BackupKey:
    from cse_client.cli.passphrases import known_passphrase, private_key
    from cse_client.errors import WrongUsage
    from cse_client.model.backups import BackupKey

    if identity and passphrase_file:
        raise WrongUsage("Specify either --identity or --passphrase-file, not both.")
    if identity:
        return BackupKey(identity=private_key(identity))
    return BackupKey(passphrase=known_passphrase(run.console, passphrase_file, look))
