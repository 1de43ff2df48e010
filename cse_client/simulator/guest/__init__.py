"""Virtual machines that really run the customization script they are given.

A `Guest` has a disk (a folder), boots in namespaces of its own and runs the script with this
machine's bash; what belongs to a Kubernetes node (kubeadm, kubelet, systemd, VMware Tools ...) is
played by stand-ins that check their input as the real tools do.
"""

from __future__ import annotations

from cse_client.simulator.guest.faults import Faults
from cse_client.simulator.guest.imitation import IMITATION
from cse_client.simulator.guest.machine import Guest
from cse_client.simulator.guest.model import (
    Customization,
    GuestHooks,
    GuestSettings,
    Hardware,
    Image,
    Nic,
)
from cse_client.simulator.guest.sandbox import SandboxUnavailable, sandbox_mode

__all__ = [
    "IMITATION",
    "Customization",
    "Faults",
    "Guest",
    "GuestHooks",
    "GuestSettings",
    "Hardware",
    "Image",
    "Nic",
    "SandboxUnavailable",
    "sandbox_mode",
]
