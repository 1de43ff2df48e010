"""The services of a node that the simulator plays."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cse_client.simulator.guest.containers import Daemon
from cse_client.simulator.guest.keepalived import Keepalived
from cse_client.simulator.guest.kubelet import Kubelet
from cse_client.simulator.guest.packages.database import with_packages

if TYPE_CHECKING:
    from cse_client.simulator.guest.system import System

__all__ = ["install_services", "look_at_packages"]


def install_services(system: System) -> None:
    """Give a guest its container runtime and kubelet, as far as they are installed."""
    natives = system.natives
    if system.image.runtime and "containerd.service" not in natives:
        natives["containerd.service"] = Daemon(
            system, "containerd.service", ["/run/containerd/containerd.sock"], 1.0
        )
    if system.image.runtime == "docker":
        natives["docker.service"] = Daemon(system, "docker.service", ["/run/docker.sock"], 2.0)
    if system.image.kubernetes and "kubelet.service" not in natives:
        natives["kubelet.service"] = Kubelet(system)
    if system.image.keepalived and "keepalived.service" not in natives:
        natives["keepalived.service"] = Keepalived(system)


def look_at_packages(system: System) -> None:
    """Let what was installed or removed just now count."""
    system.image = with_packages(system.guest.image, system.disk)
    install_services(system)
    system.systemd.reload()
