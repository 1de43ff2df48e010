"""Whether this run may have changed anything: what an interruption has left.

One command line a process, and so one of these. Every request of this process passes through
`vcd.wire` or `kube.exchange`, which note what does not merely read; whoever writes a file that
stays notes that before it has its name.
"""

from __future__ import annotations

__all__ = ["begin", "changes", "note", "note_file"]

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


def note_file() -> None:
    """Note that a file is being written that stays after this run."""
    _sent.changes = True


def changes() -> bool:
    """Return whether something was changed, or was about to be: by a request, or in a file."""
    return _sent.changes
