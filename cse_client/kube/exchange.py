"""One request to an API server and its answer, bounded in time and size, redirects not followed.

Written for both generations of the HTTP library under lightkube, and naming neither.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cse_client import bounds, sent

__all__ = ["ASKED", "Received", "exchange"]

#: Headers of every request. gzip is the one compression whose result can be bounded.
ASKED = {"Accept": "application/json", "Accept-Encoding": "gzip"}


@dataclass(frozen=True)
class Received:
    """An answer, read to its end. `target` is where a redirect points, None for another answer."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    content: bytes = field(repr=False)
    target: str | None = None


def exchange(http: Any, request: Any, *, seconds: float, peer: str) -> Received:
    """Send a request built by the HTTP client `http` and read its answer within `seconds`.

    Raises:
        OutOfTime, OutOfBounds, TimedOut: see `bounds`.
        Exception: what the HTTP library raises.
    """

    def work() -> Received:
        response = http.send(request, stream=True, follow_redirects=False)
        try:
            status, headers = response.status_code, response.headers
            if 300 <= status < 400:  # noqa: PLR2004
                return Received(status, headers, b"", headers.get("location", ""))
            encoding = headers.get("content-encoding", "")
            return Received(status, headers, bounds.gather(response.iter_raw(), encoding))
        finally:
            response.close()

    sent.note(request.method)
    return bounds.within(seconds, work, peer=peer)
