"""Clusters of the direct engine as they were found in VCD, for decisions that ask nobody."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from cse_client.engines.direct.existing import ExistingCluster
from cse_client.model import Session, VApp, Vdc, Vm

__all__ = ["desired_workers", "existing", "vapp"]

HREF = "https://vcd.example/api/vApp/vapp-1"


def vapp(*vms: str | Vm, networks: tuple[str, ...] = ("net1",)) -> VApp:
    """Return the vApp `demo` with these VMs; those given by name run."""
    made = [
        one if isinstance(one, Vm) else Vm(one, f"{HREF}/{one}", "POWERED_ON", deployed=True)
        for one in vms
    ]
    return VApp("demo", HREF, "vapp-1", "POWERED_ON", True, networks=networks, vms=tuple(made))


def existing(found: VApp, metadata: Mapping[str, str] | None = None) -> ExistingCluster:
    """Return an existing cluster whose client nobody may use."""
    session = Session("vcd.example", "acme", "ann", "36.0", "token")
    vdc = Vdc("vdc1", "https://vcd.example/api/vdc/1", "acme")
    unused = cast(Any, None)
    return ExistingCluster(unused, session, vdc, found, dict(metadata or {}))


def desired_workers(metadata: Mapping[str, str]) -> int | None:
    """Return how many workers a cluster with this metadata is to have."""
    return existing(vapp(), metadata).desired_workers
