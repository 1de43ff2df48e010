"""Node templates: what one is built from, what is known of one, and what a check found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum

from cse_client.model.cloud import Template, TemplateVm
from cse_client.model.cni import Cni
from cse_client.model.settings import ClusterSettings

__all__ = [
    "DEFAULT_SOURCE",
    "LONGEST_SOURCE",
    "BootSpec",
    "BuildSpec",
    "BuiltTemplate",
    "CheckResult",
    "Level",
    "TemplateDetails",
    "UploadSpec",
    "UploadedTemplate",
]

#: The packages of every minor release are below it, in /vX.Y/deb/ (kubernetes.io, "pkgs.k8s.io:
#: Introducing Kubernetes Community-Owned Package Repositories").
DEFAULT_SOURCE = "https://pkgs.k8s.io/core:/stable:"
#: Characters of a package source: it is kept in metadata, and written into scripts.
LONGEST_SOURCE = 256


@dataclass(frozen=True)
class BuildSpec:
    """What `template build` was asked for.

    `kubernetes` is X.Y or X.Y.Z. An empty `catalog` is chosen; None keeps the source's sizes.
    """

    name: str
    source_catalog: str
    source_item: str
    network: str
    kubernetes: str
    cni: Cni
    catalog: str = ""
    cpus: int | None = None
    memory_mb: int | None = None
    disk_mb: int | None = None
    storage_profile: str = ""
    vdc: str = ""
    org: str = ""
    package_source: str = DEFAULT_SOURCE
    settings: ClusterSettings = field(default_factory=ClusterSettings)
    accept_eulas: bool = False


@dataclass(frozen=True)
class TemplateDetails:
    """What the document of a vApp template tells; None and empty: not known.

    `properties` are those of the product sections of template and VM, by key. `customizes`: its
    VMs are customized when they are made. `vm_customizes`: the VM has guest customization enabled.
    """

    vm: TemplateVm | None
    status: str = ""
    vms: int = 0
    nics: int = 0
    description: str = ""
    owner: str = ""
    created: datetime | None = None
    hardware_version: str = ""
    customizes: bool | None = None
    vm_customizes: bool | None = None
    lease_ends: datetime | None = None
    item_href: str = ""
    is_changing: bool = False
    properties: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class BuiltTemplate:
    """What a build has made; `lease_ends` is when VCD removes the template, None for never.

    `cpus` and `memory_mb` are what nodes must be given where the template has less than kubeadm
    requires of a control plane, else None.
    """

    template: Template
    lease_ends: datetime | None = None
    cpus: int | None = None
    memory_mb: int | None = None


@dataclass(frozen=True)
class UploadSpec:
    """What `template upload` was asked for; `path` is an OVA file."""

    catalog: str
    name: str
    path: str


@dataclass(frozen=True)
class UploadedTemplate:
    """What an upload has made, and how many bytes it sent."""

    template: Template
    size: int


@dataclass(frozen=True)
class BootSpec:
    """Where the VM of `template check --boot` is made."""

    network: str
    storage_profile: str = ""
    vdc: str = ""
    org: str = ""
    accept_eulas: bool = False


class Level(str, Enum):
    """How a check went."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True)
class CheckResult:
    """One line of `template check`: what was looked at, what was found, and what to do about it."""

    level: Level
    subject: str
    text: str
    cure: str = ""
