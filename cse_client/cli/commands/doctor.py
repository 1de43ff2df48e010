"""`vcd cse doctor`: what is wrong with this machine, the session or the cloud, and what to do."""

from __future__ import annotations

from collections.abc import Iterator

import click

from cse_client.cli.environment import environment
from cse_client.cli.options import vdc_option
from cse_client.cli.output import shows
from cse_client.cli.profile import read_session, stored_profile
from cse_client.cli.run import Run, command
from cse_client.errors import CseError
from cse_client.model.findings import ERROR, OK, WARNING, Finding

__all__ = ["doctor_command"]

_ORDER = (ERROR, WARNING, OK)
_FAILED = 1


@shows("doctor", "finding", many=True)
@vdc_option
@click.option("--fix", is_flag=True, help="Repair what can be repaired safely on this machine.")
@command
def doctor_command(run: Run, vdc: str, fix: bool) -> None:
    """Check the installation, the session and the cloud.

    Prints one line for each check, what is wrong first, with the cure. Nothing in the cloud is
    changed. Exit code 1 if there is an error; warnings do not count.

    --fix closes files with secrets to other users, removes session tokens from vcd-cli's logs, and
    repairs an empty `profiles` key.

    \b
    Example
        vcd cse doctor --fix
    """
    findings = [_fixed(one) if fix and one.fix else one for one in _findings(vdc)]
    findings.sort(key=lambda one: _ORDER.index(one.state))
    records = [
        {"check": one.check, "state": one.state, "message": one.message, "cure": one.cure}
        for one in findings
    ]
    if not run.console.documented(records, records):
        for one in findings:
            run.console.finding(one)
    if any(one.state == ERROR for one in findings):
        click.get_current_context().exit(_FAILED)


def _findings(vdc: str) -> Iterator[Finding]:
    broken = False
    for one in environment():
        broken = broken or (one.check, one.state) == ("profile", ERROR)
        yield one
    if broken:
        return
    try:
        session, _warn = read_session(stored_profile())
    except CseError as error:
        yield Finding(ERROR, "login", error.message, error.hint)
        return
    if not session.verify:
        yield Finding(
            WARNING,
            "certificate",
            f"The certificate of {session.host} is not verified.",
            "Log in with the file of its CA (--ca-file) instead of -i.",
        )
    from cse_client.engines.doctor import examine

    yield from examine(session, vdc)


def _fixed(finding: Finding) -> Finding:
    assert finding.fix is not None  # noqa: S101 - for the type checker
    try:
        return Finding(OK, finding.check, finding.fix())
    except (OSError, CseError) as error:
        reason = error.clause if isinstance(error, CseError) else error.strerror or str(error)
        message = f"{finding.message} It could not be repaired: {reason}."
        return Finding(finding.state, finding.check, message, finding.cure)
