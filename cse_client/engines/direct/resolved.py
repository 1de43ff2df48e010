"""What new nodes are made from: a request, resolved against VCD by `resolve`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from cse_client.engines.direct.addresses import AddressPool
from cse_client.engines.direct.pool_sources import PoolSource
from cse_client.engines.direct.virtual_address import VirtualAddress
from cse_client.model import (
    ClusterSpec,
    Network,
    StorageProfile,
    Template,
    TemplateVm,
    VApp,
    Vdc,
)
from cse_client.model.capacity import Need
from cse_client.model.hardware import Hardware
from cse_client.model.pools import DEFAULT_POOL, Pool

__all__ = ["Resolved"]


@dataclass(frozen=True)
class Resolved:
    """What a new cluster or new workers are made from; `vapp` is set when there is one already.

    `pool` is where the control plane's address of a new cluster comes from. `head` and `worker` are
    what the two kinds of VM are made of, `virtual` the address of the cluster's API that belongs to
    no machine. `pools` has the worker pools that are made, empty for the default one alone.
    """

    spec: ClusterSpec
    vdc: Vdc
    template: Template
    template_vm: TemplateVm
    network: Network
    storage_profile: StorageProfile | None = None
    warnings: tuple[str, ...] = ()
    vapp: VApp | None = None
    cluster_id: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)
    pool: AddressPool = field(default_factory=AddressPool)
    head: Hardware = field(default_factory=Hardware)
    worker: Hardware = field(default_factory=Hardware)
    virtual: VirtualAddress = field(default_factory=VirtualAddress)
    needs: tuple[Need, ...] = ()
    pools: tuple[PoolSource, ...] = ()

    @property
    def sources(self) -> tuple[PoolSource, ...]:
        """What workers are made from, by pool."""
        if self.pools:
            return self.pools
        default = Pool(DEFAULT_POOL, self.spec.workers)
        made_of = self.template, self.template_vm, self.storage_profile, self.worker
        return (PoolSource(default, *made_of),)

    def source(self, pool: str) -> PoolSource:
        """Return what the workers of a pool are made from; the first pool's, if it is unknown."""
        return next((one for one in self.sources if one.pool.name == pool), self.sources[0])

    @property
    def workers_are_sized(self) -> bool:
        """Whether the sizes of new workers differ from their templates'."""
        return any(one.hardware.is_sized for one in self.sources if one.pool.size)

    @property
    def is_sized(self) -> bool:
        """Whether the sizes of new VMs differ from the template's."""
        return self.head.is_sized or self.workers_are_sized
