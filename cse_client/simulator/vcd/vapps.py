"""vApps and VMs: their state and the rules that need nothing but themselves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

from cse_client.simulator.vcd.entities import (
    Customization,
    Entity,
    GuestProperty,
    Template,
    Vdc,
    fresh_id,
)
from cse_client.simulator.vcd.networks import OrgNetwork
from cse_client.simulator.vcd.people import User

__all__ = [
    "DISK_ID",
    "STATUS_NAMES",
    "Customization",
    "GuestProperty",
    "Nic",
    "Status",
    "VApp",
    "Vm",
]

#: The id of a VM's only disk, in its hardware items and in its VmSpecSection.
DISK_ID = "2000"


class Status:
    """Status numbers (vcd-api documentation, "Object status")."""

    FAILED = -1
    UNRESOLVED = 0
    RESOLVED = 1
    SUSPENDED = 3
    ON = 4
    OFF = 8
    MIXED = 10
    PARTIALLY_OFF = 20


STATUS_NAMES: Mapping[int, str] = {
    Status.FAILED: "FAILED_CREATION",
    Status.UNRESOLVED: "UNRESOLVED",
    Status.RESOLVED: "RESOLVED",
    Status.SUSPENDED: "SUSPENDED",
    Status.ON: "POWERED_ON",
    Status.OFF: "POWERED_OFF",
    Status.MIXED: "MIXED",
    Status.PARTIALLY_OFF: "PARTIALLY_POWERED_OFF",
}


@dataclass
class Nic:
    """A network card of a VM; `mode` is NONE, DHCP, POOL or MANUAL."""

    index: int
    network: str
    mode: str
    mac: str
    address: str = ""
    connected: bool = True
    adapter: str = "VMXNET3"


@dataclass(frozen=True)
class Snapshot:
    """A VM's snapshot: its guest keeps the disk. `size_mb` counts as used storage."""

    created: datetime
    powered_on: bool
    size_mb: int


@dataclass
class Vm(Entity):
    """A VM of a vApp. `guest` is the machine that runs, once it was switched on."""

    template: Template = field(default_factory=lambda: Template("none"))
    status: int = Status.UNRESOLVED
    deployed: bool = False
    needs_customization: bool = False
    cpus: int = 1
    cores_per_socket: int = 1
    memory_mb: int = 1024
    disk_mb: int = 8192
    nics: list[Nic] = field(default_factory=list)
    primary_nic: int = 0
    customization: Customization = field(default_factory=Customization)
    gc_status: str = "GC_PENDING"
    extra_config: dict[str, str] = field(default_factory=dict)
    properties: dict[str, GuestProperty] = field(default_factory=dict)
    product_info: str = ""
    product_required: bool = True
    storage_profile_id: str = ""
    sizing_policy_id: str = ""
    placement_policy_id: str = ""
    #: Made by fast provisioning: its disk is the template's and what has changed since.
    linked_clone: bool = False
    bios_uuid: str = field(default_factory=fresh_id)
    local_id: str = field(default_factory=fresh_id)
    tools_running: bool = False
    guest: Any = None
    snapshot: Snapshot | None = None
    created: datetime | None = None
    kind: str = "vm"

    @property
    def on(self) -> bool:
        """Whether the VM is powered on."""
        return self.status == Status.ON

    @property
    def storage_mb(self) -> int:
        """What it uses of its storage policy: the disk, and its snapshot."""
        return self.disk_mb + (self.snapshot.size_mb if self.snapshot is not None else 0)

    @property
    def primary(self) -> Nic | None:
        """The primary network card."""
        for nic in self.nics:
            if nic.index == self.primary_nic:
                return nic
        return self.nics[0] if self.nics else None


@dataclass
class VApp(Entity):
    """A vApp. Leases in seconds, 0 for never. `networks` are the org networks it is connected to.

    `access` maps user ids to ReadOnly, Change or FullControl; `everyone` is such a level or empty.
    """

    vdc: Vdc = field(default_factory=lambda: Vdc("none"))
    owner: User = field(default_factory=lambda: User("nobody", "", "", set()))
    vms: list[Vm] = field(default_factory=list)
    networks: list[OrgNetwork] = field(default_factory=list)
    #: By the network's name.
    network_descriptions: dict[str, str] = field(default_factory=dict)
    state: int | None = Status.UNRESOLVED
    #: Whether it was powered on while it had no VM: then it is running, too.
    started_empty: bool = False
    deployment_lease: int = 0
    storage_lease: int = 0
    deployed_since: datetime | None = None
    stored_since: datetime | None = None
    expired: bool = False
    maintenance: bool = False
    access: dict[str, str] = field(default_factory=dict)
    everyone: str = ""
    created: datetime | None = None
    kind: str = "vapp"

    @property
    def status(self) -> int:
        """The vApp's own state while it has one (being made, failed), else its VMs' summary."""
        if self.state is not None:
            return self.state
        seen = {vm.status for vm in self.vms}
        if not seen:
            return Status.ON if self.started_empty else Status.RESOLVED
        if len(seen) == 1:
            return seen.pop()
        return Status.MIXED

    @property
    def deployed(self) -> bool:
        """Whether any VM is deployed, or the vApp was powered on without any."""
        return any(vm.deployed for vm in self.vms) or (not self.vms and self.started_empty)

    def vm_named(self, name: str) -> Vm | None:
        """Find a VM by name."""
        return next((vm for vm in self.vms if vm.name == name), None)

    def network_id(self, network: OrgNetwork) -> str:
        """Return the id of the vApp's own network that is connected to an org network."""
        return str(uuid5(UUID(self.id), network.id))

    def network_named(self, name: str) -> OrgNetwork | None:
        """Find a connected network by name."""
        return next((one for one in self.networks if one.name == name), None)

    @property
    def deployment_ends(self) -> datetime | None:
        """When the deployment lease stops the vApp; None for never or not deployed."""
        if not self.deployment_lease or self.deployed_since is None:
            return None
        return self.deployed_since + timedelta(seconds=self.deployment_lease)

    @property
    def storage_ends(self) -> datetime | None:
        """When the storage lease expires the vApp; None for never or while deployed."""
        if not self.storage_lease or self.stored_since is None or self.deployed:
            return None
        return self.stored_since + timedelta(seconds=self.storage_lease)
