"""API tokens: made by a user who is logged in, exchanged for sessions by programs.

Guide "API Access Tokens" (from API 36.1) and go-vcloud-director:govcd/api_token.go: a token is
registered (RFC 7591), its refresh token is given out once for the session that asks (RFC 7523), and
is exchanged for an access token as often as wanted (RFC 6749, section 6). These addresses need no
API version, and they answer in JSON; a wrong token is `invalid_grant` with VCD's own keys
(terraform-provider-vcd issue 905). API tokens do not expire, they are revoked; making them takes
the right "Manage user's own API token", whose name in the API is `API Tokens: Manage` (guide 10.6).
That a user without it cannot use an older token either is an assumption.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from typing import Any

from cse_client.simulator.http import Request, Response
from cse_client.simulator.vcd.cloud import Cloud
from cse_client.simulator.vcd.errors import VcdError, bad_request, not_found, not_implemented
from cse_client.simulator.vcd.login import authenticate
from cse_client.simulator.vcd.people import ApiToken, Right, User
from cse_client.simulator.vcd.query import parameters
from cse_client.simulator.vcd.versions import key

__all__ = ["answer"]

_SINCE = (36, 1)
_JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"


def answer(cloud: Cloud, request: Request) -> Response:
    """Answer a request below /oauth."""
    parts = request.path.strip("/").split("/")
    newest = max(key(version) for version in cloud.release.current)
    if newest < _SINCE or request.method != "POST" or len(parts) not in (3, 4):
        raise not_found(request.path)
    users = _users(cloud, parts[1:-1])
    if parts[-1] == "register":
        return _register(cloud, request, users)
    if parts[-1] == "token":
        return _exchange(cloud, request, users)
    raise not_implemented(f"{request.method} {request.path}")


def _users(cloud: Cloud, place: list[str]) -> Mapping[str, User]:
    """Return the users of `provider`, or of `tenant/NAME`."""
    if place == ["provider"]:
        return cloud.providers
    if place[0] == "tenant" and place[-1].lower() == cloud.org.name.lower():
        return cloud.users
    raise _invalid("invalid_client", f"The organization {place[-1]} is unknown.")


def _invalid(code: str, message: str) -> VcdError:
    return VcdError(400, code, message)


def _register(cloud: Cloud, request: Request, users: Mapping[str, User]) -> Response:
    session = authenticate(cloud, request)
    if session.user not in users.values():
        raise _invalid("invalid_client", "The session belongs to another organization.")
    if session.of_token:
        raise VcdError(403, "ACCESS_TO_RESOURCE_IS_FORBIDDEN", "API tokens cannot make API tokens.")
    session.user.require(Right.API_TOKENS)
    try:
        body = json.loads(request.body)
        name = body.pop("client_name")
    except (ValueError, KeyError, AttributeError) as error:
        raise bad_request("The request body names no client (client_name).") from error
    asked = {label for label, value in body.items() if value}
    if asked:
        raise not_implemented(f"{', '.join(sorted(asked))} of an API token")
    if any(one.user is session.user and one.name == name for one in cloud.api_tokens.values()):
        raise _invalid("DUPLICATE_NAME", f"There is an API token {name}.")
    token = ApiToken(name, session.user)
    cloud.api_tokens[token.id] = token
    return _json(
        {
            "client_name": name,
            "client_id": token.id,
            "grant_types": [_JWT_BEARER],
            "token_endpoint_auth_method": "none",
            "client_uri": None,
            "software_id": None,
            "software_version": None,
            "scope": None,
        }
    )


def _exchange(cloud: Cloud, request: Request, users: Mapping[str, User]) -> Response:
    form = parameters(request.body.decode("utf-8", "replace"))
    grant = form.get("grant_type")
    if grant == _JWT_BEARER:
        return _first(cloud, form, users)
    if grant != "refresh_token":
        raise _invalid("unsupported_grant_type", f"The grant type {grant} is not supported.")
    given = form.get("refresh_token", "")
    for token in cloud.api_tokens.values():
        known = token.refresh_token
        if (
            known
            and secrets.compare_digest(known.encode(), given.encode())
            and token.user in users.values()
        ):
            token.user.require(Right.API_TOKENS)
            return _access(cloud, token, None)
    raise _invalid("invalid_grant", "Invalid refresh token")


def _first(cloud: Cloud, form: Mapping[str, str], users: Mapping[str, User]) -> Response:
    """Give a token's refresh token out, once, to the session that the assertion proves."""
    session = cloud.sessions.find(form.get("assertion", ""))
    token = cloud.api_tokens.get(form.get("client_id", ""))
    mine = session is not None and token is not None and token.user is session.user
    if token is None or not mine or token.refresh_token or token.user not in users.values():
        raise _invalid("invalid_grant", "Invalid assertion or client")
    token.refresh_token = secrets.token_urlsafe(24)
    return _access(cloud, token, token.refresh_token)


def _access(cloud: Cloud, token: ApiToken, refresh_token: str | None) -> Response:
    session = cloud.sessions.open(token.user, jwt=True)
    session.of_token = True
    body = {
        "access_token": session.token,
        "token_type": "Bearer",
        "expires_in": int(cloud.sessions.lifetime),
        "refresh_token": refresh_token,
    }
    return _json(body)


def _json(body: Mapping[str, Any]) -> Response:
    return Response(200, json.dumps(body).encode(), "application/json")
