"""Logging in to VCD, and out of it: with a password, an API token, or a session that exists.

vcd-cli's own login knows no API version above 36.0 and no API tokens. Requests and answers:
VMware Cloud Director OpenAPI, "Sessions" (login since 33.0, "Logout Current Session" since 36.0),
and the guide's "Generate an API Access Token" (RFC 6749, section 6; since 36.1) with
go-vcloud-director:govcd/api_token.go for its addresses. API tokens do not expire, but are revoked;
the answer to a wrong one is `invalid_grant` (terraform-provider-vcd issue 905).
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from urllib.parse import quote

import requests

from cse_client import suggest
from cse_client.clock import SYSTEM_CLOCK, Clock
from cse_client.errors import CseError, NotFound, Refused, SessionInvalid, WrongUsage
from cse_client.model import Session, Vdc
from cse_client.plurals import counted
from cse_client.vcd import answers, errors
from cse_client.vcd.client import VcdClient
from cse_client.vcd.errors import Action
from cse_client.vcd.replies import Answer
from cse_client.vcd.transport import Transport
from cse_client.versions import version_key

__all__ = [
    "Login",
    "exchange",
    "log_out",
    "renew",
    "roughly",
    "seconds_ahead",
    "version_to_use",
]

#: The API versions that this client works with: of VCD 10.0 (the first with tokens of today's
#: form), and of 10.6.1.
_OLDEST, _NEWEST = (33, 0), (39, 1)
_API_TOKENS_SINCE = (36, 1)
_LOGOUT_SINCE = (36, 0)
_DAY, _HOUR, _MINUTE = 86400, 3600, 60
_RIGHT = "API Tokens: Manage"
_SYSTEM = "system"
_TOKEN_HEADER = "x-vmware-vcloud-access-token"  # noqa: S105 - a header's name
_JWT = re.compile(r"[\w-]+\.[\w-]+\.[\w-]+")


class Login:
    """One login: it begins by asking VCD for its versions, then one of the `by_...` logs in.

    `target` names the host and, as they were typed, the organization and the user (who may be
    empty); its CA file and `verify` are used, its token is not. Nothing is stored here.

    Raises:
        VcdFault: VCD cannot be reached, or its certificate cannot be verified.
        Refused: VCD and this client have no API version in common.
    """

    def __init__(self, target: Session, *, clock: Clock = SYSTEM_CLOCK) -> None:
        self._clock = clock
        nobody = replace(target, token="", api_version="", login_org=target.org)
        self._transport = Transport(nobody, clock)
        served = self._transport.served_versions()
        #: The HTTP date of VCD's answer; empty where it has none.
        self.server_time = self._transport.server_time
        self._newest = max(map(version_key, served), default=(0,))
        self._target = replace(nobody, api_version=_choose(served, target.host))

    def close(self) -> None:
        """Let go of the connections."""
        self._transport.close()

    def by_password(self, password: str) -> Session:
        """Log in with the user's password.

        Raises:
            SessionInvalid: VCD does not accept it.
        """
        target = self._target
        words = f"{target.user}@{target.org}:{password}".encode()
        provider = "/provider" if target.org.lower() == _SYSTEM else ""
        answer = self._transport.ask_json(
            "POST",
            f"{self._transport.origin}/cloudapi/1.0.0/sessions{provider}",
            Action("log in"),
            api_version=target.api_version,
            headers={"Authorization": f"Basic {b64encode(words).decode()}"},
        )
        if answer.status == requests.codes.unauthorized:
            raise SessionInvalid(
                f"VCD at {target.host} does not accept this password for user '{target.user}' of"
                f" organization '{target.org}'.",
                hint="Users with single sign-on or a second factor log in with an API token: "
                + suggest.cse("login", target.host, target.org),
            )
        if answer.status != requests.codes.ok:
            raise _refused(answer, target)
        token = answer.headers.get(_TOKEN_HEADER, "")
        if not token:
            raise errors.not_vcd("an answer without a token", Action("log in"), target, 200)
        return self._opened(token)

    def by_api_token(self, api_token: str) -> Session:
        """Exchange an API token for a session.

        Raises:
            SessionInvalid: VCD does not accept the token.
            Refused: the user may not use API tokens, or is another than the one named.
            WrongUsage: this VCD has no API tokens.
        """
        target = self._target
        if self._newest < _API_TOKENS_SINCE:
            raise WrongUsage(
                f"VCD at {target.host} does not have API tokens: they exist since release 10.3.1.",
                hint="Log in with a password: "
                + suggest.cse("login", target.host, target.org, target.user or "USER"),
            )
        return self._opened(exchange(self._transport, target, api_token))

    def by_session(self, text: str) -> Session:
        """Take over a session that exists, by its token as a browser has it.

        `text` may be the token itself, the value of an Authorization header, or a cookie.

        Raises:
            SessionInvalid: VCD does not know it.
        """
        found = _JWT.search(text)
        token = found.group() if found else text.strip().rpartition("=")[2] or text.strip()
        if not token or not token.isascii() or not token.isprintable() or " " in token:
            raise WrongUsage(
                "The text on stdin is not the token of a session.",
                hint="Pass the value of the cookie vcloud_jwt of your browser's session.",
            )
        try:
            return self._opened(token, is_jwt=found is not None)
        except SessionInvalid:
            raise SessionInvalid(
                f"VCD at {self._target.host} does not accept this session: it has ended, or the"
                " text is not the token of a session.",
                hint="Log in with your browser again, and pass the value of its cookie vcloud_jwt.",
            ) from None

    def vdc(self, session: Session, wanted: str, before: str) -> Vdc | None:
        """Return the VDC to use: `wanted` in any case, else the one used `before`, else the first.

        None where there is no VDC, and for system administrators, who choose an organization first.

        Raises:
            NotFound: there is no VDC `wanted`.
        """
        if session.login_org.lower() == _SYSTEM:
            return None
        with closing(VcdClient.attach(session, clock=self._clock)) as vcd:
            found = vcd.surroundings.vdcs()
        name = wanted or before
        exact = [one for one in found if one.name == name]
        alike = [one for one in found if one.name.lower() == name.lower()]
        if exact or len(alike) == 1:
            return (exact or alike)[0]
        if wanted:
            listed = ", ".join(one.name for one in found) or "none"
            raise NotFound(
                f"Organization '{session.org}' has no VDC '{wanted}'; available: {listed}."
            )
        return found[0] if found else None

    def _opened(self, token: str, *, is_jwt: bool = True) -> Session:
        """Return the session of a token, with the names as VCD spells them.

        Raises:
            Refused: it is somebody else's than the one named.
        """
        target = self._target
        session = replace(target, token=token, is_jwt=is_jwt)
        with closing(VcdClient.open(session, clock=self._clock)) as vcd:
            org, user, href = vcd.session.org_name, vcd.session.user_name, vcd.session.org_href
        if org.lower() != target.org.lower():
            raise Refused(
                f"The session belongs to organization '{org}', not to '{target.org}'.",
                hint=f"Log in to it: {suggest.cse('login', target.host, org)}",
            )
        if target.user and user.lower() != target.user.lower():
            raise Refused(
                f"The session belongs to user '{user}', not to '{target.user}'.",
                hint="Omit the user's name, or use the API token or the session of that user.",
            )
        return replace(session, org=org, login_org=org, user=user, org_href=href)


def exchange(transport: Transport, target: Session, api_token: str) -> str:
    """Return the token of a new session for an API token of the organization of `target`.

    Raises:
        SessionInvalid: VCD does not accept the API token.
        Refused: its user may not use API tokens.
    """
    org = target.login_org or target.org
    place = "provider" if org.lower() == _SYSTEM else f"tenant/{quote(org, safe='')}"
    answer = transport.ask_form(
        f"{transport.origin}/oauth/{place}/token",
        {"grant_type": "refresh_token", "refresh_token": api_token},
        Action("exchange the API token", right=_RIGHT),
        api_version=target.api_version,
    )
    if answer.status == requests.codes.ok:
        try:
            token = answers.read_json(answer.text.encode()).get("access_token")
        except ValueError:
            token = None
        if isinstance(token, str) and token.isascii() and token.isprintable():
            return token
        raise errors.not_vcd(
            "an answer without a token", Action("exchange the API token"), target, answer.status
        )
    if answer.status in (requests.codes.bad_request, requests.codes.unauthorized):
        raise SessionInvalid(
            f"VCD at {target.host} does not accept the API token for organization '{org}': it is"
            " wrong, was revoked, or belongs to another organization.",
            hint="Check the organization's name, or create a new token in VCD: User Preferences,"
            " API Tokens.",
        )
    raise _refused(answer, target)


def log_out(session: Session, *, clock: Clock = SYSTEM_CLOCK) -> None:
    """End a session in VCD; one that has ended already is no error.

    Raises:
        CseError: VCD cannot be reached, or refuses.
    """
    with closing(Transport(replace(session, renew=None), clock)) as transport:
        action = Action("end the session")
        if version_key(session.api_version) >= _LOGOUT_SINCE:
            url = f"{transport.cloudapi}/1.0.0/sessions/current"
            answer = transport.ask_json("DELETE", url, action)
            if answer.status not in (200, 204, 401):
                raise _refused(answer, session)
            return
        try:
            transport.delete(f"{transport.api}/session", action)
        except SessionInvalid:
            return


def seconds_ahead(server_time: str) -> float:
    """Return how far this machine's clock is ahead of an HTTP date; 0 where there is no date."""
    try:
        theirs = parsedate_to_datetime(server_time)
    except (TypeError, ValueError):
        return 0.0
    if theirs.tzinfo is None:
        theirs = theirs.replace(tzinfo=timezone.utc)
    return (datetime.now(timezone.utc) - theirs).total_seconds()


