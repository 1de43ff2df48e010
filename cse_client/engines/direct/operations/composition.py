"""Composing the vApp of a new cluster: empty, or with all its VMs in one task.

For the latter the control plane's address is chosen beforehand. VCD also assigns an address that
another VM has, and refuses only to power on the second VM. Then everything is made again with
another address.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cse_client.engines.direct.addresses import is_about, read_pool
from cse_client.engines.direct.machines import Machines
from cse_client.engines.direct.operations.delete import delete_vapp
from cse_client.errors import CseError, VcdFault
from cse_client.model import Event, EventKind, NewVm, Progress, VApp
from cse_client.vcd import tasks

if TYPE_CHECKING:
    from cse_client.vcd.client import VcdClient

__all__ = ["AddressesRefused", "compose", "compose_with_vms", "withdraw"]

#: How many addresses are tried before the choice is left to VCD.
_ATTEMPTS = 5


class AddressesRefused(CseError):
    """None of the addresses that were chosen for the control plane could be used."""


def compose(
    vcd: VcdClient, machines: Machines, description: str, vms: Sequence[NewVm] = ()
) -> None:
    """Make the vApp, with `vms` in it and started, and wait until VCD has done it."""
    resolved = machines.resolved
    href, task = tasks.change(
        vcd,
        lambda: vcd.compose(
            resolved.vdc,
            resolved.spec.name,
            description,
            resolved.network,
            add=vms,
            accept_eulas=resolved.spec.accept_eulas,
        ),
        deadline=machines.deadline,
    )
    # What was just made is known; reading it back would be a request for nothing.
    machines.vapp = VApp(
        name=resolved.spec.name,
        href=href,
        id="",
        status="UNRESOLVED",
        deployed=False,
        description=description,
    )
    tasks.wait(vcd, task, deadline=machines.deadline)
    machines.stands = True


def compose_with_vms(
    vcd: VcdClient, machines: Machines, description: str, progress: Progress
) -> None:
    """Make the vApp with all VMs of the cluster and start them, at an address that is free.

    Raises:
        AddressesRefused: VCD refused several addresses; nothing is left.
    """
    if machines.vapp is not None:
        # an earlier attempt, whose end was not reported, did not make everything
        withdraw(vcd, machines)
    network, nodes = machines.resolved.network, machines.resolved.spec.nodes
    pool = machines.resolved.pool
    refused: list[str] = []
    if machines.resolved.virtual.address and not pool.free:
        # nobody needs to know the control plane's own address
        _made(vcd, machines, description, "")
        return
    while len(refused) < _ATTEMPTS:
        address = pool.choose(nodes, refused=refused)
        if not address:
            break
        if _made(vcd, machines, description, address):
            return
        text = f"Address {address} was taken in the meantime; the VMs are created with another one."
        progress(Event(EventKind.WARNING, text))
        if machines.vapp is not None:
            withdraw(vcd, machines)
        refused.append(address)
        pool = read_pool(vcd, network)
    raise AddressesRefused("VCD refused every address that was chosen for the control plane.")


def withdraw(vcd: VcdClient, machines: Machines) -> None:
    """Delete the vApp with everything in it, so that it can be made again."""
    href = machines.href
    # from here on its absence is no deletion by somebody else
    machines.stands = False
    delete_vapp(vcd, href, deadline=machines.deadline)
    machines.vapp = None


def _made(vcd: VcdClient, machines: Machines, description: str, address: str) -> bool:
    """Make and start everything; return False where somebody else has the address."""
    vms = machines.new_vms(address)
    try:
        compose(vcd, machines, description, vms)
        machines.refresh()
        machines.ensure_on()
    except VcdFault as failure:
        if failure.outcome_unknown or failure.unanswered:
            raise
        if is_about(failure, address) or _others(vcd, machines, address, vms[0].name):
            return False
        raise
    if address and len(_holders(vcd, machines, address)) > 1:
        return False
    if machines.other_sizes():
        machines.size_again()
    return True


def _holders(vcd: VcdClient, machines: Machines, address: str) -> list[str]:
    in_use = vcd.surroundings.addresses_in_use(machines.resolved.network) or ()
    return [holder for one, holder in in_use if one == address]


def _others(vcd: VcdClient, machines: Machines, address: str, name: str) -> list[str]:
    return [one for one in _holders(vcd, machines, address) if one != name]
