"""The cache of completion: files in the state folder that only their owner can read."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping
from typing import Any

from cse_client.state import state_folder

__all__ = ["profile_stamp", "read", "write"]

_MOST_BYTES = 8 * 1024 * 1024


def _path(name: str) -> str:
    return os.path.join(state_folder(), "completion", name)  # noqa: PTH118


def read(name: str) -> dict[str, Any]:
    """Return what a file of the cache holds; nothing if it is missing, damaged or not ours."""
    try:
        with open(_path(name), "rb") as file:  # noqa: PTH123
            if os.fstat(file.fileno()).st_uid != os.getuid():
                return {}
            found = json.loads(file.read(_MOST_BYTES))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def write(name: str, value: Mapping[str, Any]) -> None:
    """Replace a file of the cache as a whole; do nothing if it cannot be written."""
    path = _path(name)
    partial = f"{path}.{os.getpid()}"
    with contextlib.suppress(OSError):
        os.makedirs(os.path.dirname(path), 0o700, exist_ok=True)  # noqa: PTH103, PTH120
        number = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(number, "w", encoding="utf-8") as file:
                json.dump(value, file)
            os.replace(partial, path)  # noqa: PTH105
        except BaseException:
            os.unlink(partial)  # noqa: PTH108
            raise


def profile_stamp() -> list[Any]:
    """Return what changes when somebody logs in or out, or another VDC or engine comes into use."""
    engine = os.environ.get("CSE_ENGINE", "")
    try:
        found = os.stat(os.path.expanduser("~/.vcd-cli/profiles.yaml"))  # noqa: PTH111, PTH116
    except OSError:
        return [engine]
    return [engine, found.st_mtime_ns, found.st_size, found.st_ino]
