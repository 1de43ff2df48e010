"""Where the programs of a real cluster are."""

from __future__ import annotations

import os
from pathlib import Path

from tests.real.build.components import Component

__all__ = ["cache_folder", "folder_of", "official_folder"]


def cache_folder() -> Path:
    """Return the folder that holds one folder for each component, and the kits."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "cse-client" / "real"


def official_folder() -> Path | None:
    """Return the folder that REAL_KUBE_DIR names: official programs, instead of built ones.

    It holds one folder for each component that is not ours, named as in the cache:
    kubernetes-v1.37.2, etcd-3.6.16 and so on.
    """
    given = os.environ.get("REAL_KUBE_DIR")
    return Path(given).resolve() if given else None


def folder_of(component: Component) -> Path:
    """Return the folder with a component's files, complete or not.

    Programs of ours and manifests are not official programs, but REAL_KUBE_DIR may have them.
    """
    official = official_folder()
    if official is not None:
        given = official / component.name
        if given.is_dir() or not (component.source or component.copies):
            return given
    return cache_folder() / component.name
