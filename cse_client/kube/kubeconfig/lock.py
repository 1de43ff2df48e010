"""kubectl's lock on a kubeconfig, and writing one in a single step.

The lock is client-go's: a file `<kubeconfig>.lock` made with O_CREAT|O_EXCL and mode 0, removed
afterwards; with several kubeconfigs all are locked, in sorted order (kubernetes/client-go:
tools/clientcmd/config.go ModifyConfig, loader.go lockFile). kubectl gives up at once when it finds
a lock; we wait for a while. A lock that stays is named and never broken: its owner may be at work.
"""

from __future__ import annotations

import contextlib
import errno
import os
import random
import stat
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from cse_client import sent, suggest
from cse_client.clock import SYSTEM_CLOCK, Clock
from cse_client.errors import Conflict, CseError

__all__ = ["PATIENCE", "cannot", "check_writable", "locked", "replace_file"]

#: Seconds to wait for somebody else's lock; holding one takes milliseconds.
PATIENCE = 15.0
PRIVATE = 0o600
_PAUSE = 0.02
_WRITERS = stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH


@contextlib.contextmanager
def locked(
    paths: Iterable[Path],
    *,
    patience: float = PATIENCE,
    clock: Clock = SYSTEM_CLOCK,
) -> Iterator[None]:
    """Hold the locks of these kubeconfigs.

    A file behind symbolic links is locked under each name that they have for it, since others may
    use any. Names that turn out to be one (a link to a folder, two spellings of a path) are locked
    once. A folder that is missing or may not be written needs no lock: nobody can write the file in
    it.

    Raises:
        Conflict: a lock was still there after `patience` seconds.
        CseError: a lock could not be made.
    """
    held: list[Path] = []
    deadline = clock.monotonic() + patience
    try:
        for lock in sorted({name for path in paths for name in _lock_names(path)}):
            while not _take(lock, held):
                if clock.monotonic() >= deadline:
                    raise _still_locked(lock, patience)
                clock.sleep(_PAUSE * (0.5 + random.random()))  # noqa: S311 - only spreads the waiters
        yield
    finally:
        for lock in reversed(held):
            lock.unlink(missing_ok=True)


def check_writable(path: Path) -> None:
    """Raise CseError unless kubectl could write a file, which it does in place.

    Replacing a file would need no right to the file itself. A file without any right to write
    is left alone for root as well: somebody protected it.
    """
    target = Path(os.path.realpath(path))
    try:
        mode = target.stat().st_mode
    except OSError:
        return
    if not stat.S_ISREG(mode):
        raise CseError(f"The file {path} is not a regular file, so it is not replaced.")
    if mode & _WRITERS and os.access(target, os.W_OK):
        return
    raise CseError(
        f"The file {path} may not be written: its mode is {stat.S_IMODE(mode):04o}.",
        hint=f"To allow changes: {suggest.program('chmod u+w', str(target))}",
    )


def replace_file(path: Path, text: str) -> None:
    """Write a file of mode 0600 in one step: a temporary file in the same folder, then a rename.

    A symbolic link stays one: what it points to is replaced. Whoever owned the file owns it still.
    A file that has several names (hard links), or that is itself a mount point, is written in
    place, as kubectl writes every file: under its other names it would else stay what it was.

    Raises:
        CseError: it cannot be written; what was there is still there.
    """
    check_writable(path)
    target = Path(os.path.realpath(path))
    content = text.encode()
    sent.note_file()
    try:
        if _has_other_names(target):
            _write_in_place(target, content)
        else:
            _replace_atomically(target, content)
    except OSError as error:
        raise cannot("written", path, error) from None


def _has_other_names(target: Path) -> bool:
    try:
        return target.stat().st_nlink > 1
    except FileNotFoundError:
        return False


def _replace_atomically(target: Path, content: bytes) -> None:
    temporary = ""
    try:
        owner = _owner(target)
        # mkstemp makes it 0600 whatever the umask says
        handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
        with os.fdopen(handle, "wb") as stream:
            if owner is not None:
                os.fchown(stream.fileno(), *owner)
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        try:
            Path(temporary).replace(target)
        except OSError as error:
            if error.errno != errno.EBUSY:
                raise
            _write_in_place(target, content)
        else:
            temporary = ""
    finally:
        if temporary:
            Path(temporary).unlink(missing_ok=True)


def _write_in_place(target: Path, content: bytes) -> None:
    before = target.read_bytes()
    try:
        _overwrite(target, content)
    except OSError:
        with contextlib.suppress(OSError):
            _overwrite(target, before)
        raise


def _overwrite(target: Path, content: bytes) -> None:
    with target.open("r+b") as stream:
        with contextlib.suppress(PermissionError):  # somebody else's file, which we may write
            os.fchmod(stream.fileno(), PRIVATE)
        stream.write(content)
        stream.truncate()
        stream.flush()
        os.fsync(stream.fileno())


def cannot(verb: str, path: Path, error: OSError) -> CseError:
    """Return the error that says why a file cannot be read or written."""
    return CseError(f"The file {path} cannot be {verb}: {error.strerror or error}.")


def _lock_names(path: Path) -> set[Path]:
    """Return the locks of a file: beside it, and beside all that its links lead to.

    Folders are resolved, so that one lock has one name here and the locks one order everywhere.
    """
    found: set[Path] = set()
    name = path.absolute()
    while True:
        lock = Path(os.path.realpath(name.parent)) / f"{name.name}.lock"
        if lock in found or not name.name:
            return found
        found.add(lock)
        try:
            name = lock.parent / name.readlink()
        except OSError:  # not a link
            return found


def _take(lock: Path, held: list[Path]) -> bool:
    try:
        handle = os.open(lock, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0)
    except FileExistsError:
        # Where case does not count, or a folder is mounted twice, one lock has two names.
        return any(_is_same(lock, one) for one in held)
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return True
    except OSError as error:
        if not os.access(lock.parent, os.W_OK):  # a read-only file system
            return True
        raise cannot("made", lock, error) from None
    held.append(lock)
    os.close(handle)
    return True


def _is_same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return False


def _still_locked(lock: Path, patience: float) -> Conflict:
    since = ""
    with contextlib.suppress(OSError):
        since = f" since {time.strftime('%Y-%m-%d %H:%M:%S', time.localtime(lock.stat().st_mtime))}"
    return Conflict(
        f"The kubeconfig {str(lock)[: -len('.lock')]} is locked by another program{since}: {lock}"
        f" did not go away within {patience:g} seconds.",
        hint="Wait until no kubectl changes it. If none runs, a stopped one left it:"
        f" {suggest.program('rm', str(lock))}",
    )


def _owner(target: Path) -> tuple[int, int] | None:
    """Return the owner and group to keep; None where they come out right by themselves."""
    try:
        found = target.stat()
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(found.st_mode):
        raise CseError(f"The file {target} is not a regular file, so it is not replaced.")
    me = os.geteuid() if hasattr(os, "geteuid") else found.st_uid
    if found.st_uid == me:
        return None
    if me != 0:
        raise CseError(
            f"The file {target} belongs to another user, so it is not replaced.",
            hint="Use another file: --kubeconfig FILE",
        )
    return found.st_uid, found.st_gid
