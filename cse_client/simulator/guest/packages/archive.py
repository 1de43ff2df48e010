"""The package archives of the simulated Internet: pkgs.k8s.io and Ubuntu's own.

The Kubernetes packages' names, versions and dependencies are those of kubernetes/release
(cmd/krel/templates/latest/*.spec) and of pkgs.k8s.io ("VERSION-1.1"); that a package's tree has one
folder for each minor release, with `Release.key` in it, is what its documentation says
(kubernetes.io, "Installing kubeadm"). Ubuntu's versions are those of late 2025; only their form and
containerd's major version matter here.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import re
from collections.abc import Iterable

from cse_client.simulator.guest.packages.package import Package
from cse_client.simulator.guest.units import KUBELET_DROP_IN, builtin_unit

__all__ = [
    "CODENAMES",
    "KEY_ID",
    "PREINSTALLED",
    "UBUNTU_KEYRING",
    "kubernetes_packages",
    "packages_text",
    "release_key",
    "ubuntu_packages",
]

#: The id of the key that the Kubernetes packages are signed with (isv:kubernetes OBS Project).
KEY_ID = "234654DA9A296436"
UBUNTU_KEYRING = "/usr/share/keyrings/ubuntu-archive-keyring.gpg"
CODENAMES = {"22.04": "jammy", "24.04": "noble"}

#: Patch releases by minor release, with the versions of crictl and of the CNI plugins.
_RELEASES = {
    "1.36": (("1.36.0", "1.36.1", "1.36.2", "1.36.3"), "1.36.0", "1.8.0"),
    "1.37": (("1.37.0", "1.37.1", "1.37.2"), "1.37.0", "1.9.0"),
}

#: What an Ubuntu server of these releases has from the start, as far as anything here asks for it.
PREINSTALLED = (
    "apt", "bash", "ca-certificates", "cloud-init", "curl", "dpkg", "ethtool", "gpg", "iproute2",
    "iptables", "mount", "open-vm-tools", "openssh-server", "perl", "systemd",
    "unattended-upgrades", "util-linux",
)  # fmt: skip

#: name: (version on 22.04, version on 24.04, size in MB)
_UBUNTU: dict[str, tuple[str, str, int]] = {
    "apt": ("2.4.14", "2.8.3", 4),
    "apt-transport-https": ("2.4.14", "2.8.3", 1),
    "bash": ("5.1-6ubuntu1.1", "5.2.21-2ubuntu4", 2),
    "ca-certificates": ("20240203~22.04.1", "20240203", 1),
    "chrony": ("4.2-2ubuntu2", "4.5-1ubuntu4.2", 1),
    "cloud-init": ("25.2-0ubuntu1~22.04.1", "25.2-0ubuntu1~24.04.1", 6),
    "conntrack": ("1:1.4.6-2build2", "1:1.4.8-1ubuntu1", 1),
    "containerd": ("1.7.28-0ubuntu1~22.04.1", "1.7.28-0ubuntu1~24.04.1", 130),
    "curl": ("7.81.0-1ubuntu1.21", "8.5.0-2ubuntu10.6", 1),
    "dpkg": ("1.21.1ubuntu2.6", "1.22.6ubuntu6.5", 7),
    "ebtables": ("2.0.11-4build2", "2.0.11-6build1", 1),
    "ethtool": ("1:5.16-1ubuntu0.2", "1:6.7-1build1", 1),
    "gnupg": ("2.2.27-3ubuntu2.4", "2.4.4-2ubuntu17.3", 1),
    "gpg": ("2.2.27-3ubuntu2.4", "2.4.4-2ubuntu17.3", 2),
    "iproute2": ("5.15.0-1ubuntu2", "6.1.0-1ubuntu6.2", 3),
    "ipset": ("7.15-1build1", "7.19-1ubuntu2", 1),
    "iptables": ("1.8.7-1ubuntu5.2", "1.8.10-3ubuntu2", 3),
    "ipvsadm": ("1:1.31-1build2", "1:1.31-1ubuntu0.1", 1),
    "jq": ("1.6-2.1ubuntu3.1", "1.7.1-3ubuntu0.24.04.1", 1),
    "keepalived": ("1:2.2.4-0.2build1", "1:2.2.8-1build2", 2),
    "mount": ("2.37.2-4ubuntu3.4", "2.39.3-9ubuntu6.3", 1),
    "nfs-common": ("1:2.6.1-1ubuntu1.2", "1:2.6.4-3ubuntu5.1", 1),
    "open-vm-tools": ("2:12.3.5-3~ubuntu0.22.04.3", "2:12.5.0-1~ubuntu0.24.04.2", 5),
    "openssh-server": ("1:8.9p1-3ubuntu0.13", "1:9.6p1-3ubuntu13.14", 2),
    "perl": ("5.34.0-3ubuntu1.5", "5.38.2-3.2ubuntu0.2", 1),
    "runc": ("1.3.3-0ubuntu1~22.04.2", "1.3.3-0ubuntu1~24.04.2", 12),
    "socat": ("1.7.4.1-3ubuntu4", "1.8.0.0-4build3", 1),
    "systemd": ("249.11-0ubuntu3.17", "255.4-1ubuntu8.11", 15),
    "unattended-upgrades": ("2.8ubuntu1", "2.9.1+nmu4ubuntu1", 1),
    "util-linux": ("2.37.2-4ubuntu3.4", "2.39.3-9ubuntu6.3", 4),
}
_DEPENDS = {
    "containerd": ("runc (>= 1.0.0~rc2~)",),
    "gnupg": ("gpg",),
    "keepalived": ("iproute2",),
    "mount": ("util-linux",),
}
_PROGRAMS = {
    "conntrack": ("sbin/conntrack",),
    "containerd": ("bin/containerd", "bin/containerd-shim-runc-v2", "bin/ctr"),
    "ebtables": ("sbin/ebtables",),
    "ethtool": ("sbin/ethtool",),
    "ipset": ("sbin/ipset",),
    "iptables": (
        "sbin/iptables", "sbin/iptables-restore", "sbin/iptables-save", "sbin/ip6tables",
        "sbin/ip6tables-restore", "sbin/ip6tables-save",
    ),
    "ipvsadm": ("sbin/ipvsadm",),
    "jq": ("bin/jq",),
    "keepalived": ("sbin/keepalived",),
    "runc": ("sbin/runc",),
    "socat": ("bin/socat",),
}  # fmt: skip
_UNITS = {
    "containerd": ("containerd.service",),
    "keepalived": ("keepalived.service",),
}


@functools.lru_cache(maxsize=4)
def ubuntu_packages(release: str) -> tuple[Package, ...]:
    """Return the packages of Ubuntu's archive for a release such as "24.04"."""
    column = 0 if release == "22.04" else 1
    found = []
    for name, values in _UBUNTU.items():
        units = _UNITS.get(name, ())
        found.append(
            Package(
                name,
                str(values[column]),
                depends=_DEPENDS.get(name, ()),
                programs=_PROGRAMS.get(name, ()),
                units={unit: builtin_unit(unit) for unit in units},
                # keepalived's unit waits for its configuration
                enabled=units,
                size_mb=values[2],
            )
        )
    return tuple(found)


