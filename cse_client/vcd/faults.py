"""What went wrong on the way to VCD or in VCD, told in this project's own errors.

Nothing but `cse_client.errors` types (and the private `EntityBusy`, which is a `Conflict`) leaves
this module. No token, password or script ever gets into a message: VCD's texts are shortened, and
key material that a validator may have echoed is cut out.

Minor error codes and texts: recorded VCD answers; pyvcloud:pyvcloud/vcd/client.py
`_response_code_to_exception` for the statuses.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
from lxml import etree

from cse_client.errors import (
    Conflict,
    CseError,
    NotFound,
    Refused,
    SessionInvalid,
    VcdFault,
)
from cse_client.model import Session

__all__ = [
    "UNTRUSTED",
    "Action",
    "EntityBusy",
    "Said",
    "clean",
    "from_exception",
    "from_reply",
    "login_line",
    "offered_versions",
    "read_error",
    "version_key",
]

#: Our own code of a certificate that cannot be verified; trying again does not help.
UNTRUSTED = "UNTRUSTED_CERTIFICATE"

_UUID = r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
_REQUEST_ID = re.compile(rf"\[\s*(?P<id>{_UUID}(?:-[0-9A-Za-z]+)*)\s*\]\s*")
_TASK_ID = re.compile(rf"com\.vmware\.vcloud\.entity\.task:(?P<id>{_UUID})")
_PEM = re.compile(r"-----BEGIN[^-]*-----.*?(?:-----END[^-]*-----|$)", re.S)
_BLOB = re.compile(r"[A-Za-z0-9+/=_.-]{120,}")
_CREDENTIAL = re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9+/=_.-]+")
_OFFERED = re.compile(r"Supported API versions are:\s*\[(?P<list>.*)\]", re.S)
_ONE_OFFERED = re.compile(r"(?P<version>\d+\.\d+)(?P<alpha>[^\s,\]]*)\s*(?P<deprecated>\[D\])?")
_MAX_TEXT = 700

_TOO_MANY_REQUESTS = 429
_PROVIDERS_TROUBLE = "if it happens again, tell your provider the time and the request"
_WAY_BROKE_OFF = "check the network and the VPN, then run the same command again"


@dataclass(frozen=True)
class Action:
    """What was being done, for the sentence that a user reads.

    `doing` completes "cannot ...": "read the vApp demo". `right` is VCD's name of the right that
    the call needs, where one is known. `missing` names the thing that a 403 or 404 then means is
    not there (VCD answers 403 for ids that do not exist); empty means that a 403 is a refusal.
    """

    doing: str
    right: str = ""
    missing: str = ""
    changes: bool = False


@dataclass(frozen=True)
class Said:
    """VCD's own words about a failure, cleaned."""

    text: str = ""
    code: str = ""
    request_id: str = ""
    task_id: str = ""


