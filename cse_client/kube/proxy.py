"""Which proxy a request to a cluster's API takes: the rules of kubectl, not those of Python.

kubectl follows Go (golang.org/x/net: http/httpproxy/proxy.go): NO_PROXY may hold address ranges,
loopback is never proxied, ALL_PROXY does not count. Python's HTTP libraries know no ranges there,
so with `NO_PROXY=10.0.0.0/8` they would send what is meant for a private network to the proxy.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from cse_client.content import plain
from cse_client.errors import CseError

__all__ = ["proxy_for"]

_SCHEMES = ("http", "https", "socks5", "socks5h")
_HOST = re.compile(r"[A-Za-z0-9._-]+|[0-9A-Fa-f:.]+(?:%[A-Za-z0-9]+)?")


def proxy_for(url: str, environ: Mapping[str, str]) -> str | None:
    """Return the proxy's URL for `url`, or None when the request goes out directly.

    Raises:
        CseError: the environment names a proxy that is not an address.
    """
    parts = urlsplit(url)
    name = "HTTPS_PROXY" if parts.scheme == "https" else "HTTP_PROXY"
    proxy = environ.get(name) or environ.get(name.lower()) or ""
    host = (parts.hostname or "").lower().rstrip(".")
    if not proxy or not host:
        return None
    port = parts.port or (443 if parts.scheme == "https" else 80)
    rules = environ.get("NO_PROXY") or environ.get("no_proxy") or ""
    if _is_loopback(host) or any(_matches(rule, host, port) for rule in rules.split(",")):
        return None
    proxy = proxy if "://" in proxy else f"http://{proxy}"
    if not _is_address(proxy):
        # what stands before the @ is a password
        shown = plain(proxy.rpartition("@")[2], 100)
        raise CseError(
            f"the proxy '{shown}' on the way to {host} cannot be used: it is not the address"
            " of a proxy",
            hint=f"Check {name} and NO_PROXY.",
        )
    return proxy


def _is_address(proxy: str) -> bool:
    try:
        parts = urlsplit(proxy)
        usable = parts.port is None or parts.port > 0
    except ValueError:
        return False
    host = parts.hostname or ""
    return usable and parts.scheme in _SCHEMES and _HOST.fullmatch(host) is not None


def _is_loopback(host: str) -> bool:
    address = _address(host)
    return host == "localhost" if address is None else address.is_loopback


def _matches(rule: str, host: str, port: int) -> bool:
    rule = rule.strip().lower()
    if rule in ("", "*"):
        return rule == "*"
    address = _address(host)
    if "/" in rule:
        return address is not None and _in_range(address, rule)
    name, wanted = _split_port(rule)
    if wanted and wanted != port:
        return False
    if address is not None:
        return _address(name) == address
    # `example.com` means itself and what is below it, `.example.com` only what is below.
    name = name[1:] if name.startswith("*.") else name
    return host.endswith(name) if name.startswith(".") else f".{host}".endswith(f".{name}")


def _in_range(address: ipaddress.IPv4Address | ipaddress.IPv6Address, rule: str) -> bool:
    try:
        return address in ipaddress.ip_network(rule, strict=False)
    except ValueError:
        return False


def _split_port(rule: str) -> tuple[str, int]:
    name, colon, port = rule.rpartition(":")
    # A bare IPv6 address has colons of its own.
    if colon and port.isdigit() and (":" not in name or name.endswith("]")):
        return name.strip("[]"), int(port)
    return rule.strip("[]"), 0


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
