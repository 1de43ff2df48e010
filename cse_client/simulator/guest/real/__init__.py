"""Guests with a real Kubernetes: kubeadm, kubelet, containerd and runc in namespaces of their own.

Needs root, and a folder of kits: programs and images of Kubernetes releases. `docs/simulator.md`
lists what is still a stand-in.
"""

from __future__ import annotations

from cse_client.simulator.guest.real.kits import Kit, read_kits
from cse_client.simulator.guest.real.namespaces import enter_network, inside_network
from cse_client.simulator.guest.real.platform import RealPlatform
from cse_client.simulator.guest.real.sandbox import what_is_missing

__all__ = ["Kit", "RealPlatform", "enter_network", "inside_network", "read_kits", "what_is_missing"]