class EntityBusy(Conflict):
    """BUSY_ENTITY: another change is at work; `task_id` names its task where VCD told it."""

    def __init__(self, message: str, *, task_id: str = "", hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.task_id = task_id


def clean(text: str, *, limit: int = _MAX_TEXT) -> tuple[str, str]:
    """Return VCD's text without its `[ request id ]` noise and secrets, and the request id."""
    found = _REQUEST_ID.search(text)
    text = _REQUEST_ID.sub("", text)
    text = _PEM.sub("<key removed>", text)
    text = _CREDENTIAL.sub(r"\1 <removed>", text)
    text = _BLOB.sub("<data removed>", text)
    text = " ".join(text.split())
    if len(text) > limit:
        text = text[:limit].rstrip() + " ..."
    return text, found.group("id") if found else ""


def read_error(element: etree._Element, *, limit: int = _MAX_TEXT) -> Said:
    """Read an `Error` element, of an answer's body or inside a Task."""
    raw = element.get("message") or ""
    busy = _TASK_ID.search(raw)
    text, request_id = clean(raw, limit=limit)
    return Said(
        text=text,
        code=element.get("minorErrorCode") or "",
        request_id=request_id,
        task_id=busy.group("id") if busy else "",
    )


def version_key(version: str) -> tuple[int, ...]:
    """Return an API version as numbers, so that 37.3 < 37.10 < 38.0."""
    return tuple(int(part) for part in re.findall(r"\d+", version))


def offered_versions(text: str) -> list[str]:
    """Read the versions that a 406 names; deprecated ones last, alphas left out."""
    found = _OFFERED.search(text)
    if not found:
        return []
    current: list[str] = []
    deprecated: list[str] = []
    for one in _ONE_OFFERED.finditer(found.group("list")):
        if not one.group("alpha"):
            (deprecated if one.group("deprecated") else current).append(one.group("version"))
    current.sort(key=version_key, reverse=True)
    deprecated.sort(key=version_key, reverse=True)
    return current + deprecated


def login_line(session: Session, version: str = "") -> str:
    """Return the `vcd login` line to type for this session."""
    words = ["vcd", "login", session.host, session.org, session.user]
    if not session.verify:
        words += ["-i", "-w"]
    if version:
        words += ["-V", version]
    return " ".join(words)


def version_refused(session: Session, offered: Sequence[str]) -> SessionInvalid:
    """Make the error for a VCD that does not serve the session's API version (406)."""
    message = f"VCD at {session.host} does not serve API version {session.api_version}"
    if not offered:
        return SessionInvalid(
            message,
            hint=f"log in again with a version it serves: {login_line(session, 'VERSION')}",
        )
    return SessionInvalid(
        f"{message}; it offers {', '.join(offered)}",
        hint=f"log in again: {login_line(session, offered[0])}",
    )


def from_reply(
    status: int,
    body: bytes,
    content_type: str,
    request_id: str,
    action: Action,
    session: Session,
) -> CseError:
    """Translate an HTTP answer that is not a success."""
    said = _said(body, content_type, request_id)
    if status == requests.codes.unauthorized:
        return SessionInvalid(
            f"the session at {session.host} has expired or is not valid (cannot {action.doing})",
            hint=f"log in again: {login_line(session)}",
        )
    if status == requests.codes.not_acceptable:
        return version_refused(session, offered_versions(body.decode("utf-8", "replace")))
    if said is None:
        return _not_from_vcd(status, content_type, request_id, action)
    if status == requests.codes.forbidden:
        return _forbidden(said, action)
    if status == requests.codes.not_found:
        return NotFound(_sentence(action.missing or f"cannot {action.doing}", said, "not found"))
    return _refusal(status, said, action)


def _said(body: bytes, content_type: str, request_id: str) -> Said | None:
    """Read VCD's own error body, XML or JSON; None when the answer is not VCD's."""
    text = body.strip()
    if text.startswith(b"{"):
        return _said_in_json(text, request_id)
    if not text.startswith(b"<") or "html" in content_type.lower():
        return None
    try:
        parser = etree.XMLParser(resolve_entities=False, no_network=True)
        root = etree.fromstring(text, parser)
    except etree.XMLSyntaxError:
        return None
    if etree.QName(root).localname != "Error":
        return None
    said = read_error(root)
    return said if said.request_id else Said(said.text, said.code, request_id, said.task_id)


def _said_in_json(text: bytes, request_id: str) -> Said | None:
    import json

    try:
        document: Any = json.loads(text)
    except ValueError:
        return None
    if not isinstance(document, dict):
        return None
    message, inner_id = clean(str(document.get("message") or ""))
    code = str(document.get("minorErrorCode") or "")
    return Said(message, code, inner_id or request_id) if message or code else None


def _forbidden(said: Said, action: Action) -> CseError:
    if action.missing:
        return NotFound(_sentence(action.missing, said, "does not exist, or is hidden from you"))
    hint = "an organization administrator can grant the right through your role"
    if action.right:
        hint = f'the right "{action.right}" is needed; {hint}'
    if "no access to entity" in said.text.lower():
        # what VCD says of things that are not there, as well as of those of others
        hint = f"it may have been deleted meanwhile; otherwise {hint}"
    return Refused(_sentence(f"VCD forbids you to {action.doing}", said), hint=hint)


def _refusal(status: int, said: Said, action: Action) -> CseError:
    sentence = _sentence(f"cannot {action.doing}", said)
    lower = said.text.lower()
    if said.code == "BUSY_ENTITY" or (status == requests.codes.bad_request and said.task_id):
        return EntityBusy(
            sentence,
            task_id=said.task_id,
            hint="another change is at work on it: try again when it has ended",
        )
    if said.code == "DUPLICATE_NAME" or status == requests.codes.conflict:
        return Conflict(sentence)
    if said.code == "OPERATION_LIMITS_EXCEEDED":
        return Refused(sentence, hint="too many of your operations are queued: try again later")
    if "quota" in lower or "insufficient" in lower:
        return Refused(sentence)
    if status == _TOO_MANY_REQUESTS:
        return VcdFault(sentence, status=status, request_id=said.request_id, repeatable=True)
    return VcdFault(
        sentence,
        hint=_PROVIDERS_TROUBLE if status >= requests.codes.server_error else "",
        status=status,
        code=said.code,
        request_id=said.request_id,
    )


def _not_from_vcd(status: int, content_type: str, request_id: str, action: Action) -> CseError:
    """Make the error for an answer without VCD's error body: empty, HTML, or anything else."""
    if status == requests.codes.forbidden:
        return _forbidden(Said(request_id=request_id), action)
    if status == requests.codes.not_found and action.missing:
        return NotFound(f"{action.missing} not found")
    what = f"HTTP {status} with an empty body"
    hint = ""
    if content_type:
        kind = content_type.partition(";")[0]
        what = f"HTTP {status} and {kind}, which is not a VCD answer"
        hint = "is a proxy in between? (HTTPS_PROXY, NO_PROXY)"
    return VcdFault(
        f"cannot {action.doing}: got {what}",
        hint=hint,
        status=status,
        request_id=request_id,
        outcome_unknown=action.changes and not 300 <= status < 500,  # noqa: PLR2004
        repeatable=status == _TOO_MANY_REQUESTS,
    )


def _sentence(subject: str, said: Said, default: str = "") -> str:
    text = said.text.rstrip(".") or default
    sentence = f"{subject}: {text}" if text else subject
    return f"{sentence} (request {said.request_id})" if said.request_id else sentence


def from_exception(error: Exception, action: Action, session: Session) -> CseError:
    """Translate what `requests` or lxml raised; never quotes the request itself."""
    host = session.host
    start = f"cannot {action.doing}: "
    if isinstance(error, requests.exceptions.SSLError):
        return _tls_fault(error, start, session)
    if isinstance(error, requests.exceptions.ConnectionError):
        # ProxyError and ConnectTimeout are among them.
        return _connection_fault(error, start, action, host)
    if isinstance(error, requests.exceptions.Timeout):
        return VcdFault(
            start + f"{host} did not answer in time",
            hint=_WAY_BROKE_OFF,
            outcome_unknown=action.changes,
        )
    if isinstance(error, (requests.exceptions.InvalidURL, requests.exceptions.MissingSchema)):
        return VcdFault(start + f"{host} is no valid host name", hint=login_line(session))
    if not isinstance(error, requests.exceptions.RequestException) and isinstance(error, OSError):
        return _no_ca_file(error, start)
    return VcdFault(
        start + f"talking to {host} failed ({type(error).__name__})",
        outcome_unknown=action.changes,
    )


def _no_ca_file(error: OSError, start: str) -> VcdFault:
    """Explain what `requests` raises before it sends anything: the CA file cannot be read."""
    named = [
        f"{variable}={os.environ[variable]}"
        for variable in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
        if os.environ.get(variable) and not Path(os.environ[variable]).exists()
    ]
    if not named:
        return VcdFault(start + f"{error.strerror or type(error).__name__}")
    return VcdFault(
        start + f"the file of trusted certificates does not exist ({', '.join(named)})",
        hint="set the variable to a file that exists, or unset it",
        code=UNTRUSTED,
    )


def _tls_fault(error: Exception, start: str, session: Session) -> VcdFault:
    text = str(error)
    if "CERTIFICATE_VERIFY_FAILED" not in text and "doesn't match" not in text:
        return VcdFault(start + f"no TLS connection to {session.host}", repeatable=True)
    found = re.search(r"certificate verify failed: ([^(\"']*)", text)
    reason = found.group(1).strip() if found else "it does not match"
    return VcdFault(
        start + f"the TLS certificate of {session.host} cannot be verified: {reason}",
        hint="name its CA file in REQUESTS_CA_BUNDLE, or log in with `vcd login -i`",
        code=UNTRUSTED,
    )


def _connection_fault(error: Exception, start: str, action: Action, host: str) -> VcdFault:
    if isinstance(error, requests.exceptions.ProxyError):
        return VcdFault(
            start + f"the proxy on the way to {host} does not work",
            hint="check HTTPS_PROXY and NO_PROXY",
            repeatable=True,
        )
    if isinstance(error, requests.exceptions.ConnectTimeout):
        return VcdFault(start + f"{host} does not accept connections in time", repeatable=True)
    text = str(error)
    if "NameResolutionError" in text or "getaddrinfo" in text or "Name or service" in text:
        return VcdFault(
            start + f"the host name {host} cannot be resolved",
            hint="check the name, the DNS and the VPN",
            repeatable=True,
        )
    if "NewConnectionError" in text or "Connection refused" in text:
        reason = "the connection was refused" if "refused" in text else "no connection"
        return VcdFault(
            start + f"{host} cannot be reached: {reason}",
            hint="check the host name, the network and the VPN",
            repeatable=True,
        )
    return VcdFault(
        start + f"the connection to {host} broke off",
        hint=_WAY_BROKE_OFF,
        outcome_unknown=action.changes,
    )
