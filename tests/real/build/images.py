"""Container images packed from programs of this machine, as one OCI image layout.

No registry has a part in it: kubeadm finds the images under the names that it would pull.
Layout: https://github.com/opencontainers/image-spec/blob/main/image-layout.md
"""

from __future__ import annotations

import hashlib
import io
import json
import platform
import re
import subprocess
import tarfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

__all__ = ["ImageContent", "libraries_of", "packet_filter", "shell", "write_layout"]

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
_XTABLES = Path("/usr/sbin/xtables-nft-multi")
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True)
class ImageContent:
    """What an image holds: files (path in the image, source) and the command that it runs."""

    files: tuple[tuple[str, Path], ...]
    entrypoint: tuple[str, ...]


def libraries_of(program: Path) -> dict[str, Path]:
    """Return the shared libraries of a program: path in an image, file of this machine."""
    listed = subprocess.run(["ldd", program], capture_output=True, text=True, check=False).stdout
    return {path.lstrip("/"): Path(path) for path in re.findall(r"(/\S+\.so\S*)", listed)}


def packet_filter() -> tuple[tuple[str, Path], ...]:
    """Return the files of this machine's iptables, which kube-proxy calls."""
    matches = sorted(Path("/usr/lib").glob("*/xtables/*.so"))
    files = {str(path).lstrip("/"): path for path in matches}
    for program in (_XTABLES, *matches):
        files.update(libraries_of(program))
    for family in ("iptables", "ip6tables"):
        for suffix in ("", "-save", "-restore"):
            files[f"usr/sbin/{family}{suffix}"] = _XTABLES
    return tuple(files.items())


def shell() -> tuple[tuple[str, Path], ...]:
    """Return the files of this machine's shell, with what a start script calls."""
    files = {f"bin/{name}": Path("/bin", name) for name in ("sh", "cat", "mount")}
    for program in list(files.values()):
        files.update(libraries_of(program))
    return tuple(files.items())


def write_layout(path: Path, images: Mapping[str, ImageContent]) -> None:
    """Write a tar file with an OCI image layout; `images` are contents by full image name."""
    machine = platform.machine()
    architecture = _ARCHITECTURES.get(machine, machine)
    with tarfile.open(path, "w") as layout:
        written: set[str] = set()

        def blob(data: bytes, kind: str) -> dict[str, object]:
            digest = hashlib.sha256(data).hexdigest()
            if digest not in written:
                _add(layout, f"blobs/sha256/{digest}", data)
                written.add(digest)
            return {
                "mediaType": f"application/vnd.oci.image.{kind}",
                "digest": f"sha256:{digest}",
                "size": len(data),
            }

        manifests = []
        for name, content in images.items():
            layer = blob(_layer(content.files), "layer.v1.tar")
            config = {
                "architecture": architecture,
                "os": "linux",
                "config": {"Entrypoint": list(content.entrypoint), "Env": [f"PATH={_PATH}"]},
                "rootfs": {"type": "layers", "diff_ids": [layer["digest"]]},
                "history": [{"created_by": name}],
            }
            manifest = {
                "schemaVersion": 2,
                "mediaType": "application/vnd.oci.image.manifest.v1+json",
                "config": blob(_json(config), "config.v1+json"),
                "layers": [layer],
            }
            descriptor = blob(_json(manifest), "manifest.v1+json")
            descriptor["platform"] = {"architecture": architecture, "os": "linux"}
            # ctr takes the whole name from the first, other tools the tag from the second.
            descriptor["annotations"] = {
                "io.containerd.image.name": name,
                "org.opencontainers.image.ref.name": name.rpartition(":")[2],
            }
            manifests.append(descriptor)
        index = {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.index.v1+json",
            "manifests": manifests,
        }
        _add(layout, "index.json", _json(index))
        _add(layout, "oci-layout", _json({"imageLayoutVersion": "1.0.0"}))


def _layer(files: Iterable[tuple[str, Path]]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as layer:
        for folder in ("etc", "tmp"):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o1777 if folder == "tmp" else 0o755
            layer.addfile(entry)
        for name, source in files:
            entry = tarfile.TarInfo(name)
            real = source.resolve()
            entry.size, entry.mode = real.stat().st_size, 0o755
            with real.open("rb") as content:
                layer.addfile(entry, content)
    return buffer.getvalue()


def _json(value: object) -> bytes:
    return json.dumps(value, sort_keys=True).encode()


def _add(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(data), 0o644
    archive.addfile(entry, io.BytesIO(data))
