"""A run that claims a cluster for a recorded operation, carries steps out and records the end."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from cse_client import bounds, suggest
from cse_client.clock import Clock
from cse_client.engines.direct.deletion import DeletedMeanwhile
from cse_client.engines.direct.locked import LockedCluster
from cse_client.engines.direct.operation import Operation
from cse_client.engines.direct.operations.plan import Step, carry_out
from cse_client.errors import (
    CseError,
    Interrupted,
    InterruptedBefore,
    NotFinished,
    SessionInvalid,
)
from cse_client.model import Progress, RunOptions
from cse_client.model.pools import Pool
from cse_client.vcd import tasks

__all__ = ["ClaimedRun"]

#: The time of the operation may be used up when its end is to be recorded.
_RECORD_SECONDS = 60.0


class ClaimedRun:
    """One run of an operation, new or resumed.

    `doing` is a clause for those who have to wait. The claim ends by itself after `seconds`, by
    default at the operation's time-out. `interrupted` returns a clause on how an interruption
    leaves the cluster, and `resume` what to do after a run that ended early.
    """

    def __init__(
        self,
        locked: LockedCluster,
        operation: Operation,
        options: RunOptions,
        *,
        doing: str,
        clock: Clock,
        progress: Progress,
        seconds: float | None = None,
        interrupted: Callable[[], str] | None = None,
        resume: Callable[[], str] = lambda: suggest.RESUME,
    ) -> None:
        self._cluster = locked.existing
        self._lock = locked.lock
        self._adoption = locked.adoption
        self._operation = operation
        self._options = options
        self._doing = doing
        name = locked.existing.name
        state = f"cluster '{name}' is in the middle of {doing}"
        self._interrupted = interrupted or (lambda: state)
        self._resume = resume
        self._seconds = seconds
        self._clock = clock
        self._progress = progress
        self.deadline = clock.monotonic() + bounds.share(options.timeout)
        self._claimed = self._ended = False

    def claim_step(self, sentence: str, look: Callable[[], None] | None = None) -> Step:
        """Return the step that claims the cluster and records the operation.

        `look` reads the cluster's VMs: VCD may have been changing them for a killed command when
        they were read before.
        """

        def claim() -> None:
            self._claim()
            if look is not None and self._cluster.vapp.running_tasks:
                look()

        return Step("Claim the cluster", sentence, lambda: self._claimed, claim)

    def end_step(
        self,
        title: str,
        sentence: str,
        *,
        nodes: tuple[str, ...] = (),
        heads: int | None = None,
        values: Mapping[str, str] | None = None,
    ) -> Step:
        """Return the step that records the end, with `values` in the same request."""

        def end() -> None:
            pools = self._operation.pools or None
            self.end(self._operation.workers, nodes=nodes, heads=heads, values=values, pools=pools)
            self._ended = True

        return Step(title, sentence, lambda: self._ended, end)

    def carry_out(
        self, steps: Sequence[Step], look: Callable[[], None], failed: Callable[[CseError], None]
    ) -> None:
        """Carry the steps out; `failed` cleans up after a failure that is not for later.

        What ends early stays recorded, and the same command resumes it.
        """
        try:
            with self._cluster.noticing_deletion():
                carry_out(steps, self._progress, look)
        except InterruptedBefore:
            raise
        except KeyboardInterrupt:
            self.release()
            state = self._interrupted()
            raise Interrupted(f"Interrupted; {state}.", hint=self._resume()) from None
        except NotFinished as late:
            late.notes.append(self._resume())
            self.release()
            raise
        except (SessionInvalid, DeletedMeanwhile):
            raise
        except CseError as error:
            if self._claimed:
                failed(error)
            else:
                self.release()
            raise

    def end(
        self,
        workers: int | None,
        *,
        nodes: tuple[str, ...] = (),
        heads: int | None = None,
        values: Mapping[str, str] | None = None,
        pools: tuple[Pool, ...] | None = None,
    ) -> None:
        """Record the end: how many nodes there are now and who left; release the cluster.

        `pools` are the worker pools, None: as before.
        """
        href = self._cluster.vapp.href
        write = self.write
        self._lock.end(
            href, lambda ended: write({**(values or {}), **ended}), workers, nodes, heads, pools
        )

    def end_after(
        self,
        error: CseError,
        workers: int | None,
        *,
        heads: int | None = None,
        pools: tuple[Pool, ...] | None = None,
    ) -> None:
        """Record the end of what failed; if that fails as well, a note under `error` says so."""
        try:
            self.end(workers, heads=heads, pools=pools)
        except CseError as second:
            error.notes.append(f"The cluster's record could not be written: {second.message}")

    def release(self) -> None:
        """Release the cluster; the operation stays recorded. Never raises."""
        self._lock.release(self._cluster.vapp.href)

    def write(self, values: Mapping[str, str]) -> None:
        """Write metadata of the cluster."""
        vcd, href = self._cluster.vcd, self._cluster.vapp.href
        deadline = max(self.deadline, self._clock.monotonic() + _RECORD_SECONDS)
        tasks.done(vcd, lambda: vcd.write_metadata(href, values), deadline=deadline)

    def _claim(self) -> None:
        lock = self._lock
        record = lock.begun(self._operation) if lock.held else {}
        if not lock.held:
            lock.claim(
                self._cluster.vapp.href,
                self._cluster.metadata,
                doing=self._doing,
                deadline=self.deadline,
                seconds=self._seconds,
                operation=self._operation,
                break_lock=self._options.break_lock,
            )
        first = {**self._adoption, **lock.ending_broken(), **record}
        if first:
            self.write(first)
        self._claimed = True