def roughly(seconds: float) -> str:
    """Return a duration of minutes or more in its largest unit, such as `2 hours`."""
    for unit, name in ((_DAY, "day"), (_HOUR, "hour"), (_MINUTE, "minute")):
        number = round(seconds / unit)
        if number:
            return counted(number, name)
    return "0 minutes"


def version_to_use(served: Sequence[str]) -> str:
    """Return the highest API version that both sides know; empty where there is none.

    `served` are VCD's, the newest first and the deprecated ones last: one of those is used only if
    there is no other.
    """
    known = (one for one in served if _OLDEST <= version_key(one) <= _NEWEST)
    return next(known, "")


def _choose(served: Sequence[str], host: str) -> str:
    version = version_to_use(served)
    if version:
        return version
    offered = ", ".join(served) or "none"
    oldest, newest = (".".join(map(str, one)) for one in (_OLDEST, _NEWEST))
    raise Refused(
        f"VCD at {host} offers no API version that this client knows ({oldest} to {newest}): it"
        f" offers {offered}."
    )


def _refused(answer: Answer, session: Session) -> CseError:
    return errors.from_reply(
        answer.status,
        answer.text.encode(),
        answer.content_type,
        answer.headers.get("x-vmware-vcloud-request-id", ""),
        Action("log in", right=_RIGHT),
        session,
    )


def renew(session: Session, api_token: str, *, clock: Clock = SYSTEM_CLOCK) -> str:
    """Return the token of a new session of the same user, who has an API token.

    Raises:
        SessionInvalid: VCD does not accept the API token, or it is another user's.
    """
    plain = replace(session, token="", renew=None)
    with closing(Transport(plain, clock)) as transport:
        token = exchange(transport, plain, api_token)
    fresh = replace(plain, token=token, is_jwt=True)
    with closing(VcdClient.open(fresh, clock=clock)) as vcd:
        org, user = vcd.session.org_name, vcd.session.user_name
    if (org.lower(), user.lower()) != (session.login_org.lower(), session.user.lower()):
        raise SessionInvalid(
            f"The session at {session.host} has expired, and the API token belongs to user"
            f" '{user}' of organization '{org}'.",
            hint=f"Log in again: {errors.login_line(session)}",
        )
    return token
