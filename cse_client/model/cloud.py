"""What a tenant sees in VMware Cloud Director: session, org VDC, network, template, vApp, VM."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum

from cse_client.model.hrefs import href_id

__all__ = [
    "POWERED_OFF",
    "POWERED_ON",
    "Capacity",
    "Fence",
    "Network",
    "NewVm",
    "Session",
    "StorageProfile",
    "Template",
    "TemplateFacts",
    "TemplateVm",
    "VApp",
    "VAppRecord",
    "Vdc",
    "Vm",
    "VmChange",
    "VmPolicy",
]

#: States of a VM, see `Vm.status`.
POWERED_ON, POWERED_OFF = "POWERED_ON", "POWERED_OFF"


@dataclass(frozen=True)
class Session:
    """What a login stored: where to go and as whom. `token` never shows in a repr.

    `login_org` is the organisation of the login, `org` the one in use: a system administrator may
    have chosen another. `ca_file` replaces the machine's trusted CAs. `token_file` is the file with
    the API token that was used. `renew` gets the token that VCD no longer accepts and returns
    another one; it may raise a CseError, and is None where nothing could renew the session.
    """

    host: str
    org: str
    user: str
    api_version: str
    token: str = field(repr=False)
    is_jwt: bool = True
    verify: bool = True
    org_href: str = ""
    vdc: str = ""
    vdc_href: str = ""
    login_org: str = ""
    ca_file: str = ""
    token_file: str = ""
    renew: Callable[[str], str] | None = field(default=None, repr=False, compare=False)

    @property
    def trust(self) -> bool | str:
        """What `requests` calls `verify`: a CA file, or whether to verify certificates at all."""
        return self.ca_file or self.verify


@dataclass(frozen=True)
class TemplateFacts:
    """What is known of the inside of a VM template; empty = unknown.

    `origin` is `built` for templates that this client has built, from the catalog item `source`
    (CATALOG/ITEM) on the day `built` (ISO 8601).
    """

    os: str = ""
    kubernetes: str = ""
    cni: str = ""
    cni_version: str = ""
    cni_manifest: str = ""
    pod_cidr: str = ""
    origin: str = ""
    source: str = ""
    built: str = ""
    keepalived: bool = False


@dataclass(frozen=True)
class Template:
    """A vApp template that can become nodes, as one catalog item.

    `name` is without the `_revN` ending, `item` with it. `href` is the vApp template's; its last
    part is an id that tells templates of the same name in catalogs of the same name apart. `is_own`
    is True when the template belongs to the session's organization, not to one that shares it.
    """

    name: str
    revision: int
    catalog: str
    item: str
    href: str
    description: str = ""
    facts: TemplateFacts = TemplateFacts()
    registered: bool = False
    is_default: bool = False
    is_own: bool = False

    @property
    def id(self) -> str:
        """The template's id in VCD, such as vappTemplate-6ec95d1c-..."""
        return href_id(self.href)

    @property
    def origin(self) -> str:
        """Where it came from: `built`, `registered`, `TKG` or `CSE`."""
        if self.facts.origin == "built":
            return "built"
        if self.facts.origin == "tkg":
            return "TKG"
        return "registered" if self.registered else "CSE"


@dataclass(frozen=True)
class Vdc:
    """An organisation VDC: its name and href, and the organisation it belongs to."""

    name: str
    href: str
    org: str = ""


class Fence(str, Enum):
    """How an org VDC network is connected (VCD's FenceMode)."""

    DIRECT = "bridged"
    ISOLATED = "isolated"
    ROUTED = "natRouted"


@dataclass(frozen=True)
class Network:
    """An org VDC network. Address counts are None when VCD does not show them.

    `egress` is True (a way out was seen), False (none was seen) or None (cannot tell). `subnets`
    are all of its subnets, each as ADDRESS/NETMASK; `gateway` and `netmask` are those of the first.
    `pools` are the ranges of its static pool, first and last address of each.
    """

    name: str
    href: str
    fence: Fence
    gateway: str = ""
    netmask: str = ""
    dns: tuple[str, ...] = ()
    free_addresses: int | None = None
    total_addresses: int | None = None
    edge_href: str = ""
    egress: bool | None = None
    egress_reason: str = ""
    subnets: tuple[str, ...] = ()
    pools: tuple[tuple[str, str], ...] = ()
    #: Where VCD lists the addresses in use; empty where it offers no such list.
    addresses_href: str = ""


