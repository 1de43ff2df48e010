"""The rules for names, labels and taints of worker pools."""

from __future__ import annotations

import pytest

from cse_client.model.pools import (
    Pool,
    Taint,
    label_problem,
    may_be_set_by_kubelet,
    pool_name_problem,
    pool_problems,
    set_by_client,
    taint_problem,
)


@pytest.mark.parametrize("name", ["a", "default", "gpu-2", "a" * 40])
def test_names_that_pools_can_have(name: str) -> None:
    assert pool_name_problem(name) == ""


@pytest.mark.parametrize("name", ["", "-a", "a-", "GPU", "2a", "a b", "a" * 41, "a.b", "ä", "a\n"])
def test_names_that_pools_cannot_have(name: str) -> None:
    assert "lowercase letters" in pool_name_problem(name)


@pytest.mark.parametrize(
    "label",
    [
        ("tier", "front"),
        ("example.com/tier", "A_b.c-d"),
        ("tier", ""),
        ("node.kubernetes.io/instance-type", "large"),
        ("x.node.kubernetes.io/any", "1"),
        ("topology.kubernetes.io/zone", "z1"),
        ("node.cluster.x-k8s.io/any", "1"),
        ("node-role.kubernetes.io/gpu", ""),
        ("node-restriction.kubernetes.io/fips", "true"),
        ("example.com.node-restriction.kubernetes.io/fips", "true"),
    ],
)
def test_labels_that_nodes_can_have(label: tuple[str, str]) -> None:
    assert label_problem(*label) == ""


@pytest.mark.parametrize(
    ("label", "clause"),
    [
        (("", "x"), "the key ''"),
        (("a b", "x"), "the key 'a b'"),
        (("-a", "x"), "the key '-a'"),
        (("a" * 64, "x"), "1 to 63 letters"),
        (("/a", "x"), "'' is not a DNS name"),
        (("Example.com/a", "x"), "'Example.com' is not a DNS name"),
        (("a/b/c", "x"), "'a/b' is not a DNS name"),
        (("a", "b c"), "the value 'b c'"),
        (("a", "-b"), "the value '-b'"),
        (("a", "b" * 64), "at most 63"),
        (("a", 'b"c'), "the value"),
        (("cse-client/pool", "x"), "set by cse-client itself"),
        (("kubernetes.io/hostname", "x"), "every node sets it by itself"),
        (("kubernetes.io/arch", "x"), "every node sets it by itself"),
        (("node-role.kubernetes.io/control-plane", ""), "it marks control planes"),
        (("kubernetes.io/tier", "x"), "reserved for Kubernetes"),
        (("foo.k8s.io/tier", "x"), "reserved for Kubernetes"),
        (("k8s.io/tier", "x"), "reserved for Kubernetes"),
    ],
)
def test_labels_that_nodes_cannot_have(label: tuple[str, str], clause: str) -> None:
    assert clause in label_problem(*label)


@pytest.mark.parametrize(
    ("key", "by_kubelet", "by_client"),
    [
        ("tier", True, False),
        ("example.com/tier", True, False),
        ("node.kubernetes.io/tier", True, False),
        ("topology.kubernetes.io/zone", True, False),
        ("node-role.kubernetes.io/gpu", False, True),
        ("node-restriction.kubernetes.io/tier", False, True),
        ("kubernetes.io/tier", False, False),
    ],
)
def test_who_may_set_a_label(key: str, by_kubelet: bool, by_client: bool) -> None:
    assert may_be_set_by_kubelet(key) is by_kubelet
    assert set_by_client(key) is by_client


def test_taints() -> None:
    assert taint_problem(Taint("gpu", "NoSchedule", "yes")) == ""
    assert taint_problem(Taint("example.com/gpu", "NoExecute")) == ""
    assert "effect must be NoSchedule, PreferNoSchedule or NoExecute" in taint_problem(
        Taint("gpu", "Never")
    )
    assert "the key ''" in taint_problem(Taint("", "NoSchedule"))
    assert "itself" in taint_problem(Taint("node.kubernetes.io/not-ready", "NoExecute"))
    assert str(Taint("gpu", "NoSchedule", "yes")) == "gpu=yes:NoSchedule"
    assert str(Taint("gpu", "NoSchedule")) == "gpu:NoSchedule"


def test_everything_that_is_wrong_with_pools_is_named() -> None:
    twice = (Taint("gpu", "NoSchedule", "a"), Taint("gpu", "NoSchedule", "b"))
    pools = [Pool("a", labels={"k8s.io/x": "1"}), Pool("a"), Pool("B", taints=twice)]
    assert [one.partition(":")[0] for one in pool_problems(pools)] == [
        "two pools have the name 'a'",
        "pool 'a' cannot have the label 'k8s.io/x=1'",
        "'B' is not a name of a pool",
        "pool 'B' cannot have the taint 'gpu=b",
    ]
    assert list(pool_problems([Pool("a"), Pool("b", taints=twice[:1])])) == []
