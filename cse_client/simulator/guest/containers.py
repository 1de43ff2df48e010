"""The node's container runtime: whether it runs, its sockets, and its store of images."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import threading
from typing import TYPE_CHECKING

from cse_client.simulator.guest.cni import manifest_images
from cse_client.simulator.guest.life import PowerLoss
from cse_client.simulator.guest.packages.database import installed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from cse_client.simulator.guest.model import Image
    from cse_client.simulator.guest.system import System

__all__ = [
    "IMAGE_MB",
    "Daemon",
    "ImageStore",
    "Overrides",
    "PullFailed",
    "default_repository",
    "etcd_version",
    "free_mb",
    "image_overrides",
    "kubernetes_images",
    "make_socket",
]

_STORE = "/var/lib/container-images"
_PULL_SECONDS = 4
#: What an image takes of the disk, in MB: about what those of a control plane take on the average.
IMAGE_MB = 90
#: What an Ubuntu server takes of its disk, in MB.
_SYSTEM_MB = 2600
_NO_ANSWER_SECONDS = 30

# kubeadm's own tables (cmd/kubeadm/app/constants): (pause, etcd, coredns) by minor version.
_COMPANIONS = {
    18: ("3.2", "3.4.3-0", "1.6.7"),
    19: ("3.2", "3.4.13-0", "1.7.0"),
    20: ("3.2", "3.4.13-0", "1.7.0"),
    21: ("3.4.1", "3.4.13-0", "v1.8.0"),
    22: ("3.5", "3.5.0-0", "v1.8.4"),
    23: ("3.6", "3.5.1-0", "v1.8.6"),
    24: ("3.7", "3.5.3-0", "v1.8.6"),
    25: ("3.8", "3.5.4-0", "v1.9.3"),
    26: ("3.9", "3.5.6-0", "v1.9.3"),
    27: ("3.9", "3.5.7-0", "v1.10.1"),
    28: ("3.9", "3.5.9-0", "v1.10.1"),
    29: ("3.9", "3.5.10-0", "v1.11.1"),
    30: ("3.9", "3.5.12-0", "v1.11.1"),
    31: ("3.10", "3.5.15-0", "v1.11.1"),
    32: ("3.10", "3.5.16-0", "v1.11.3"),
    33: ("3.10", "3.5.21-0", "v1.12.0"),
    34: ("3.10.1", "3.6.4-0", "v1.12.1"),
    35: ("3.10.1", "3.6.6-0", "v1.13.1"),
    36: ("3.10.2", "3.6.8-0", "v1.14.2"),
    37: ("3.10.2", "3.7.0-0", "v1.14.6"),
}
_REGISTRY_MOVED = 25
_COREDNS_FOLDER = 21


class PullFailed(Exception):
    """An image could not be had."""


#: Where a ClusterConfiguration takes single images from: (name, repository, tag), "" for the usual.
Overrides = tuple[tuple[str, str, str], ...]


def image_overrides(cluster: Mapping[str, Any]) -> Overrides:
    """Return what a ClusterConfiguration says about the images of etcd and CoreDNS alone."""
    local = (cluster.get("etcd") or {}).get("local") or {}
    parts = (("etcd", local), ("coredns", cluster.get("dns") or {}))
    found = (
        (name, str(part.get("imageRepository") or ""), str(part.get("imageTag") or ""))
        for name, part in parts
    )
    return tuple(one for one in found if one[1] or one[2])


def kubernetes_images(version: str, repository: str = "", overrides: Overrides = ()) -> list[str]:
    """Return the images of a control plane, as `kubeadm config images list` does.

    In a tag _ stands for the + of a version (kubeadm: util.KubernetesVersionToImageTag).
    """
    usual = _usual_images(version, repository)
    for name, own, tag in overrides:
        for index, image in enumerate(usual):
            where, _, rest = image.rpartition("/")
            if rest.partition(":")[0] == name:
                folder = f"{own}/{name}" if own else f"{where}/{name}"
                usual[index] = f"{folder}:{tag or rest.partition(':')[2]}"
    return usual


def _usual_images(version: str, repository: str) -> list[str]:
    minor = int(version.split(".")[1])
    pause, etcd, coredns = _COMPANIONS.get(minor, _COMPANIONS[max(_COMPANIONS)])
    where = repository or default_repository(version)
    dns = "coredns/coredns" if minor >= _COREDNS_FOLDER and not repository else "coredns"
    names = [
        f"{where}/{name}:v{version.replace('+', '_')}"
        for name in ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy")
    ]
    last = [f"{where}/pause:{pause}", f"{where}/etcd:{etcd}", f"{where}/{dns}:{coredns}"]
    if minor >= 26:  # noqa: PLR2004  # the order of the listing changed
        last = [last[2], last[0], last[1]]
    return names + last


def etcd_version(kubernetes: str) -> str:
    """Return the version of etcd that belongs to a version of Kubernetes."""
    (image,) = (one for one in kubernetes_images(kubernetes) if "/etcd:" in one)
    return image.rpartition(":")[2].partition("-")[0]


def default_repository(version: str) -> str:
    """Return where kubeadm of a version takes images from unless it is told another place."""
    return "registry.k8s.io" if int(version.split(".")[1]) >= _REGISTRY_MOVED else "k8s.gcr.io"


def preloaded_images(image: Image) -> list[str]:
    """Return what is in a new guest's store."""
    if image.preloaded:
        return list(image.preloaded)
    if not image.images_preloaded:
        return []
    return kubernetes_images(image.kubernetes) + manifest_images(image.cni, image.cni_version)


