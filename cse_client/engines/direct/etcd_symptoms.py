"""What a cluster's etcd shows of its troubles: members, leader, size of the database, alarms."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cse_client import suggest
from cse_client.engines.direct.credentials import open_etcd
from cse_client.engines.direct.existing import ExistingCluster
from cse_client.errors import CseError
from cse_client.guest.pki import ClusterPKI
from cse_client.kube.etcd import EtcdMember, EtcdStatus
from cse_client.model.diagnosis import Cause

__all__ = ["EtcdSymptoms", "look_at_etcd"]

_MIB = 1024**2
#: An alarm in a member's status (etcd: etcdserver/api/v3rpc/maintenance.go, `AlarmMember.String`).
_ALARM = re.compile(r"memberID:(?P<member>\d+)\s+alarm:(?P<alarm>[A-Z]+)")
#: Alarms that etcd raises (etcd: api/etcdserverpb/rpc.proto, AlarmType) -> what to say, and to do.
_ALARMS = {
    "NOSPACE": (
        "its database is full ({size}), and nothing can be changed in Kubernetes",
        "Compact and defragment the database, then disarm the alarm:"
        " https://etcd.io/docs/latest/op-guide/maintenance/#space-quota",
    ),
    "CORRUPT": (
        "its data differ from those of the other members",
        "Replace this member's node, or restore the cluster from a backup: {restore}",
    ),
}


@dataclass(frozen=True)
class EtcdSymptoms:
    """What was seen: the members, and what each one that could be asked says of itself, by name.

    `silent` maps the control planes that could not be asked to the reason.
    """

    cluster: str
    members: Sequence[EtcdMember] = ()
    statuses: Mapping[str, EtcdStatus] = field(default_factory=dict)
    silent: Mapping[str, str] = field(default_factory=dict)

    @property
    def facts(self) -> dict[str, Any]:
        """Return it all as plain values; sizes are in bytes, ids hexadecimal as in etcd's logs."""
        return {
            "members": [
                {
                    "id": f"{one.id:x}",
                    "name": one.name,
                    "peers": list(one.peer_urls),
                    "learner": one.learner,
                }
                for one in self.members
            ],
            "asked": {
                name: {
                    "version": one.version,
                    "database": one.size,
                    "leader": f"{one.leader:x}",
                    "problems": list(one.problems),
                }
                for name, one in self.statuses.items()
            },
            "silent": dict(self.silent),
        }

    def causes(self) -> Iterator[Cause]:
        """Yield what is wrong with etcd."""
        names = {one.id: one.name for one in self.members}
        seen = set()
        for name, status in self.statuses.items():
            for problem in status.problems:
                found = _ALARM.search(problem)
                # every member knows the alarms of all
                key = found.groups() if found else (name, problem)
                if key not in seen:
                    seen.add(key)
                    yield self._cause(name, problem, found, names)
        for one in self.members:
            if not one.name:
                yield Cause(
                    f"etcd has a member that has never started ({', '.join(one.peer_urls)}): no"
                    " other control plane can join.",
                    f"Show how to repair it: {suggest.cse('cluster repair', self.cluster)}",
                )

    def _cause(
        self, name: str, problem: str, found: re.Match[str] | None, names: Mapping[int, str]
    ) -> Cause:
        if found is None or found["alarm"] not in _ALARMS:
            return Cause(
                f"etcd on {name} reports: {problem.rstrip('.')}.",
                f"Look at its log: kubectl logs -n kube-system etcd-{name}",
            )
        member = int(found["member"])
        owner = names.get(member) or f"member {member:x}"
        status = self.statuses.get(owner) or self.statuses[name]
        what, cure = _ALARMS[found["alarm"]]
        return Cause(
            f"etcd on {owner} has raised the alarm {found['alarm']}:"
            f" {what.format(size=f'{status.size / _MIB:,.0f} MiB')}.",
            cure.format(restore=suggest.cse("cluster restore", self.cluster, "FILE")),
        )


def look_at_etcd(cluster: ExistingCluster, pki: ClusterPKI) -> EtcdSymptoms:
    """Ask etcd on each control plane; three requests for each.

    Raises:
        CseError: no member answers; the reason is the first one's.
    """
    members: Sequence[EtcdMember] = ()
    statuses, silent = {}, {}
    first: CseError | None = None
    for vm in cluster.control_planes:
        try:
            with open_etcd(cluster, pki, node=vm.name) as etcd:
                statuses[vm.name] = etcd.status()
                members = members or etcd.members()
        except CseError as error:
            first = first or error
            silent[vm.name] = error.clause
    if first is not None and not statuses:
        raise first
    return EtcdSymptoms(cluster.name, members, statuses, silent)
