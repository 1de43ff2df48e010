"""Worker pools of a real cluster: what kubelets register with, and what the client sets later."""

from __future__ import annotations

from typing import Any

from tests.real.site import CLUSTER, Site


def _labels(node: dict[str, Any]) -> dict[str, str]:
    return dict(node["metadata"]["labels"])


def _taints(node: dict[str, Any]) -> list[str]:
    return [
        f"{one['key']}={one.get('value', '')}:{one['effect']}" for one in node["spec"]["taints"]
    ]


def test_nodes_of_a_pool_have_its_labels_and_taints(site: Site, cluster: dict[str, Any]) -> None:
    """NodeRestriction lets no kubelet set a role; everything else is there from the beginning."""
    before = site.node_names()
    pool = ("cse", "pool", "create", CLUSTER, "gpu", "-N", "1")
    marks = ("--label", "example.com/tier=front", "--label", "node.kubernetes.io/instance-type=gpu")
    taints = ("--taint", "gpu=yes:NoSchedule", "--taint", "slow:PreferNoSchedule")
    made = site.vcd(*pool, *marks, "--label", "node-role.kubernetes.io/gpu=", *taints)
    assert made.code == 0, made.err
    (name,) = site.node_names() - before
    (node,) = site.items("nodes", "-l", "cse-client/pool=gpu")
    assert node["metadata"]["name"] == name
    labels = _labels(node)
    assert labels["example.com/tier"] == "front"
    assert labels["node.kubernetes.io/instance-type"] == "gpu"
    assert labels["node-role.kubernetes.io/gpu"] == ""
    assert sorted(_taints(node)) == ["gpu=yes:NoSchedule", "slow=:PreferNoSchedule"]
    others = site.items("nodes", "-l", "cse-client/pool=default")
    assert {one["metadata"]["name"] for one in others} == set(site.workers()) - {name}
    changes = ("--label", "example.com/tier-", "--label", "zone=b", "--taint", "slow-")
    site.vcd("cse", "pool", "update", CLUSTER, "gpu", *changes).checked()
    (node,) = site.items("nodes", "-l", "zone=b")
    assert "example.com/tier" not in _labels(node)
    assert _taints(node) == ["gpu=yes:NoSchedule"]
    site.vcd("cse", "pool", "delete", CLUSTER, "gpu", "--yes").checked()
    assert site.node_names() == before