def make_socket(system: System, path: str) -> None:
    """Put a socket file into the guest, at a path of any length."""
    host = system.disk.path(path)
    host.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileNotFoundError):
        host.unlink()
    folder = os.open(host.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(f"/proc/self/fd/{folder}/{host.name}")
    finally:
        os.close(folder)


def hosts_folder(text: str) -> str:
    """Return the registries' `config_path` in containerd's config.toml; empty where there is none.

    Source: containerd:docs/hosts.md and docs/cri/registry.md, for versions 1 to 3 of the file.
    """
    table = ""
    for line in text.splitlines():
        bare = line.split("#")[0].strip().replace("'", '"')
        if bare.startswith("["):
            table = bare
        found = re.fullmatch(r'config_path = "(.*)"', bare)
        if found and re.fullmatch(r"\[plugins\..*\.registry\]", table):
            return found[1]
    return ""


def free_mb(system: System) -> int:
    """MB that are free on the disk, for packages and images: what is else there is a guess."""
    if system.faults.disk_full:
        return 0
    sizes = (int(one.fields.get("Installed-Size", 0)) for one in installed(system.disk).values())
    images = len(system.disk.text(_STORE).split()) * IMAGE_MB
    return system.hardware.disk_mb - _SYSTEM_MB - sum(sizes) // 1024 - images


class Daemon:
    """docker or containerd as a service: it takes a moment and makes its socket.

    `environment` is what its unit had set when it was started last; `hosts` the folder of
    hosts.toml files in containerd's configuration of that time, `trusted` the CAs.
    """

    def __init__(self, system: System, unit: str, sockets: list[str], seconds: float) -> None:
        self._system = system
        self._unit = unit
        self.environment: dict[str, str] = {}
        self.hosts = ""
        self.trusted = ""
        self._sockets = sockets
        self._seconds = seconds
        self.running = False

    def begin(self) -> None:
        """Start and make the sockets."""
        unit = self._system.systemd.load(self._unit)
        self.environment = unit.file.environment() if unit is not None else {}
        self.hosts = hosts_folder(self._system.disk.text("/etc/containerd/config.toml"))
        self.trusted = self._system.disk.text("/etc/ssl/certs/ca-certificates.crt")
        self._system.life.sleep(self._seconds)
        late = self._system.faults.runtime_late
        if not late:
            self._answer()
            return
        threading.Thread(target=self._answer_late, args=(late,), daemon=True).start()

    def _answer_late(self, seconds: float) -> None:
        with contextlib.suppress(PowerLoss):
            self._system.life.sleep(seconds)
            self._answer()

    def _answer(self) -> None:
        with self._system.life.guard():
            for path in self._sockets:
                make_socket(self._system, path)
            self.running = True

    def end(self) -> None:
        """Stop and remove the sockets."""
        self.running = False
        with self._system.life.guard():
            for path in self._sockets:
                self._system.disk.remove(path)


class ImageStore:
    """The container images on a guest's disk."""

    _lock = threading.Lock()

    def __init__(self, system: System) -> None:
        self._system = system

    def names(self) -> list[str]:
        """Return the images present."""
        path = self._system.disk.path(_STORE)
        if not path.exists():
            return preloaded_images(self._system.image)
        return path.read_text(encoding="utf-8").split()

    def has(self, name: str) -> bool:
        """Return whether an image is present."""
        return _full(name) in {_full(known) for known in self.names()}

    def pull(self, name: str, pause: Callable[[float], None] | None = None) -> None:
        """Fetch an image unless it is there.

        Args:
            name: the image.
            pause: waits seconds of the guest's time; the guest's own sleep by default.

        Raises:
            PullFailed: there is no way to the registry.
        """
        system = self._system
        wait = pause or system.life.sleep
        if self.has(name):
            return
        registry = _full(name).split("/")[0]
        if self._inside(registry):
            self._put(name, wait)
            return
        nameservers = "nameserver" in system.disk.text("/etc/resolv.conf")
        proxy = self._proxy(registry)
        if proxy and proxy not in {nic.proxy for nic in system.nics}:
            wait(_NO_ANSWER_SECONDS)
            raise PullFailed(
                f'Get "https://{registry}/v2/": proxyconnect tcp: dial tcp {proxy}: i/o timeout'
            )
        if not nameservers and system.egress and not proxy:
            raise PullFailed(f"dial tcp: lookup {registry}: Temporary failure in name resolution")
        if not (system.egress or proxy) or system.faults.withholds(name):
            wait(_NO_ANSWER_SECONDS)
            raise PullFailed(
                f'Get "https://{registry}/v2/": net/http: request canceled while waiting for'
                " connection (Client.Timeout exceeded while awaiting headers)"
            )
        self._put(name, wait)

    def _put(self, name: str, wait: Callable[[float], None]) -> None:
        wait(_PULL_SECONDS)
        if free_mb(self._system) < IMAGE_MB:
            raise PullFailed(
                f'failed to pull and unpack image "{_full(name)}": failed to extract layer: write'
                " /var/lib/containerd/io.containerd.snapshotter.v1.overlayfs/snapshots: no space"
                " left on device"
            )
        with self._lock, self._system.life.guard():
            self._system.disk.write(_STORE, "\n".join([*self.names(), name]) + "\n")

    def _service(self) -> Daemon | None:
        """Return the container runtime that pulls, if it is installed."""
        service = self._system.natives.get(f"{self._system.image.runtime}.service")
        return service if isinstance(service, Daemon) else None

    def _inside(self, registry: str) -> bool:
        """Return whether a registry is reached without the Internet: itself, or a mirror of it.

        Raises:
            PullFailed: its certificate was issued by a CA that the runtime does not know.
        """
        service = self._service()
        if service is None:
            return False
        near = {host: ca for nic in self._system.nics for host, ca in nic.registries}
        text = self._system.disk.text(f"{service.hosts}/{registry}/hosts.toml")
        mirrors = re.findall(r'^\[host\."https?://([^/"]+)', text if service.hosts else "", re.M)
        for host in (*mirrors, registry):
            if host not in near:
                continue
            if near[host].strip() not in service.trusted:
                raise PullFailed(
                    f'Get "https://{host}/v2/": tls: failed to verify certificate: x509:'
                    " certificate signed by unknown authority"
                )
            return True
        return False

    def _proxy(self, registry: str) -> str:
        """Return host and port of the proxy that the runtime takes to a registry, or "".

        Docker and containerd read the variables as Go does (golang.org/x/net/http/httpproxy).
        """
        service = self._service()
        if service is None:
            return ""
        host = registry.partition(":")[0]
        for one in service.environment.get("NO_PROXY", "").split(","):
            name = one.strip().lstrip(".")
            if one == "*" or (name and (host == name or host.endswith(f".{name}"))):
                return ""
        return service.environment.get("HTTPS_PROXY", "").rpartition("//")[2].rstrip("/")

    def remove_all(self) -> None:
        """Empty the store."""
        with self._system.life.guard():
            self._system.disk.write(_STORE, "")


def _full(name: str) -> str:
    """Return an image's full name, as docker completes it."""
    tagged = name if ":" in name.rsplit("/", 1)[-1] else name + ":latest"
    first = tagged.split("/")[0]
    if "." in first or (":" in first and "/" in tagged):
        return tagged
    return f"docker.io/{tagged}" if "/" in tagged else f"docker.io/library/{tagged}"