@functools.lru_cache(maxsize=4)
def kubernetes_packages(minor: str) -> tuple[Package, ...]:
    """Return the packages of a folder of pkgs.k8s.io, "1.37"; none where there is no such one."""
    if minor not in _RELEASES:
        return ()
    versions, tools, plugins = _RELEASES[minor]
    found = [
        Package(
            "cri-tools",
            f"{tools}-1.1",
            programs=("bin/crictl",),
            size_mb=60,
            description="Command-line utility for interacting with a container runtime",
        ),
        Package(
            "kubernetes-cni",
            f"{plugins}-1.1",
            files={
                f"/opt/cni/bin/{plugin}": "#!/bin/sh\nexit 0\n"
                for plugin in ("bridge", "host-local", "loopback", "portmap")
            },
            size_mb=80,
            description="Binaries required to provision kubernetes container networking",
        ),
    ]
    for version in versions:
        found += _core(version)
    return tuple(found)


def _core(version: str) -> list[Package]:
    debian = f"{version}-1.1"
    return [
        Package(
            "kubectl",
            debian,
            programs=("bin/kubectl",),
            size_mb=60,
            description="Command-line utility for interacting with a Kubernetes cluster",
        ),
        Package(
            "kubelet",
            debian,
            depends=(
                "iptables (>= 1.4.21)", "kubernetes-cni (>= 1.2.0)", "iproute2", "mount",
                "util-linux",
            ),
            programs=("bin/kubelet",),
            units={"kubelet.service": builtin_unit("kubelet.service")},
            files={"/etc/default/kubelet": "KUBELET_EXTRA_ARGS=\n"},
            size_mb=60,
            description="Node agent for Kubernetes clusters",
        ),
        Package(
            "kubeadm",
            debian,
            # it depends on nothing since 1.32 (kubernetes/release, templates/latest/metadata.yaml)
            programs=("bin/kubeadm",),
            files={
                "/usr/lib/systemd/system/kubelet.service.d/10-kubeadm.conf": KUBELET_DROP_IN,
            },
            size_mb=75,
            description="Command-line utility for administering a Kubernetes cluster",
        ),
    ]  # fmt: skip


def packages_text(packages: Iterable[Package]) -> str:
    """Return a Packages file."""
    return "\n".join(one.control() for one in packages)


def _crc24(data: bytes) -> int:
    """Return the checksum of ASCII armor (RFC 4880, 6.1)."""
    value = 0xB704CE
    for byte in data:
        value ^= byte << 16
        for _ in range(8):
            value <<= 1
            if value & 0x1000000:
                value ^= 0x1864CFB
    return value & 0xFFFFFF


@functools.lru_cache(maxsize=8)
def release_key(name: str = "kubernetes") -> tuple[str, bytes]:
    """Return a repository's key, armored and binary. It has a key's form, and is none."""
    seed = hashlib.sha512(name.encode()).digest()
    binary = b"".join(hashlib.sha512(seed + bytes([number])).digest() for number in range(12))
    text = base64.b64encode(binary).decode()
    lines = re.findall(".{1,64}", text)
    crc = base64.b64encode(_crc24(binary).to_bytes(3, "big")).decode()
    armored = "\n".join(
        [
            "-----BEGIN PGP PUBLIC KEY BLOCK-----",
            "Comment: a stand-in of the simulator",
            "",
            *lines,
            f"={crc}",
            "-----END PGP PUBLIC KEY BLOCK-----",
            "",
        ]
    )
    return armored, binary
