"""What an organization has: VDCs, storage profiles, catalogs, templates."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

from cse_client.simulator.vcd.people import Right, User
from cse_client.simulator.vcd.tasks import Task

__all__ = [
    "AffinityRule",
    "Catalog",
    "CatalogItem",
    "ComputePolicy",
    "Customization",
    "GuestProperty",
    "Metadata",
    "Org",
    "StorageProfile",
    "Template",
    "Vdc",
    "fresh_id",
]

#: (domain, key) to (type, value), the type as in `MetadataStringValue`.
Metadata = dict[tuple[str, str], tuple[str, str]]


def fresh_id() -> str:
    """Return a new identifier."""
    return str(uuid4())


@dataclass
class Entity:
    """What every entity has."""

    name: str
    id: str = field(default_factory=fresh_id)
    description: str = ""
    tasks: list[Task] = field(default_factory=list)
    metadata: Metadata = field(default_factory=dict)
    kind: str = "entity"


@dataclass
class Org(Entity):
    """The organization. Leases in seconds, 0 for never; the lease limits cap what vApps ask for."""

    full_name: str = ""
    kind: str = "org"
    deployment_lease: int = 604800
    storage_lease: int = 2592000
    longest_deployment_lease: int = 0
    longest_storage_lease: int = 0
    template_storage_lease: int = 7776000
    longest_template_storage_lease: int = 0
    expired_vapps_are_deleted: bool = False


@dataclass
class StorageProfile(Entity):
    """A storage profile of a VDC; sizes in MB, limit 0 for none."""

    vdc_id: str = ""
    limit_mb: int = 0
    is_default: bool = False
    enabled: bool = True
    kind: str = "vdcstorageProfile"


@dataclass
class ComputePolicy(Entity):
    """A VM sizing policy, or a placement policy; an `automatic` one is VCD's own."""

    cpus: int = 0
    memory_mb: int = 0
    automatic: bool = False
    placement: bool = False
    kind: str = "vdcComputePolicy"


@dataclass
class AffinityRule(Entity):
    """Which VMs of a VDC run on one host (`Affinity`), or on different ones (`Anti-Affinity`)."""

    polarity: str = "Affinity"
    enabled: bool = True
    mandatory: bool = True
    #: The ids of its VMs.
    vms: list[str] = field(default_factory=list)
    kind: str = "vmAffinityRule"


@dataclass
class Vdc(Entity):
    """An org VDC. Limits: MHz, MB, VMs; 0 for none."""

    cpu_limit_mhz: int = 0
    memory_limit_mb: int = 0
    vm_quota: int = 0
    vcpu_mhz: int = 1000
    enabled: bool = True
    storage: list[StorageProfile] = field(default_factory=list)
    policies: list[ComputePolicy] = field(default_factory=list)
    #: New VMs are linked clones: their disks cannot grow.
    fast_provisioning: bool = False
    affinity_rules: list[AffinityRule] = field(default_factory=list)
    kind: str = "vdc"

    @property
    def default_profile(self) -> StorageProfile:
        """The profile that VMs get unless they name one."""
        return next((one for one in self.storage if one.is_default), self.storage[0])


@dataclass
class Customization:
    """A VM's guest customization section."""

    enabled: bool = True
    change_sid: bool = False
    join_domain: bool = False
    use_org_settings: bool = False
    password_enabled: bool = True
    password_auto: bool = True
    password: str | None = field(default=None, repr=False)
    auto_logon: bool = False
    auto_logon_count: int = 0
    reset_password: bool = False
    script: str | None = field(default=None, repr=False)
    computer_name: str = ""


@dataclass
class GuestProperty:
    """A property of a VM's ProductSection: its key's attributes, label and values.

    `given` is the value that was entered, `default` the one that the section came with.
    """

    type: str = "string"
    qualifiers: str | None = None
    user_configurable: bool = False
    password: bool = False
    default: str | None = None
    label: str | None = None
    description: str | None = None
    given: str | None = None

    @property
    def value(self) -> str:
        """What the guest reads."""
        return (self.given if self.given is not None else self.default) or ""


@dataclass
class Template(Entity):
    """A vApp template with one VM.

    `image` describes the guest's disk (fields of `guest.Image`), `disk` is a folder with what a
    captured VM's guest left there. `eula` is a license text; `has_nic` and `customization_enabled`
    are switches for tests. `customization`, `properties` and `extra_config` are what its VM took
    along. The storage lease is in seconds, 0 for never.
    """

    vdc_id: str = ""
    vm_name: str = ""
    vm_id: str = field(default_factory=fresh_id)
    cpus: int = 2
    cores_per_socket: int = 1
    memory_mb: int = 2048
    disk_mb: int = 16384
    os_name: str = "Ubuntu Linux (64-bit)"
    os_type: str = "ubuntu64Guest"
    image: dict[str, Any] = field(default_factory=dict)
    disk: Path | None = None
    customization: Customization | None = None
    properties: dict[str, GuestProperty] = field(default_factory=dict)
    product_info: str = ""
    extra_config: dict[str, str] = field(default_factory=dict)
    eula: str = ""
    has_nic: bool = True
    customization_enabled: bool = True
    #: CustomizeOnInstantiate of its CustomizationSection.
    customize_on_instantiate: bool = True
    status: int = 8
    storage_lease: int = 0
    stored_since: datetime | None = None
    expired: bool = False
    owner: str = "admin"
    #: The files that VCD waits for, or has got (`uploads.Upload`).
    upload: Any = None
    created: datetime | None = None
    kind: str = "vapptemplate"

    def vm_customization(self) -> Customization:
        """Return the customization section of the template's VM; a copy."""
        if self.customization is None:
            return Customization(
                enabled=self.customization_enabled, computer_name=self.vm_name[:63]
            )
        return replace(self.customization)

    @property
    def storage_ends(self) -> datetime | None:
        """When the storage lease expires the template; None for never."""
        if not self.storage_lease or self.stored_since is None:
            return None
        return self.stored_since + timedelta(seconds=self.storage_lease)


@dataclass
class CatalogItem(Entity):
    """An entry of a catalog that points to a template."""

    template: Template | None = None
    created: datetime | None = None
    kind: str = "catalogitem"


@dataclass
class Catalog(Entity):
    """A catalog. `shared` makes it visible to every user of the organization.

    `everyone` is the level that it is shared at: ReadOnly, Change or FullControl. `org_id` is that
    of the organization which shares it; empty for the cloud's own.
    """

    items: list[CatalogItem] = field(default_factory=list)
    created: datetime | None = None
    shared: bool = True
    published: bool = False
    owner: str = "admin"
    everyone: str = "ReadOnly"
    org_id: str = ""
    kind: str = "catalog"

    def takes_from(self, user: User) -> bool:
        """Return whether a user may add items: its owner, an administrator, or who may change it.

        Nobody of this organization changes what another one shares.
        """
        if self.org_id:
            return False
        administrator = user.may(Right.CATALOG_EDIT)
        return (
            administrator or user.name == self.owner or self.everyone in ("Change", "FullControl")
        )
