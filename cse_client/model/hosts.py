"""The host of VCD, as it is typed, pasted from a browser, or stored by a login."""

from __future__ import annotations

import ipaddress
import re

from cse_client.errors import WrongUsage

__all__ = ["host_of"]

_HOST = re.compile(
    r"(?:https://)?(?P<host>(?P<name>[a-z0-9._-]+|\[(?P<address>[0-9a-f:.]+)\])"
    r"(?::(?P<port>[0-9]{1,5}))?)(?:[/?#].*)?",
    re.ASCII | re.IGNORECASE,
)
_MOST_PORT, _MOST_LABEL, _MOST_NAME = 65535, 63, 253


def host_of(typed: str) -> str:
    """Return the host, with a port if there is one, of what was typed or pasted from a browser.

    Raises:
        WrongUsage: it cannot be a host.
    """
    found = _HOST.fullmatch(typed)
    if found is None or not _is_possible(found):
        raise WrongUsage(
            f"'{typed}' is not the name of a host.",
            hint="Specify it as in your browser's address bar: vcd.example.com",
        )
    return found["host"].lower()


def _is_possible(found: re.Match[str]) -> bool:
    """Return whether a host has an address or name (RFC 1035, 2.3.4), and a port, that can be."""
    if found["port"] is not None and not 0 < int(found["port"]) <= _MOST_PORT:
        return False
    if found["address"] is not None:
        try:
            ipaddress.IPv6Address(found["address"])
        except ValueError:
            return False
        return True
    labels = found["name"].rstrip(".").split(".")
    return len(found["name"]) <= _MOST_NAME and all(0 < len(one) <= _MOST_LABEL for one in labels)
