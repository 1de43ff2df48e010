"""What a simulated VM is made of: its image, network cards, customization and settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Protocol

__all__ = ["Customization", "GuestHooks", "GuestSettings", "Hardware", "Image", "Nic"]


@dataclass(frozen=True)
class Image:
    """What lies on the disk of a VM template.

    Attributes:
        name: for people only.
        os: "ubuntu-16.04" or "ubuntu-24.04".
        os_version_id: the VERSION_ID of /etc/os-release.
        kubernetes: version of kubeadm, kubelet and kubectl, no leading v.
        runtime: "docker" or "containerd".
        cni: name of the pod network, such as "weave".
        cni_version: its version.
        cni_manifest: path of its manifest in the guest; None = the image has none.
        tools: VMware Tools run.
        custom_scripts: tools.conf `[deployPkg] enable-custom-scripts`.
        customization_engine: "classic" (perl of deployPkg) or "cloud-init".
        datasource: how an image with packages tells cloud-init to look for customizations: by a
            "list" of datasources, by "ds-identify", or "" for not at all: then it finds the OVF
            environment first, and nobody carries a customization out. In other images, the
            datasource that is found instead of VMware's, such as "OVF".
        images_preloaded: the container images are in the runtime's store already.
        preloaded: the same, for a store with other images than kubeadm's own.
        cni_image: image in the manifest of the pod network, "" for the project's own.
        missing_commands: commands that the image lacks.
        packages: the Debian packages that it is made of. Where it names them, programs come and go
            with packages, and `kubernetes`, `runtime` and `cni` are empty unless something of them
            is in the image already.
        swap: /etc/fstab names a swap partition, in use from boot.
        tree: folder of this machine with a whole installed system, which a real machine's disk is
            a copy of; "" = the disk is made of the fields above.
        keepalived: keepalived is installed, and not enabled.
    """

    name: str
    os: str = "ubuntu-16.04"
    os_version_id: str = "16.04"
    kubernetes: str = "1.18.6"
    runtime: str = "docker"
    cni: str = "weave"
    cni_version: str = "2.6.5"
    cni_manifest: str | None = "/root/weave_v2-6-5.yml"
    tools: bool = True
    custom_scripts: bool = True
    customization_engine: str = "classic"
    datasource: str = ""
    images_preloaded: bool = False
    preloaded: tuple[str, ...] = ()
    cni_image: str = ""
    missing_commands: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    swap: bool = False
    tree: str = ""
    keepalived: bool = False

    @classmethod
    def read(cls, values: Mapping[str, Any]) -> Image:
        """Make an image of what JSON can say, lists for tuples; ValueError names what is wrong."""
        known = {one.name: one for one in fields(cls)}
        read: dict[str, Any] = {}
        for key, value in values.items():
            if key not in known:
                raise ValueError(f"images have no {key!r}; known: {', '.join(known)}")
            default = known[key].default
            if isinstance(default, tuple):
                if isinstance(value, str) or not all(isinstance(one, str) for one in value):
                    raise ValueError(f"the image's {key} is not a list of names: {value!r}")
                read[key] = tuple(value)
                continue
            wanted = bool if isinstance(default, bool) else str
            # only what may be missing is None by its type
            missing = value is None and "None" in str(known[key].type)
            if not (isinstance(value, wanted) or missing):
                raise ValueError(f"the image's {key} is not a {wanted.__name__}: {value!r}")
            read[key] = value
        return cls(**read)

    @property
    def minor(self) -> int:
        """The minor number of Kubernetes, 18 for "1.18.6"; 0 where there is none."""
        return int(self.kubernetes.split(".")[1]) if self.kubernetes else 0


@dataclass(frozen=True)
class Hardware:
    """What VCD gives the VM at power-on: virtual CPUs, memory in MiB, disk in MB, BIOS UUID."""

    cpus: int = 2
    memory_mb: int = 2048
    disk_mb: int = 16384
    uuid: str = "4238b1a6-0000-0000-0000-000000000001"

    @property
    def usable_memory_mb(self) -> int:
        """MiB that Linux reports as its total: the kernel keeps some for itself.

        A VM of 2,200 MiB reports 2,135 (kubernetes/minikube#10018).
        """
        return self.memory_mb * 2135 // 2200


@dataclass(frozen=True)
class Nic:
    """One network card; `address` is a loopback address of this machine.

    `egress` is a way out to the Internet, `proxy` the host and port of an HTTP proxy that has one;
    `registries` are hosts of container registries that are reached anyway, with their CA's PEM.
    """

    address: str
    prefix_length: int
    gateway: str
    dns: tuple[str, ...] = ()
    egress: bool = True
    proxy: str = ""
    registries: tuple[tuple[str, str], ...] = ()
    mac: str = "00:50:56:00:00:01"


@dataclass(frozen=True)
class Customization:
    """What VCD hands to the guest at power-on; nothing is applied unless `needed`."""

    computer_name: str
    script: str = ""
    admin_password: str | None = None
    needed: bool = True


class GuestHooks(Protocol):
    """What a guest reports to the cloud that runs it; called from the guest's threads."""

    def tools_running(self, running: bool) -> None:
        """VMware Tools began or ceased to answer."""

    def customization_status(self, status: str) -> None:
        """The state of the customization: GC_PENDING ... GC_COMPLETE or GC_FAILED."""

    def guestinfo_changed(self, key: str, value: str) -> None:
        """The guest set a guestinfo value with vmtoolsd."""

    def powered_off(self) -> None:
        """The guest went off by itself."""


@dataclass
class GuestSettings:
    """How time passes in guests.

    Attributes:
        speed: sleeps and timeouts inside the guest are divided by it.
        customization_timeout: real seconds until the classic tools kill a customization.
        boot_delay: real seconds between power-on and the start of the operating system.
    """

    speed: float = 1.0
    customization_timeout: float = 100.0
    boot_delay: float = 0.0
