"""reboot, poweroff and shutdown."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cse_client.simulator.guest.exchange import Call
    from cse_client.simulator.guest.system import System

__all__ = ["poweroff", "reboot", "shutdown"]


def poweroff(system: System, call: Call) -> int:
    """Switch the guest off."""
    system.guest.halt(system, again=False)
    return 0


def reboot(system: System, call: Call) -> int:
    """Boot the guest again."""
    system.guest.halt(system, again=True)
    return 0


def shutdown(system: System, call: Call) -> int:
    """Switch off, with -r boot again; -c cancels nothing, for there is no delay."""
    if "-c" in call.words:
        return 0
    system.guest.halt(system, again="-r" in call.words or "--reboot" in call.words)
    return 0
