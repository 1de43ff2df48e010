"""What a login stored, and which engine was chosen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import click

from cse_client import profiles, suggest
from cse_client.cli import api_token
from cse_client.cli.options import ENGINES
from cse_client.errors import SessionInvalid, WrongUsage
from cse_client.model import Session
from cse_client.model.hosts import host_of

__all__ = ["chosen_before", "engine_option", "read_session", "stored_profile"]


def engine_option(ctx: click.Context) -> str:
    """Return the engine of `vcd cse --engine` or CSE_ENGINE; empty if there is none."""
    context: click.Context | None = ctx
    while context is not None:
        if "engine" in context.params:
            return str(context.params["engine"] or "")
        context = context.parent
    return ""


def chosen_before(profile: Mapping[str, Any]) -> str:
    """Return the profile's `cse_engine`.

    Raises:
        WrongUsage: the value is unknown.
    """
    word = str(profile.get("cse_engine") or "auto")
    if word not in ENGINES:
        raise WrongUsage(
            f"The engine '{word}' does not exist (cse_engine in ~/.vcd-cli/profiles.yaml).",
            hint=f"Use one of: {', '.join(ENGINES)}.",
        )
    return word


def stored_profile() -> dict[str, Any]:
    """Return vcd-cli's profile; empty where there is none, or the file is no YAML.

    Raises:
        SessionInvalid: the file does not have the form of a profiles file.
    """
    try:
        data = profiles.load()
    except profiles.Unreadable:
        data = None  # vcd-cli takes whatever it cannot read for an empty file
    profile = profiles.default(data)
    if profile is None:
        raise SessionInvalid(
            f"The file {profiles.SHOWN} is damaged.",
            hint="Correct it as in profiles.example.yaml, or remove it. Then log in:"
            f" {_login_line()}",
        )
    return profile


def read_session(profile: Mapping[str, Any] | None = None) -> tuple[Session, bool]:
    """Return the session that a login stored, and whether to warn of unverified TLS.

    Raises:
        SessionInvalid: there is none, or the profiles file is damaged.
    """
    profile = stored_profile() if profile is None else profile
    token = profile.get("token")
    if not token:
        raise SessionInvalid("You are not logged in.", hint=f"Log in: {_login_line()}")
    missing = [key for key in ("host", "org", "user", "api_version") if not profile.get(key)]
    if missing:
        raise SessionInvalid(
            f"The stored session is damaged: {', '.join(missing)} missing in {profiles.SHOWN}.",
            hint=f"Log in again: {_login_line()}",
        )

    def text(key: str) -> str:
        return str(profile.get(key) or "")

    try:
        # pyvcloud takes what vcd-cli stored as it was typed, also with http://
        host_of(text("host").removeprefix("http://"))
    except WrongUsage as error:
        raise SessionInvalid(
            f"The stored session is damaged: {error.clause} (host in {profiles.SHOWN}).",
            hint=f"Log in again: {_login_line()}",
        ) from None
    session = Session(
        host=text("host"),
        org=text("org_in_use") or text("org"),
        user=text("user"),
        api_version=text("api_version"),
        token=str(token),
        is_jwt=bool(profile.get("is_jwt_token")),
        verify=profile.get("verify") is not False,
        org_href=text("org_href"),
        vdc=text("vdc_in_use"),
        vdc_href=text("vdc_href"),
        login_org=text("org"),
        ca_file=text("verify") if isinstance(profile.get("verify"), str) else "",
        token_file=text(api_token.TOKEN_FILE),
    )
    session = replace(session, renew=api_token.renewal(profile, session))
    return session, not profile.get("disable_warnings")


def _login_line() -> str:
    return suggest.cse("login", "HOST", "ORGANIZATION", "USER")
