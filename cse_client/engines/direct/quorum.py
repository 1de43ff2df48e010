"""Which control planes may leave or join: the rules of etcd's quorum.

A cluster of n members decides as long as n // 2 + 1 of them answer (etcd's documentation, "Failure
Tolerance"). Without that nothing can be changed, not even who belongs to it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from cse_client import suggest
from cse_client.errors import CseError, Refused
from cse_client.kube.etcd import EtcdMember
from cse_client.model import Vm

__all__ = ["Members", "growth_problems", "no_quorum", "quorum", "removal_problems"]


def quorum(members: int) -> int:
    """Return how many members have to answer."""
    return members // 2 + 1


@dataclass(frozen=True)
class Members:
    """The members of a cluster's etcd, and the names of the control planes that answer.

    `asked` is the control plane that told, `host` its own address.
    """

    cluster: str
    all: Sequence[EtcdMember]
    answering: Collection[str]
    asked: str = ""
    host: str = ""

    def of(self, name: str, address: str = "") -> EtcdMember | None:
        """Return the member of a node, which has no name before it has started."""
        for one in self.all:
            hosts = {urlsplit(url).hostname for url in one.peer_urls}
            if one.name == name or (not one.name and address and address in hosts):
                return one
        return None

    def strays(self, vms: Sequence[Vm]) -> list[EtcdMember]:
        """Return the members that have never started and belong to none of the VMs.

        Joins that failed leave them, and then no other control plane can join
        (kubernetes/kubeadm#3269).
        """
        addresses = {vm.ip for vm in vms if vm.ip}
        return [
            one
            for one in self.all
            if not one.name and not addresses & {urlsplit(url).hostname for url in one.peer_urls}
        ]

    @property
    def voters(self) -> list[EtcdMember]:
        """The members that vote."""
        return [one for one in self.all if not one.learner]

    def healthy(self, without: Collection[str] = ()) -> int:
        """Return how many voters answer, of those that are not in `without`."""
        names = {one.name for one in self.voters} - {*without}
        return len(names & {*self.answering})


def removal_problems(members: Members, names: Sequence[str]) -> Iterator[CseError]:
    """Yield why these control planes may not leave, one after the other in this order."""
    present = len(members.voters)
    if members.healthy() < quorum(present):
        yield no_quorum(members.cluster, members.healthy(), present)
        return
    gone: list[str] = []
    for name in names:
        gone.append(name)
        left = [one for one in members.voters if one.name not in gone]
        if not left:
            yield Refused(f"Cluster '{members.cluster}' would have no control plane left.")
            return
        healthy = members.healthy(without=gone)
        if healthy < quorum(len(left)):
            silent = [one.name or "?" for one in left if one.name not in members.answering]
            yield Refused(
                f"Without {name}, {healthy} of {len(left)} members of etcd would answer, and"
                f" {quorum(len(left))} have to.",
                hint=f"First repair or remove what does not answer: {', '.join(silent)}.",
            )
            return


def growth_problems(members: Members) -> Iterator[CseError]:
    """Yield why no control plane may join now."""
    present = len(members.voters)
    if members.healthy() < quorum(present):
        yield no_quorum(members.cluster, members.healthy(), present)
        return
    silent = [one.name for one in members.voters if one.name not in members.answering]
    if silent:
        yield Refused(
            f"{', '.join(silent)} of cluster '{members.cluster}' does not answer, so no control"
            " plane is added: one more failure could end the cluster.",
            hint="Repair or remove it first.",
        )


def no_quorum(cluster: str, healthy: int, present: int) -> Refused:
    """Return the refusal of a cluster whose etcd cannot decide anything."""
    return Refused(
        f"etcd of cluster '{cluster}' has lost its quorum: {healthy} of {present} members answer,"
        f" and {quorum(present)} have to. No control plane can be added or removed.",
        hint="Start the VMs of the others. If they are lost, restore the cluster from a backup:"
        f" `{suggest.cse('cluster restore', cluster, 'FILE')}`.",
    )
