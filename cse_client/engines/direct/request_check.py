"""The check of a request, as it is shown: one step before all others, then its warnings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

from cse_client.model import Event, EventKind, Progress

__all__ = ["show_check"]


class _Resolved(Protocol):
    @property
    def warnings(self) -> tuple[str, ...]: ...


_Request = TypeVar("_Request", bound=_Resolved)


def show_check(look: Callable[[], _Request], progress: Progress) -> _Request:
    """Return the request that `look` resolves; whatever it raises is shown as a failed step."""
    text = "Check the request"
    progress(Event(EventKind.STARTED, text))
    try:
        resolved = look()
    except BaseException:
        progress(Event(EventKind.FAILED, text))
        raise
    progress(Event(EventKind.DONE, text))
    for warning in resolved.warnings:
        progress(Event(EventKind.WARNING, warning))
    return resolved
