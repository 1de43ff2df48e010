"""What `vcd login` stored, and which engine was chosen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from cse_client import suggest
from cse_client.cli.options import ENGINES
from cse_client.errors import SessionInvalid, WrongUsage
from cse_client.model import Session

__all__ = ["chosen_before", "engine_option", "read_session", "stored_profile"]


_LOGIN = suggest.vcd("login", "HOST", "ORGANIZATION", "USER")


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
    """Return vcd-cli's profile; empty where there is none.

    Raises:
        SessionInvalid: the file cannot be read.
    """
    from vcd_cli.profiles import Profiles

    return _profile(Profiles.load().data)


def read_session(profile: Mapping[str, Any] | None = None) -> tuple[Session, bool]:
    """Return the session that `vcd login` stored, and whether to warn of unverified TLS.

    Raises:
        SessionInvalid: there is none, or the profiles file is damaged.
    """
    profile = stored_profile() if profile is None else profile
    token = profile.get("token")
    if not token:
        raise SessionInvalid("You are not logged in.", hint=f"Log in: {_LOGIN}")
    missing = [key for key in ("host", "org", "user", "api_version") if not profile.get(key)]
    if missing:
        raise SessionInvalid(
            f"The stored session is damaged: {', '.join(missing)} missing in"
            " ~/.vcd-cli/profiles.yaml.",
            hint=f"Log in again: {_LOGIN}",
        )

    def text(key: str) -> str:
        return str(profile.get(key) or "")

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
    )
    return session, not profile.get("disable_warnings")


def _profile(data: Any) -> dict[str, Any]:
    """Return the one profile that vcd-cli ever uses, which is called `default`."""
    if data is None or (isinstance(data, dict) and data.get("profiles") is None):
        return {}
    profiles = data.get("profiles") if isinstance(data, dict) else None
    if not isinstance(profiles, list) or not all(isinstance(p, dict) for p in profiles):
        raise SessionInvalid(
            "The file ~/.vcd-cli/profiles.yaml is damaged.",
            hint=f"Correct it as in profiles.example.yaml, or remove it. Then log in: {_LOGIN}",
        )
    return next((p for p in profiles if p.get("name") == "default"), {})
