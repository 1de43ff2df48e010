"""Reading a vApp once VCD is no longer changing it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cse_client.model import VApp

if TYPE_CHECKING:
    from cse_client.vcd.client import VcdClient

__all__ = ["quiet_vapp"]


def quiet_vapp(vcd: VcdClient, href: str, *, deadline: float) -> VApp:
    """Read a vApp again and again until no task is at work on it, or the deadline has passed."""
    vapp = vcd.vapp(href)
    while vapp.running_tasks and vcd.clock.monotonic() < deadline:
        vcd.clock.sleep(1.0)
        vapp = vcd.vapp(href)
    return vapp
