"""A wait for Ready nodes: whom it asks, how long it may take, and what it ends with."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from cse_client.model import KubeNode, NodeReport, VApp

__all__ = ["Limits", "Verdict", "Witnesses"]

#: Seconds that a node may stay in one phase before it counts as failed
#: (CAPVCD and CSE 3.1 allow 600 s a phase; a guest's first boot is quicker).
_BOOT_LIMIT = 300.0
_PHASE_LIMIT = 600.0
# How long the Kubernetes API may stay out of reach, once all guests are customized, before the
# guests' own word has to do.
_UNREACHABLE_GRACE = 60.0


@dataclass(frozen=True)
class Limits:
    """Deadlines: `overall` on the monotonic clock, the others in seconds a phase."""

    overall: float
    boot: float = _BOOT_LIMIT
    phase: float = _PHASE_LIMIT
    grace: float = _UNREACHABLE_GRACE

    @classmethod
    def within(cls, now: float, timeout: float) -> Limits:
        """Return limits for an operation that may take `timeout` seconds from `now`."""
        return cls(
            overall=now + timeout,
            boot=min(_BOOT_LIMIT, timeout / 2),
            phase=min(_PHASE_LIMIT, timeout / 2),
            grace=min(_UNREACHABLE_GRACE, timeout / 4),
        )


@dataclass(frozen=True)
class Witnesses:
    """How to ask: each returns at once or raises ClusterUnreachable / a VCD error."""

    kube_nodes: Callable[[], Sequence[KubeNode]]
    kube_reports: Callable[[], Mapping[str, NodeReport]]
    vapp: Callable[[], VApp]
    guest_report: Callable[[str, Mapping[str, str]], NodeReport | None]


@dataclass(frozen=True)
class Verdict:
    """What the wait ended with. `verified` is False when nothing could speak for the nodes."""

    nodes: tuple[KubeNode, ...]
    sources: tuple[str, ...]
    verified: bool
    by_api: bool
