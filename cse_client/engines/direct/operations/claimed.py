"""A run that claims a cluster for a recorded operation, carries steps out and records the end."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from cse_client import bounds, suggest
from cse_client.clock import Clock
from cse_client.engines.direct.deletion import DeletedMeanwhile
from cse_client.engines.direct.locked import LockedCluster
from cse_client.engines.direct.operation import Operation
from cse_client.engines.direct.operations.plan import Step, carry_out
from cse_client.errors import CseError, Interrupted, NotFinished, SessionInvalid
from cse_client.model import Progress, RunOptions
from cse_client.model.pools import Pool
from cse_client.vcd import tasks

__all__ = ["ClaimedRun"]

#: The time of the operation may be used up when its end is to be recorded.
_RECORD_SECONDS = 60.0


class ClaimedRun:
    """One run of an operation, new or resumed.

    `doing` is a clause for those who have to wait, `interrupted` a clause that says how an
    interruption leaves the cluster.
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
        interrupted: str = "",
    ) -> None:
        self._cluster = locked.existing
        self._lock = locked.lock
        self._adoption = locked.adoption
        self._operation = operation
        self._options = options
        self._doing = doing
        name = locked.existing.name
        self._interrupted = interrupted or f"cluster '{name}' is in the middle of {doing}"
        self._clock = clock
        self._progress = progress
        self.deadline = clock.monotonic() + bounds.share(options.timeout)
        self._claimed = self._ended = False

    def claim_step(self, sentence: str) -> Step:
        """Return the step that claims the cluster and records the operation."""
        return Step("Claim the cluster", sentence, lambda: self._claimed, self._claim)

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
        except KeyboardInterrupt:
            self.release()
            raise Interrupted(f"Interrupted; {self._interrupted}.", hint=suggest.RESUME) from None
        except NotFinished as late:
            late.notes.append(suggest.RESUME)
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
        if lock.held:
            first = lock.begun(self._operation)
        else:
            lock.claim(
                self._cluster.vapp.href,
                self._cluster.metadata,
                doing=self._doing,
                deadline=self.deadline,
                operation=self._operation,
                break_lock=self._options.break_lock,
            )
            first = {**self._adoption, **lock.ending_broken()}
        if first:
            self.write(first)
        self._claimed = True
