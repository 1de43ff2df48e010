"""The packages of a Kubernetes release, laid out as those of pkgs.k8s.io are.

Their contents are the programs of a kit and this machine's CNI plugins. Names, dependencies, unit
files and configuration files follow what the project publishes with its packages
(kubernetes/release, cmd/krel/templates/latest), without the dependencies that were dropped in time:
who installs them names what a node needs besides.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from cse_client.simulator.guest.real.template import KUBELET_UNIT, REAL_DROP_IN
from tests.real.build.repository import Signer, write_repository

__all__ = ["make_packages", "packages_folder"]

_FORMAT = 1
_CNI_PLUGINS = Path("/usr/lib/cni")
_UNITS = "usr/lib/systemd/system"

_KUBELET_POSTINST = """#!/bin/sh
set -e
if [ "$1" = configure ]; then
    deb-systemd-helper unmask kubelet.service >/dev/null || true
    deb-systemd-helper enable kubelet.service >/dev/null || true
    [ ! -d /run/systemd/system ] || systemctl --system daemon-reload >/dev/null || true
    [ ! -d /run/systemd/system ] || deb-systemd-invoke start kubelet.service >/dev/null || true
fi
"""


@dataclass(frozen=True)
class _Package:
    """`programs` are files of this machine by path in the package, `texts` contents by path."""

    name: str
    version: str
    depends: str = ""
    programs: dict[str, Path] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    conffiles: tuple[str, ...] = ()
    postinst: str = ""


def packages_folder(kits: Path, version: str) -> Path:
    """Return the folder of the repository for a release such as "v1.37.2"."""
    return kits / f"packages-{version}.{_FORMAT}"


def make_packages(kits: Path, version: str) -> Path:
    """Pack a release of which the kit is there, unless that is done; return the folder."""
    target = packages_folder(kits, version)
    if target.is_dir():
        return target
    partial = Path(tempfile.mkdtemp(prefix=f".packages-{version}.partial-", dir=kits))
    try:
        partial.chmod(0o755)
        for package in _packages(kits / version / "bin", version.removeprefix("v")):
            _pack(package, partial)
        with Signer("Kubernetes packages") as signer:
            write_repository(partial, signer)
        partial.rename(target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return target


def _packages(programs: Path, version: str) -> list[_Package]:
    minor = ".".join(version.split(".")[:2])
    plugins = {f"opt/cni/bin/{one.name}": one for one in sorted(_CNI_PLUGINS.iterdir())}
    full = f"{version}-1.1"
    return [
        _Package(
            "kubeadm",
            full,
            f"cri-tools (>= {minor}.0)",
            {"usr/bin/kubeadm": programs / "kubeadm"},
            {f"{_UNITS}/kubelet.service.d/10-kubeadm.conf": REAL_DROP_IN},
        ),
        _Package(
            "kubelet",
            full,
            "iptables (>= 1.4.21), kubernetes-cni (>= 1.2.0), iproute2, mount, util-linux",
            {"usr/bin/kubelet": programs / "kubelet"},
            {
                f"{_UNITS}/kubelet.service": KUBELET_UNIT,
                "etc/default/kubelet": "KUBELET_EXTRA_ARGS=\n",
                "etc/kubernetes/manifests/.kubelet-keep": "",
                "var/lib/kubelet/.kubelet-keep": "",
            },
            ("/etc/default/kubelet",),
            _KUBELET_POSTINST,
        ),
        _Package("kubectl", full, "", {"usr/bin/kubectl": programs / "kubectl"}),
        _Package("cri-tools", f"{minor}.0-1.1", "", {"usr/bin/crictl": programs / "crictl"}),
        _Package("kubernetes-cni", "1.8.0-1.1", "", plugins),
    ]


def _architecture() -> str:
    asked = ["dpkg", "--print-architecture"]
    return subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()


def _pack(package: _Package, folder: Path) -> None:
    architecture = _architecture()
    with tempfile.TemporaryDirectory(dir=folder) as name:
        root = Path(name)
        root.chmod(0o755)
        for path, source in package.programs.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            try:
                os.link(source.resolve(), root / path)
            except OSError:  # another file system
                shutil.copy2(source, root / path)
        for path, text in package.texts.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text, encoding="utf-8")
        control = root / "DEBIAN"
        control.mkdir()
        lines = [
            f"Package: {package.name}",
            f"Version: {package.version}",
            f"Architecture: {architecture}",
            "Maintainer: Nobody <nobody@example.com>",
            f"Description: {package.name} of a Kubernetes release",
            *([f"Depends: {package.depends}"] if package.depends else []),
        ]
        (control / "control").write_text("\n".join(lines) + "\n", encoding="utf-8")
        if package.conffiles:
            text = "".join(f"{path}\n" for path in package.conffiles)
            (control / "conffiles").write_text(text, encoding="utf-8")
        if package.postinst:
            (control / "postinst").write_text(package.postinst, encoding="utf-8")
            (control / "postinst").chmod(0o755)
        place = folder / architecture
        place.mkdir(exist_ok=True)
        file = place / f"{package.name}_{package.version}_{architecture}.deb"
        # Packed anew for each release, and never sent over a wire: not worth compressing.
        subprocess.run(
            ["dpkg-deb", "--root-owner-group", "-Znone", "--build", root, file],
            capture_output=True,
            check=True,
        )
