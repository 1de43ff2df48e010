"""Guests with a real Kubernetes: kubeadm, kubelet, containerd and runc in namespaces of their own.

Needs root, and a folder of kits: programs and images of Kubernetes releases. `docs/simulator.md`
lists what is still a stand-in.
"""

from __future__ import annotations

from cse_client.simulator.guest.real.kits import Kit, Plain, read_kits, read_plains
from cse_client.simulator.guest.real.namespaces import enter_network, inside_network
from cse_client.simulator.guest.real.platform import RealPlatform
from cse_client.simulator.guest.real.sandbox import what_is_missing

__all__ = [
    "Kit",
    "Plain",
    "RealPlatform",
    "enter_network",
    "inside_network",
    "read_kits",
    "read_plains",
    "what_is_missing",
]
