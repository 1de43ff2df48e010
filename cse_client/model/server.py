"""What a CSE server tells besides the words that every engine has.

`document` is the server's own object as it came: its keys are what CSE's clients print, so that
scripts which read them survive.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cse_client.model import Cluster, Deletion, Node, SystemInfo, Template
from cse_client.model.nodes import Removal
from cse_client.model.upgrades import UpgradePlan

__all__ = [
    "ACCESS_LEVELS",
    "ComputePolicy",
    "EntityCluster",
    "OvdcState",
    "ServedCluster",
    "ServedDeletion",
    "ServedNode",
    "ServedRemoval",
    "ServedSystem",
    "ServedTemplate",
    "Share",
    "UpgradeTarget",
]

#: How far a cluster can be shared, from the least to the most (VCD's access levels of entities).
ACCESS_LEVELS = ("ReadOnly", "ReadWrite", "FullControl")


@dataclass(frozen=True)
class ServedCluster(Cluster):
    """A cluster as a CSE server shows it.

    `task_href` is the VCD task of a change that was not waited for; empty otherwise. `vapp` is the
    address or the id of its vApp; empty where there is none yet.
    """

    document: Mapping[str, Any] = field(default_factory=dict)
    task_href: str = ""
    vapp: str = ""


@dataclass(frozen=True)
class EntityCluster(ServedCluster):
    """A cluster that VCD keeps as a defined entity; `document` is that entity."""


@dataclass(frozen=True)
class ServedNode(Node):
    """A node as a CSE server shows it; `exports` are an NFS node's folders."""

    exports: tuple[str, ...] = ()


@dataclass(frozen=True)
class ServedTemplate(Template):
    """A template that a CSE server offers."""


@dataclass(frozen=True)
class ServedDeletion(Deletion):
    """A deletion by a CSE server; `task_href` as in `ServedCluster`."""

    task_href: str = ""


@dataclass(frozen=True)
class ServedRemoval(Removal):
    """A removal of nodes by a CSE server; `task_href` as in `ServedCluster`."""

    task_href: str = ""


@dataclass(frozen=True)
class ServedSystem(SystemInfo):
    """The server engine's `system info`; `document` is what the server said of itself."""

    document: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class UpgradeTarget:
    """A template that a cluster can be upgraded to; versions are text, as in `1.20`.

    `plan` is what an upgrade to it would do, where this client would carry it out and has looked.
    """

    template: str
    revision: str
    kubernetes: str = ""
    docker: str = ""
    cni: str = ""
    plan: UpgradePlan | None = None


@dataclass(frozen=True)
class OvdcState:
    """An org VDC and what it may be used for.

    `provider` is the legacy word (`none`, `native`, `ent-pks`), `runtimes` the entity protocol's.
    """

    name: str
    org: str = ""
    id: str = ""
    provider: str = ""
    runtimes: tuple[str, ...] = ()
    document: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ComputePolicy:
    """A VM sizing or placement policy that an org VDC offers."""

    name: str
    id: str = ""
    href: str = ""


@dataclass(frozen=True)
class Share:
    """Somebody whom a cluster is shared with; `level` is one of `ACCESS_LEVELS`."""

    username: str
    member_id: str
    level: str
