"""Where unit files are on a guest's disk, and the links that enable them."""

from __future__ import annotations

from collections.abc import Mapping

from cse_client.simulator.guest.disk import Disk
from cse_client.simulator.guest.life import Life
from cse_client.simulator.guest.units import UnitFile

__all__ = ["UnitFiles"]

_LINKS = "/etc/systemd/system"
#: Where unit files and drop-ins lie, the first one wins; the last is the packages'.
_FOLDERS = (_LINKS, "/run/systemd/system", "/usr/lib/systemd/system")


class UnitFiles:
    """The unit files of one guest; `builtin` are those of its image, by name."""

    def __init__(self, disk: Disk, life: Life, builtin: Mapping[str, str]) -> None:
        self._disk = disk
        self._life = life
        self.builtin = builtin

    def find(self, name: str) -> tuple[str, str] | None:
        """Return (path, text) of a unit's file, None where there is none."""
        for folder in _FOLDERS:
            path = f"{folder}/{name}"
            if self._disk.exists(path):
                return path, self._disk.text(path)
        if name in self.builtin:
            return f"/lib/systemd/system/{name}", self.builtin[name]
        return None

    def read(self, name: str) -> UnitFile | None:
        """Return a unit's file with its drop-ins, None where there is none."""
        found = self.find(name)
        if found is None:
            return None
        text = found[1]
        for path in self._drop_ins(name):
            text += "\n" + self._disk.text(path)
        return UnitFile.parse(name, text)

    def _drop_ins(self, name: str) -> list[str]:
        found: dict[str, str] = {}
        for folder in reversed(_FOLDERS):
            names = self._disk.names(f"{folder}/{name}.d")
            found.update({one: f"{folder}/{name}.d/{one}" for one in names})
        return [path for one, path in sorted(found.items()) if one.endswith(".conf")]

    def masked(self, name: str) -> bool:
        """Return whether a unit is linked to /dev/null."""
        path = self._disk.path(f"{_LINKS}/{name}", follow=False)
        return path.is_symlink() and str(path.readlink()) == "/dev/null"

    def enable(self, name: str) -> list[tuple[str, str]] | None:
        """Link a unit into its targets; returns the new (link, target), None for no [Install]."""
        found = self.find(name)
        assert found is not None  # noqa: S101  # the caller looked
        file = UnitFile.parse(name, found[1])
        links = [f"{_LINKS}/{target}.wants/{name}" for target in file.words("Install", "WantedBy")]
        links += [f"{_LINKS}/{alias}" for alias in file.words("Install", "Alias")]
        if not links:
            return None
        made = []
        for link in links:
            if not self._disk.path(link, follow=False).is_symlink():
                with self._life.guard():
                    self._disk.link(link, found[0])
                made.append((link, found[0]))
        return made

    def disable(self, name: str) -> list[str]:
        """Remove a unit's links from all targets; returns those removed."""
        removed = []
        for folder in self._disk.names(_LINKS):
            link = f"{_LINKS}/{folder}/{name}"
            if folder.endswith((".wants", ".requires")):
                with self._life.guard():
                    if self._disk.remove(link):
                        removed.append(link)
        return removed

    def enabled(self, name: str) -> bool:
        """Return whether some target wants the unit."""
        return any(
            name in self._disk.names(f"{_LINKS}/{folder}")
            for folder in self._disk.names(_LINKS)
            if folder.endswith((".wants", ".requires"))
        )
