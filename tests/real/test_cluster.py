"""A cluster made by `vcd cse` of real machines: control plane and two workers."""

from __future__ import annotations

import re
from typing import Any

from tests.real.site import Site

# What kubeadm's own notices look like: klog's warnings, and those of its preflight checks.
_COMPLAINT = re.compile(r"^(?:W\d{4} |\s*\[WARNING).*$|^.*(?:deprecated|unknown flag).*$", re.M)
_NOT_ABOUT_OUR_CALL = (
    # this machine's cgroups, which kubeadm is only shown
    "cgroup",
    # A worker joins with a certificate of its own name: the node authorizer keeps these two
    # ConfigMaps from it, and kubeadm goes on without them (cmd/kubeadm/app/discovery/file and
    # cmd/kubeadm/app/componentconfigs).
    "Could not access the cluster-info ConfigMap for refreshing",
    'configmaps "kube-proxy" is forbidden',
)


def test_every_node_is_ready(site: Site, cluster: dict[str, Any]) -> None:
    nodes = site.items("nodes")
    assert len(nodes) == 3
    for node in nodes:
        conditions = {one["type"]: one["status"] for one in node["status"]["conditions"]}
        assert conditions["Ready"] == "True", node["metadata"]["name"]
        assert node["status"]["nodeInfo"]["kubeletVersion"] == f"v{site.kit.version}"
    assert {node["kubernetes_status"] for node in cluster["nodes"]} == {"Ready"}


def test_kubeadm_has_no_complaint_about_our_call(site: Site, cluster: dict[str, Any]) -> None:
    logs = site.bootstrap_logs()
    assert len(logs) == 3
    for name, log in logs.items():
        found = [
            line
            for line in _COMPLAINT.findall(log)
            if not any(part in line for part in _NOT_ABOUT_OUR_CALL)
        ]
        assert not found, name
