"""Draining several nodes at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed

from cse_client.clock import Clock, StoppableClock
from cse_client.kube.api import ClusterAPI
from cse_client.kube.drain import drain
from cse_client.model import Progress

__all__ = ["drain_nodes"]


def drain_nodes(
    api: ClusterAPI,
    names: Sequence[str],
    drained: Callable[[str], None] = lambda _name: None,
    *,
    at_once: int,
    force: bool,
    deadline: float,
    clock: Clock,
    progress: Progress,
) -> None:
    """Drain nodes, `at_once` at a time; `drained` is called with each as soon as it is.

    Raises:
        CseError: see `kube.drain.drain`; the drains of the other nodes end then as well.
    """
    if not names:
        return
    stoppable = StoppableClock(clock)

    def one(name: str) -> None:
        drain(api, name, force=force, deadline=deadline, clock=stoppable, progress=progress)

    with ThreadPoolExecutor(at_once) as pool:
        drains = {pool.submit(one, name): name for name in names}
        try:
            for done in as_completed(drains):
                done.result()
                drained(drains[done])
        except BaseException:
            # Ctrl-C and failures do not wait for what a disruption budget holds elsewhere
            stoppable.stop()
            pool.shutdown(wait=True, cancel_futures=True)
            raise
