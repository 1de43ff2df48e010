from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cse_client.engines.direct import journal
from cse_client.engines.direct.journal import read_journal
from cse_client.engines.direct.operation import GROW, SHRINK, UPGRADE, Operation
from cse_client.engines.direct.operations.leaving import choose_workers
from cse_client.engines.direct.operations.remove_workers import parallel
from cse_client.model import KubeNode, Vm
from tests.support.direct import desired_workers

KEY = "cse.client.operation"
ANN, BOB = "0123456789ab", "ba9876543210"


@pytest.mark.parametrize("count", [1, 3, 180])
def test_what_is_written_is_read_back(count: int) -> None:
    nodes = tuple(f"node-{number:04}" for number in range(count))
    operation = Operation.begin(SHRINK, workers=2, before=2 + count, nodes=nodes)
    entries = journal.begun(ANN, 3, operation)
    assert all(len(value) < 1000 for value in entries.values())
    found = read_journal(entries)
    assert (found.operation, found.turn, found.damaged) == (operation, 3, ())
    entries.update(journal.ended(ANN, 3, 2, nodes))
    assert all(len(value) < 1000 for value in entries.values())
    found = read_journal(entries)
    assert (found.operation, found.turn, found.workers) == (None, 3, 2)
    assert found.removed == set(nodes)


def test_an_upgrade_is_read_back_whole() -> None:
    operation = Operation.begin(
        UPGRADE,
        workers=1,
        before=1,
        nodes=("mstr-a", "node-a"),
        heads=1,
        template="vappTemplate-1",
        release="1.37.2",
        before_release="1.36.3",
    )
    assert read_journal(journal.begun(ANN, 1, operation)).operation == operation
    damages: list[dict[str, object]] = [
        {"heads": 0},
        {"nodes": [""]},
        {"counts": [1]},
        {"release": 1},
        {"template": "x" * 300},
    ]
    for wrong in damages:
        text = json.dumps({"turn": 1, **operation.document(), **wrong})
        assert read_journal({f"{KEY}.{ANN}": f"1:{text}"}).damaged, wrong


def test_a_short_one_after_a_long_one() -> None:
    nodes = tuple(f"node-{number:04}" for number in range(180))
    metadata = journal.begun(ANN, 1, Operation.begin(SHRINK, workers=2, before=182, nodes=nodes))
    short = Operation.begin(GROW, workers=5, before=2)
    metadata.update(journal.begun(ANN, 2, short))
    assert read_journal(metadata).operation == short
    metadata.update(journal.ended(ANN, 2))
    assert read_journal(metadata).operation is None


def test_the_last_turn_is_what_counts() -> None:
    first, second = (Operation.begin(GROW, workers=n, before=1) for n in (2, 3))
    spec = {"cse.client.spec": json.dumps({"workers": 1})}
    assert desired_workers(spec) == 1
    metadata = {**spec, **journal.begun(ANN, 1, first)}
    assert desired_workers(metadata) == 2
    metadata.update(journal.begun(BOB, 2, second))
    assert (read_journal(metadata).operation, desired_workers(metadata)) == (second, 3)
    metadata.update(journal.ended(BOB, 2, 3))
    assert (read_journal(metadata).operation, desired_workers(metadata)) == (None, 3)
    metadata.update(journal.ended(ANN, 4))
    assert desired_workers(metadata) == 3


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1:",
        "1:{",
        '1:{"id": "x"}',
        "2:[]",
        "x:{}",
        "999999999:{}",
        "\u00b2:{}",
        "0:{}",
        "1:" + "[" * 900,
        '1:{"id":"x","kind":"grow","workers":1e400,"before":1}',
        '1:{"id":"x","kind":"grow","workers":true,"before":1}',
        '1:{"id":"x","kind":"grow","workers":99999999,"before":1}',
        '1:{"id":"x","kind":"shrink","workers":1,"before":2,"nodes":"abc"}',
        '1:{"id":"x","kind":"explode","workers":1,"before":2}',
    ],
)
def test_a_damaged_record_is_named(text: str) -> None:
    found = read_journal({KEY: text})
    assert (found.operation, found.damaged, found.unclear) == (None, (KEY,), True)
    found = read_journal({f"cse.client.done.{ANN}": text})
    assert (found.damaged, found.unclear) == ((f"cse.client.done.{ANN}",), False)


@given(
    st.dictionaries(
        st.sampled_from([KEY, f"{KEY}.{ANN}", f"{KEY}.{ANN}.1", f"cse.client.done.{BOB}"]),
        st.text() | st.integers(0, 3).flatmap(lambda n: st.text().map(lambda t: f"{n}:{t}")),
    )
)
def test_any_metadata_is_read(metadata: dict[str, str]) -> None:
    found = read_journal(metadata)
    assert set(found.damaged) <= set(metadata)


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
