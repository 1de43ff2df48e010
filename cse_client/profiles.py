"""vcd-cli's profiles file, which holds the session that all commands share.

It is read and written here without vcd-cli, in the form of its 24.1.0 (vcd_cli/profiles.py): one
profile, called `default`, is ever used. What is not known here, such as `extensions`, stays as it
is. Files are replaced as a whole and are readable by their owner only, since the session's token is
in them; vcd-cli itself creates them with the umask's mode and keeps ours.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cse_client.errors import CseError
from cse_client.state import write_private

__all__ = ["SHOWN", "Unreadable", "change", "default", "load", "path", "remove_empty_key"]

#: The file as messages name it.
SHOWN = "~/.vcd-cli/profiles.yaml"
_NAME = "default"
_MOST_BYTES = 1024 * 1024


class Unreadable(CseError):
    """The file cannot be read, or is damaged; the message is the cause, which may have lines."""


def path() -> Path:
    """Return where the file is, or would be."""
    return Path("~/.vcd-cli/profiles.yaml").expanduser()


def load() -> Any:
    """Return the file's value, read as vcd-cli reads it; None where there is no file.

    Raises:
        Unreadable: it cannot be read, is too large, or is damaged.
    """
    try:
        return _load(path())
    except Exception as error:
        raise Unreadable(str(error)) from error


def _load(where: Path) -> Any:
    import yaml

    if not where.exists():
        return None
    if not where.is_file():
        raise OSError("it is not a regular file.")
    with where.open("rb") as file:
        data = file.read(_MOST_BYTES + 1)
    if len(data) > _MOST_BYTES:
        raise OSError("it is larger than 1 MiB.")
    return yaml.safe_load(data)


def default(data: Any) -> dict[str, Any] | None:
    """Return the one profile that vcd-cli ever uses; empty where there is none.

    None where `data` does not have the form of a profiles file.
    """
    if data is None or (isinstance(data, dict) and data.get("profiles") is None):
        return {}
    profiles = data.get("profiles") if isinstance(data, dict) else None
    if not isinstance(profiles, list) or not all(isinstance(one, dict) for one in profiles):
        return None
    return next((one for one in profiles if one.get("name") == _NAME), {})


def change(values: Mapping[str, Any]) -> None:
    """Set values of the profile, and remove those that are None; the rest stays as it is.

    Raises:
        CseError: the file is damaged, which is left as it is, or cannot be written.
    """
    try:
        data = load()
        profile = default(data)
    except Unreadable:
        profile = None
    if profile is None:
        raise CseError(
            f"The session cannot be stored: the file {SHOWN} is damaged.",
            hint="Correct it as in profiles.example.yaml, or remove it. Then log in again.",
        )
    data = data or {}
    changed = {**profile, **values, "name": _NAME}
    changed = {key: value for key, value in changed.items() if value is not None}
    others = [one for one in data.get("profiles") or [] if one.get("name") != _NAME]
    data["profiles"] = [changed, *others]
    data["active"] = _NAME
    _save(data)


def remove_empty_key() -> None:
    """Remove the key `profiles` where it is empty: vcd-cli's login fails on it.

    Raises:
        CseError: the file cannot be written.
    """
    data = load()
    if isinstance(data, dict) and "profiles" in data and data["profiles"] is None:
        del data["profiles"]
        _save(data)


def _save(data: Any) -> None:
    import yaml

    try:
        write_private(Path(os.path.realpath(path())), yaml.safe_dump(data, sort_keys=False))
    except OSError as error:
        raise CseError(f"{SHOWN} cannot be written: {error.strerror or error}.") from None
