"""`vcd cse cluster diagnose`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from cse_client.cli import api_token
from cse_client.cli.failures import last_failure
from cse_client.cli.options import vdc_option
from cse_client.cli.output import ShowingOrWritingCommand, shows
from cse_client.cli.profile import read_session
from cse_client.cli.redaction import redact, redact_lines, redact_value
from cse_client.cli.run import Run, command
from cse_client.errors import CseError
from cse_client.model import ClusterRef
from cse_client.model.diagnosis import Cause, Diagnosis
from cse_client.plurals import counted

__all__ = ["diagnose_command"]

_OTHERS = 5


@shows(
    "diagnose",
    "diagnosis",
    cls=ShowingOrWritingCommand,
    other="--archive",
    note=" Any other value is a FILE to write: a .tar.gz, without secrets, of everything that was"
    " looked at.",
)
@click.argument("name")
@vdc_option
@click.option(
    "--org", default="", metavar="NAME", help="Organization. Default: the organization in use."
)
@click.option("--archive", default="", metavar="FILE", hidden=True)
@command
def diagnose_command(run: Run, name: str, vdc: str, org: str, archive: str) -> None:
    """Find out why a cluster does not work.

    Prints the probable cause first, with the next step. Looks at VCD's tasks, the VMs and their
    customization, the reports of the nodes, the cluster's Kubernetes API, its records in VCD, and
    the last failure of a command on this machine, also if the cluster was removed after it. Nothing
    is changed.

    FILE has all of that, and pictures of the VMs' consoles. Passwords, keys and tokens are removed
    from it, except what a console shows: look at the pictures before you pass the file on.

    \b
    Example
        vcd cse cluster diagnose demo -o demo.tar.gz
    """
    from cse_client.engines.base import Diagnosing

    ctx = click.get_current_context()
    engine = run.require(Diagnosing, "cluster diagnose")
    diagnosis = engine.diagnose(ClusterRef(name, vdc, org), last_failure(ctx, name))
    summary = redact("".join(f"{line}\n" for line in _summary(diagnosis)))
    record = _record(diagnosis)
    if not run.console.documented(record, record):
        run.console.lines(summary)
    if archive:
        from cse_client.cli.archive import write_archive

        path = Path(archive).expanduser()
        names = write_archive(path, diagnosis, summary, list(_secrets()))
        pictures = " Its pictures show what the consoles show." if diagnosis.pictures else ""
        run.console.hint(
            f"{path} was written ({counted(len(names), 'file')}, without secrets).{pictures}"
        )


def _record(diagnosis: Diagnosis) -> dict[str, Any]:
    return {
        "cluster": diagnosis.cluster,
        "causes": [
            {
                "cause": redact(one.sentence),
                "cure": redact(one.cure),
                "evidence": redact_lines(one.evidence),
            }
            for one in diagnosis.causes
        ],
        "not_seen": redact_value(diagnosis.missing),
    }


def _summary(diagnosis: Diagnosis) -> Iterator[str]:
    if not diagnosis.causes:
        yield f"Nothing wrong was found with cluster {diagnosis.cluster}."
    for number, cause in enumerate(diagnosis.causes[: _OTHERS + 1]):
        if number == 0:
            yield f"Probable cause: {cause.sentence}"
            yield from _details(cause)
        else:
            if number == 1:
                yield ""
                yield "Also found:"
            yield f"- {cause.sentence}"
            yield from _details(cause)
    if diagnosis.missing:
        yield ""
        yield "Not seen:"
        for one in diagnosis.missing:
            yield f"- {one.rstrip('.')}."


def _details(cause: Cause) -> Iterator[str]:
    for line in cause.evidence:
        yield f"  {line}"
    if cause.cure:
        yield f"  Next step: {cause.cure}"


def _secrets() -> Iterator[str]:
    """Yield values that are secret on this machine, whatever they look like."""
    session, _warn = read_session()
    yield session.token
    yield api_token.from_environment()
    if session.token_file:
        try:
            yield api_token.read_token_file(Path(session.token_file))
        except CseError:
            return
