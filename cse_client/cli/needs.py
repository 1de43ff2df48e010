"""What commands need of an engine, and the error where it lacks that."""

from __future__ import annotations

from collections.abc import Mapping

from cse_client import suggest
from cse_client.engines.base import Diagnosing, Engine, Maintaining, Recounting
from cse_client.engines.servers import Entities, Provider
from cse_client.errors import WrongUsage

__all__ = ["lacking", "needs_server", "never_through_server"]

#: The capabilities that only a CSE server gives, and which server it takes.
_SERVERS: Mapping[type, str] = {
    Provider: "a CSE server",
    Entities: "a CSE server 3 that is not in legacy mode",
}


def needs_server(capability: type) -> bool:
    """Return whether only a CSE server gives a capability."""
    return capability in _SERVERS


def never_through_server(capability: type) -> bool:
    """Return whether no server is looked for: VCD itself has the VMs, and what happened to them."""
    return capability in (Diagnosing, Maintaining, Recounting)


def lacking(command: str, capability: type, engine: Engine | None) -> WrongUsage:
    """Return the error for a command whose engine lacks a capability.

    `command` is as it is typed, such as `cluster seal`; without an engine a server's is meant.
    """
    server = _SERVERS.get(capability)
    if server is None:
        return WrongUsage(
            f"`{command}` is not supported with a CSE server.",
            hint=f"Without the server: {suggest.again(engine='direct')}",
        )
    if engine is None or engine.has_server:
        return WrongUsage(f"This CSE server does not support `{command}`: it requires {server}.")
    return WrongUsage(
        f"`{command}` requires {server}, and the direct engine is in use.",
        hint=f"`{suggest.cse('system info')}` shows why.",
    )
