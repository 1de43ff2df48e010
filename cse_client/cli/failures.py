"""The last failure of a command on each cluster, kept on this machine for `cluster diagnose`.

A command that fails removes what it made, and with it everything that could show why. So what is
known at that moment is written down: redacted, mode 0600, one file for each cluster.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import click

from cse_client import suggest
from cse_client.cli.changes import changed_cluster
from cse_client.cli.profile import read_session
from cse_client.cli.redaction import redact_value
from cse_client.errors import (
    Conflict,
    CseError,
    GuestFailed,
    Interrupted,
    PreflightFailed,
    VcdFault,
)
from cse_client.state import state_folder, write_private

__all__ = ["forget", "last_failure", "record"]

_FAILED, _NOT_FINISHED = 1, 5
#: What changed nothing says nothing of the cluster; what an interruption left is in its own record.
_NO_FAILURES = (Conflict, Interrupted, PreflightFailed)
_MOST_BYTES = 1024 * 1024


def record(ctx: click.Context, error: CseError) -> None:
    """Write a failure down, where the command was to change a cluster; never raises."""
    name = changed_cluster(ctx)
    if not name or error.exit_code not in (_FAILED, _NOT_FINISHED):
        return
    if isinstance(error, _NO_FAILURES):
        return
    document: dict[str, Any] = {
        "when": datetime.now(timezone.utc).isoformat(),
        "command": suggest.again(),
        "error": error.message,
        "hint": error.hint,
        "notes": list(error.notes),
    }
    if isinstance(error, GuestFailed):
        document.update(node=error.node, phase=error.phase, log=list(error.log))
    if isinstance(error, VcdFault):
        document.update(status=error.status, code=error.code, request=error.request_id)
    with contextlib.suppress(OSError, CseError):
        write_private(_path(name, ctx), json.dumps(redact_value(document), indent=4))


def forget(ctx: click.Context) -> None:
    """Remove the failure of an earlier command, after this one has changed the cluster.

    Never raises.
    """
    name = changed_cluster(ctx)
    if name:
        with contextlib.suppress(OSError, CseError):
            _path(name, ctx).unlink()


def last_failure(ctx: click.Context, name: str) -> dict[str, Any] | None:
    """Return the last failure of a command on a cluster; None where none is known."""
    try:
        with _path(name, ctx).open("rb") as file:
            value = json.loads(file.read(_MOST_BYTES))
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) else None


def _path(name: str, ctx: click.Context) -> Path:
    session, _warn = read_session()
    org = str(ctx.params.get("org") or session.org)
    vdc = str(ctx.params.get("vdc") or session.vdc)
    place = "\n".join((session.host.lower(), org.lower(), vdc, name))
    digest = hashlib.sha256(place.encode()).hexdigest()[:24]
    return state_folder() / "failures" / f"{digest}.json"
