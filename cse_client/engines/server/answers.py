"""What a CSE server's bad answers mean, in this project's own errors.

Between the server and us stand VCD and maybe a proxy, and each has error shapes of its own: the
server's `{"message": {"minor error code": .., "error description": ..}}`, its flat
`{"message": text}` and its `{"CSE Server Busy": text}`; VCD's XML and JSON; anybody's HTML or
nothing at all (container-service-extension: container_service_extension/exception_handler.py,
client/response_processor.py; VCD's own answers recorded).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from cse_client import bounds, suggest
from cse_client.bounds import OutOfBounds
from cse_client.content import capitalized, describe, is_html
from cse_client.engines.server.hints import without_server
from cse_client.errors import (
    Conflict,
    CseError,
    NotFound,
    Refused,
    SessionInvalid,
    VcdFault,
    WrongUsage,
)
from cse_client.model import Session
from cse_client.vcd.errors import Action, clean, from_reply, is_vcd_error, login_line
from cse_client.vcd.replies import Answer

__all__ = ["AlreadySo", "CutOff", "Request", "ServerDown", "error_of", "json_of", "vcd_error_of"]

SUCCESS = (200, 201, 202, 204)
DOWN = (502, 503, 504)
CUT_OFF = 504
_BAD_REQUEST, _NOT_FOUND, _BUSY = 400, 404, 429
_REFUSED = (401, 403)
#: The server's text is shown whole; this only keeps a runaway answer from filling the screen.
_MOST_TEXT = 20_000

#: Minor codes of a missing or an unusable network (container-service-extension:
#: container_service_extension/minor_error_codes.py).
_NETWORK_CODES = (4008, 4009)
_FIRST_CODE, _LAST_CODE = 4000, 4029
#: What is missing is not what was asked for, but where or of what it should be (container-service-
#: extension: pyvcloud_utils.py `get_vdc`; pyvcloud's client.py; vcdbroker.py `get_template`).
_MISSING_PARENT = re.compile(
    r"(VDC|Org|Template) '.*' (?:not found in ORG|not found|at revision .* not found)",
    re.IGNORECASE,
)


class ServerDown(VcdFault):
    """A CSE server is registered with VCD but does not answer."""


class CutOff(VcdFault):
    """VCD, or a proxy, stopped waiting for the answer to a change: the server may carry it out.

    VCD's extension layer gives a server ten seconds. Follow the change by its effect.
    """


class AlreadySo(Conflict):
    """The server is enabled or disabled already; `text` is its sentence."""

    def __init__(self, message: str, text: str) -> None:
        super().__init__(message)
        self.text = text


@dataclass(frozen=True)
class Request:
    """What was asked for: `doing` completes "cannot ..."; `missing` names what may not exist.

    `asked` says who was asked, for answers that say nothing.
    """

    doing: str
    missing: str = ""
    changes: bool = False
    asked: str = "the CSE server"


def json_of(answer: Answer, request: Request) -> Any:
    """Return the JSON of a good answer; None for an empty one to a change.

    Raises:
        VcdFault: it is empty, or no JSON.
    """
    text = answer.text.strip()
    if not text and request.changes:
        return None
    if not text:
        raise VcdFault(
            f"Cannot {request.doing}: {request.asked} gave an empty answer.",
            hint=without_server(),
            status=answer.status,
        )
    try:
        return bounds.load_json(text)
    except OutOfBounds as error:
        raise VcdFault(
            f"Cannot {request.doing}: the answer of {request.asked} {error}.",
            status=answer.status,
            outcome_unknown=request.changes,
            lasting=True,
        ) from None
    except ValueError:
        kind = answer.content_type.partition(";")[0] or "text without a type"
        content = text.encode()
        if is_html(content):
            kind = describe(content)
        raise VcdFault(
            f"Cannot {request.doing}: got {kind} where {request.asked} answers JSON.",
            hint="Check whether a proxy answers instead (HTTPS_PROXY, NO_PROXY).",
            status=answer.status,
            outcome_unknown=request.changes,
            lasting=True,
        ) from None


def error_of(answer: Answer, request: Request, session: Session) -> CseError:
    """Translate an answer that is not a success."""
    document = _object(answer.text)
    said = document.get("message")
    if isinstance(said, dict) and ("error description" in said or "minor error code" in said):
        return _from_server(answer.status, said, request, session)
    if answer.status == _BUSY:
        return _busy(next((str(value) for value in document.values()), ""), request)
    if answer.status in DOWN:
        return _down(answer, request, session)
    if isinstance(said, str) and len(document) == 1:
        return VcdFault(f"Cannot {request.doing}: {_one_line(said)}.", status=answer.status)
    if answer.status == _NOT_FOUND and is_vcd_error(answer.text.encode()):
        return ServerDown(
            f"Cannot {request.doing}: VCD at {session.host} no longer has a CSE server.",
            hint=without_server(),
            status=answer.status,
        )
    return vcd_error_of(answer, request, session)


def vcd_error_of(answer: Answer, request: Request, session: Session) -> CseError:
    """Translate an answer of VCD's own that is not a success."""
    return from_reply(
        answer.status,
        answer.text.encode(),
        answer.content_type,
        answer.headers.get("x-vmware-vcloud-request-id", ""),
        Action(request.doing, missing=request.missing, changes=request.changes),
        session,
    )


