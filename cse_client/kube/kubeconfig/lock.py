"""kubectl's lock on a kubeconfig, and writing one in a single step.

The lock is client-go's: a file `<kubeconfig>.lock` made with O_CREAT|O_EXCL and mode 0, removed
afterwards; with several kubeconfigs all are locked, in sorted order (kubernetes/client-go:
tools/clientcmd/config.go ModifyConfig, loader.go lockFile). kubectl gives up at once when it finds
a lock; we wait for a while. A lock that stays is named and never broken: its owner may be at work.
"""

from __future__ import annotations

import contextlib
import os
import random
import stat
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from cse_client import suggest
from cse_client.errors import Conflict, CseError

__all__ = ["PATIENCE", "cannot", "locked", "replace_file"]

#: Seconds to wait for somebody else's lock; holding one takes milliseconds.
PATIENCE = 15.0
PRIVATE = 0o600
_PAUSE = 0.02


@contextlib.contextmanager
def locked(
    paths: Iterable[Path],
    *,
    patience: float = PATIENCE,
    monotonic: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[None]:
    """Hold the locks of these kubeconfigs.

    A file behind a symbolic link is locked under both names, since others may use either. A folder
    that is missing or may not be written needs no lock: nobody can write the file in it.

    Raises:
        Conflict: a lock was still there after `patience` seconds.
        CseError: a lock could not be made.
    """
    held: list[Path] = []
    deadline = monotonic() + patience
    try:
        for lock in sorted({name for path in paths for name in _lock_names(path)}):
            while not _take(lock, held):
                if monotonic() >= deadline:
                    raise _still_locked(lock, patience)
                sleep(_PAUSE * (0.5 + random.random()))  # noqa: S311 - only spreads the waiters
        yield
    finally:
        for lock in reversed(held):
            lock.unlink(missing_ok=True)


def replace_file(path: Path, text: str) -> None:
    """Write a file of mode 0600 in one step: a temporary file in the same folder, then a rename.

    A symbolic link stays one: what it points to is replaced. Whoever owned the file owns it still.

    Raises:
        CseError: it cannot be written; what was there is still there.
    """
    target = Path(os.path.realpath(path))
    temporary = ""
    try:
        owner = _owner(target)
        # mkstemp makes it 0600 whatever the umask says
        handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            if owner is not None:
                os.fchown(stream.fileno(), *owner)
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        Path(temporary).replace(target)
        temporary = ""
    except OSError as error:
        raise cannot("written", path, error) from None
    finally:
        if temporary:
            Path(temporary).unlink(missing_ok=True)


def cannot(verb: str, path: Path, error: OSError) -> CseError:
    """Return the error that says why a file cannot be read or written."""
    return CseError(f"The file {path} cannot be {verb}: {error.strerror or error}.")


def _lock_names(path: Path) -> set[Path]:
    return {Path(f"{name}.lock") for name in (path.absolute(), os.path.realpath(path))}


def _take(lock: Path, held: list[Path]) -> bool:
    try:
        handle = os.open(lock, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0)
    except FileExistsError:
        return False
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return True
    except OSError as error:
        if not os.access(lock.parent, os.W_OK):  # a read-only file system
            return True
        raise cannot("made", lock, error) from None
    held.append(lock)
    os.close(handle)
    return True


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
        raise CseError(f"The file {target} is no regular file, so it is not replaced.")
    me = os.geteuid() if hasattr(os, "geteuid") else found.st_uid
    if found.st_uid == me:
        return None
    if me != 0:
        raise CseError(
            f"The file {target} belongs to another user, so it is not replaced.",
            hint="Save into a file of your own: --kubeconfig FILE",
        )
    return found.st_uid, found.st_gid
