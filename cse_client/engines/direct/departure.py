"""How a control plane leaves its cluster, in an order that no client of the API notices.

The node is drained, which cordons it, and a cordoned control plane gives the virtual address up
(guest/scripts/address.sh). When another one has it, the member leaves etcd, and only then is the VM
deleted.
"""

from __future__ import annotations

from cse_client.clock import Clock, polling
from cse_client.engines.direct.api_servers import ask_api_servers
from cse_client.engines.direct.credentials import API_TIMEOUT, admin_credentials
from cse_client.engines.direct.existing import ExistingCluster
from cse_client.engines.direct.members import remove_member, see_members
from cse_client.engines.direct.removal import delete_vms
from cse_client.guest.pki import ClusterPKI
from cse_client.kube.api import ClusterAPI
from cse_client.kube.drain import delete_node, drain
from cse_client.model import Event, EventKind, Progress

__all__ = ["hand_over", "other_api", "remove_control_plane"]

#: A check fails three times, a second apart, before it counts, and then the others wait for three
#: advertisements, half a second each (guest/scripts/address.sh). The rest is for busy machines.
_HANDOVER_SECONDS = 20.0


def other_api(cluster: ExistingCluster, pki: ClusterPKI, leaving: tuple[str, ...]) -> ClusterAPI:
    """Return the API of a control plane that stays, at its own address; close it afterwards.

    Raises:
        Refused: none of the others answers.
    """
    members = see_members(cluster, pki, without=leaving)
    access = admin_credentials(pki, members.host, cluster.session)
    return ClusterAPI(access, timeout=API_TIMEOUT)


def remove_control_plane(
    cluster: ExistingCluster,
    pki: ClusterPKI,
    name: str,
    *,
    leaving: tuple[str, ...],
    force: bool,
    deadline: float,
    clock: Clock,
    progress: Progress,
) -> None:
    """Take a control plane out of its cluster; what is done already is not done again.

    `leaving` are all that are on their way out, which are not asked. `force` and `deadline` are
    those of the drain.

    Raises:
        Refused: etcd would lose its quorum, or pods cannot be moved.
        TimedOut: pods have not ended in time.
        ClusterUnreachable: the others do not answer.
    """
    cluster = cluster.reread()
    address = next((vm.ip for vm in cluster.vapp.vms if vm.name == name), "")
    with other_api(cluster, pki, leaving) as api:
        if any(node.name == name and node.ready for node in api.nodes()):
            drain(api, name, force=force, deadline=deadline, clock=clock, progress=progress)
            hand_over(cluster, pki, name, clock=clock, progress=progress)
        remove_member(cluster, pki, name, address)
        delete_vms(cluster.vcd, cluster.vapp.href, [name], deadline=deadline)
        delete_node(api, name)


def hand_over(
    cluster: ExistingCluster, pki: ClusterPKI, name: str, *, clock: Clock, progress: Progress
) -> None:
    """Wait until a cordoned control plane no longer holds the virtual address.

    It goes on after `_HANDOVER_SECONDS`: the address then moves when the API server stops.
    """
    deadline = clock.monotonic() + _HANDOVER_SECONDS
    for pause in polling(clock):
        if ask_api_servers(cluster, pki).holder not in ("", name):
            return
        if clock.monotonic() + pause >= deadline:
            break
        clock.sleep(pause)
    text = f"{name} keeps the virtual address until it stops; the API may not answer for seconds"
    progress(Event(EventKind.WARNING, f"{text}."))
