"""What happened to a cluster."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

__all__ = ["ClusterEvent"]


@dataclass(frozen=True)
class ClusterEvent:
    """One change of a cluster's vApp or of one of its VMs.

    `what` is a phrase such as "Add or delete VMs"; `about` is the vApp's or the VM's name; `status`
    is VCD's (success, error, running ...), `reason` why it failed. `seconds` is how long it took,
    None while it goes on. `task` and `request` are VCD's ids, for its provider's logs.
    """

    when: datetime
    what: str
    about: str
    user: str
    status: str
    seconds: float | None = None
    reason: str = ""
    task: str = ""
    request: str = ""

    @property
    def failed(self) -> bool:
        """Whether it ended otherwise than well."""
        return self.status in ("error", "aborted", "canceled")
