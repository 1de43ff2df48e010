"""What the checks before a creation found, and the VMs that it would make."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TypeVar

from cse_client.errors import CseError, SessionInvalid, VcdFault
from cse_client.model import Network, StorageProfile, TemplateVm
from cse_client.model.capacity import Need
from cse_client.model.hardware import Hardware

__all__ = ["Findings", "Lot"]

_Value = TypeVar("_Value")


@dataclass(frozen=True)
class Lot:
    """A number of new VMs that are made alike; None: see `Findings`."""

    count: int
    hardware: Hardware
    template_vm: TemplateVm | None = None
    storage_profile: StorageProfile | None = None


@dataclass
class Findings:
    """What the checks found: problems, warnings, and the things that the names stand for.

    `network`, `template_vm` and `storage_profile` are None where they are in `problems` (or, for
    the storage profile, where none was asked for: VCD then takes the VDC's default). `head` and
    `worker` are what a control plane and a worker are made of; `pools` has the workers of each
    pool that was asked about, in that order. `needs` is what the new VMs need, beside what is left.
    """

    problems: list[CseError] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    network: Network | None = None
    template_vm: TemplateVm | None = None
    storage_profile: StorageProfile | None = None
    head: Hardware = field(default_factory=Hardware)
    worker: Hardware = field(default_factory=Hardware)
    pools: list[Lot] = field(default_factory=list)
    needs: list[Need] = field(default_factory=list)

    def add(self, problems: Iterable[CseError]) -> None:
        """Add problems, each once: two kinds of node may have the same one."""
        known = {one.message for one in self.problems}
        self.problems.extend(one for one in problems if one.message not in known)

    def collect(self, look: Callable[[], _Value]) -> _Value | None:
        """Return what `look` returns; keep its error as a problem instead of raising it.

        An invalid session and an unreachable VCD are raised: nothing else can be checked then.
        """
        try:
            return look()
        except (SessionInvalid, VcdFault):
            raise
        except CseError as problem:
            self.problems.append(problem)
            return None
