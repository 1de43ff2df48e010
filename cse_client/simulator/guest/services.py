"""The services of a node that the simulator plays."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cse_client.simulator.guest.containers import Daemon
from cse_client.simulator.guest.kubelet import Kubelet

if TYPE_CHECKING:
    from cse_client.simulator.guest.system import System

__all__ = ["install_services"]


def install_services(system: System) -> None:
    """Give a booting guest its container runtime and kubelet."""
    system.natives["containerd.service"] = Daemon(
        system, "containerd.service", ["/run/containerd/containerd.sock"], 1.0
    )
    if system.image.runtime == "docker":
        system.natives["docker.service"] = Daemon(
            system, "docker.service", ["/run/docker.sock"], 2.0
        )
    system.natives["kubelet.service"] = Kubelet(system)
