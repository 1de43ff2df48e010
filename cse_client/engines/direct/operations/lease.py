"""The lease of a cluster's vApp: when it ends, VCD stops the cluster and later deletes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cse_client.errors import CseError, Refused, SessionInvalid, VcdFault
from cse_client.model import Event, EventKind, Progress
from cse_client.vcd import tasks
from cse_client.vcd.tasks import Task

if TYPE_CHECKING:
    from cse_client.vcd.client import VcdClient

__all__ = ["LeaseChange"]


class LeaseChange:
    """A request for a lease without end; a cluster is not given up because VCD refuses it."""

    def __init__(self, vcd: VcdClient, *, deadline: float, progress: Progress) -> None:
        self._vcd = vcd
        self._deadline = deadline
        self._progress = progress
        self._task: Task | None = None

    def ask(self, vapp_href: str) -> None:
        """Ask for it without waiting for the end; a refusal is a warning.

        Raises:
            SessionInvalid: the session has expired.
        """
        try:
            self._task = tasks.change(
                self._vcd,
                lambda: self._vcd.keep_for_ever(vapp_href),
                deadline=self._deadline,
                idempotent=True,
            )
        except (Refused, VcdFault) as fault:
            self._warn(fault)

    def wait(self) -> None:
        """Wait until VCD has changed the lease, where it is still at it; a failure is a warning."""
        if self._task is None:
            return
        try:
            tasks.wait(self._vcd, self._task, deadline=self._deadline)
        except VcdFault as fault:
            self._warn(fault)
        self._task = None

    def _warn(self, fault: CseError) -> None:
        if isinstance(fault, SessionInvalid):
            raise fault
        text = f"The vApp's lease could not be set to never: {fault.message}"
        self._progress(Event(EventKind.WARNING, text))
