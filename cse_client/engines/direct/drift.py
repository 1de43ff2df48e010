"""Where a cluster has drifted from what it should be, one sentence each."""

from __future__ import annotations

from collections.abc import Sequence

from cse_client.model import CONTROL_PLANE, NFS, WORKER, Node, VApp
from cse_client.model.cloud import POWERED_OFF

__all__ = ["drift"]

_BROKEN = {
    POWERED_OFF: "is powered off",
    "SUSPENDED": "is suspended",
    "PARTIALLY_SUSPENDED": "is suspended",
    "FAILED_CREATION": "could not be made by VCD",
    "UNRESOLVED": "could not be made by VCD",
    "INCONSISTENT_STATE": "is in an inconsistent state",
}


def drift(vapp: VApp, nodes: Sequence[Node]) -> list[str]:
    """Name VMs that do not run, Nodes that are not Ready, and what only one side knows.

    A cluster that is off altogether was stopped on purpose: one sentence reports it.
    """
    present = {vm.name for vm in vapp.vms}
    machines = [node for node in nodes if node.name in present]
    ours = [node for node in machines if node.kind in (CONTROL_PLANE, WORKER, NFS)]
    if ours and _stopped(ours):
        return ["the cluster is stopped"]
    found = []
    for node in nodes:
        if node.name not in present:
            found.append(f"Kubernetes node {node.name} has no VM")
        elif node.vm_status in _BROKEN:
            found.append(f"VM {node.name} {_BROKEN[node.vm_status]}")
        elif node.kind in (CONTROL_PLANE, WORKER):
            found.extend(_in_kubernetes(node))
    found.extend(_versions(ours))
    return found


def _stopped(nodes: Sequence[Node]) -> bool:
    return all(node.vm_status == POWERED_OFF for node in nodes)


def _in_kubernetes(node: Node) -> list[str]:
    status = node.kubernetes_status
    if status == "not in the cluster":
        return [f"VM {node.name} is not in the cluster"]
    if status.startswith(("NotReady", "Unknown")):
        return [f"Kubernetes node {node.name} is {status.partition(',')[0]}"]
    return []


def _versions(nodes: Sequence[Node]) -> list[str]:
    versions = {node.kubelet_version for node in nodes if node.kubelet_version}
    if len(versions) < 2:  # noqa: PLR2004
        return []
    by_version = {
        version: [node.name for node in nodes if node.kubelet_version == version]
        for version in sorted(versions)
    }
    listed = "; ".join(f"{version} on {', '.join(names)}" for version, names in by_version.items())
    return [f"the nodes' Kubernetes versions differ: {listed}"]
