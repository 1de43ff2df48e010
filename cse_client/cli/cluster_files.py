"""Files of `cluster apply`: reading one, and applying what it declares by the direct engine."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cse_client import looked_at, suggest
from cse_client.yamldocs import Bounds, Reading

if TYPE_CHECKING:
    from cse_client.cli.run import Run
    from cse_client.engines.declared.applying import Application, Plan
    from cse_client.engines.declared.reading import DeclaredFile
    from cse_client.model.capacity import Need
    from cse_client.model.declared import CreationPlan

__all__ = [
    "ApplyOptions",
    "apply_declared",
    "called",
    "file_yaml",
    "getting_a_file",
    "needs_records",
    "read_cluster_file",
    "show_needs",
]

#: A cluster's description has some 40 values, and each pool some more.
_BOUNDS = Bounds(size=256 * 1024, depth=16, values=5_000)
_MIRROR_VARIABLE = "CSE_ADDON_MIRROR"
_COLUMNS = ("Action", "Object", "Current", "Wanted")
_OPTION = re.compile(r"(?<![\w`=-])--[a-z][a-z-]*[a-z](?![\w-])")


@dataclass(frozen=True)
class ApplyOptions:
    """How a file for the direct engine is applied."""

    dry_run: bool = False
    yes: bool = False
    disable_rollback: bool = False
    break_lock: bool = False
    force: bool = False
    strict: bool = False

    def given(self) -> list[str]:
        """Return the options that were typed, such as `--dry-run`."""
        return [f"--{name.replace('_', '-')}" for name, value in vars(self).items() if value]


def called(file: str) -> str:
    """Return how a file is called in messages."""
    return "standard input" if file == "-" else f"the file '{file}'"


def read_cluster_file(file: str) -> Reading:
    """Return what a file holds; `-` is standard input.

    Raises:
        WrongUsage, PreflightFailed: it cannot be read, is empty, or is not YAML; no value of it
            gets into the message. After other problems it is read on: see `Reading.problems`.
    """
    from cse_client.content import capitalized
    from cse_client.engines.declared.reading import refuse_unread
    from cse_client.errors import WrongUsage
    from cse_client.inputs import read_file
    from cse_client.yamldocs import survey_yaml

    name = capitalized(called(file))
    try:
        path = Path("/dev/stdin" if file == "-" else file)
        data = read_file(path.expanduser(), _BOUNDS.size + 1)
    except (OSError, RuntimeError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise WrongUsage(f"{name} cannot be read: {reason}.") from None
    reading = survey_yaml(data, _BOUNDS)
    if not reading.is_whole:
        refuse_unread(reading, called(file))
    if not reading.positions:
        only = ": it contains only comments" if data.strip() else ""
        raise WrongUsage(f"{name} is empty{only}.", hint=getting_a_file())
    return reading


def getting_a_file() -> str:
    """Return which commands print a file, for hints."""
    create = suggest.cse("cluster create", "NAME", network="NETWORK", dry_run=True)
    sample = suggest.cse("cluster apply", sample=True, native=True)
    return f"`{create} -o yaml` prints a file; `{sample}` prints one for a CSE server 3."


def file_yaml(document: Any) -> str:
    """Return the document of a file as YAML."""
    from cse_client.cli.output import Output

    return Output("yaml").text(document, as_json=False)


def apply_declared(run: Run, file: DeclaredFile, options: ApplyOptions, timeout: float) -> None:
    """Bring the cluster to what the file declares, or show what that would change.

    Raises:
        WrongUsage: a CSE server is in use, or a removal is not confirmed.
        PreflightFailed, CseError: what the file describes would be refused.
    """
    from time import monotonic

    from cse_client.cli.run import Question
    from cse_client.cli.validation import raise_all
    from cse_client.content import capitalized

    application = _application(run, file)
    name = file.cluster
    how = run.options(
        timeout,
        rollback=not options.disable_rollback,
        break_lock=options.break_lock,
        force=options.force,
    )
    looked_at.begin()
    with run.console.progress() as progress, _keys_for_options(file):
        plan = application.plan(progress, thorough=options.dry_run, asks=not options.yes)
        creation: CreationPlan | None = None
        if options.dry_run and plan.creates:
            creation = application.engine.plan_create(file.declared.spec, progress)
    for warning in plan.warnings:
        run.console.warning(capitalized(warning))
    with _keys_for_options(file):
        raise_all(plan.problems, f"{capitalized(file.name)} cannot be applied to cluster '{name}'")
    if options.dry_run:
        _show_plan(run, file, plan, creation)
        return
    if plan.removals and not options.yes:
        removed = " and ".join(plan.removals)
        question = Question(f"Applying {file.name} to cluster {name} {removed}. Continue?")
        run.confirm(f"Applying {file.name} to {name}, which {removed},", lambda _progress: question)
    run.when_interrupted = suggest.RESUME
    began = monotonic()
    with run.console.progress() as progress, _keys_for_options(file):
        cluster = application.carry_out(plan, how, progress)
    from cse_client.cli.node_options import print_cluster_change, print_new_cluster

    if plan.creates and cluster is not None:
        print_new_cluster(run, cluster, monotonic() - began)
    elif cluster is not None:
        print_cluster_change(run, cluster)
    else:
        changed = f"is now as {file.name} describes it" if plan.differences else _as_described(file)
        run.console.sentence(f"Cluster {name} {changed}.", _plan_record(name, plan, None))


def _as_described(file: DeclaredFile) -> str:
    return f"is as {file.name} describes it; nothing was changed"


def _application(run: Run, file: DeclaredFile) -> Application:
    from cse_client.cli.profile import read_session
    from cse_client.content import capitalized
    from cse_client.engines.addons.installer import Addons
    from cse_client.engines.declared.applying import Application
    from cse_client.engines.declared.reading import API_VERSION
    from cse_client.engines.direct.engine import DirectEngine
    from cse_client.errors import WrongUsage
    from cse_client.model import Progress
    from cse_client.vcd.client import VcdClient

    engine = run.engine()
    if not isinstance(engine, DirectEngine):
        raise WrongUsage(
            f"{capitalized(file.name)} is for the direct engine (apiVersion"
            f" {API_VERSION}), and a CSE server is in use.",
            hint=f"Without the server: {suggest.again(engine='direct')}",
        )

    def addons(progress: Progress) -> Addons:
        return Addons(engine, lambda: VcdClient.open(read_session()[0]), progress)

    return Application(engine, addons, file, os.environ.get(_MIRROR_VARIABLE, ""))


def _plan_record(name: str, plan: Plan, creation: CreationPlan | None) -> dict[str, Any]:
    changes = [
        {
            "action": change.action,
            "object": change.object,
            "current": change.current,
            "wanted": change.wanted,
        }
        for change in plan.changes
    ]
    steps = list(creation.steps) if creation is not None else []
    needs = needs_records(creation.needs) if creation is not None else []
    return {"cluster": name, "changes": changes, "steps": steps, "resources": needs}


def _show_plan(run: Run, file: DeclaredFile, plan: Plan, creation: CreationPlan | None) -> None:
    record = _plan_record(file.cluster, plan, creation)
    if run.console.documented(record, record):
        return
    rows = [{column: change[column.lower()] for column in _COLUMNS} for change in record["changes"]]
    run.console.table(rows, _COLUMNS, empty=f"Cluster {file.cluster} {_as_described(file)}.")
    if creation is None:
        return
    run.console.text("\n")
    for number, step in enumerate(creation.steps, 1):
        run.console.sentence(f"{number}. {step}", record)
    show_needs(run, creation.needs)


def needs_records(needs: Sequence[Need]) -> list[dict[str, Any]]:
    """Return what a new cluster needs as records with the keys of the schema."""
    return [
        {"resource": one.resource, "unit": one.unit, "needed": one.needed, "left": one.left}
        for one in needs
    ]


def show_needs(run: Run, needs: Sequence[Need]) -> None:
    """Print what a new cluster needs beside what is left, as a table after other lines."""
    if not needs:
        return
    rows = [
        {
            "Resource": one.resource,
            "Needed": _amount(one.needed, one.unit, "unknown"),
            "Left": _amount(one.left, one.unit, "no known limit"),
        }
        for one in needs
    ]
    run.console.text("\n")
    run.console.table(rows, ("Resource", "Needed", "Left"), empty="")


def _amount(number: int | None, unit: str, otherwise: str) -> str:
    return otherwise if number is None else f"{number} {unit}".strip()


@contextlib.contextmanager
def _keys_for_options(file: DeclaredFile) -> Iterator[None]:
    """Let errors name keys of the file where they name options, and the pool that they are of."""
    from cse_client.errors import CseError, PreflightFailed

    try:
        yield
    except CseError as error:
        problems = error.problems if isinstance(error, PreflightFailed) else ()
        for one in (error, *problems):
            one.message = _with_keys(one.message, file, one.pool)
            one.hint = _with_keys(one.hint, file, one.pool)
            if one.pool and len(file.pool_keys) > 1 and f"'{one.pool}'" not in one.message:
                one.message = f"Pool '{one.pool}': {one.message}"
        raise


def _with_keys(text: str, file: DeclaredFile, pool: str) -> str:
    if suggest.program_name() in text:
        return text
    return _OPTION.sub(lambda found: file.key_of(found[0], pool) or found[0], text)
