"""A guest's disk, seen from outside: a folder whose absolute paths and links stay inside it."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
from pathlib import Path

__all__ = ["Disk", "copy_disk"]

_MOST_LINKS = 40


#: What every boot makes anew.
_FLEETING = ("dev", "run", "tmp", "proc", ".guest")


def copy_disk(source: Path, target: Path) -> None:
    """Copy a disk to a folder that is not there yet; sockets and pipes are left out."""
    target.parent.mkdir(parents=True, exist_ok=True)

    def skipped(folder: str, names: list[str]) -> set[str]:
        if os.path.samefile(folder, source):  # noqa: PTH121
            return {name for name in names if name in _FLEETING}
        return {name for name in names if _is_special(f"{folder}/{name}")}

    shutil.copytree(source, target, symlinks=True, ignore=skipped)
    for name in _FLEETING:
        (target / name).mkdir()
    (target / ".guest" / "jobs").mkdir()


def _is_special(path: str) -> bool:
    mode = os.lstat(path).st_mode
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode) or stat.S_ISLNK(mode))


class Disk:
    """The guest's file system at `root` on this machine.

    Paths are the guest's own, absolute. Links are followed as the guest would follow them;
    a loop of links raises OSError as in the guest.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, name: str, *, follow: bool = True) -> Path:
        """Return where `name` lies on this machine; the last link stays unless `follow`."""
        todo = [part for part in name.split("/") if part not in ("", ".")]
        todo.reverse()
        here = top = str(self.root)
        links = 0
        while todo:
            part = todo.pop()
            if part == "..":
                if here != top:
                    here = here.rpartition("/")[0]
                continue
            there = f"{here}/{part}"
            if todo or follow:
                try:
                    target = os.readlink(there)  # noqa: PTH115  # Path is slow, this runs often
                except OSError:
                    here = there
                    continue
                links += 1
                if links > _MOST_LINKS:
                    raise OSError(40, "Too many levels of symbolic links", name)
                if target.startswith("/"):
                    here = top
                todo.extend(step for step in reversed(target.split("/")) if step not in ("", "."))
                continue
            here = there
        return Path(here)

    def exists(self, name: str) -> bool:
        """Return whether the file is there; a dangling link is not."""
        return os.path.exists(self.path(name))  # noqa: PTH110

    def read(self, name: str) -> bytes:
        """Return a file's content.

        Raises:
            OSError: as open() does.
        """
        return self.path(name).read_bytes()

    def text(self, name: str) -> str:
        """Return a file as text; an absent one is empty."""
        try:
            return self.read(name).decode("utf-8", "replace")
        except OSError:
            return ""

    def write(self, name: str, data: bytes | str, mode: int = 0o644) -> None:
        """Write a file, its folders included."""
        path = self.path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        content = data.encode() if isinstance(data, str) else data
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
        try:
            os.fchmod(handle, mode)
            os.write(handle, content)
        finally:
            os.close(handle)

    def append(self, name: str, text: str) -> None:
        """Add to a file's end."""
        path = self.path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            file.write(text)

    def make_folder(self, name: str, mode: int = 0o755) -> None:
        """Make a folder and those above it."""
        path = self.path(name)
        path.mkdir(parents=True, exist_ok=True)
        path.chmod(mode)

    def link(self, name: str, target: str) -> None:
        """Make `name` a symbolic link to `target`, replacing what is there."""
        path = self.path(name, follow=False)
        path.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
        path.symlink_to(target)

    def remove(self, name: str) -> bool:
        """Remove a file or a whole folder; return whether there was one."""
        path = self.path(name, follow=False)
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
            return True
        try:
            path.unlink()
        except FileNotFoundError:
            return False
        return True

    def names(self, name: str) -> list[str]:
        """Return the sorted names in a folder; none where it is absent."""
        try:
            return sorted(os.listdir(self.path(name)))  # noqa: PTH208
        except (FileNotFoundError, NotADirectoryError):
            return []
