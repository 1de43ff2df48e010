"""What can go wrong with one request, as rules of the simulator."""

from __future__ import annotations

from collections.abc import Mapping

FAULTS: Mapping[str, Mapping[str, object]] = {
    "connection cut before": {"kind": "reset_before"},
    "connection cut after": {"kind": "reset_after"},
    # a client waits a minute for an answer; a server that gives up sooner looks the same
    "no answer": {"kind": "hang", "seconds": 2},
    "500": {"kind": "status", "status": 500},
    "502": {"kind": "status", "status": 502, "html": True},
    "503 with Retry-After": {"kind": "status", "status": 503, "retry_after": 1},
    "429": {"kind": "status", "status": 429, "retry_after": 1},
    "busy": {"kind": "busy", "method": "POST|PUT|DELETE"},
    "session expired": {"kind": "expire_session"},
    "a login page": {"kind": "status", "status": 200, "html": True},
    "a redirect": {"kind": "redirect", "status": 307, "location": "https://127.0.0.1:1/"},
    "200 MB": {"kind": "large"},
}
