"""A cluster made by `vcd cse` of real machines: control plane and two workers."""

from __future__ import annotations

import re
from typing import Any

from tests.real.site import Site

# kubeadm's own deprecation notices and complaints look like these; what a container runtime or
# the kernel of this machine lacks is not about our scripts.
_COMPLAINT = re.compile(r"^.*(?:WARNING|deprecated|unknown flag|W\d{4} ).*$", re.M)
_OF_THIS_MACHINE = ("cgroup", "SystemVerification", "kernel", "swap")


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
            if not any(word in line for word in _OF_THIS_MACHINE)
        ]
        assert not found, name
