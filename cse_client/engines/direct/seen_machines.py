"""The VMs of one cluster as they were last seen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cse_client.clock import Clock
from cse_client.engines.direct.existing import ExistingCluster, control_plane_vm
from cse_client.engines.direct.pool_sources import PoolSource
from cse_client.engines.direct.pools import pool_of
from cse_client.engines.direct.quiet import quiet_vapp
from cse_client.engines.direct.resolved import Resolved
from cse_client.errors import CseError
from cse_client.model import (
    CONTROL_PLANE,
    WORKER,
    Session,
    VApp,
    Vm,
    node_kind,
)

if TYPE_CHECKING:
    from cse_client.vcd.client import VcdClient

__all__ = ["BROKEN", "SeenMachines"]

#: States of a VM or vApp that VCD has not made, or not entirely.
BROKEN = ("FAILED_CREATION", "UNRESOLVED")


@dataclass
class SeenMachines:
    """The VMs of `resolved`, in the vApp as it was last seen (`vapp`, None = no vApp)."""

    vcd: VcdClient
    session: Session
    resolved: Resolved
    cluster_id: str
    clock: Clock
    deadline: float
    vapp: VApp | None = None
    #: False while VCD makes the vApp: one that cannot be made may disappear by itself.
    stands: bool = False
    #: What the description of each new VM says, so that it is known who made it.
    mark: str = ""

    @property
    def head(self) -> Vm | None:
        """The control plane VM, or None."""
        vm = control_plane_vm(self.vapp) if self.vapp is not None else None
        return vm if vm is not None and vm.status not in BROKEN else None

    @property
    def href(self) -> str:
        """The vApp's href.

        Raises:
            CseError: there is no vApp.
        """
        if self.vapp is None:
            raise self._disappeared()
        return self.vapp.href

    def names(self) -> list[str]:
        """Return the names of all VMs."""
        return [vm.name for vm in self.vms()]

    def missing_workers(self) -> int:
        """Return how many workers are still to be made."""
        return sum(count for _source, count in self._lacking())

    def _lacking(self) -> list[tuple[PoolSource, int]]:
        """Return how many workers each pool lacks."""
        present = Counter(pool_of(vm) for vm in self._of_kind(WORKER))
        return [
            (one, max(0, one.pool.size - present[one.pool.name])) for one in self.resolved.sources
        ]

    def head_is_on(self) -> bool:
        """Return whether the control plane VM exists and runs."""
        return self.head is not None and self.head.is_on

    def missing_heads(self) -> int:
        """Return how many control planes are still to be made."""
        return max(0, self.resolved.spec.control_planes - len(self._of_kind(CONTROL_PLANE)))

    def all_made(self) -> bool:
        """Return whether every requested VM exists."""
        return self.missing_heads() == 0 and self.missing_workers() == 0

    def all_on(self) -> bool:
        """Return whether every requested VM exists and runs."""
        return self.all_made() and all(vm.is_on for vm in self.vms())

    def _of_kind(self, kind: str) -> list[Vm]:
        return [vm for vm in self.vms() if node_kind(vm.name) == kind and vm.status not in BROKEN]

    def marked(self) -> list[Vm]:
        """Return the VMs that carry `mark`."""
        return [vm for vm in self.vms() if self.mark and self.mark in vm.description]

    def vms(self) -> Sequence[Vm]:
        """Return all VMs as they were last seen."""
        return self.vapp.vms if self.vapp is not None else ()

    def refresh_when_quiet(self) -> None:
        """Read the vApp again, once nothing is changing it any more or the time is up."""
        self.vapp = quiet_vapp(self.vcd, self.href, deadline=self.deadline)

    def refresh(self) -> None:
        """Read the vApp again."""
        self.vapp = self.vcd.vapp(self.href)

    def existing(self, metadata: Mapping[str, str]) -> ExistingCluster:
        """Return the cluster as it was last seen.

        Raises:
            CseError: there is no vApp.
        """
        if self.vapp is None:
            raise self._disappeared()
        return ExistingCluster(self.vcd, self.session, self.resolved.vdc, self.vapp, metadata)

    def api_address(self) -> str:
        """Return the address that nodes know the API by; raises like `control_plane_address`."""
        return self.resolved.virtual.address or self.control_plane_address()

    def control_plane_address(self) -> str:
        """Return the control plane VM's own address.

        Raises:
            CseError: it has none.
        """
        vm = control_plane_vm(self.vapp) if self.vapp is not None else None
        if vm is None or not vm.ip:
            raise CseError(
                "VCD gave the control plane VM no address from the network's pool.",
                hint="Check the network's static IP pool, then create the cluster again.",
            )
        return vm.ip

    def _disappeared(self) -> CseError:
        return CseError(f"The vApp of cluster '{self.resolved.spec.name}' has disappeared.")
