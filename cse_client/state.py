"""The folder for what this package keeps on this machine: CA files, locks and its own log."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from cse_client import sent

__all__ = ["state_folder", "write_private"]


def state_folder() -> Path:
    """Return this user's state folder, which may not exist yet.

    `$XDG_STATE_HOME/cse-client`, by default `~/.local/state/cse-client`; on Windows
    `%LOCALAPPDATA%/cse-client`. A relative XDG_STATE_HOME is ignored, as the XDG Base Directory
    Specification (0.8, "Basics") asks for: it would mean another folder in each working directory.
    """
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or str(Path.home() / "AppData" / "Local")
        return Path(base) / "cse-client"
    base = os.environ.get("XDG_STATE_HOME", "")
    root = Path(base) if base.startswith("/") else Path.home() / ".local" / "state"
    return root / "cse-client"


def write_private(path: Path, content: str | bytes) -> None:
    """Replace a file as a whole by one that only its owner can read; make its folder if needed.

    Raises:
        OSError: it cannot be written; what was there is still there.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # mkstemp makes it 0600 whatever the umask says
    handle, partial = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content if isinstance(content, bytes) else content.encode())
            stream.flush()
            os.fsync(stream.fileno())
        sent.note_file()
        Path(partial).replace(path)
    finally:
        Path(partial).unlink(missing_ok=True)
