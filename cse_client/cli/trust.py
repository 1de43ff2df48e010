"""The certificate authorities of VCD hosts that were pinned with `login --ca-file`.

A pinned CA replaces the machine's trusted CAs for that host, in every command: the profile names
our copy where vcd-cli has a yes or no (`verify`), which requests takes for a CA file.
"""

from __future__ import annotations

import re
import ssl
from pathlib import Path

from cse_client.errors import CseError, WrongUsage
from cse_client.inputs import read_named
from cse_client.state import state_folder, write_private

__all__ = ["forget", "pin", "pinned", "read_ca_file"]

_MOST_BYTES = 1024 * 1024


def pinned(host: str) -> Path | None:
    """Return our copy of the CA that is pinned for a host; None where there is none."""
    path = _path(host)
    return path if path.is_file() else None


def read_ca_file(path: Path) -> str:
    """Return the PEM certificates in a file.

    Raises:
        WrongUsage: it cannot be read, or has none.
    """
    text = read_named("CA file", path, _MOST_BYTES).decode("ascii", "replace")
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=text)
    except (ssl.SSLError, ValueError):
        raise WrongUsage(f"The file {path} does not contain certificates in PEM form.") from None
    return text


def pin(host: str, certificates: str) -> Path:
    """Keep a copy of a host's CA and return where it is.

    Raises:
        CseError: it cannot be written.
    """
    path = _path(host)
    try:
        write_private(path, certificates)
    except OSError as error:
        raise CseError(f"The CA cannot be stored in {path}: {error.strerror or error}.") from None
    return path


def forget(host: str) -> None:
    """Remove the CA that is pinned for a host, if there is one."""
    _path(host).unlink(missing_ok=True)


def _path(host: str) -> Path:
    # the colon of a port, or of an IPv6 address, is not for every file system
    name = re.sub(r"[^a-z0-9.-]", "_", host.lower())
    return state_folder() / "vcd-ca" / f"{name}.pem"
