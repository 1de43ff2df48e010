"""Requests to a cluster's API servers and its etcd from outside of the cluster's machines.

Tests count them and let them go wrong. The programs in the guests name no User-Agent, as those
outside do (kubectl, and the libraries of Python), and are never disturbed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

__all__ = ["Around", "Outside"]

_Answer = TypeVar("_Answer")


class Around(Protocol):
    """Answers a request to `path` with what `work` returns, or fails with an OSError."""

    def __call__(self, method: str, path: str, work: Callable[[], _Answer], /) -> _Answer:
        """Answer one request."""


def _as_it_is(_method: str, _path: str, work: Callable[[], _Answer]) -> _Answer:
    return work()


class Outside:
    """What stands between the clusters of one cloud and everybody outside: nothing at first."""

    def __init__(self) -> None:
        self.around: Around = _as_it_is
