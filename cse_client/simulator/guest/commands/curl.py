"""curl: hosts of the simulated network, and the files of the simulated Internet.

Exit codes and messages: curl(1), "EXIT CODES".
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from cse_client.simulator.guest.commands.internet import FetchFailed, content, reach
from cse_client.simulator.guest.commands.network import resolve

if TYPE_CHECKING:
    from cse_client.simulator.guest.exchange import Call
    from cse_client.simulator.guest.system import System

__all__ = ["curl"]

_CONNECT_SECONDS = 130.0
_SHORT_TAKING = "AbCdDeEFHKmoPQrtTuUwxXyYz"
_LONG = {
    "f": "fail", "m": "max-time", "o": "output", "O": "remote-name", "s": "silent",
    "S": "show-error", "x": "proxy",
}  # fmt: skip
_LONG_TAKING = frozenset(
    (
        *("output", "max-time", "connect-timeout", "header", "data", "request", "user", "proxy"),
        *("user-agent", "write-out", "cacert", "capath", "cert", "key", "retry", "retry-delay"),
        *("retry-max-time", "noproxy", "resolve", "interface", "limit-rate", "config", "form"),
    )
)


@dataclass
class _Failed(Exception):
    """curl ends with a code and a message."""

    code: int
    text: str


def _options(words: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield (long name, value) of a command line's options; ("", word) for a URL."""
    left = list(words)
    while left:
        word = left.pop(0)
        if word.startswith("--"):
            name, equals, value = word[2:].partition("=")
            if name in _LONG_TAKING and not equals:
                value = left.pop(0) if left else ""
            yield name, value
        elif word.startswith("-") and len(word) > 1:
            for index, char in enumerate(word[1:], start=2):
                name = _LONG.get(char, char)
                if char in _SHORT_TAKING:
                    yield name, word[index:] or (left.pop(0) if left else "")
                    break
                yield name, ""
        else:
            yield "", word


def curl(system: System, call: Call) -> int:
    """Fetch one URL."""
    options = dict(_options(call.words))
    url = options.get("", "")
    if not url:
        call.err("curl: try 'curl --help' or 'curl --manual' for more information")
        return 2
    url = url if "://" in url else "http://" + url
    try:
        body = _fetch(system, call, url, options)
    except _Failed as error:
        if "silent" not in options or "show-error" in options:
            call.err(f"curl: ({error.code}) {error.text}")
        return error.code
    path = options.get("output", "")
    if "remote-name" in options:
        path = urlsplit(url).path.rpartition("/")[2]
    if path and path != "-":
        with system.life.guard():
            system.disk.write(path if path.startswith("/") else f"{call.folder}/{path}", body)
    else:
        call.out(body.decode("utf-8", "replace"), end="")
    return 0


def _fetch(system: System, call: Call, url: str, options: dict[str, str]) -> bytes:
    parts = urlsplit(url)
    host = parts.hostname or ""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    limits = [options.get(name, "") for name in ("max-time", "connect-timeout")]
    limit = min([float(one) for one in limits if one] or [_CONNECT_SECONDS])
    if _is_near(system, host):
        return _ask_near(system, host, port, parts.path)
    proxy = "" if host in options.get("noproxy", "").split(",") else options.get("proxy", "")
    try:
        reach(system, url, proxy, lambda seconds: system.sleep_call(call, min(seconds, limit)))
    except FetchFailed as error:
        raise _reason(error) from error
    body = content(url)
    if body is None:
        if "fail" in options:
            raise _Failed(22, "The requested URL returned error: 404")
        return b"404 Not Found\n"
    if not body:
        system.say(f"simulator: curl {url}: the simulated Internet answers with nothing")
    return body


def _is_near(system: System, host: str) -> bool:
    """Return whether a host is a guest, or this one: their addresses are loopback addresses."""
    address = resolve(system, host)
    return address is not None and ipaddress.ip_address(address).is_loopback


def _ask_near(system: System, host: str, port: int, path: str) -> bytes:
    try:
        socket.create_connection((resolve(system, host), port), timeout=2).close()
    except OSError as error:
        text = f"Failed to connect to {host} port {port}: Connection refused"
        raise _Failed(7, text) from error
    return b"ok" if path in ("/healthz", "/livez", "/readyz") else b""


def _reason(error: FetchFailed) -> _Failed:
    if error.kind == "name":
        return _Failed(6, f"Could not resolve host: {error.host}")
    if error.kind == "certificate":
        return _Failed(60, "SSL certificate problem: unable to get local issuer certificate")
    return _Failed(28, f"Failed to connect to {error.host} port {error.port}: Connection timed out")
