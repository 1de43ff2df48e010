"""dpkg's database: which packages are installed, and their files on the disk."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from cse_client.simulator.guest.disk import Disk
from cse_client.simulator.guest.model import Image
from cse_client.simulator.guest.packages.package import Package

__all__ = [
    "Installed",
    "installed",
    "paragraphs",
    "record",
    "remove",
    "unpack",
    "with_packages",
]

_STATUS = "/var/lib/dpkg/status"
_UNIT_FOLDER = "/usr/lib/systemd/system"
_PACKAGED = "/.sim/packaged"


@dataclass(frozen=True)
class Installed:
    """One paragraph of the status file."""

    fields: Mapping[str, str]

    @property
    def name(self) -> str:
        """The package."""
        return self.fields["Package"]

    @property
    def version(self) -> str:
        """Its version."""
        return self.fields["Version"]

    @property
    def held(self) -> bool:
        """Whether apt-mark holds it."""
        return self.fields.get("Status", "").startswith("hold ")


def paragraphs(text: str) -> list[dict[str, str]]:
    """Read paragraphs of `Field: value`; further lines of a value begin with a blank."""
    found = []
    for block in text.split("\n\n"):
        fields: dict[str, str] = {}
        last = ""
        for line in block.splitlines():
            if line.startswith((" ", "\t")) and last:
                fields[last] += "\n" + line
                continue
            key, colon, value = line.partition(":")
            if colon:
                last = key.strip()
                fields[last] = value.strip()
        if fields:
            found.append(fields)
    return found


def installed(disk: Disk) -> dict[str, Installed]:
    """Return the installed packages by name."""
    found = (Installed(fields) for fields in paragraphs(disk.text(_STATUS)) if "Package" in fields)
    return {one.name: one for one in found}


def record(
    disk: Disk, packages: Iterable[Package], *, hold: Mapping[str, bool] | None = None
) -> None:
    """Enter packages as installed; `hold` sets or takes away holds."""
    known = {name: dict(one.fields) for name, one in installed(disk).items()}
    for package in packages:
        before = known.get(package.name, {})
        known[package.name] = {
            "Package": package.name,
            "Status": before.get("Status", "install ok installed"),
            "Priority": "optional",
            "Section": "admin",
            "Installed-Size": str(package.size_mb * 1024),
            "Maintainer": "The simulator <nobody@example.invalid>",
            "Architecture": "amd64",
            "Version": package.version,
            **({"Depends": ", ".join(package.depends)} if package.depends else {}),
            "Description": package.description or package.name,
        }
    for name, wanted in (hold or {}).items():
        if name in known:
            known[name]["Status"] = f"{'hold' if wanted else 'install'} ok installed"
    _write(disk, known)


def _write(disk: Disk, known: Mapping[str, Mapping[str, str]]) -> None:
    blocks = (
        "".join(f"{key}: {value}\n" for key, value in known[name].items()) for name in sorted(known)
    )
    disk.write(_STATUS, "\n".join(blocks))


def files_of(package: Package) -> list[str]:
    """Return the paths that a package owns."""
    return [
        *(f"/usr/{program}" for program in package.programs),
        *(f"{_UNIT_FOLDER}/{unit}" for unit in package.units),
        *package.files,
    ]


def unpack(disk: Disk, package: Package) -> None:
    """Put a package's files on the disk; configuration that is there stays."""
    for program in package.programs:
        disk.link(f"/usr/{program}", f"{_PACKAGED}/{program.partition('/')[2]}")
    for unit, text in package.units.items():
        disk.write(f"{_UNIT_FOLDER}/{unit}", text)
    for path, text in package.files.items():
        if not (path.startswith("/etc/") and disk.exists(path)):
            disk.write(path, text, 0o755 if "/bin/" in path else 0o644)
    listing = "".join(f"{path}\n" for path in files_of(package))
    disk.write(f"/var/lib/dpkg/info/{package.name}.list", listing)


def remove(disk: Disk, names: Iterable[str]) -> None:
    """Take packages and their files away; configuration below /etc stays, as without --purge."""
    known = {name: dict(one.fields) for name, one in installed(disk).items()}
    for name in names:
        for path in disk.text(f"/var/lib/dpkg/info/{name}.list").splitlines():
            if not path.startswith("/etc/"):
                disk.remove(path)
        disk.remove(f"/var/lib/dpkg/info/{name}.list")
        known.pop(name, None)
    _write(disk, known)


#: Programs that kubeadm asks for, and that an Ubuntu has only with their package.
_ASKED_FOR = ("sbin/conntrack", "sbin/ebtables", "sbin/ethtool", "sbin/iptables", "bin/socat")


def with_packages(image: Image, disk: Disk) -> Image:
    """Return what an image has become by the packages on a disk."""
    if not image.packages:
        return image
    present = installed(disk)
    kubernetes = present.get("kubelet") or present.get("kubeadm")
    missing = [
        path.partition("/")[2]
        for path in _ASKED_FOR
        if not disk.path(f"/usr/{path}", follow=False).is_symlink()
    ]
    if "cri-tools" not in present:
        missing.append("crictl")
    return replace(
        image,
        kubernetes=kubernetes.version.partition("-")[0] if kubernetes else "",
        runtime="containerd" if "containerd" in present else "",
        keepalived="keepalived" in present,
        missing_commands=(*image.missing_commands, *missing),
    )
