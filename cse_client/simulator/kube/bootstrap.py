"""What an API server puts into an empty cluster when it starts for the first time."""

from __future__ import annotations

from cse_client.simulator.kube.objects import Obj
from cse_client.simulator.kube.rbac_defaults import default_rbac
from cse_client.simulator.kube.state import Cluster

__all__ = ["fill_cluster", "publish_address"]

_NAMESPACES = ("default", "kube-system", "kube-public", "kube-node-lease")
_PRIORITIES = {
    "system-cluster-critical": (
        2000000000,
        "Used for system critical pods that must run in the "
        "cluster, but can be moved to another node if necessary.",
    ),
    "system-node-critical": (
        2000001000,
        "Used for system critical pods that must not be moved from their current node.",
    ),
}


def fill_cluster(cluster: Cluster) -> None:
    """Make the namespaces, the RBAC defaults and the priority classes."""
    for name in _NAMESPACES:
        cluster.add(
            ("", "namespaces"),
            {
                "metadata": {"name": name, "labels": {"kubernetes.io/metadata.name": name}},
                "spec": {"finalizers": ["kubernetes"]},
                "status": {"phase": "Active"},
            },
        )
    for obj in default_rbac():
        resource = cluster.table.of_kind("rbac.authorization.k8s.io", obj["kind"])
        if resource is not None:
            cluster.add(resource.key, obj)
    for name, (value, text) in _PRIORITIES.items():
        cluster.add(
            ("scheduling.k8s.io", "priorityclasses"),
            {
                "metadata": {"name": name, "generation": 1},
                "value": value,
                "description": text,
                "preemptionPolicy": "PreemptLowerPriority",
            },
        )


def publish_address(cluster: Cluster) -> None:
    """Make or correct the Service `kubernetes` and its Endpoints: the API server's own address."""
    host, port = cluster.address
    port_spec = {"name": "https", "port": 443, "protocol": "TCP", "targetPort": port}
    labels = {"component": "apiserver", "provider": "kubernetes"}
    place: Obj = {"name": "kubernetes", "namespace": "default", "labels": labels}
    service = cluster.store.get(("", "services"), "default", "kubernetes")
    if service is None:
        cluster.add(
            ("", "services"),
            {
                "metadata": place,
                "spec": {
                    "type": "ClusterIP",
                    "clusterIP": str(cluster.services[1]),
                    "clusterIPs": [str(cluster.services[1])],
                    "sessionAffinity": "None",
                    "ports": [port_spec],
                },
                "status": {"loadBalancer": {}},
            },
        )
    subsets = [
        {
            "addresses": [{"ip": host}],
            "ports": [{"name": "https", "port": port, "protocol": "TCP"}],
        }
    ]
    endpoints = cluster.store.get(("", "endpoints"), "default", "kubernetes")
    if endpoints is None:
        cluster.add(("", "endpoints"), {"metadata": dict(place), "subsets": subsets})
    elif endpoints.get("subsets") != subsets:
        cluster.put(("", "endpoints"), endpoints, subsets=subsets)
