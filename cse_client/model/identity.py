"""What tells one cluster from all others."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ClusterIdentity"]


@dataclass(frozen=True)
class ClusterIdentity:
    """A cluster by what VCD itself says of it, which nobody who may edit the vApp can choose.

    `host` is VCD's, in lower case and without the port 443; `org` the organization's name as VCD
    spells it; `vapp` the vApp's UUID (for a cluster that is an entity of a CSE server and has no
    vApp yet, the entity's id), empty where it is not known.

    The rest identifies nothing: `name` is `<cluster>@<org>-<vdc>`, and `cluster_id` is what the
    vApp's metadata claims (`cse.cluster.id`), which every copy of a vApp claims too.
    """

    host: str
    org: str
    vapp: str = ""
    name: str = ""
    cluster_id: str = ""

    @property
    def key(self) -> tuple[str, str, str]:
        """What is equal for the same cluster only; VCD takes an organization in any case."""
        return self.host, self.org.casefold(), self.vapp

    @property
    def bound(self) -> bool:
        """Whether all of it is known."""
        return all(self.key)