@dataclass(frozen=True)
class StorageProfile:
    """A storage profile of an org VDC; a limit of 0 means none."""

    name: str
    href: str
    enabled: bool = True
    is_default: bool = False
    limit_mb: int = 0
    used_mb: int = 0


@dataclass(frozen=True)
class Capacity:
    """What an org VDC has left, as far as a tenant can see; None = no limit or not visible."""

    vms_left: int | None = None
    cpu_mhz_left: int | None = None
    memory_mb_left: int | None = None


@dataclass(frozen=True)
class VmPolicy:
    """A VM sizing or placement policy of an org VDC.

    `cpus` and `memory_mb` are what a sizing policy defines for its VMs; 0: it leaves them free, or
    does not show them.
    """

    name: str
    id: str
    href: str
    is_sizing: bool
    cpus: int = 0
    memory_mb: int = 0


@dataclass(frozen=True)
class TemplateVm:
    """The VM inside a vApp template that nodes are cloned from.

    `disk_mb` is the sum of its `disks`, of which each has an id and a size in MB.
    """

    href: str
    name: str
    id: str = ""
    nic_index: int = 0
    has_nic: bool = True
    eulas: tuple[str, ...] = ()
    disk_mb: int = 0
    cpus: int = 0
    memory_mb: int = 0
    disks: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True)
class NewVm:
    """One VM to be made by a composition.

    `address` is the address that it must have; without one VCD takes one from the network's pool.
    CPU, memory and disk of None keep the template's; `disk_mb` is the size of the first disk. A
    policy of None leaves the choice to the VDC's default.
    """

    name: str
    source: TemplateVm
    network: str
    script: str = field(repr=False, default="")
    storage_profile: StorageProfile | None = None
    description: str = ""
    address: str = ""
    cpus: int | None = None
    memory_mb: int | None = None
    disk_mb: int | None = None
    sizing_policy: VmPolicy | None = None
    placement_policy: VmPolicy | None = None


@dataclass(frozen=True)
class VmChange:
    """A change to an existing, powered-off VM; None keeps what is there."""

    href: str
    name: str
    cpus: int | None = None
    memory_mb: int | None = None
    script: str | None = field(repr=False, default=None)
    disk_mb: int | None = None


@dataclass(frozen=True)
class Vm:
    """A VM as VCD shows it. `guestinfo` is None when this user may not see ExtraConfig.

    `disk_mb` is the size of its first disk; 0 where VCD does not show it.
    """

    name: str
    href: str
    status: str
    deployed: bool = False
    ip: str = ""
    network: str = ""
    cpus: int | None = None
    memory_mb: int | None = None
    guestinfo: Mapping[str, str] | None = None
    customization: str = ""
    busy: bool = False
    description: str = ""
    disk_mb: int = 0

    @property
    def is_on(self) -> bool:
        """Whether it is powered on."""
        return self.status == POWERED_ON

    @property
    def is_off(self) -> bool:
        """Whether it is powered off, and not suspended or unfinished."""
        return self.status == POWERED_OFF


@dataclass(frozen=True)
class SnapshotState:
    """What VCD tells of a VM's snapshot, of which it has one at most.

    `allowed` is whether this user may create one now. `created` is None where there is none.
    """

    allowed: bool
    created: datetime | None = None


@dataclass(frozen=True)
class VApp:
    """A vApp as VCD shows it; metadata is the GENERAL domain, key to text."""

    name: str
    href: str
    id: str
    status: str
    deployed: bool
    description: str = ""
    owner: str = ""
    networks: tuple[str, ...] = ()
    vms: tuple[Vm, ...] = ()
    running_tasks: tuple[str, ...] = ()
    lease_ends: datetime | None = None
    deployment_lease_seconds: int | None = None
    created: datetime | None = None
    vdc_href: str = ""


@dataclass(frozen=True)
class VAppRecord:
    """One row of the vApp query, with the metadata fields that were asked for."""

    name: str
    href: str
    status: str
    vdc: str = ""
    vdc_href: str = ""
    owner: str = ""
    busy: bool = False
    metadata: Mapping[str, str] = field(default_factory=dict)
