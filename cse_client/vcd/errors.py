"""What went wrong on the way to VCD or in VCD, as this project's own errors.

Nothing but `cse_client.errors` types (and the private `EntityBusy`, which is a `Conflict`) leaves
this module. No token, password or script ever gets into a message: VCD's texts are shortened, and
key material that a validator may have echoed is cut out.

Minor error codes and texts: recorded VCD answers; pyvcloud:pyvcloud/vcd/client.py
`_response_code_to_exception` for the statuses.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import requests
from lxml import etree

from cse_client import bounds, suggest
from cse_client.bounds import OutOfBounds
from cse_client.content import capitalized, describe, is_html
from cse_client.errors import (
    Conflict,
    CseError,
    NotFound,
    Refused,
    SessionInvalid,
    VcdFault,
)
from cse_client.model import Session
from cse_client.vcd import answers
from cse_client.versions import version_key

__all__ = [
    "EDIT_RIGHT",
    "LATE",
    "Action",
    "EntityBusy",
    "VcdMessage",
    "clean",
    "cure",
    "from_reply",
    "is_vcd_error",
    "login_line",
    "not_vcd",
    "offered_versions",
    "out_of_bounds",
    "read_error",
]

#: Our own code of an answer that took too long.
LATE = "LATE"

_UUID = r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
_REQUEST_ID = re.compile(rf"\[\s*(?P<id>{_UUID}(?:-[0-9A-Za-z]+)*)\s*\]\s*")
_TASK_ID = re.compile(rf"com\.vmware\.vcloud\.entity\.task:(?P<id>{_UUID})")
_PEM = re.compile(r"-----BEGIN[^-]*-----.*?(?:-----END[^-]*-----|$)", re.S)
_BLOB = re.compile(r"[A-Za-z0-9+/=_.-]{120,}")
_CREDENTIAL = re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9+/=_.-]+")
_OFFERED = re.compile(r"Supported API versions are:\s*\[(?P<list>.*)\]", re.S)
_ONE_OFFERED = re.compile(r"(?P<version>\d+\.\d+)(?P<alpha>[^\s,\]]*)\s*(?P<deprecated>\[D\])?")
_MAX_TEXT = 700
#: The right to change metadata and settings of vApps and templates.
EDIT_RIGHT = "vApp: Edit Properties"
_VCLOUD = "http://www.vmware.com/vcloud/v1.5"

_TOO_MANY_REQUESTS = 429
_PROVIDERS_TROUBLE = "If it happens again, report the time and the request to your provider."
_PROXY_BETWEEN = "Check whether a proxy answers instead (HTTPS_PROXY, NO_PROXY)."


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
class VcdMessage:
    """VCD's own message about a failure, cleaned."""

    text: str = ""
    code: str = ""
    request_id: str = ""
    task_id: str = ""


