"""What a kubelet reports of its node."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cse_client.simulator.guest.system import System

__all__ = ["node_status"]


def node_status(
    system: System, node: str, version: str, readiness: tuple[bool, str, str]
) -> dict[str, Any]:
    """Return a Node's status: `readiness` is whether it is ready, the reason and a message."""
    ready, why, text = readiness
    stamp = _stamp(system.guest.clock.now())
    conditions = [
        {
            "type": kind,
            "status": "False",
            "reason": reason,
            "message": f"kubelet has {words}",
            "lastHeartbeatTime": stamp,
        }
        for kind, reason, words in (
            ("MemoryPressure", "KubeletHasSufficientMemory", "sufficient memory available"),
            ("DiskPressure", "KubeletHasNoDiskPressure", "no disk pressure"),
            ("PIDPressure", "KubeletHasSufficientPID", "sufficient PID available"),
        )
    ]
    conditions.append(
        {
            "type": "Ready",
            "status": "True" if ready else "False",
            "reason": why,
            "message": text,
            "lastHeartbeatTime": stamp,
        }
    )
    for condition in conditions:
        condition["lastTransitionTime"] = stamp
    capacity = {
        "cpu": str(system.hardware.cpus),
        "memory": f"{system.hardware.usable_memory_mb * 1024}Ki",
        "pods": "110",
        "ephemeral-storage": "16446332Ki",
    }
    return {
        "addresses": [
            {"type": "InternalIP", "address": system.address},
            {"type": "Hostname", "address": node},
        ],
        "capacity": capacity,
        "allocatable": capacity,
        "conditions": conditions,
        "daemonEndpoints": {"kubeletEndpoint": {"Port": 10250}},
        "nodeInfo": _node_info(system, version),
    }


def _node_info(system: System, version: str) -> dict[str, str]:
    release = dict(
        line.split("=", 1)
        for line in system.disk.text("/etc/os-release").splitlines()
        if "=" in line
    )
    machine = system.disk.text("/etc/machine-id").strip()
    runtime = "docker://19.3.12" if system.image.runtime == "docker" else "containerd://1.7.27"
    return {
        "architecture": "amd64",
        "bootID": system.disk.text("/.guest/sysctl/kernel/random/boot_id").strip(),
        "containerRuntimeVersion": runtime,
        "kernelVersion": system.disk.text("/.guest/sysctl/kernel/osrelease").strip(),
        "kubeProxyVersion": f"v{version}",
        "kubeletVersion": f"v{version}",
        "machineID": machine,
        "operatingSystem": "linux",
        "osImage": release.get("PRETTY_NAME", "Linux").strip('"'),
        "systemUUID": machine,
    }


def _stamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
