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
        self._unanswered = ""

    def ask(self, vapp_href: str) -> None:
        """Ask for it without waiting for the end; a refusal is a warning.

        Raises:
            SessionInvalid: the session has expired.
        """
        try:
            self._change(vapp_href)
        except Refused as refusal:
            self._warn(refusal)
        except VcdFault:
            self._unanswered = vapp_href

    def wait(self) -> None:
        """Wait until VCD has changed the lease; a failure is a warning.

        A request that failed, but was not refused, is repeated first: there was time since.
        """
        try:
            if self._unanswered:
                self._change(self._unanswered)
            if self._task is not None:
                tasks.wait(self._vcd, self._task, deadline=self._deadline)
        except (Refused, VcdFault) as fault:
            self._warn(fault)
        self._task = None
        self._unanswered = ""

    def _change(self, vapp_href: str) -> None:
        self._task = tasks.change(
            self._vcd,
            lambda: self._vcd.keep_for_ever(vapp_href),
            deadline=self._deadline,
            idempotent=True,
        )

    def _warn(self, fault: CseError) -> None:
        if isinstance(fault, SessionInvalid):
            raise fault
        text = f"The vApp's lease could not be set to never: {fault.message}"
        self._progress(Event(EventKind.WARNING, text))