class EntityBusy(Conflict):
    """BUSY_ENTITY: another change is at work; `task_id` names its task where VCD names it."""

    def __init__(self, message: str, *, task_id: str = "", hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.task_id = task_id


def cure(text: str) -> str:
    """Return what helps against a failure that VCD describes like this; mostly empty.

    Disks of linked clones: kubernetes-sigs/cluster-api-provider-vsphere#1189 has vSphere's text.
    """
    lower = text.lower()
    if "disks with parents" in lower or "linked clone" in lower:
        return (
            "The org VDC uses fast provisioning, with which the disks of new VMs cannot grow: omit"
            " --disk-size, or have the provider disable it."
        )
    return ""


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


def read_error(element: etree._Element, *, limit: int = _MAX_TEXT) -> VcdMessage:
    """Read an `Error` element, of an answer's body or inside a Task."""
    raw = element.get("message") or ""
    busy = _TASK_ID.search(raw)
    text, request_id = clean(raw, limit=limit)
    return VcdMessage(
        text=text,
        code=element.get("minorErrorCode") or "",
        request_id=request_id,
        task_id=busy.group("id") if busy else "",
    )


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


def login_line(session: Session, version: str = "", *, org: str = "", ca_file: str = "") -> str:
    """Return the line to type to log in to what this session was logged in to.

    Only vcd-cli logs in without verifying certificates; it takes the API version to use.
    """
    # an administrator of the provider may have another organization in use than his own
    org = org or session.login_org or session.org
    if not session.verify:
        return suggest.vcd(
            "login",
            session.host,
            org,
            session.user,
            no_verify_ssl_certs=True,
            disable_warnings=True,
            version=version,
        )
    if session.token_file or not session.user:
        file = session.token_file
        return suggest.cse("login", session.host, org, token_file=file, ca_file=ca_file)
    return suggest.cse("login", session.host, org, session.user, ca_file=ca_file)


def version_refused(session: Session, offered: Sequence[str]) -> SessionInvalid:
    """Make the error for a VCD that does not serve the session's API version (406)."""
    message = f"VCD at {session.host} does not serve API version {session.api_version}"
    if not offered:
        return SessionInvalid(
            f"{message}.",
            hint=f"Log in again: {login_line(session, 'VERSION')}",
        )
    return SessionInvalid(
        f"{message}; it offers {', '.join(offered)}.",
        hint=f"Log in again: {login_line(session, offered[0])}",
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
            f"The session at {session.host} has expired or is not valid (cannot {action.doing}).",
            hint=f"Log in again: {login_line(session)}",
        )
    if status == requests.codes.not_acceptable:
        return version_refused(session, offered_versions(body.decode("utf-8", "replace")))
    if said is None:
        return _not_from_vcd(status, body, content_type, request_id, action)
    if status == requests.codes.forbidden:
        return _forbidden(said, action)
    if status == requests.codes.not_found:
        return NotFound(_sentence(action.missing or f"cannot {action.doing}", said, "not found"))
    return _refusal(status, said, action)


def is_vcd_error(body: bytes) -> bool:
    """Return whether this is VCD's own error document, in XML or in JSON, and nobody else's.

    Other programs have JSON with a `message` as well; the minor error code is VCD's.
    """
    text = body.strip()
    try:
        if text.startswith(b"{"):
            return isinstance(answers.read_json(text).get("minorErrorCode"), str)
        return etree.QName(answers.read_xml(text, ("Error",))).namespace == _VCLOUD
    except ValueError:
        return False


def _said(body: bytes, content_type: str, request_id: str) -> VcdMessage | None:
    """Read VCD's own error body, XML or JSON; None when the answer is not VCD's."""
    text = body.strip()
    if text.startswith(b"{"):
        return _said_in_json(text, request_id)
    try:
        root = answers.read_xml(body)
    except ValueError:
        return None
    if etree.QName(root).localname != "Error":
        return None
    said = read_error(root)
    return said if said.request_id else VcdMessage(said.text, said.code, request_id, said.task_id)


def _said_in_json(text: bytes, request_id: str) -> VcdMessage | None:
    try:
        document: Any = bounds.load_json(text)
    except ValueError:
        return None
    if not isinstance(document, dict):
        return None
    message, inner_id = clean(str(document.get("message") or ""))
    code = str(document.get("minorErrorCode") or "")
    return VcdMessage(message, code, inner_id or request_id) if message or code else None


def _forbidden(said: VcdMessage, action: Action) -> CseError:
    if action.missing:
        return NotFound(_sentence(f"{action.missing} does not exist, or is hidden from you", said))
    hint = "an organization administrator can grant the right through your role."
    if action.right:
        hint = f'the right "{action.right}" is required; {hint}'
    if "no access to entity" in said.text.lower():
        # what VCD says of things that are not there, as well as of those of others
        hint = f"it may have been deleted meanwhile; otherwise {hint}"
    return Refused(_sentence(f"VCD forbids you to {action.doing}", said), hint=hint)


def _refusal(status: int, said: VcdMessage, action: Action) -> CseError:
    sentence = _sentence(f"cannot {action.doing}", said)
    lower = said.text.lower()
    if said.code == "BUSY_ENTITY" or (status == requests.codes.bad_request and said.task_id):
        return EntityBusy(
            sentence,
            task_id=said.task_id,
            hint="Another task is changing it. Try again when that task has ended.",
        )
    if said.code == "DUPLICATE_NAME" or status == requests.codes.conflict:
        return Conflict(sentence)
    if said.code == "OPERATION_LIMITS_EXCEEDED":
        return Refused(sentence, hint="Too many of your operations are queued: try again later.")
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


def _not_from_vcd(
    status: int,
    body: bytes,
    content_type: str,
    request_id: str,
    action: Action,
) -> CseError:
    """Make the error for an answer without VCD's error body: empty, HTML, or anything else.

    A page of HTML is never VCD's word that something is missing or forbidden.
    """
    page = is_html(body, content_type)
    if status == requests.codes.forbidden and not page:
        return _forbidden(VcdMessage(request_id=request_id), action)
    if status == requests.codes.not_found and action.missing and not page:
        return NotFound(f"{capitalized(action.missing)} not found.")
    what = f"HTTP {status} with an empty body"
    hint = ""
    if body.strip() or content_type:
        kind = content_type.partition(";")[0] or describe(body)
        what = f"HTTP {status} and {kind}, which is not a VCD answer"
        hint = _PROXY_BETWEEN
    return VcdFault(
        f"Cannot {action.doing}: got {what}.",
        hint=hint,
        status=status,
        request_id=request_id,
        outcome_unknown=action.changes and not 400 <= status < 500,  # noqa: PLR2004
        repeatable=status == _TOO_MANY_REQUESTS,
    )


def _sentence(subject: str, said: VcdMessage, default: str = "") -> str:
    """Return `subject` and VCD's text, or `default` where VCD gave none, as a sentence."""
    text = said.text.rstrip(".") or default
    request = f" (request {said.request_id})" if said.request_id else ""
    return capitalized(f"{subject}: {text}" if text else subject) + request + "."


def not_vcd(what: str, action: Action, session: Session, status: int) -> VcdFault:
    """Make the error for an answer that is not VCD's; `what` describes it."""
    return VcdFault(
        f"Cannot {action.doing}: {session.host} does not answer like VMware Cloud Director"
        f" ({what}).",
        hint=f"Check the host name. {_PROXY_BETWEEN}",
        status=status,
        outcome_unknown=action.changes,
        lasting=True,
    )


def out_of_bounds(
    error: OutOfBounds, action: Action, session: Session, status: int = 0
) -> VcdFault:
    """Make the error for an answer that exceeds a bound."""
    return VcdFault(
        f"Cannot {action.doing}: the answer of {session.host} {error}.",
        status=status,
        outcome_unknown=action.changes,
        lasting=True,
    )
