"""Where a cluster's API is known: HOST or HOST:PORT, one rule for what is typed and recorded.

And a cluster's virtual address, which belongs to no machine: --vip ADDRESS|auto|none.
"""

from __future__ import annotations

import ipaddress
import re

__all__ = ["API_PORT", "AUTO", "NO_ADDRESS", "is_address", "is_endpoint", "router_id"]

#: Values of --vip that are not an address.
AUTO = "auto"
NO_ADDRESS = "none"
#: RFC 5798, 5.2.3: from 1 to 255.
_ROUTER_IDS = 255

#: The port of a cluster's API server where an endpoint names none.
API_PORT = 6443

_HIGHEST_PORT = 65535
_LONGEST_HOST = 253
_HOST = re.compile(
    r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*",
    re.ASCII,
)
_PORT = re.compile(r"\d{1,5}", re.ASCII)


def is_address(text: str) -> bool:
    """Return whether a text is an IPv4 address, as it is usually written."""
    try:
        return str(ipaddress.IPv4Address(text)) == text
    except ValueError:
        return False


def router_id(address: str) -> int:
    """Return the VRRP virtual router id of a virtual address: 255 neighbors have different ones."""
    return int(ipaddress.IPv4Address(address)) % _ROUTER_IDS + 1


def is_endpoint(text: str) -> bool:
    """Return whether a text is a host name or an IPv4 address, with or without a port."""
    host, colon, port = text.partition(":")
    good_port = not colon or (_PORT.fullmatch(port) and 0 < int(port) <= _HIGHEST_PORT)
    return bool(len(host) <= _LONGEST_HOST and _HOST.fullmatch(host) and good_port)
