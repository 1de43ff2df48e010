"""Deleting VMs of a cluster's vApp, side by side and in one task."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import partial
from typing import TYPE_CHECKING

from cse_client.engines.direct.quiet import quiet_vapp
from cse_client.errors import VcdFault
from cse_client.model import Vm
from cse_client.vcd import tasks

if TYPE_CHECKING:
    from cse_client.vcd.client import VcdClient

__all__ = ["delete_vms", "remove_vms"]

_ATTEMPTS = 3


def delete_vms(vcd: VcdClient, vapp_href: str, names: Collection[str], *, deadline: float) -> None:
    """Delete the VMs of these names, whatever their state; those that are gone are not an error.

    When a request's outcome is unknown, the vApp is read again and only what is left is removed.
    """
    for attempt in range(1, _ATTEMPTS + 1):
        if attempt == 1:
            vapp = vcd.vapp(vapp_href)
        else:
            vapp = quiet_vapp(vcd, vapp_href, deadline=deadline)
        try:
            remove_vms(
                vcd,
                vapp_href,
                [vm for vm in vapp.vms if vm.name in names],
                deadline=deadline,
            )
        except VcdFault as fault:
            if not fault.outcome_unknown or attempt == _ATTEMPTS:
                raise
        else:
            return


def remove_vms(vcd: VcdClient, vapp_href: str, vms: Sequence[Vm], *, deadline: float) -> None:
    """Stop these VMs side by side and delete them in one task."""
    stopped = [
        tasks.change(vcd, partial(vcd.undeploy, vm.href), deadline=deadline)
        for vm in vms
        if vm.deployed
    ]
    tasks.wait_all(vcd, stopped, deadline=deadline)
    hrefs = [vm.href for vm in vms]
    if hrefs:
        tasks.done(vcd, lambda: vcd.recompose(vapp_href, delete=hrefs), deadline=deadline)
