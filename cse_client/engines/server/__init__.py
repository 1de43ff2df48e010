"""The server engine: the same commands carried out by a CSE server behind VCD's `/api/cse`.

`detect` finds the server and the protocol that it speaks, `extension` talks to it, `waiting`
follows what it started; `legacy` speaks the protocol of 2.x (and of 3.x in legacy mode), `entities`
that of 3.x.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cse_client import suggest

if TYPE_CHECKING:
    from cse_client.engines.base import Engine
    from cse_client.engines.server.detect import Detection
    from cse_client.model import Session
    from cse_client.vcd.client import VcdClient

__all__ = ["open_engine", "without_server"]


def without_server() -> str:
    """Return the way out where a server is in the way, for the hint of an error.

    It is the provider's help for what the direct engine cannot do.
    """
    line = suggest.without_server()
    if line:
        return f"without the server: {line}"
    return "this needs the CSE server; the provider, who operates it, can help"


def open_engine(vcd: VcdClient, session: Session, found: Detection, reason: str) -> Engine:
    """Return the engine for the protocol that a present server speaks; no request.

    `reason` says why the server is used, for `system info`.
    """
    from cse_client.engines.server.detect import LEGACY

    if found.protocol == LEGACY:
        from cse_client.engines.server.legacy.engine import LegacyEngine

        return LegacyEngine(vcd, session, found, reason=reason)
    from cse_client.engines.server.entities.engine import EntityEngine

    return EntityEngine(vcd, session, found, reason=reason)
