"""Where a cluster's API is known: HOST or HOST:PORT, one rule for what is typed and recorded."""

from __future__ import annotations

import re

__all__ = ["API_PORT", "is_endpoint"]

#: The port of a cluster's API server where an endpoint names none.
API_PORT = 6443

_HIGHEST_PORT = 65535
_LONGEST_HOST = 253
_HOST = re.compile(
    r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*",
    re.ASCII,
)
_PORT = re.compile(r"\d{1,5}", re.ASCII)


def is_endpoint(text: str) -> bool:
    """Return whether a text is a host name or an IPv4 address, with or without a port."""
    host, colon, port = text.partition(":")
    good_port = not colon or (_PORT.fullmatch(port) and 0 < int(port) <= _HIGHEST_PORT)
    return bool(len(host) <= _LONGEST_HOST and _HOST.fullmatch(host) and good_port)
