"""Versions, login and logout: what is asked before, or instead of, an open session."""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any

from cse_client.simulator.http import Request, Response
from cse_client.simulator.vcd.cloud import Cloud
from cse_client.simulator.vcd.documents import organization
from cse_client.simulator.vcd.documents.view import View, media
from cse_client.simulator.vcd.errors import VcdError
from cse_client.simulator.vcd.markup import serialize
from cse_client.simulator.vcd.people import Session, User, role_id
from cse_client.simulator.vcd.versions import key

__all__ = ["answer", "authenticate", "session_document", "versions"]

_JWT_LOGIN_SINCE = (36, 0)
_OLD_LOGIN_GONE = (38, 0)
_VERSIONS_NS = "http://www.vmware.com/vcloud/versions"


def versions(cloud: Cloud, request: Request) -> Response:
    """Answer /api/versions: needs no login and no version."""
    origin = f"https://{request.host}"
    release = cloud.release
    lines = [
        '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>',
        f'<SupportedVersions xmlns="{_VERSIONS_NS}">',
    ]
    for version in sorted((*release.current, *release.deprecated), key=key):
        deprecated = str(version in release.deprecated).lower()
        lines.append(f'  <VersionInfo deprecated="{deprecated}">')
        lines.append(f"    <Version>{version}</Version>")
        if key(version) >= _JWT_LOGIN_SINCE:
            base = f"{origin}/cloudapi/1.0.0/sessions"
            lines.append(f"    <LoginUrl>{base}</LoginUrl>")
            lines.append(f"    <ProviderLoginUrl>{base}/provider</ProviderLoginUrl>")
        else:
            lines.append(f"    <LoginUrl>{origin}/api/sessions</LoginUrl>")
        lines.append("  </VersionInfo>")
    for version in release.alpha:
        lines.append('  <AlphaVersion deprecated="false">')
        lines.append(f"    <Version>{version}</Version>")
        lines.append(f"    <LoginUrl>{origin}/cloudapi/1.0.0/sessions</LoginUrl>")
        lines.append("  </AlphaVersion>")
    lines.append("</SupportedVersions>")
    return Response(200, "\n".join(lines).encode(), "text/xml")


def answer(cloud: Cloud, request: Request, version: tuple[int, int]) -> Response | None:
    """Answer a request for a login or logout; None for any other."""
    path = request.path.rstrip("/")
    place = (request.method, path)
    if place == ("POST", "/cloudapi/1.0.0/sessions"):
        return _open_jwt(cloud, request)
    if place == ("POST", "/cloudapi/1.0.0/sessions/provider"):
        return _open_jwt(cloud, request, provider=True)
    old = path in ("/api/sessions", "/api/login") or place == ("DELETE", "/api/session")
    if old and version >= _OLD_LOGIN_GONE:
        raise VcdError(405, "METHOD_NOT_ALLOWED", f"{request.method} {path} was removed.")
    if place in (("POST", "/api/sessions"), ("POST", "/api/login")):
        return _open_classic(cloud, request, version)
    if place == ("DELETE", "/api/session"):
        cloud.sessions.close(authenticate(cloud, request).token)
        return Response(204)
    return None


def _open_jwt(cloud: Cloud, request: Request, *, provider: bool = False) -> Response:
    user = _credentials(cloud, request)
    if user.is_provider != provider:
        raise _unauthorized()
    session = cloud.sessions.open(user, jwt=True)
    return Response(
        200,
        json.dumps(session_document(cloud, session)).encode(),
        "application/json",
        # Real servers write these names in upper case.
        {
            "X-VMWARE-VCLOUD-ACCESS-TOKEN": session.token,
            "X-VMWARE-VCLOUD-TOKEN-TYPE": "Bearer",
        },
    )


def session_document(cloud: Cloud, session: Session) -> dict[str, Any]:
    """Return a session as the newer API shows it."""
    user = session.user
    org = cloud.org_of(user)
    reference = {"name": org.name, "id": f"urn:vcloud:org:{org.id}"}
    return {
        "id": f"urn:vcloud:session:{session.id}",
        "user": {"name": user.name, "id": f"urn:vcloud:user:{user.id}"},
        "org": reference,
        "operatingOrg": reference,
        "location": f"{org.id}@{org.id}",
        "roles": [user.role],
        "roleRefs": [{"name": user.role, "id": f"urn:vcloud:role:{role_id(user.role)}"}],
        "sessionIdleTimeoutMinutes": int(cloud.sessions.idle_timeout // 60),
    }


def _open_classic(cloud: Cloud, request: Request, version: tuple[int, int]) -> Response:
    user = _credentials(cloud, request)
    session = cloud.sessions.open(user, jwt=False)
    view = View(cloud, user, f"https://{request.host}", version)
    body = serialize(organization.session(view, session))
    headers = {
        "x-vcloud-authorization": session.token,
        "Set-Cookie": f"vcloud-token={session.token}; Secure; Path=/",
    }
    return Response(200, body, media("session"), headers)


def _credentials(cloud: Cloud, request: Request) -> User:
    """Return the user that Basic credentials `user@org:password` belong to, or raise 401."""
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    try:
        decoded = base64.b64decode(encoded, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError) as error:
        raise _unauthorized() from error
    name, _, password = decoded.partition(":")
    login, _, org = name.rpartition("@")
    users = {cloud.org.name.lower(): cloud.users, "system": cloud.providers}.get(org.lower(), {})
    user = users.get(login)
    if scheme.lower() != "basic" or user is None or user.password != password:
        raise _unauthorized()
    return user


def _unauthorized() -> VcdError:
    return VcdError(401, "UNAUTHORIZED", "Unauthorized")


def authenticate(cloud: Cloud, request: Request) -> Session:
    """Return the session that a request belongs to, or raise 401."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        token = request.headers.get("x-vcloud-authorization", "")
    session = cloud.sessions.find(token) if token else None
    if session is None:
        raise _unauthorized()
    return session
