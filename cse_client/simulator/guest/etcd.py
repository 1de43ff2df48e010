"""etcd's data and the API server over it.

The cluster's state is an object of `cse_client.simulator.kube`. It belongs to the files in
/var/lib/etcd on the guest's disk and is discarded when they are removed.
"""

from __future__ import annotations

import contextlib
import json
import secrets
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cse_client.simulator.guest.disk import Disk
    from cse_client.simulator.kube import KubeAPI

__all__ = ["MARK", "RESTORED", "Etcd"]

MARK = "/var/lib/etcd/member/snap/db"
#: What a snapshot was restored from, until etcd starts with it.
RESTORED = "/var/lib/etcd/member/snap/restored"


class Etcd:
    """A member of a cluster's etcd, with the state of all, and the API server over it."""

    def __init__(
        self, identity: str, api: KubeAPI, node: str, address: str, version: str = "3.5.0"
    ) -> None:
        self.identity = identity
        self.api = api
        self.node = node
        self.address = address
        self.version = version
        self.number = int(identity, 16) >> 1
        #: A member that was added and never started has no name in the list of members.
        self.started = True
        self._arguments: dict[str, Any] | None = None

    @classmethod
    def added(cls, api: KubeAPI, node: str, address: str, *, version: str) -> Etcd | None:
        """Add a member that has not started; None while another one has not, either.

        A member of the same address that was added before is used again, as kubeadm does
        (kubernetes:cmd/kubeadm/app/util/etcd/etcd.go, addMember). etcd has one learner at most by
        default (--max-learners, "etcdserver: too many learner members in cluster").
        """
        waiting = [one for one in api.members if isinstance(one, cls) and not one.started]
        if waiting:
            return waiting[0] if waiting[0].address == address else None
        member = cls(secrets.token_hex(8), api, node, address, version)
        member.started = False
        api.members.append(member)
        return member

    def begin(self, disk: Disk) -> None:
        """Start a member that was added, with its mark on the disk."""
        disk.write(MARK, self.identity, 0o600)
        self.started = True

    @classmethod
    def joined(cls, disk: Disk, api: KubeAPI, node: str, address: str, *, version: str) -> Etcd:
        """Return the first member of a cluster whose state is in `api`, marked on the disk."""
        restored = disk.text(RESTORED)
        if restored:
            found = json.loads(restored)
            api.load(found["state"], int(found["bump"]))
        identity = secrets.token_hex(8)
        disk.write(MARK, identity, 0o600)
        disk.remove(RESTORED)
        member = cls(identity, api, node, address, version)
        api.members.append(member)
        return member

    def members(self) -> list[Etcd]:
        """Return the members of the cluster, this one among them."""
        return [one for one in self.api.members if isinstance(one, Etcd)]

    @property
    def removed(self) -> bool:
        """It does not belong to the cluster any more: etcd ends when it starts."""
        return self not in self.api.members

    def leader(self) -> Etcd:
        """Return the leader: the first member that runs."""
        members = self.members()
        return next((one for one in members if one.running), members[0])

    def lead(self, leader: Etcd) -> None:
        """Make another member the leader."""
        self.api.members.remove(leader)
        self.api.members.insert(0, leader)

    def leave(self) -> None:
        """Leave the cluster for good."""
        if not self.removed:
            self.api.members.remove(self)
        self.stop()

    def start(self, **arguments: Any) -> None:
        """Start the API server.

        Raises:
            OSError: its address is taken.
        """
        self.api.start(**arguments)
        self._arguments = arguments

    @property
    def host(self) -> str:
        """The address of the API server; empty while it is stopped."""
        return str(self._arguments["host"]) if self._arguments is not None else ""

    @property
    def running(self) -> bool:
        """The API server over it runs."""
        return bool(self.host) and self.api.serves(self.host)

    def stop(self) -> None:
        """Stop the API server at once."""
        host, self._arguments = self.host, None
        if host:
            self.api.stop(host)

    def suspend(self) -> None:
        """Stop answering until `resume`."""
        if self.host:
            self.api.stop(self.host)

    def resume(self) -> None:
        """Answer again."""
        if self._arguments is not None and not self.running:
            with contextlib.suppress(OSError):
                self.api.start(**self._arguments)
