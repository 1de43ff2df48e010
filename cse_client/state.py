"""The folder for what this package keeps on this machine: CA files, locks and its own log."""

from __future__ import annotations

import os
import sys
from pathlib import Path

__all__ = ["state_folder"]


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
