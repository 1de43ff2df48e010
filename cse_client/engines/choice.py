"""Which engine carries a command out: a CSE server's where one answers, else the direct one."""

from __future__ import annotations

from cse_client.engines.base import Engine
from cse_client.engines.server.detect import ABSENT, DOWN, LEGACY, Detection, detect
from cse_client.engines.server.hints import without_server
from cse_client.errors import CseError, NotFound, SessionInvalid
from cse_client.model import Session
from cse_client.vcd.client import VcdClient

__all__ = ["choose_engine", "open_engine"]

_NO_SERVER = "no CSE server is registered in this cloud"


def choose_engine(session: Session, word: str) -> Engine:
    """Open the engine that `word` asks for: auto, direct or server.

    One request before the engine's own: `GET /api/cse/system`; none for `direct`. No answer is
    kept for the next command.

    Raises:
        SessionInvalid: the session has expired.
        VcdFault: VCD cannot be reached, or a server is registered but does not answer.
        NotFound: `server` was asked for and there is none.
    """
    from cse_client.engines.direct.engine import DirectEngine

    if word == "direct":
        opened = VcdClient.open(session)
        return DirectEngine(opened, session, reason=lambda: _why_direct(opened, session))
    vcd = VcdClient.attach(session)
    found = detect(vcd, session)
    if found.state == DOWN:
        raise found.down(session.host)
    if found.state != ABSENT:
        reason = found.seen if word == "auto" else f"chosen; {found.seen}"
        return open_engine(vcd, session, found, reason)
    if not session.login_org:
        vcd.session.identify()
    if word == "server":
        raise NotFound(
            f"VCD at {session.host} has no CSE server registered.", hint=without_server()
        )
    return DirectEngine(vcd, session, reason=lambda: _NO_SERVER)


def _why_direct(vcd: VcdClient, session: Session) -> str:
    """Return why the direct engine is used although nobody looked for a server; one request."""
    try:
        found = detect(vcd, session)
    except SessionInvalid:
        raise
    except CseError as error:
        return f"chosen; whether there is a CSE server is not known: {error.message}"
    if found.state == ABSENT:
        return _NO_SERVER
    if found.state == DOWN:
        return f"chosen; a CSE server is registered but does not answer ({found.seen})"
    return f"chosen, although a CSE server answers ({found.version})"


def open_engine(vcd: VcdClient, session: Session, found: Detection, reason: str) -> Engine:
    """Return the engine for the protocol that a present server speaks; no request.

    `reason` says why the server is used, for `system info`.
    """
    if found.protocol == LEGACY:
        from cse_client.engines.server.legacy.engine import LegacyEngine

        return LegacyEngine(vcd, session, found, reason=reason)
    from cse_client.engines.server.entities.engine import EntityEngine

    return EntityEngine(vcd, session, found, reason=reason)
