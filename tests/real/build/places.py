"""Where the programs of a real cluster are."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["cache_folder", "official_folder"]


def cache_folder() -> Path:
    """Return the folder that holds one folder for each component, and the kits."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "cse-client" / "real"


def official_folder() -> Path | None:
    """Return the folder that REAL_KUBE_DIR names: official programs, instead of built ones.

    It holds one folder for each component, named as in the cache: kubernetes-v1.37.2,
    etcd-3.6.16 and so on.
    """
    given = os.environ.get("REAL_KUBE_DIR")
    return Path(given) if given else None
