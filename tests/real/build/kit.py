"""A kit: all that the simulator needs to boot real machines of one Kubernetes release.

KIT/bin/         the programs of a template: kubeadm, kubelet, kubectl, containerd, crictl ...
KIT/images.tar   the images that `kubeadm config images list` names, as an OCI layout
KIT/containerd/  containerd's root folder with these images imported
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.real.build.components import (
    CONTAINERD,
    COREDNS,
    CRICTL,
    ETCD,
    PAUSE,
    PROBE,
    PROBE_IMAGE,
    SHARED,
    Component,
    kubernetes,
)
from tests.real.build.images import ImageContent, packet_filter, shell, write_layout
from tests.real.build.places import folder_of, official_folder
from tests.real.build.store import fill_store

__all__ = ["kit_folder", "make_kit"]

#: Raised whenever a kit's content changes.
_FORMAT = 2
_KUBE_PROXY_START = Path(__file__).parent / "kube-proxy.sh"


def kit_folder(cache: Path) -> Path:
    """Return the folder of all kits with these versions: one subfolder for each release.

    Kits of programs that REAL_KUBE_DIR names are not those of built ones.
    """
    names = " ".join([str(_FORMAT), *(component.name for component in SHARED)])
    official = official_folder()
    if official is not None:
        names += f" {official}"
    return cache / "kits" / hashlib.sha256(names.encode()).hexdigest()[:12]


def make_kit(cache: Path, version: str) -> Path:
    """Put a release's kit together of complete components unless it is there; return its folder.

    Raises:
        StoreFailed: containerd did not take the images.
    """
    kit = kit_folder(cache) / version
    if kit.is_dir():
        return kit
    kit.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f".{version}.partial-", dir=kit.parent))
    try:
        partial.chmod(0o755)
        _programs(kubernetes(version), partial / "bin")
        write_layout(partial / "images.tar", _images(version))
        fill_store(
            partial / "containerd",
            programs=partial / "bin",
            images=partial / "images.tar",
            work=partial / "work",
        )
        shutil.rmtree(partial / "work")
        partial.rename(kit)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return kit


def _programs(release: Component, folder: Path) -> None:
    folder.mkdir()
    for component in (release, CONTAINERD, CRICTL):
        for program in component.packages:
            source = folder_of(component) / program
            try:
                os.link(source, folder / program)
            except OSError:  # REAL_KUBE_DIR may lie on another file system
                shutil.copy2(source, folder / program)


def _images(version: str) -> dict[str, ImageContent]:
    programs = folder_of(kubernetes(version))
    probe = ImageContent((("probe", folder_of(PROBE) / "probe"),), ("/probe",))
    found = {PROBE_IMAGE: probe}
    for name in _image_names(programs / "kubeadm", version):
        what = name.rpartition("/")[2].partition(":")[0]
        if what == "pause":
            content = ImageContent((("pause", folder_of(PAUSE) / "pause"),), ("/pause",))
        elif what == "coredns":
            content = ImageContent((("coredns", folder_of(COREDNS) / "coredns"),), ("/coredns",))
        elif what == "etcd":
            etcd = folder_of(ETCD)
            files = tuple((f"usr/local/bin/{one}", etcd / one) for one in ETCD.packages)
            content = ImageContent(files, ("etcd",))
        elif what == "kube-proxy":
            own = (
                ("usr/local/bin/kube-proxy", _KUBE_PROXY_START),
                ("usr/local/bin/kube-proxy.program", programs / what),
            )
            content = ImageContent(tuple(dict([*own, *shell(), *packet_filter()]).items()), (what,))
        else:
            content = ImageContent(((f"usr/local/bin/{what}", programs / what),), (what,))
        found[name] = content
    return found


def _image_names(kubeadm: Path, version: str) -> list[str]:
    listed = subprocess.run(
        [kubeadm, "config", "images", "list", "--kubernetes-version", version],
        capture_output=True,
        text=True,
        check=True,
    )
    return listed.stdout.split()
