"""What is said of a cluster that is not as it should be."""

from __future__ import annotations

import pytest

from cse_client.engines.direct.drift import drift
from cse_client.model import CONTROL_PLANE, NFS, WORKER, Node
from tests.support.direct import vapp

ON, OFF = "POWERED_ON", "POWERED_OFF"


def head(status: str = ON, kubernetes: str = "Ready", version: str = "v1.33.1") -> Node:
    return Node(
        "mstr-a",
        CONTROL_PLANE,
        vm_status=status,
        kubernetes_status=kubernetes,
        kubelet_version=version,
    )


def worker(
    name: str = "node-b", status: str = ON, kubernetes: str = "Ready", version: str = "v1.33.1"
) -> Node:
    return Node(
        name, WORKER, vm_status=status, kubernetes_status=kubernetes, kubelet_version=version
    )


def nfs(status: str = ON) -> Node:
    return Node("nfsd-c", NFS, vm_status=status)


@pytest.mark.parametrize(
    ("nodes", "expected"),
    [
        ([], []),
        ([head(), worker()], []),
        ([head(), worker(kubernetes="Ready,SchedulingDisabled")], []),
        # an API that nobody could ask says nothing of the nodes
        ([head(kubernetes=""), worker(kubernetes="", version="")], []),
        ([head(), nfs()], []),
        ([head(OFF), worker(status=OFF)], ["the cluster is stopped"]),
        ([head(OFF), worker(status=OFF), nfs(OFF)], ["the cluster is stopped"]),
        (
            [head(OFF), worker(status="SUSPENDED")],
            ["VM mstr-a is powered off", "VM node-b is suspended"],
        ),
        (
            [head(OFF), worker(status=OFF), nfs()],
            ["VM mstr-a is powered off", "VM node-b is powered off"],
        ),
        ([head(), worker(status=OFF)], ["VM node-b is powered off"]),
        ([head(), nfs(OFF)], ["VM nfsd-c is powered off"]),
        ([head(), worker(status="PARTIALLY_SUSPENDED")], ["VM node-b is suspended"]),
        ([head(), worker(status="FAILED_CREATION")], ["VM node-b could not be made by VCD"]),
        ([head(), worker(status="UNRESOLVED")], ["VM node-b could not be made by VCD"]),
        ([head("INCONSISTENT_STATE")], ["VM mstr-a is in an inconsistent state"]),
        # what is wrong with a VM is said of the VM, not of its node as well
        ([head(), worker(status=OFF, kubernetes="NotReady")], ["VM node-b is powered off"]),
        ([head(), worker(kubernetes="NotReady")], ["Kubernetes node node-b is NotReady"]),
        (
            [head(), worker(kubernetes="NotReady,SchedulingDisabled")],
            ["Kubernetes node node-b is NotReady"],
        ),
        ([head(kubernetes="Unknown"), worker()], ["Kubernetes node mstr-a is Unknown"]),
        ([head(), worker(kubernetes="not in the cluster")], ["VM node-b is not in the cluster"]),
        (
            [head(), worker(), worker("node-x", status="")],
            ["Kubernetes node node-x has no VM"],
        ),
        # a node without a VM does not keep a stopped cluster from being called that
        ([head(OFF), worker(status=OFF), worker("node-x")], ["the cluster is stopped"]),
        (
            [head(version="v1.34.0"), worker(), worker("node-d")],
            ["the nodes' Kubernetes versions differ: v1.33.1 on node-b, node-d; v1.34.0 on mstr-a"],
        ),
        # of a node that is gone the version does not matter
        ([head(), worker("node-x", version="v1.2.3")], ["Kubernetes node node-x has no VM"]),
    ],
)
def test_drift(nodes: list[Node], expected: list[str]) -> None:
    made = vapp(*(node.name for node in nodes if node.name != "node-x"))
    assert drift(made, nodes) == expected
