from __future__ import annotations

import json

import pytest

from cse_client.engines.direct.operation import (
    GROW,
    SHRINK,
    Operation,
    read_operation,
    with_workers,
)
from cse_client.engines.direct.shrink import choose_workers, parallel
from cse_client.model import KubeNode, Vm

KEY = "cse.client.operation"


@pytest.mark.parametrize("count", [0, 1, 3, 180])
def test_what_is_written_is_read_back(count: int) -> None:
    nodes = tuple(f"node-{number:04}" for number in range(count))
    operation = Operation.begin(SHRINK, workers=2, before=2 + count, nodes=nodes)
    entries = operation.entries()
    assert all(len(value) < 1000 for value in entries.values())
    assert read_operation(entries) == operation


def test_a_short_one_after_a_long_one() -> None:
    nodes = tuple(f"node-{number:04}" for number in range(180))
    metadata = Operation.begin(SHRINK, workers=2, before=182, nodes=nodes).entries()
    short = Operation.begin(GROW, workers=5, before=2)
    metadata.update(short.entries())
    assert read_operation(metadata) == short
    metadata.update(Operation.erased())
    assert read_operation(metadata) is None


@pytest.mark.parametrize("text", ["", "none", "1:", "1:{", '1:{"id": "x"}', "2:[]", "x:{}"])
def test_a_damaged_record_is_none(text: str) -> None:
    assert read_operation({KEY: text}) is None


def test_the_wish_is_updated_where_it_is_recorded() -> None:
    spec = json.dumps({"workers": 2, "network": "net1"})
    (value,) = with_workers({"cse.client.spec": spec}, 7).values()
    assert json.loads(value) == {"workers": 7, "network": "net1"}
    assert with_workers({}, 7) == {}
    assert with_workers({"cse.client.spec": "{"}, 7) == {}


def node(name: str, age: int) -> KubeNode:
    from datetime import datetime, timedelta, timezone

    born = datetime(2024, 1, 1, tzinfo=timezone.utc) - timedelta(days=age)
    return KubeNode(name, True, created=born)


@pytest.mark.parametrize(
    ("count", "first", "chosen"),
    [
        (1, (), ["never-joined"]),
        (2, (), ["never-joined", "new"]),
        (3, (), ["never-joined", "new", "middle"]),
        (2, ("old",), ["old", "never-joined"]),
    ],
)
def test_who_goes_first(count: int, first: tuple[str, ...], chosen: list[str]) -> None:
    vms = [Vm(name, "", "POWERED_ON") for name in ("new", "old", "never-joined", "middle")]
    nodes = {one.name: one for one in (node("old", 9), node("new", 1), node("middle", 5))}
    assert choose_workers(vms, nodes, count, first) == chosen


def test_without_kubernetes_the_last_vm_goes_first() -> None:
    vms = [Vm(name, "", "POWERED_ON") for name in "abc"]
    assert choose_workers(vms, {}, 2, ()) == ["c", "b"]


@pytest.mark.parametrize(
    ("asked", "workers", "found"), [(0, 0, 1), (0, 9, 1), (0, 25, 2), (4, 9, 4)]
)
def test_how_many_are_drained_at_a_time(asked: int, workers: int, found: int) -> None:
    assert parallel(asked, workers) == found
