"""A cluster as a file declares it, and what there is to do until an existing one is like that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from cse_client.model.capacity import Need
from cse_client.model.cluster import ClusterSpec
from cse_client.model.pools import DEFAULT_POOL, Pool

__all__ = ["Change", "CreationPlan", "Declared", "WantedAddon"]


@dataclass(frozen=True)
class CreationPlan:
    """What a creation would do, one sentence a step, and what it needs of the VDC.

    `spec` is what was requested, with the template that was found for it.
    """

    spec: ClusterSpec
    steps: tuple[str, ...]
    needs: tuple[Need, ...] = ()


@dataclass(frozen=True)
class WantedAddon:
    """An add-on that a cluster is to have. Empty: the default, or whatever is installed.

    `addresses`, `address` and `checksum` are as for `addon install`.
    """

    name: str
    version: str = ""
    addresses: str = ""
    address: str = ""
    checksum: str = ""


@dataclass(frozen=True)
class Declared:
    """What a cluster is to be: as a file declares it, or as an existing one is recorded.

    For an existing cluster: `is_new` says that its creation has not ended. `unfinished` names what
    a command began to change and did not end: `control_planes`, `template`, `deletion_protection`
    or `pools.NAME`, and the action: create, resize, update, upgrade, delete, protect or unprotect.
    `unknown` are the values of `ClusterSpec` that are recorded unusably, and `problems` are what is
    wrong with it, clauses.
    """

    spec: ClusterSpec
    addons: tuple[WantedAddon, ...] = ()
    is_protected: bool = False
    is_new: bool = False
    unfinished: Mapping[str, str] = field(default_factory=dict)
    unknown: frozenset[str] = frozenset()
    problems: tuple[str, ...] = ()

    @property
    def pools(self) -> tuple[Pool, ...]:
        """The worker pools: one, `default`, where there are no others."""
        return self.spec.pools or (Pool(DEFAULT_POOL, self.spec.workers),)


@dataclass(frozen=True)
class Change:
    """One change of a cluster: `current` is empty where nothing is yet, `wanted` where nothing is.

    `removes` completes "This ..." where nodes are deleted or replaced: "deletes 2 workers".
    """

    action: str
    object: str
    current: str = ""
    wanted: str = ""
    removes: str = field(default="", compare=False)
