"""What guests can fetch over HTTP: package archives, their keys, and manifests of pod networks.

Reachable are hosts of the Internet where there is a way out, or a proxy with one, and the hosts
that a network's `registries` name: such a host mirrors the archives, under any folder.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from cse_client.simulator.guest.cni import released_manifest
from cse_client.simulator.guest.packages.archive import (
    CODENAMES,
    kubernetes_packages,
    packages_text,
    release_key,
    ubuntu_packages,
)

if TYPE_CHECKING:
    from cse_client.simulator.guest.system import System

__all__ = ["FetchFailed", "content", "reach"]

_KUBERNETES = re.compile(r".*/v(?P<minor>\d+\.\d+)/deb/(?P<rest>.*)")
_UBUNTU = re.compile(r".*/dists/(?P<suite>[a-z]+)(?P<pocket>-[a-z]+)?/(?P<rest>.*)")
_POOL = re.compile(r".*/[^/]+\.deb")
_MANIFESTS = (
    (re.compile(r".*/flannel/releases/(?:download/)?(?P<version>[^/]+)/(?:download/)?kube-flannel\.yml"),
     "flannel"),
    (re.compile(r".*/projectcalico/calico/(?P<version>[^/]+)/manifests/calico\.yaml"), "calico"),
)  # fmt: skip
_NAME_SECONDS = 5.0
_CONNECT_SECONDS = 120.0


@dataclass
class FetchFailed(Exception):
    """Nothing was fetched. `kind` is name, timeout, proxy or certificate."""

    kind: str
    host: str
    port: int = 443


def reach(system: System, url: str, proxy: str, wait: Callable[[float], None]) -> None:
    """Reach the host of a URL, directly or through a proxy (`http://HOST:PORT`).

    Raises FetchFailed, after the time that it takes.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    port = parts.port or (80 if parts.scheme == "http" else 443)
    near = {name.partition(":")[0]: ca for nic in system.nics for name, ca in nic.registries}
    if system.network_up and host in near:
        trusted = system.disk.text("/etc/ssl/certs/ca-certificates.crt")
        if parts.scheme == "https" and near[host].strip() not in trusted:
            raise FetchFailed("certificate", host, port)
        return
    if proxy:
        address = proxy.rpartition("//")[2].rstrip("/")
        if system.network_up and address in {nic.proxy for nic in system.nics}:
            return
        wait(_CONNECT_SECONDS)
        raise FetchFailed("proxy", address.partition(":")[0], int(address.partition(":")[2] or 80))
    if not (system.egress and "nameserver" in system.disk.text("/etc/resolv.conf")):
        wait(_NAME_SECONDS)
        raise FetchFailed("name", host, port)
    if system.faults.unreachable_registries or system.faults.cuts_off(host):
        wait(_CONNECT_SECONDS)
        raise FetchFailed("timeout", host, port)


def content(url: str, *, key: str = "kubernetes") -> bytes | None:
    """Return what an address serves; None for 404, b"" for a host that nothing is known of."""
    path = urlsplit(url).path
    found = _KUBERNETES.fullmatch(path)
    if found:
        return _kubernetes(found["minor"], found["rest"], key)
    found = _UBUNTU.fullmatch(path)
    if found:
        return _ubuntu(found["suite"], found["rest"])
    if _POOL.fullmatch(path):
        return b"!<arch>\n"
    for pattern, cni in _MANIFESTS:
        match = pattern.fullmatch(path)
        if match:
            return released_manifest(cni, match["version"]).encode()
    host = urlsplit(url).hostname or ""
    return None if host in ("pkgs.k8s.io", "archive.ubuntu.com", "security.ubuntu.com") else b""


def _kubernetes(minor: str, rest: str, key: str) -> bytes | None:
    packages = kubernetes_packages(minor)
    if not packages:
        return None
    if rest == "Release.key":
        return release_key()[0].encode()
    if rest == "InRelease":
        return f"Origin: obs://build.opensuse.org/isv:kubernetes\nSigned-By: {key}\n".encode()
    if rest == "Packages":
        return packages_text(packages).encode()
    names = {f"amd64/{one.file_name}" for one in packages}
    return b"!<arch>\n" if rest in names else None


def _ubuntu(suite: str, rest: str) -> bytes | None:
    release = next((number for number, name in CODENAMES.items() if name == suite), "")
    if not release:
        return None
    if rest == "InRelease":
        return f"Origin: Ubuntu\nCodename: {suite}\nSigned-By: ubuntu\n".encode()
    if rest.endswith("/Packages"):
        # all of what is known is in main
        packages = ubuntu_packages(release) if rest.startswith("main/") else ()
        return packages_text(packages).encode()
    return None
