"""A group in each of this machine's cgroup hierarchies (version 1) for each machine."""

from __future__ import annotations

import contextlib
import os
import secrets
import time
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Groups", "hierarchies", "remove_stale_groups"]

_PARENT = "cse-real"
_FLAGS = frozenset(["rw", "ro", "nosuid", "nodev", "noexec", "relatime", "noatime"])
_REMOVAL_SECONDS = 5.0


@dataclass(frozen=True)
class Hierarchy:
    """A mounted hierarchy: where, and the options that mount it again elsewhere."""

    path: Path
    options: str


def hierarchies() -> list[Hierarchy]:
    """Return the cgroup v1 hierarchies of this machine; none where it has version 2 only."""
    found = []
    for line in Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines():
        _, path, kind, options, *_ = line.split()
        if kind == "cgroup":
            words = [word for word in options.split(",") if word not in _FLAGS]
            if any(word.startswith("name=") for word in words):
                words.insert(0, "none")
            found.append(Hierarchy(Path(path), ",".join(words)))
    return found


def remove_stale_groups() -> None:
    """Remove the groups of simulators that were killed; their machines ended with them."""
    for one in hierarchies():
        for group in (one.path / _PARENT).glob("*-*"):
            owner = group.name.partition("-")[0]
            if not Path("/proc", owner).exists():
                _remove_tree(group)


def _remove_tree(group: Path) -> None:
    for folder, _, _ in os.walk(group, topdown=False):
        with contextlib.suppress(OSError):
            os.rmdir(folder)  # noqa: PTH106


class Groups:
    """One machine's groups, made here and removed by `remove`."""

    def __init__(self) -> None:
        self._name = f"{os.getpid()}-{secrets.token_hex(4)}"
        self.hierarchies = hierarchies()
        for one in self.hierarchies:
            for group in (one.path / _PARENT, self.path(one)):
                group.mkdir(exist_ok=True)
                # A new cpuset is empty, and takes no process until it is not.
                for file in ("cpuset.cpus", "cpuset.mems"):
                    if (group / file).exists():
                        (group / file).write_text((group.parent / file).read_text())

    def path(self, one: Hierarchy) -> Path:
        """Return the machine's group in a hierarchy."""
        return one.path / _PARENT / self._name

    def processes(self) -> list[int]:
        """Return the pids, out here, of all processes of the machine, its containers included."""
        if not self.hierarchies:
            return []
        found: set[int] = set()
        for folder, _, _ in os.walk(self.path(self.hierarchies[0])):
            with contextlib.suppress(OSError):
                found.update(map(int, (Path(folder) / "cgroup.procs").read_text().split()))
        return sorted(found)

    def freeze(self, *, frozen: bool) -> None:
        """Stop all processes where they are, or let them go on."""
        for one in self.hierarchies:
            state = self.path(one) / "freezer.state"
            if state.exists():
                state.write_text("FROZEN\n" if frozen else "THAWED\n")

    def remove(self) -> None:
        """Remove the groups once their processes are gone."""
        deadline = time.monotonic() + _REMOVAL_SECONDS
        for one in self.hierarchies:
            while self.path(one).exists():
                _remove_tree(self.path(one))
                if time.monotonic() > deadline:
                    return
                time.sleep(0.01)
            with contextlib.suppress(OSError):
                (one.path / _PARENT).rmdir()
