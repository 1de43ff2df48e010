"""The wires of the simulated data center: a bridge for each network, a cable for each card."""

from __future__ import annotations

import ipaddress
import secrets
import subprocess
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING

from cse_client.simulator.guest.model import Nic

if TYPE_CHECKING:
    from cse_client.simulator.guest.real.sandbox import RealSandbox

__all__ = ["connect", "pod_range"]

_lock = threading.Lock()


def connect(sandbox: RealSandbox, cards: Sequence[tuple[str, Nic]]) -> None:
    """Give a machine its cards (device name, card); the first has the default route.

    The gateway also routes to the machine's pods, as the routers of a pod network would.
    """
    pid = str(sandbox.first_process())
    inside = ("nsenter", "--target", pid, "--net", "ip")
    for index, (device, nic) in enumerate(cards):
        bridge = _bridge(nic)
        cable = "v" + secrets.token_hex(5)
        _run("ip", "link", "add", cable, "type", "veth", "peer", "name", device, "netns", pid)
        sandbox.network_devices.append(cable)
        _run("ip", "link", "set", cable, "master", bridge, "up")
        _run(*inside, "link", "set", device, "address", nic.mac, "up")
        _run(*inside, "addr", "add", f"{nic.address}/{nic.prefix_length}", "dev", device)
        if index == 0:
            _run(*inside, "route", "add", "default", "via", nic.gateway)
            _run("ip", "route", "replace", pod_range(nic.address), "via", nic.address)


def pod_range(address: str) -> str:
    """Return the pod range of the machine with this address, a part of 10.244.0.0/16."""
    return f"10.244.{address.rpartition('.')[2]}.0/24"


def _bridge(nic: Nic) -> str:
    """Return the bridge of a card's network, made at its first use."""
    network = ipaddress.ip_interface(f"{nic.gateway}/{nic.prefix_length}").network
    name = f"br{int(network.network_address):x}"
    with _lock:
        there = subprocess.run(["ip", "link", "show", name], capture_output=True, check=False)
        if there.returncode:
            _run("ip", "link", "add", name, "type", "bridge")
            _run("ip", "addr", "add", f"{nic.gateway}/{nic.prefix_length}", "dev", name)
            _run("ip", "link", "set", name, "up")
    return name


def _run(*words: str) -> None:
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        raise OSError(f"`{' '.join(words)}`: {done.stderr.strip()}")
