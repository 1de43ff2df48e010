"""How large a cluster's nodes are and where they run, separately for the control plane."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from cse_client.model.cloud import VmPolicy

__all__ = ["NODE_OPTIONS", "Hardware", "NodeOptions", "WantedHardware", "megabytes", "size_text"]

_SIZE = re.compile(r"(?P<number>\d{1,12})(?P<unit>(?:[mgt](?:i?b|i)?)?)", re.ASCII | re.I)
_UNITS = {"": 1, "M": 1, "G": 1024, "T": 1024 * 1024}


def megabytes(text: str) -> int | None:
    """Return the MB that `40G`, `40GB`, `40Gi`, `1T`, `40960M` or `40960` mean; None for others."""
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        return None
    return int(match["number"]) * _UNITS[match["unit"].upper()[:1]]


def size_text(size: int) -> str:
    """Return a size in MB as it is typed: `40G`, or `40000M` if it is not whole GB."""
    return f"{size}M" if size % 1024 else f"{size // 1024}G"


@dataclass(frozen=True)
class NodeOptions:
    """What else was chosen for a cluster's nodes. Empty or None: the default.

    Policies are names of VM sizing and placement policies of the org VDC. What begins with
    `control_plane_` replaces what is chosen for all nodes.
    """

    disk_mb: int | None = None
    sizing_policy: str = ""
    placement_policy: str = ""
    control_plane_cpus: int | None = None
    control_plane_memory_mb: int | None = None
    control_plane_sizing_policy: str = ""
    control_plane_placement_policy: str = ""

    def given(self) -> dict[str, str | int]:
        """Return the options that are not empty, by name."""
        return {name: value for name, value in vars(self).items() if value}


#: The option of `cluster create` for each of them.
NODE_OPTIONS: Mapping[str, str] = {
    "disk_mb": "--disk-size",
    "sizing_policy": "--sizing-policy",
    "placement_policy": "--placement-policy",
    "control_plane_cpus": "--control-plane-cpu",
    "control_plane_memory_mb": "--control-plane-memory",
    "control_plane_sizing_policy": "--control-plane-sizing-policy",
    "control_plane_placement_policy": "--control-plane-placement-policy",
}


@dataclass(frozen=True)
class WantedHardware:
    """What the user asked for of one kind of node, and which options said it, by field."""

    cpus: int | None
    memory_mb: int | None
    disk_mb: int | None
    sizing_policy: str
    placement_policy: str
    options: Mapping[str, str]

    @classmethod
    def of(
        cls,
        cpus: int | None,
        memory_mb: int | None,
        chosen: NodeOptions,
        *,
        control_plane: bool,
    ) -> WantedHardware:
        """Return what a node gets of `--cpu`, `--memory` and the other options.

        A sizing policy for the control plane alone replaces the general CPUs and memory, too: it
        mostly defines them.
        """
        options = {
            "cpus": "--cpu",
            "memory_mb": "--memory",
            "disk_mb": "--disk-size",
            "sizing_policy": "--sizing-policy",
            "placement_policy": "--placement-policy",
        }
        values: dict[str, int | str | None] = {
            "cpus": cpus,
            "memory_mb": memory_mb,
            "disk_mb": chosen.disk_mb,
            "sizing_policy": chosen.sizing_policy,
            "placement_policy": chosen.placement_policy,
        }
        if control_plane and chosen.control_plane_sizing_policy:
            values["cpus"] = values["memory_mb"] = None
        for name in options if control_plane else ():
            own = getattr(chosen, f"control_plane_{name}", None)
            if own:
                values[name] = own
                options[name] = NODE_OPTIONS[f"control_plane_{name}"]
        return cls(**values, options=options)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Hardware:
    """What VCD is asked for when a VM is made. None: the template's, or the VDC's default.

    CPUs and memory that the sizing policy defines are None: VCD takes them from the policy.
    """

    cpus: int | None = None
    memory_mb: int | None = None
    disk_mb: int | None = None
    sizing_policy: VmPolicy | None = None
    placement_policy: VmPolicy | None = None

    @property
    def is_sized(self) -> bool:
        """Whether the VM's hardware differs from the template's, apart from its policies."""
        return bool(self.cpus or self.memory_mb or self.disk_mb)

    @property
    def known_cpus(self) -> int:
        """The CPUs that are requested or that the policy defines; 0 for neither."""
        return self.cpus or (self.sizing_policy.cpus if self.sizing_policy else 0)

    @property
    def known_memory_mb(self) -> int:
        """The memory that is requested or that the policy defines; 0 for neither."""
        return self.memory_mb or (self.sizing_policy.memory_mb if self.sizing_policy else 0)
