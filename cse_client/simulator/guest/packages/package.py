"""A Debian package: its control fields, and what it puts on the disk."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

__all__ = ["Package", "newest", "satisfies", "version_key"]


@dataclass(frozen=True)
class Package:
    """One version of a package.

    Attributes:
        depends: as in the control field: names, maybe with a version in parentheses.
        programs: commands that it brings along, as "bin/NAME" or "sbin/NAME".
        units: its unit files, by name.
        files: further files, by path.
        enabled: units that its installation enables and starts.
        size_mb: MB of disk space that it takes when it is installed.
    """

    name: str
    version: str
    depends: tuple[str, ...] = ()
    programs: tuple[str, ...] = ()
    units: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    enabled: tuple[str, ...] = ()
    size_mb: int = 1
    description: str = ""

    @cached_property
    def file_name(self) -> str:
        """The name of its archive file; the epoch is left out."""
        version = self.version.partition(":")[2] or self.version
        return f"{self.name}_{version}_amd64.deb"

    def control(self) -> str:
        """Return its paragraph of a Packages file."""
        lines = [
            f"Package: {self.name}",
            f"Version: {self.version}",
            "Architecture: amd64",
            "Maintainer: The simulator <nobody@example.invalid>",
            f"Installed-Size: {self.size_mb * 1024}",
        ]
        if self.depends:
            lines.append(f"Depends: {', '.join(self.depends)}")
        lines += [
            f"Filename: amd64/{self.file_name}",
            f"Size: {self.size_mb * 300_000}",
            f"Description: {self.description or self.name}",
        ]
        return "\n".join(lines) + "\n"


def _order(char: str) -> int:
    """Rank a character as dpkg does: ~ before the end, letters before all others."""
    if char == "~":
        return -1
    if char.isdigit() or not char:
        return 0
    return ord(char) if char.isalpha() else ord(char) + 256


def _part_key(text: str) -> list[object]:
    """Return what compares parts of a version (deb-version(7), "Sorting algorithm")."""
    key: list[object] = []
    for word, number in re.findall(r"(\D*)(\d*)", text):
        key.append([_order(char) for char in word] + [0])
        key.append(int(number or 0))
    return key


def version_key(version: str) -> tuple[int, list[object], list[object]]:
    """Return what versions are compared by."""
    epoch, colon, rest = version.partition(":")
    if not colon:
        epoch, rest = "0", version
    upstream, _, revision = rest.rpartition("-")
    return int(epoch), _part_key(upstream or rest), _part_key(revision if upstream else "0")


def newest(packages: list[Package]) -> Package | None:
    """Return the package with the highest version."""
    return max(packages, key=lambda one: version_key(one.version), default=None)


def satisfies(version: str, relation: str) -> bool:
    """Return whether a version satisfies a relation such as ">= 1.2"; "" is always satisfied."""
    if not relation:
        return True
    operator, _, wanted = relation.strip("() ").partition(" ")
    mine, other = version_key(version), version_key(wanted.strip())
    return {
        ">=": mine >= other,
        "<=": mine <= other,
        "=": mine == other,
        ">>": mine > other,
        "<<": mine < other,
    }[operator]
