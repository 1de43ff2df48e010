"""Is there a CSE server, and which protocol does it speak?

One request, at every command: an answer that was kept would hide or show the wrong commands after
the provider has changed something (container-service-extension 3.0.1 does that until the next
login). The server's own version decides, never the API versions that VCD offers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cse_client import bounds
from cse_client.content import describe, is_html
from cse_client.engines.server.answers import Request, error_of
from cse_client.engines.server.extension import BASE
from cse_client.engines.server.hints import without_server
from cse_client.errors import CseError, SessionInvalid, VcdFault
from cse_client.model import Session
from cse_client.vcd.client import VcdClient
from cse_client.vcd.errors import Action, is_vcd_error, not_vcd
from cse_client.vcd.replies import Answer
from cse_client.versions import version_key

__all__ = ["ABSENT", "DOWN", "ENTITIES", "LEGACY", "PRESENT", "Detection", "detect"]

ABSENT, DOWN, PRESENT = "absent", "down", "present"
LEGACY, ENTITIES = "legacy", "entities"

#: API versions of CSE servers whose protocol we know; from 35.0 on clusters are entities.
_LEGACY_VERSIONS = ("33.0", "34.0")
_ENTITY_VERSIONS = ("35.0", "36.0")

_OK, _UNAUTHORIZED, _TOO_MANY = 200, 401, 429
_SILENT = (502, 503, 504)
_ABSENT_STATUS = (403, 404, 406)
_NO_REPLY = 504
_PASSING = (429, 500, 502, 503)
_TRIES = 3
_PAUSE = 0.3
_LONGEST_PAUSE = 5.0


@dataclass(frozen=True)
class Detection:
    """What was found at `/api/cse/system`.

    `state` is `absent`, `down` or `present`; `seen` completes "...: " for people. For a present
    server: its `version`, the `protocol` (`legacy` or `entities`), the `api_version` to name in
    Accept, and the `document` that it answered with.
    """

    state: str
    seen: str
    version: str = ""
    protocol: str = ""
    api_version: str = ""
    document: Mapping[str, Any] = field(default_factory=dict)

    @property
    def release(self) -> str:
        """Return the server's release and the API version that is used with it, for messages."""
        return f"CSE server {self.version} at API {self.api_version}"

    def down(self, host: str) -> VcdFault:
        """Make the error for a server that is registered but does not answer."""
        return VcdFault(
            f"A CSE server is registered with VCD at {host} but does not answer ({self.seen}).",
            hint=without_server(),
        )


def detect(vcd: VcdClient, session: Session) -> Detection:
    """Ask once; again only where the connection fails or a proxy or VCD is in trouble.

    Raises:
        SessionInvalid: the session has expired.
        VcdFault: VCD cannot be reached, or a proxy answers instead.
        CseError: the server speaks no protocol that we know.
    """
    answer = _ask(vcd)
    request = Request("open the session")
    if answer.status == _UNAUTHORIZED:
        error = error_of(answer, request, session)
        raise error if isinstance(error, SessionInvalid) else SessionInvalid(error.message)
    if answer.status in _ABSENT_STATUS:
        if not is_vcd_error(answer.text.encode()):
            raise _foreign(answer, session)
        # 406: VCD does not serve the session's API version, which its own calls explain better.
        return Detection(ABSENT, f"VCD has no CSE server registered (HTTP {answer.status})")
    if answer.status == _TOO_MANY:
        raise error_of(answer, request, session)
    content = answer.text.encode()
    if answer.status == _OK and is_html(content):
        raise not_vcd(describe(content), Action("open the session"), session, answer.status)
    document = _object(answer.text)
    if answer.status != _OK or "version" not in document:
        return Detection(DOWN, _what_came(answer))
    return _present(document, session)


def _ask(vcd: VcdClient) -> Answer:
    for left in reversed(range(_TRIES)):
        pause = _PAUSE
        try:
            answer = vcd.session.ask_json("GET", f"{BASE}/system", "open the session")
            if not left or not _passing(answer):
                return answer
            retry_after = answer.headers.get("retry-after", "")
            pause = min(float(retry_after), _LONGEST_PAUSE) if retry_after.isdigit() else _PAUSE
        except VcdFault as fault:
            if not left or fault.lasting:
                raise
        vcd.clock.sleep(pause)
    raise AssertionError("unreachable")


def _passing(answer: Answer) -> bool:
    """Return whether another answer may come a moment later.

    Not after a JSON 504: VCD's extension layer has waited ten seconds for the server already.
    """
    if answer.status == _NO_REPLY:
        return not _object(answer.text)
    return answer.status in _PASSING


def _present(document: Mapping[str, Any], session: Session) -> Detection:
    """Choose protocol and API version by what the server says of itself."""
    version = str(document["version"])
    said = f"CSE server {version} answers"
    if version.startswith("2."):
        return Detection(PRESENT, said, version, LEGACY, session.api_version, document)
    served = document.get("cse_server_supported_api_versions")
    if isinstance(served, list):
        legacy = document.get("cse_server_running_in_legacy_mode") is True
        wanted = _LEGACY_VERSIONS if legacy else _ENTITY_VERSIONS
        offered = [str(one) for one in served]
        fitting = sorted((one for one in offered if one in wanted), key=version_key)
    else:
        offered = [str(document.get("cse_server_api_version") or "none")]
        fitting = [one for one in offered if one in (*_LEGACY_VERSIONS, *_ENTITY_VERSIONS)]
    if not fitting:
        raise CseError(
            f"CSE server {version} uses API version {', '.join(offered)}, which this client "
            "does not support.",
            hint=without_server(),
        )
    chosen = fitting[-1]
    protocol = LEGACY if chosen in _LEGACY_VERSIONS else ENTITIES
    return Detection(PRESENT, said, version, protocol, chosen, document)


def _foreign(answer: Answer, session: Session) -> VcdFault:
    """Make the error for a refusal that is not VCD's, which tells nothing of VCD's extensions."""
    what = describe(answer.text.encode(), answer.content_type)
    return VcdFault(
        f"Cannot ask VCD at {session.host} for a CSE server: GET {BASE}/system was answered with"
        f" HTTP {answer.status} and {what}, which is not VCD's answer.",
        hint=f"Check whether a proxy answers instead (HTTPS_PROXY, NO_PROXY). {without_server()}",
        lasting=True,
    )


def _what_came(answer: Answer) -> str:
    if answer.status in _SILENT:
        return f"HTTP {answer.status}"
    if not answer.text.strip():
        return f"HTTP {answer.status} with an empty body"
    kind = answer.content_type.partition(";")[0] or "no type"
    return f"HTTP {answer.status} with {kind}, which is not an answer of a CSE server"


def _object(text: str) -> dict[str, Any]:
    try:
        document = bounds.load_json(text)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}
