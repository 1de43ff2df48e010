"""Adding, losing and repairing the nodes of a real cluster."""

from __future__ import annotations

import json
from typing import Any

from tests.real.site import CLUSTER, Site, eventually


def test_a_deleted_node_stays_away(site: Site, cluster: dict[str, Any]) -> None:
    """A kubelet that still ran would register its Node anew within seconds."""
    before = site.node_names()
    made = site.vcd("-j", "cse", "node", "create", CLUSTER, "-n", "net1", "-N", "1")
    assert made.code == 0, made.err
    (node,) = site.node_names() - before
    assert node in made.out
    site.vcd("cse", "node", "delete", CLUSTER, node, "--yes").checked()
    assert site.node_names() == before
    site.vcd("cse", "cluster", "stop", CLUSTER, "--yes").checked()
    site.vcd("cse", "cluster", "start", CLUSTER).checked()
    eventually(lambda: site.ready_names() == before, "all nodes are Ready again", 300)
    assert site.node_names() == before


def test_repair_of_a_stopped_vm_and_of_a_node_that_kubernetes_lost(
    site: Site, cluster: dict[str, Any]
) -> None:
    names = site.node_names()
    stopped, lost = site.workers()
    site.kubectl("delete", "node", lost).checked()
    site.control.set(f"guests/{stopped}", crash=True)
    repaired = site.vcd("cse", "cluster", "repair", CLUSTER, "--yes")
    assert repaired.code == 0, repaired.err
    assert site.ready_names() == names
    again = site.vcd("cse", "cluster", "repair", CLUSTER)
    assert (again.code, again.out) == (0, f"Cluster {CLUSTER} does not need to be repaired.\n")


def test_repair_replaces_a_worker_whose_vm_is_gone(site: Site, cluster: dict[str, Any]) -> None:
    kept, gone = site.workers()
    site.vcd("vm", "undeploy", CLUSTER, gone).checked()
    site.vcd("vm", "delete", CLUSTER, gone).checked()
    shown = json.loads(site.vcd("-j", "cse", "cluster", "info", CLUSTER).checked())
    assert gone in json.dumps(shown)
    repaired = site.vcd("cse", "cluster", "repair", CLUSTER, "--yes")
    assert repaired.code == 0, repaired.err
    assert gone not in site.node_names()
    assert kept in site.node_names()
    assert len(site.workers()) == 2
    assert site.ready_names() == site.node_names()
