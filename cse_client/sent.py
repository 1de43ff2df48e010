"""Whether this run has sent anything that may change something: what an interruption has left.

One command line a process, and so one of these. Every request of this process passes through
`vcd.wire` or `kube.exchange`, which note what does not merely read, and files of its own are
written by `state.write_private`.
"""

from __future__ import annotations

__all__ = ["begin", "changes", "note"]

_READING = ("GET", "HEAD", "OPTIONS")


class _Sent:
    def __init__(self) -> None:
        self.changes = False


_sent = _Sent()


def begin() -> None:
    """Begin a run, which has sent nothing yet."""
    _sent.changes = False


def note(method: str | None) -> None:
    """Note that a request with this HTTP method is being sent."""
    if (method or "").upper() not in _READING:
        _sent.changes = True


def changes() -> bool:
    """Return whether a request that may change something was sent, or was about to be."""
    return _sent.changes
