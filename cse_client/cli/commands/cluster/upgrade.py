"""`vcd cse cluster upgrade-plan|upgrade`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from cse_client import suggest
from cse_client.cli.options import (
    as_object,
    break_lock_option,
    org_option,
    runtime_option,
    template_option,
    template_revision_option,
    timeout_option,
    vdc_option,
)
from cse_client.cli.output import plans, shows
from cse_client.cli.run import Question, Run, command
from cse_client.cli.target import cluster_reference, id_option
from cse_client.cli.text import numbered
from cse_client.model import ClusterRef

if TYPE_CHECKING:
    from cse_client.engines.base import Replacing
    from cse_client.engines.servers import Upgrading
    from cse_client.model import Progress, RunOptions
    from cse_client.model.upgrades import UpgradePlan, UpgradeSpec

__all__ = ["upgrade_command", "upgrade_plan_command"]

_template_options = (
    template_option(help="Template to upgrade to. Default: the newest one that fits."),
    template_revision_option(),
    click.option(
        "--max-surge",
        type=int,
        default=1,
        metavar="N",
        help="Workers to replace at a time. Default: 1.",
    ),
    click.option(
        "--package-source",
        default="",
        metavar="URL",
        help="Where the control plane of a cluster without a virtual address gets the Kubernetes"
        " packages: a mirror of https://pkgs.k8s.io/core:/stable: (the part before /vX.Y/deb/).",
    ),
    click.option(
        "--force",
        is_flag=True,
        help="Also evict pods that no controller would start again, and upgrade although clients"
        " have used APIs that the new release does not serve.",
    ),
)


def _with_template(function: Callable[..., None]) -> Callable[..., None]:
    for option in reversed(_template_options):
        function = option(function)
    return function


@dataclass(frozen=True)
class UpgradeOptions:
    """What new nodes are made from, and how."""

    template: str
    template_revision: int | None
    max_surge: int
    package_source: str
    force: bool


@shows("upgrade-plan", "upgrade-target", many=True)
@click.argument("name", required=False)
@_with_template
@vdc_option
@org_option
@runtime_option
@id_option
@command
@as_object(UpgradeOptions, "chosen")
def upgrade_plan_command(
    run: Run, name: str | None, chosen: UpgradeOptions, vdc: str, org: str, cluster_id: str
) -> None:
    """List the templates a cluster can be upgraded to, and show the plan.

    Without a CSE server, the newest template, or the one that you specify, comes with a plan: what
    happens to each node and in which order, and everything that is in the way.
    """
    from cse_client.cli.server_tables import UPGRADE_COLUMNS, upgrade_row
    from cse_client.cli.tables import plain
    from cse_client.engines.base import Replacing

    reference = cluster_reference(name, cluster_id)
    engine = run.engine_of(reference)
    if isinstance(engine, Replacing):
        spec = _spec(reference, chosen, vdc, org)
        targets = engine.upgrade_targets(spec)
    else:
        _refuse_options(chosen)
        targets = _by_server(engine, "cluster upgrade-plan").upgrade_plan(
            ClusterRef(reference, vdc, org)
        )
    run.console.table(
        [upgrade_row(target) for target in targets],
        UPGRADE_COLUMNS,
        empty=f"No upgrades are available for cluster {reference}.",
        records=[plain(target) for target in targets],
    )
    plan = targets[0].plan if targets else None
    if plan is not None and run.console.shows_tables:
        run.console.lines("\n".join(["", *_plan_lines(plan)]))


@plans("upgrade", "upgrade-plan")
@click.argument(
    "arguments", nargs=-1, required=True, metavar="[NAME] [TEMPLATE_NAME TEMPLATE_REVISION]"
)
@_with_template
@click.option("-y", "--yes", is_flag=True, help="Do not ask for confirmation.")
@click.option("--dry-run", is_flag=True, help="Only show what would be done.")
@click.option(
    "--roll-back",
    is_flag=True,
    help="Go back to the former release, as long as no control plane has been replaced or upgraded"
    " for good.",
)
@click.option(
    "--no-rollback",
    is_flag=True,
    help="Keep new VMs that fail, for troubleshooting; upgrade a control plane in place without a"
    " snapshot of its VM.",
)
@break_lock_option
@vdc_option
@org_option
@runtime_option
@id_option
@timeout_option
@command
@as_object(UpgradeOptions, "chosen")
def upgrade_command(
    run: Run,
    arguments: tuple[str, ...],
    chosen: UpgradeOptions,
    yes: bool,
    dry_run: bool,
    roll_back: bool,
    no_rollback: bool,
    break_lock: bool,
    vdc: str,
    org: str,
    cluster_id: str,
    timeout: float,
) -> None:
    """Upgrade a cluster to the Kubernetes version of a newer template.

    Replaces the control planes one after the other, then the workers: a new node joins and is Ready
    before an old one is drained and deleted. In a cluster without a virtual address, the control
    plane is upgraded in place, with a snapshot of its VM to go back to. To resume an interrupted
    upgrade, run the same command again. `cluster upgrade-plan` shows what would be done.

    A CSE server upgrades its clusters itself, one node at a time, and requires TEMPLATE_NAME and
    TEMPLATE_REVISION.

    \b
    Examples
        vcd cse cluster upgrade-plan demo
        vcd cse cluster upgrade demo
        vcd cse cluster upgrade demo ubuntu-16.04_k8-1.18_weave-2.6.5 2
    """
    from dataclasses import replace

    from cse_client.cli.tables import cluster_object
    from cse_client.engines.base import Replacing
    from cse_client.engines.upgrade_plans import checked_plan

    name, template, revision = _named(arguments, cluster_id)
    reference = cluster_reference(name, cluster_id)
    engine = run.engine_of(reference)
    if not isinstance(engine, Replacing):
        if not template:
            raise click.UsageError("Missing argument 'TEMPLATE_NAME'.")
        _refuse_options(chosen, dry_run=dry_run, roll_back=roll_back)
        upgrading = _by_server(engine, "cluster upgrade")
        _upgrade_by_server(
            run, upgrading, ClusterRef(reference, vdc, org), template, revision, timeout
        )
        return
    if roll_back and no_rollback:
        raise click.UsageError("--roll-back cannot be combined with --no-rollback.")
    chosen = _positional(chosen, template, revision)
    spec = _spec(reference, chosen, vdc, org, rollback=not no_rollback)
    if roll_back:
        options = run.options(timeout, break_lock=break_lock)
        _roll_back(run, engine, spec, options, yes=yes, dry_run=dry_run)
        return
    if dry_run:
        plan = checked_plan(engine, spec)
        _show_plan(run, plan, ["", *_plan_lines(plan)])
        return
    if not yes:
        plans: list[UpgradePlan] = []

        def look(_progress: Progress) -> Question | None:
            plans.append(checked_plan(engine, spec))
            return _question(plans[0])

        run.confirm(f"Upgrading {name}", look)
        (plan,) = plans
        if _is_done(plan):
            run.console.sentence(_plan_lines(plan)[0], cluster_object(engine.cluster(spec.ref)))
            return
        # a template that has appeared during the question is not what was confirmed
        spec = replace(spec, template=plan.template_id, template_revision=None)
    options = run.options(timeout, rollback=not no_rollback, break_lock=break_lock)
    run.when_interrupted = suggest.RESUME
    with run.console.progress() as progress:
        upgraded = engine.upgrade_to(spec, options, progress)
    summary = upgraded.cluster.summary
    text = f"Cluster {summary.name} is upgraded to Kubernetes {summary.kubernetes_version}."
    if not upgraded.changed:
        text = _already(
            summary.name,
            summary.kubernetes_version,
            summary.template,
            summary.template_revision,
        )
    run.console.sentence(text, cluster_object(upgraded.cluster))


def _show_plan(run: Run, plan: UpgradePlan, lines: list[str]) -> None:
    """Print a plan: `lines`, or in other formats all of it."""
    from cse_client.cli.tables import plain

    record = plain(plan)
    if not run.console.documented(record, record):
        run.console.lines("\n".join(lines))


def _return_lines(plan: UpgradePlan) -> list[str]:
    """Return the plan of a roll-back as text."""
    head = f"Going back from Kubernetes {plan.before} to {plan.after}:"
    steps = [*(step.action for step in plan.steps), "Record that the upgrade is rolled back."]
    return [head, *numbered(steps)]


def _already(cluster: str, kubernetes: str, template: str, revision: object) -> str:
    made_of = f" of template {template}, revision {revision}" if template else ""
    return f"Cluster {cluster} already has Kubernetes {kubernetes}{made_of}."


def _is_done(plan: UpgradePlan) -> bool:
    return not plan.steps and not plan.resumed


def _question(plan: UpgradePlan) -> Question | None:
    if _is_done(plan):
        return None
    return Question(
        f"Upgrade cluster {plan.cluster} from Kubernetes {plan.before} to {plan.after}?",
        _plan_lines(plan),
        warnings=plan.warnings,
    )


def _roll_back(
    run: Run,
    engine: Replacing,
    spec: UpgradeSpec,
    options: RunOptions,
    *,
    yes: bool,
    dry_run: bool,
) -> None:
    def look(progress: Progress) -> Question:
        plan = engine.plan_roll_back(spec, options, progress)
        text = (
            f"Roll the upgrade of cluster {spec.cluster} from Kubernetes {plan.before} back to"
            f" {plan.after}?"
        )
        if plan.before == plan.after:
            text = (
                f"Cluster {spec.cluster} has Kubernetes {plan.after}, and nothing was upgraded."
                " Remove the record of the upgrade?"
            )
        return Question(text, numbered(step.action for step in plan.steps))

    if dry_run:
        with run.console.progress() as progress:
            plan = engine.plan_roll_back(spec, options, progress)
        _show_plan(run, plan, _return_lines(plan))
        return
    if not yes:
        run.confirm(f"Rolling the upgrade of {spec.cluster} back", look)
    run.when_interrupted = suggest.RESUME
    with run.console.progress() as progress:
        release = engine.roll_back_upgrade(spec, options, progress)
    run.console.sentence(
        f"Cluster {spec.cluster} has Kubernetes {release} again.",
        {"cluster": spec.cluster, "kubernetes": release},
    )


def _plan_lines(plan: UpgradePlan) -> list[str]:
    """Return a plan as text."""
    if _is_done(plan):
        return [_already(plan.cluster, plan.after, plan.template, plan.template_revision)]
    lines = [
        f"{'Resuming the upgrade' if plan.resumed else 'Upgrade'} of cluster {plan.cluster} from"
        f" Kubernetes {plan.before} to {plan.after}:",
    ]
    lines += [f"Done: {text}" for text in plan.done]
    lines += numbered(step.action for step in plan.steps)
    if not plan.steps:
        lines.append("Left: record the new release.")
    if plan.minutes is not None:
        lines.append(f"Expected duration: {plan.minutes} min{_pace(plan)}.")
    for text, cure in plan.refusals():
        lines += [f"In the way: {text}", *([f"  Hint: {cure}"] if cure else [])]
    lines += [f"Note: {text}" for text in plan.warnings]
    return lines


def _pace(plan: UpgradePlan) -> str:
    kinds = {"control plane": plan.control_plane_seconds, "worker": plan.worker_seconds}
    known = [f"{seconds} s for each {kind}" for kind, seconds in kinds.items() if seconds]
    return f" (the last upgrade took {' and '.join(known)})" if known else ""


def _upgrade_by_server(
    run: Run, engine: Upgrading, ref: ClusterRef, template: str, revision: str, timeout: float
) -> None:
    from cse_client.cli.server_tables import report_task
    from cse_client.cli.tables import cluster_object

    with run.console.progress() as progress:
        cluster = engine.upgrade(ref, template, revision, run.options(timeout), progress)
    name = cluster.summary.name
    if not report_task(run, cluster, f"cluster {name}"):
        now = f"{template}, revision {revision}"
        run.console.sentence(f"Cluster {name} is upgraded to {now}.", cluster_object(cluster))


def _by_server(engine: object, command: str) -> Upgrading:
    """Return an engine that has a server upgrade clusters.

    Raises:
        WrongUsage: it does not.
    """
    from cse_client.engines.servers import Upgrading
    from cse_client.errors import WrongUsage

    if not isinstance(engine, Upgrading):
        raise WrongUsage(f"This CSE server does not support `{command}`.")
    return engine


def _refuse_options(
    chosen: UpgradeOptions, *, dry_run: bool = False, roll_back: bool = False
) -> None:
    """Refuse what a CSE server does not know.

    Raises:
        WrongUsage: one of these was specified.
    """
    from cse_client.errors import WrongUsage

    given = {
        "--template": bool(chosen.template),
        "--template-revision": chosen.template_revision is not None,
        "--max-surge": chosen.max_surge != 1,
        "--package-source": bool(chosen.package_source),
        "--force": chosen.force,
        "--dry-run": dry_run,
        "--roll-back": roll_back,
    }
    wrong = [option for option, present in given.items() if present]
    if wrong:
        raise WrongUsage(
            f"{', '.join(wrong)} cannot be used with a CSE server, which upgrades its clusters"
            " itself.",
            hint="Specify TEMPLATE_NAME and TEMPLATE_REVISION.",
        )


def _spec(
    name: str, chosen: UpgradeOptions, vdc: str, org: str, *, rollback: bool = True
) -> UpgradeSpec:
    """Return what is requested.

    Raises:
        WrongUsage: a name or number cannot be meant.
    """
    from cse_client.cli.template_words import check_package_source
    from cse_client.cli.validation import check_existing_name
    from cse_client.errors import WrongUsage
    from cse_client.model.upgrades import UpgradeSpec

    check_existing_name(name)
    if chosen.max_surge < 1:
        raise WrongUsage(f"--max-surge must be at least 1, not {chosen.max_surge}.")
    source = chosen.package_source.rstrip("/")
    for problem in check_package_source(source) if source else []:
        raise problem
    return UpgradeSpec(
        name,
        vdc,
        org,
        chosen.template,
        chosen.template_revision,
        chosen.max_surge,
        chosen.force,
        source,
        rollback,
    )


def _positional(chosen: UpgradeOptions, template: str, revision: str) -> UpgradeOptions:
    """Return the options with the template that was given as arguments, as for a CSE server.

    Raises:
        WrongUsage: it was given twice, or the revision is not a number.
    """
    from dataclasses import replace

    from cse_client.errors import WrongUsage

    if not template:
        return chosen
    if chosen.template:
        raise WrongUsage("The template is given as an argument and with --template.")
    if not revision.isascii() or not revision.isdigit():
        raise WrongUsage(f"TEMPLATE_REVISION '{revision}' is not a number.")
    return replace(chosen, template=template, template_revision=int(revision))


def _named(arguments: tuple[str, ...], cluster_id: str) -> tuple[str, str, str]:
    """Return name, template and revision; the name may be missing where there is an id.

    The template may be missing, with its revision.

    Raises:
        click.UsageError: there are too few or too many arguments.
    """
    names = ["NAME", "TEMPLATE_NAME", "TEMPLATE_REVISION"]
    given = list(arguments)
    if cluster_id and len(given) < len(names):
        given.insert(0, "")
    if len(given) > len(names):
        raise click.UsageError(f"Got unexpected extra argument ({' '.join(given[len(names) :])})")
    if len(given) == 2:  # noqa: PLR2004 - a template without its revision
        raise click.UsageError(f"Missing argument '{names[2]}'.")
    name, template, revision = (*given, "", "")[:3]
    return name, template, revision
