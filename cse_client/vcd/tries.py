"""How often a read is tried when the way to VCD fails."""

from __future__ import annotations

import requests

from cse_client.errors import VcdFault
from cse_client.vcd import errors

__all__ = ["tries_for"]

#: A read is tried this often when the way to VCD fails, with growing pauses in between; less often
#: when nothing listens there at all, which is a wrong host name more often than a passing fault.
_TRIES = 6
_TRIES_UNREACHABLE = 3
_TRIES_FAILING = 3
_TRIES_LATE = 2
_TRY_AGAIN = (429, 502, 503, 504)


def tries_for(fault: VcdFault) -> int:
    """Return how often a read that met this fault is tried in all."""
    if fault.lasting:
        return 1
    if fault.code == errors.LATE:
        return _TRIES_LATE
    if fault.unanswered:
        return _TRIES_UNREACHABLE if fault.repeatable else _TRIES
    if fault.status == requests.codes.server_error:
        # VCD's own error: mostly one that stays, now and then a hiccup of its database
        return _TRIES_FAILING
    return _TRIES if fault.status in _TRY_AGAIN else 1