def _from_server(status: int, said: dict[str, Any], request: Request, session: Session) -> CseError:
    """Read the server's own error. 2.6.1 answers 500 and -1 for nearly everything."""
    text = _one_line(said.get("error description"))
    code = said.get("minor error code")
    if code in _NETWORK_CODES:
        return _network_missing(code, text)
    sentence = f"Cannot {request.doing}: {text or 'the CSE server gives no reason'}."
    known = _by_text(status, text, sentence, request, session)
    if known is not None:
        return known
    if status == _BAD_REQUEST and isinstance(code, int) and _FIRST_CODE <= code <= _LAST_CODE:
        return WrongUsage(sentence)
    shown = "" if code in (None, -1) else f"CSE error {code}"
    return VcdFault(sentence, status=status, code=shown)


def _by_text(
    status: int, text: str, sentence: str, request: Request, session: Session
) -> CseError | None:
    """Classify an error by the server's text, which says more than its status; None if unknown."""

    def has(*phrases: str) -> bool:
        return any(phrase in text.lower() for phrase in phrases)

    error: CseError | None = None
    if has("status code: 401", "session token"):
        error = SessionInvalid(
            f"The session at {session.host} has expired or is not valid ({text}).",
            hint=f"Log in again: {login_line(session)}",
        )
    elif status in _REFUSED:
        error = Refused(sentence, hint="Ask a system administrator.")
    elif status == _BAD_REQUEST and has("is already enabled", "is already disabled"):
        error = AlreadySo(sentence, f"{text}.")
    elif status == _BAD_REQUEST and has("cannot stop cse while", "before it can be stopped"):
        error = Refused(sentence, hint=f"Disable it first: {suggest.cse('system disable')}")
    elif has("is not a valid upgrade target"):
        error = WrongUsage(sentence)
    elif status == _BAD_REQUEST and has("service is disabled"):
        enable = suggest.cse("system enable")
        line = suggest.without_server()
        hint = f"A system administrator can enable it: {enable}"
        hint += f". Without the server: {line}" if line else ""
        error = Refused(sentence, hint=hint)
    elif has("forbidden", "missing required rights", "access denied"):
        error = Refused(sentence, hint="An organization administrator can grant the right.")
    elif has("already exists"):
        error = Conflict(sentence)
    elif (missing := _MISSING_PARENT.match(text)) is not None:
        noun = missing[1].lower()
        lists = {
            "template": suggest.cse("template list"),
            "org": suggest.vcd("org list"),
            "vdc": suggest.vcd("vdc list"),
        }
        error = NotFound(sentence, hint=f"List them: {lists[noun]}")
    elif request.missing and has("not found", "does not exist"):
        error = _not_found(request.missing, text)
    return error


def _not_found(missing: str, text: str) -> NotFound:
    """Make the error for a missing object; the server's text is quoted where it adds something."""
    sentence = f"{capitalized(missing)} was not found"
    repeated = set(sentence.lower().split()) | {"in", "does", "exist"}
    detail = "" if set(text.lower().rstrip(".").split()) <= repeated else f": {text}"
    hint = f"List the clusters: {suggest.cse('cluster list')}" if "cluster " in missing else ""
    return NotFound(f"{sentence}{detail}.", hint=hint)


def _network_missing(code: object, text: str) -> WrongUsage:
    missing = code == _NETWORK_CODES[0]
    what = "Missing option" if missing else "Invalid or missing value for option"
    said = f" ({text})" if text and not missing else ""
    return WrongUsage(
        f"{what} '-n' / '--network'{said}.",
        hint=f"`{suggest.vcd('network list')}` shows the networks of the VDC.",
    )


def _busy(text: str, request: Request) -> VcdFault:
    detail = f": {_one_line(text)}" if text else ""
    return VcdFault(
        f"Cannot {request.doing}: the CSE server is busy{detail}.",
        hint="Try again later.",
        status=_BUSY,
        repeatable=True,
    )


def _down(answer: Answer, request: Request, session: Session) -> VcdFault:
    if request.changes:
        # a proxy says 502 or 503 about a request that it may have passed on
        stopped = "VCD stopped" if answer.status == CUT_OFF else "A proxy stopped"
        return CutOff(
            f"{stopped} waiting for the CSE server ({request.doing}).",
            status=answer.status,
            outcome_unknown=True,
        )
    return ServerDown(
        f"Cannot {request.doing}: a CSE server is registered with VCD at {session.host} but does "
        "not answer.",
        hint=without_server(),
        status=answer.status,
    )


def _object(text: str) -> dict[str, Any]:
    try:
        document = bounds.load_json(text)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _one_line(text: Any) -> str:
    """Return the server's text whole, in one line and without key material."""
    return clean(str(text or ""), limit=_MOST_TEXT)[0].rstrip(".")
