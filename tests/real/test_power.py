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
    eventually(lambda: site.ready_names() == names, "all nodes are Ready again", 300)


def test_start_ends_when_all_nodes_are_ready(site: Site, cluster: dict[str, Any]) -> None:
    names = site.node_names()
    site.vcd("cse", "cluster", "stop", CLUSTER, "--yes").checked()
    started = site.vcd("cse", "cluster", "start", CLUSTER)
    ready = site.ready_names()
    eventually(lambda: site.ready_names() == names, "all nodes are Ready again", 300)
    assert (started.code, ready) == (0, names)
