"""Power losses of real machines."""

from __future__ import annotations

from typing import Any

from tests.real.site import CLUSTER, Site, eventually


def test_a_cluster_that_lost_power_is_started_again(site: Site, cluster: dict[str, Any]) -> None:
    names = site.node_names()
    for name in names:
        site.control.set(f"guests/{name}", crash=True)
    started = site.vcd("cse", "cluster", "start", CLUSTER)
    assert started.code == 0, started.err
    eventually(lambda: _ready(site) == names, "all nodes are Ready again", 300)


def test_a_deleted_node_stays_away(site: Site, cluster: dict[str, Any]) -> None:
    """A kubelet that still ran would register its Node anew within seconds."""
    site.resize(3)
    node = site.workers()[-1]
    site.vcd("cse", "node", "delete", CLUSTER, node, "--yes").checked()
    assert node not in site.node_names()
    site.vcd("cse", "cluster", "stop", CLUSTER, "--yes").checked()
    site.vcd("cse", "cluster", "start", CLUSTER).checked()
    assert node not in site.node_names()
    assert len(site.node_names()) == 3


def _ready(site: Site) -> set[str]:
    listed = site.kubectl("get", "nodes", "--no-headers", "--request-timeout=5s")
    return {line.split()[0] for line in listed.out.splitlines() if line.split()[1] == "Ready"}
