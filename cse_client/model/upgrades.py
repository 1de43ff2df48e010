"""Upgrading a cluster: what is requested, and what would happen."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest

from cse_client.model.cluster import Cluster, ClusterRef

__all__ = ["UpgradePlan", "UpgradeSpec", "UpgradeStep", "Upgraded"]


@dataclass(frozen=True)
class UpgradeSpec:
    """Which cluster is to be upgraded, and to what.

    `template` is a name, CATALOG/NAME or an id; empty: the newest one that the cluster can be
    upgraded to. `max_surge` is how many workers are replaced at a time. `force` evicts pods that
    nobody would start again. `package_source` is where a control plane that is upgraded in place
    gets its packages (empty: pkgs.k8s.io, or as an earlier run began); without `rollback`, it needs
    no way back.
    """

    cluster: str
    vdc: str = ""
    org: str = ""
    template: str = ""
    template_revision: int | None = None
    max_surge: int = 1
    force: bool = False
    package_source: str = ""
    rollback: bool = True

    @property
    def ref(self) -> ClusterRef:
        """Which cluster is meant."""
        return ClusterRef(self.cluster, self.vdc, self.org)


@dataclass(frozen=True)
class UpgradeStep:
    """What happens to one node; `node` is empty for what is done to the whole cluster."""

    action: str
    node: str = ""


@dataclass(frozen=True)
class UpgradePlan:
    """An upgrade as it would be carried out.

    `before` and `after` are releases such as 1.36.3. `obstacles` are sentences, each of which
    refuses the upgrade, and `cures` what to do about each of them, empty where that is not known;
    `warnings` refuse nothing. `control_plane_seconds` and `worker_seconds` are how long each node
    of that kind took last time, and `minutes` how long all would take by that; None where that is
    not known. `resumed`: it was begun and is unfinished;
    `done` are sentences on what of it is done. `template_id` is the template's id in VCD, empty
    where no template is needed.
    """

    cluster: str
    before: str
    after: str
    template: str
    template_revision: int
    steps: tuple[UpgradeStep, ...] = ()
    obstacles: tuple[str, ...] = ()
    cures: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    minutes: int | None = None
    resumed: bool = False
    done: tuple[str, ...] = ()
    template_id: str = ""
    control_plane_seconds: int | None = None
    worker_seconds: int | None = None

    def refusals(self) -> Iterator[tuple[str, str]]:
        """Yield each obstacle with its cure."""
        return zip_longest(self.obstacles, self.cures, fillvalue="")


@dataclass(frozen=True)
class Upgraded:
    """A cluster that has the wanted release; `changed` is False where it had it before."""

    cluster: Cluster
    changed: bool = True
