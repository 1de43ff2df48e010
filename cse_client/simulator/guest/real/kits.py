"""The folder that --real-dir names: one subfolder with programs and images for each release.

DIR/v1.37.2/bin/         kubeadm, kubelet, kubectl, containerd, ctr, crictl ...
DIR/v1.37.2/containerd/  containerd's root folder with the release's images imported
DIR/plain-NAME/root/     the disk of a machine without Kubernetes, in any number and optional
"""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["Kit", "Plain", "read_kits", "read_plains"]

_PROGRAMS = (
    "kubeadm",
    "kubelet",
    "kubectl",
    "containerd",
    "containerd-shim-runc-v2",
    "ctr",
    "crictl",
)
#: kubeadm gives this pod network the range 10.244.0.0/16, of which each machine has a part.
_NETWORK = "flannel"
_NETWORK_VERSION = "0.27.0"


@dataclass(frozen=True)
class Kit:
    """One release's programs and images; `version` has no leading v."""

    folder: Path
    version: str

    @property
    def programs(self) -> Path:
        """The folder with the programs of a template."""
        return self.folder / "bin"

    @property
    def store(self) -> Path:
        """The root folder of containerd, to be copied."""
        return self.folder / "containerd"

    @property
    def template(self) -> str:
        """The name of the template in the catalog, as CSE names its own."""
        minor = ".".join(self.version.split(".")[:2])
        return f"ubuntu-24.04_k8-{minor}_{_NETWORK}-{_NETWORK_VERSION}_rev1"

    def image(self) -> dict[str, Any]:
        """Return what `guest.Image.read` makes the template's image of."""
        return {
            "name": self.template,
            "os": "ubuntu-24.04",
            "os_version_id": "24.04",
            "kubernetes": self.version,
            "runtime": "containerd",
            "cni": _NETWORK,
            "cni_version": _NETWORK_VERSION,
            "cni_manifest": f"/root/{_NETWORK}_v{_NETWORK_VERSION.replace('.', '-')}.yml",
            "customization_engine": "cloud-init",
            "images_preloaded": True,
            "keepalived": shutil.which("keepalived") is not None,
        }

    def pause_image(self) -> str:
        """Return the name of the release's pause image."""
        listed = subprocess.run(
            [
                self.programs / "kubeadm",
                *("config", "images", "list", "--kubernetes-version", f"v{self.version}"),
            ],
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        return next(name for name in listed.stdout.split() if "/pause:" in name)


@dataclass(frozen=True)
class Plain:
    """An installed system without Kubernetes."""

    folder: Path

    @property
    def template(self) -> str:
        """The name of the template in the catalog."""
        return self.folder.name.partition("-")[2]

    def image(self) -> dict[str, Any]:
        """Return what `guest.Image.read` makes the template's image of.

        What is customized is found on the disk; VMware Tools treat it as they do Ubuntu 24.04.
        """
        return {
            "name": self.template,
            "os": "ubuntu-24.04",
            "os_version_id": "24.04",
            "kubernetes": "",
            "runtime": "",
            "cni": "",
            "cni_version": "",
            "cni_manifest": None,
            "customization_engine": "cloud-init",
            "tree": str(self.folder / "root"),
        }


def read_plains(folder: Path) -> list[Plain]:
    """Return the plain machines in a folder of kits, by name."""
    found = (entry.resolve() for entry in folder.glob("plain-*") if (entry / "root").is_dir())
    return [Plain(entry) for entry in sorted(found)]


def read_kits(folder: Path) -> list[Kit]:
    """Return the kits in a folder, the oldest release first.

    Raises:
        ValueError: there is none, or one lacks a program.
    """
    found = []
    for entry in folder.glob("v*"):
        if not re.fullmatch(r"v\d+\.\d+\.\d+", entry.name):
            continue
        for program in _PROGRAMS:
            if not (entry / "bin" / program).is_file():
                raise ValueError(f"{entry} lacks bin/{program}")
        if not (entry / "containerd").is_dir():
            raise ValueError(f"{entry} lacks containerd/, the store with the release's images")
        found.append(Kit(entry.resolve(), entry.name[1:]))
    if not found:
        raise ValueError(f"{folder} holds no Kubernetes release (a folder such as v1.37.2)")
    return sorted(found, key=lambda kit: [int(part) for part in kit.version.split(".")])
