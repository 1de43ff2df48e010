"""The members of a cluster's etcd: who they are, removing one, and who leaves first."""

from __future__ import annotations

import contextlib
from collections.abc import Collection

from cse_client.engines.direct.api_servers import ask_api_servers
from cse_client.engines.direct.credentials import API_TIMEOUT, open_api, open_etcd
from cse_client.engines.direct.existing import ExistingCluster
from cse_client.engines.direct.quorum import Members, no_quorum, quorum, removal_problems
from cse_client.errors import ClusterUnreachable, CseError
from cse_client.guest.pki import ClusterPKI
from cse_client.kube.etcd import EtcdFault
from cse_client.model import Vm

__all__ = ["newest_heads", "remove_member", "see_members"]


def see_members(
    cluster: ExistingCluster, pki: ClusterPKI, *, without: Collection[str] = ()
) -> Members:
    """Return the members of a cluster's etcd, asked through a control plane that answers.

    It is asked at its own address, because the virtual one moves when its holder leaves. Those in
    `without` are not asked.

    Raises:
        Refused: none of its API servers answers, so etcd has no quorum.
        ClusterUnreachable: etcd cannot be asked.
    """
    answering = ask_api_servers(cluster, pki).answering
    asked = next((name for name in answering if name not in without), "")
    if not asked:
        raise no_quorum(cluster.name, len(answering), len(cluster.control_planes))
    host = next(vm.ip for vm in cluster.control_planes if vm.name == asked)
    try:
        with open_etcd(cluster, pki, node=asked, host=host) as etcd:
            return Members(cluster.name, etcd.members(), answering, asked, host)
    except (ClusterUnreachable, EtcdFault) as silence:
        # an API server tells its version for a while after its etcd can decide nothing any more
        present = len(cluster.control_planes)
        if len(answering) >= quorum(present):
            raise
        lost = no_quorum(cluster.name, len(answering), present)
        lost.notes.append(silence.message)
        raise lost from None


def remove_member(cluster: ExistingCluster, pki: ClusterPKI, name: str, address: str = "") -> None:
    """Remove a node from etcd, asked at another one, and make sure that it is gone.

    A leader passes its office on first: the others would notice its absence only after a while in
    which nothing can be read or written.

    Raises:
        Refused: etcd would lose its quorum.
        ClusterUnreachable: etcd cannot be asked.
    """
    members = see_members(cluster, pki, without=[name])
    member = members.of(name, address)
    if member is None:
        return
    if member.name and not member.learner:
        for problem in removal_problems(members, [member.name]):
            raise problem
    with open_etcd(cluster, pki, node=members.asked, host=members.host) as etcd:
        status = etcd.status()
        if status.leader == member.id:
            _move_leader(cluster, pki, name, members.host, status.member)
        etcd.remove(member.id)
        if any(one.id == member.id for one in etcd.members()):
            raise CseError(f"etcd of cluster '{cluster.name}' still has the member {name}.")


def _move_leader(
    cluster: ExistingCluster, pki: ClusterPKI, leader: str, host: str, to: int
) -> None:
    """Make the member `to` the leader, if the present one can be asked."""
    with (
        contextlib.suppress(ClusterUnreachable, EtcdFault),
        open_etcd(cluster, pki, node=leader, host=host) as etcd,
    ):
        etcd.move_leader(to)


def newest_heads(cluster: ExistingCluster, pki: ClusterPKI, count: int) -> list[str]:
    """Return the control planes that leave first: those that do not answer, then the newest.

    The one that holds the virtual address comes last of all.
    """
    servers = ask_api_servers(cluster, pki)
    with open_api(cluster, pki, timeout=API_TIMEOUT) as api:
        created = {node.name: node.created for node in api.nodes()}

    def order(vm: Vm) -> tuple[bool, bool, float]:
        moment = created.get(vm.name)
        age = moment.timestamp() if moment is not None else 0.0
        return (vm.name in servers.answering, vm.name == servers.holder, -age)

    return [vm.name for vm in sorted(cluster.control_planes, key=order)][:count]
