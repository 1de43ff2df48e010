"""What system administrators do with a CSE server of any release."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cse_client import suggest
from cse_client.engines.server import documents
from cse_client.engines.server.answers import AlreadySo
from cse_client.engines.server.extension import Extension
from cse_client.engines.server.waiting import change_or_effect
from cse_client.errors import Refused
from cse_client.model import Session
from cse_client.vcd.client import VcdClient

__all__ = ["check_control", "control_server", "need_administrator"]

#: Seconds in which a change without a task must have been accepted.
_SMALL_CHANGE_SECONDS = 60.0

#: What a server says of itself after an action (container-service-extension 2.6.1 and 3.1.4,
#: container_service_extension/service.py `ServerState`; shown to system administrators).
_STATES = {"enable": "Running", "disable": "Disabled"}


def control_server(server: Extension, vcd: VcdClient, session: Session, action: str) -> str:
    """Enable, disable or stop a CSE server of any release; return its sentence.

    Raises:
        Refused: the user is a tenant. Servers 3.x obey tenants as well: they test a method instead
            of calling it (container-service-extension 3.1.4, system_handler.py).
    """
    need_administrator(vcd, session, f"{action} the CSE server")
    deadline = vcd.clock.monotonic() + _SMALL_CHANGE_SECONDS

    def send() -> Any:
        return server.change(
            "PUT",
            "/system",
            f"{action} the CSE server",
            deadline=deadline,
            body={"server_action": action},
        )

    def reached() -> bool:
        state = _description(server).get("status")
        return str(state) == _STATES[action]

    try:
        if action not in _STATES:
            # a server that has stopped answers no more
            said = send()
        else:
            what = f"change of the CSE server ({action})"
            said = change_or_effect(
                vcd,
                send,
                reached,
                what=what,
                deadline=deadline,
                look=suggest.cse("system info"),
            )
    except AlreadySo as already:
        # 2.6.1 refuses what 3.x takes for done
        return already.text
    return documents.text(said or {}, "message") or f"The CSE server accepted: {action}."


def check_control(server: Extension, vcd: VcdClient, session: Session, action: str) -> None:
    """Refuse a tenant, and stopping a server that is enabled.

    Raises:
        Refused: see above; servers of all releases refuse the latter as well.
    """
    need_administrator(vcd, session, f"{action} the CSE server")
    if action == "stop" and str(_description(server).get("status")) == _STATES["enable"]:
        raise Refused(
            "The CSE server is enabled, and must be disabled before it is stopped.",
            hint=f"Disable it first: {suggest.cse('system disable')}",
        )


def _description(server: Extension) -> Mapping[str, Any]:
    """Return the server's description of itself."""
    said = server.get("/system", "look at the CSE server")
    return documents.mapping(said, "the server's description")


def need_administrator(vcd: VcdClient, session: Session, what: str) -> None:
    """Refuse a tenant here: the server does not check (its own client does).

    Raises:
        Refused: the user is a tenant.
    """
    if not vcd.session.is_system_administrator:
        raise Refused(
            f"Only a system administrator may {what}.",
            hint="Ask the provider, or: " + suggest.cse("login", session.host, "System", "USER"),
        )
