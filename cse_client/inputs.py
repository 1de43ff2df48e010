"""Files that a user names, read within bounds of time and size.

A shell's process substitution, `--ssh-key <(...)`, is a pipe below /dev/fd. It is read like
/dev/stdin; anything else that is not a regular file is refused, since a named pipe without a writer
and many devices never end.
"""

from __future__ import annotations

import errno
import os
import re
import select
import stat
from pathlib import Path
from time import monotonic

from cse_client.errors import WrongUsage

__all__ = ["read_file", "read_named"]

#: Seconds that a pipe may take to its end: somebody may type, or a password store may ask.
PATIENCE = 60.0
_CHUNK = 64 * 1024
_OPEN_ALREADY = re.compile(r"/dev/stdin|/(?:dev|proc/self)/fd/(?P<number>\d{1,9})", re.ASCII)


def read_file(path: Path, most: int) -> bytes:
    """Return what a file holds, `most` bytes of it at most.

    Raises:
        OSError: it cannot be read, is not a regular file, or did not end in time.
    """
    ours = _OPEN_ALREADY.fullmatch(str(path))
    if ours:
        # not opened anew: a pipe that was does not tell its end where its writer is gone already
        descriptor = os.dup(int(ours["number"] or 0))
    else:
        # without a writer, opening a named pipe would wait for one
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        kind = os.fstat(descriptor).st_mode
        if stat.S_ISDIR(kind):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if not ours and not stat.S_ISREG(kind):
            raise OSError(errno.EINVAL, "it is not a regular file")
        return _read(descriptor, most)
    finally:
        os.close(descriptor)


def read_named(kind: str, path: str | Path, most: int, *, hint: str = "") -> bytes:
    """Return what a file holds that was named on the command line; `kind` is "CA file" or the like.

    Raises:
        WrongUsage: see `read_file`.
    """
    try:
        return read_file(Path(path).expanduser(), most)
    except OSError as error:
        reason = error.strerror or error
        raise WrongUsage(f"The {kind} '{path}' cannot be read: {reason}.", hint=hint) from None


def _read(descriptor: int, most: int) -> bytes:
    end = monotonic() + PATIENCE
    content = bytearray()
    while len(content) < most:
        # a file is always ready
        ready, _, _ = select.select([descriptor], [], [], max(0.0, end - monotonic()))
        if not ready:
            raise OSError(errno.ETIMEDOUT, f"it did not end within {PATIENCE:.0f} seconds")
        piece = os.read(descriptor, min(_CHUNK, most - len(content)))
        if not piece:
            break
        content += piece
    return bytes(content)
