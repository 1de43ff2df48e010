"""`vcd cse login` and `vcd cse logout`: sessions for every command of vcd-cli and this client."""

from __future__ import annotations

import stat
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cse_client import profiles, suggest
from cse_client.cli import api_token, trust
from cse_client.cli.profile import stored_profile
from cse_client.cli.run import Run, command
from cse_client.errors import CseError, WrongUsage
from cse_client.model import Session

if TYPE_CHECKING:
    from cse_client.vcd.login import Login

__all__ = ["login_command", "logout_command"]

#: Seconds by which clocks may differ before anything suffers from it.
_CLOCKS = 300
_MOST_BYTES = 65536
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


@click.command("login")
@click.argument("host", metavar="HOST")
@click.argument("org", metavar="ORG")
@click.argument("user", metavar="[USER]", required=False, default="")
@click.option("-v", "--vdc", default="", metavar="NAME", help="Org VDC to use. Default: the first.")
@click.option(
    "--token-file",
    default="",
    metavar="FILE",
    help="File with an API token. The session renews itself while the file is there.",
)
@click.option(
    "--session-stdin",
    is_flag=True,
    help="Read the token of a session, such as your browser's, from stdin.",
)
@click.option(
    "--ca-file",
    default="",
    metavar="FILE",
    help="PEM file with the CA of HOST. A copy is kept; no other CA is trusted for HOST.",
)
@command
def login_command(
    run: Run,
    host: str,
    org: str,
    user: str,
    vdc: str,
    token_file: str,
    session_stdin: bool,
    ca_file: str,
) -> None:
    """Log in to VMware Cloud Director.

    With USER, asks for the password. Without USER, uses an API token: that of --token-file, of the
    environment variable CSE_API_TOKEN, or the one that you enter when asked. Users with single
    sign-on or a second factor create an API token in VCD (User Preferences, API Tokens; VCD 10.3.1
    or later) or pass their browser's session.

    The session is stored in ~/.vcd-cli/profiles.yaml, for all commands of `vcd` too. The newest API
    version that both sides know is used.

    \b
    Examples
        vcd cse login vcd.example.com acme alice
        vcd cse login vcd.example.com acme --token-file ~/.vcd-token
        vcd cse login vcd.example.com acme --session-stdin < session.txt
        vcd cse login vcd.example.com acme alice --ca-file ca.pem
    """
    from cse_client.model.hosts import host_of
    from cse_client.vcd.login import Login

    host = host_of(host)
    if token_file and session_stdin:
        raise WrongUsage("Use either --token-file or --session-stdin.")
    file = Path(token_file).expanduser().absolute() if token_file else None
    secret = api_token.read_token_file(file) if file else ""
    certificates = trust.read_ca_file(Path(ca_file).expanduser()) if ca_file else ""
    known = trust.pinned(host)
    trusted = str(Path(ca_file).expanduser().absolute()) if ca_file else str(known or "")
    profile = stored_profile()
    target = Session(host, org, user, "", "", ca_file=trusted, token_file=str(file or ""))
    with closing(Login(target)) as login:
        _compare_clocks(run, login)
        session = _open(run, login, target, secret, session_stdin=session_stdin)
        same = (profile.get("host"), profile.get("org")) == (host, session.org)
        before = str(profile.get("vdc_in_use") or "") if same else ""
        used = login.vdc(session, vdc, before)
    if certificates:
        session = replace(session, ca_file=str(trust.pin(host, certificates)))
    if file is not None:
        _warn_of_readers(run, file)
    profiles.change(_stored(session, used.name if used else "", used.href if used else "", file))
    where = f"organization {session.org}" + (f", VDC {used.name}" if used else "")
    run.console.sentence(
        f"Logged in to {host} as {session.user} ({where}; API {session.api_version}).",
        {
            "logged_in": True,
            "host": host,
            "org": session.org,
            "user": session.user,
            "vdc": used.name if used else "",
            "api_version": session.api_version,
        },
    )


@click.command("logout")
@command
def logout_command(run: Run) -> None:
    """Log out, and remove what login stored.

    Ends the session in VCD, and removes its token, the path of the API token file and the pinned CA
    from this machine. The API token itself stays valid until it is revoked in VCD.
    """
    from cse_client.cli.profile import read_session
    from cse_client.vcd.login import log_out

    profile = stored_profile()
    host = str(profile.get("host") or "")
    if not profile.get("token"):
        trust.forget(host)
        run.console.sentence("You are not logged in.", {"logged_in": False})
        return
    session, _warn = read_session(profile)
    try:
        log_out(session)
    except CseError as error:
        run.console.warning(f"The session could not be ended in VCD: {error.message}")
    verified = profile.get("verify") is not False
    profiles.change({"token": "", api_token.TOKEN_FILE: None, "verify": verified})
    trust.forget(host)
    run.console.sentence(
        f"Logged out of {host}.", {"logged_in": False, "host": host, "user": session.user}
    )


def _open(run: Run, login: Login, target: Session, secret: str, *, session_stdin: bool) -> Session:
    """Log in with what was given, or what the user enters."""
    if session_stdin:
        return login.by_session(_session_on_stdin(run))
    secret = secret or api_token.from_environment()
    if secret:
        return login.by_api_token(secret)
    what = f"Password of {target.user}" if target.user else "API token"
    if not run.console.can_ask():
        raise WrongUsage(
            f"There is no terminal on which to ask for the {what.lower()}.",
            hint="Use an API token: "
            + suggest.cse("login", target.host, target.org, token_file="FILE"),  # noqa: S106
        )
    entered = run.console.ask_secret(what)
    return login.by_password(entered) if target.user else login.by_api_token(entered.strip())


def _session_on_stdin(run: Run) -> str:
    if run.console.can_ask():
        return run.console.ask_secret("Token of the session")
    text = sys.stdin.read(_MOST_BYTES).strip() if sys.stdin is not None else ""
    if not text:
        raise WrongUsage(
            "There is no session's token on stdin.",
            hint="Pass the value of the cookie vcloud_jwt of your browser's session.",
        )
    return text


def _compare_clocks(run: Run, login: Login) -> None:
    from cse_client.vcd.login import roughly, seconds_ahead

    ahead = seconds_ahead(login.server_time)
    if abs(ahead) < _CLOCKS:
        return
    run.console.warning(
        f"The clock of this machine is {roughly(abs(ahead))}"
        f" {'ahead of' if ahead > 0 else 'behind'} VCD's: set it before you create clusters, or"
        " their certificates are not valid in time."
    )


def _warn_of_readers(run: Run, file: Path) -> None:
    if file.stat().st_mode & _OTHERS:
        fix = suggest.program("chmod", "600", str(file))
        run.console.warning(f"Other users can access the API token file {file}. To fix it: {fix}")


def _stored(session: Session, vdc: str, vdc_href: str, file: Path | None) -> dict[str, object]:
    """Return what vcd-cli's login stores (vcd_cli/profiles.py `update`), and what is ours.

    Its logging of requests, which would write the token to vcd.log, is off.
    """
    return {
        "host": session.host,
        "org": session.org,
        "user": session.user,
        "token": session.token,
        "is_jwt_token": session.is_jwt,
        "api_version": session.api_version,
        "verify": session.ca_file or True,
        "log_request": False,
        "log_header": False,
        "log_body": False,
        "disable_warnings": False,
        "org_in_use": session.org,
        "vdc_in_use": vdc,
        "vapp_in_use": "",
        "org_href": session.org_href,
        "vdc_href": vdc_href,
        "vapp_href": "",
        api_token.TOKEN_FILE: str(file) if file else None,
    }
