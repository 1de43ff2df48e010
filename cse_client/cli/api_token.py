"""API tokens: where they come from, and sessions that renew themselves by them.

A token is never an argument, because every user of a machine can list the arguments of programs.
It is read from a file whenever it is needed, or from CSE_API_TOKEN, and stored nowhere; the profile
remembers the file's path.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from cse_client import profiles
from cse_client.errors import CseError, SessionInvalid, WrongUsage
from cse_client.inputs import read_named
from cse_client.model import Session

__all__ = ["TOKEN_FILE", "VARIABLE", "from_environment", "read_token_file", "renewal"]

#: The environment variable that may hold an API token, and the profile's key for the path of a
#: file with one.
VARIABLE = "CSE_API_TOKEN"
TOKEN_FILE = "cse_token_file"  # noqa: S105 - a key's name
_MOST_BYTES = 65536


def from_environment() -> str:
    """Return the API token of CSE_API_TOKEN; empty where there is none."""
    return os.environ.get(VARIABLE, "").strip()


def read_token_file(path: Path) -> str:
    """Return the API token in a file: the token alone, or JSON as Terraform's provider writes it.

    Raises:
        WrongUsage: the file cannot be read, or has no token in it.
    """
    text = read_named("API token file", path, _MOST_BYTES).decode("utf-8", "replace").strip()
    if text.startswith("{"):
        with contextlib.suppress(ValueError, AttributeError):
            text = str(json.loads(text).get("refresh_token") or "")
    if not text or not text.isascii() or not text.isprintable() or " " in text:
        raise WrongUsage(
            f"The file {path} does not contain an API token.",
            hint="Write the token alone into it; VCD shows it once, when it is created.",
        )
    return text


def renewal(profile: Mapping[str, Any], session: Session) -> Callable[[str], str] | None:
    """Return what renews a session that has expired; None where no API token is available.

    It is called with the token that VCD no longer accepts, from any thread and one at a time, and
    returns another one, which is stored for the commands to come.
    """
    file = str(profile.get(TOKEN_FILE) or "")
    if not file and not from_environment():
        return None
    newest = session.token

    def renew(expired: str) -> str:
        nonlocal newest
        if newest == expired:
            from cse_client.vcd import login

            newest = login.renew(session, _available(file, session))
            with contextlib.suppress(CseError):  # this command can do without
                profiles.change({"token": newest, "is_jwt_token": True})
        return newest

    return renew


def _available(file: str, session: Session) -> str:
    if not file:
        return from_environment()
    try:
        return read_token_file(Path(file))
    except WrongUsage as error:
        from cse_client.vcd.errors import login_line

        raise SessionInvalid(
            f"The session at {session.host} has expired, and cannot be renewed:"
            f" {error.clause[:1].lower()}{error.clause[1:]}.",
            hint=f"Log in again: {login_line(session)}",
        ) from None
