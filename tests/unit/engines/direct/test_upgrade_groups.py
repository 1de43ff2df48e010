"""Which workers an upgrade replaces, what it records of them, and the room that it needs."""

from __future__ import annotations

import json
from typing import Any, cast

import pytest

from cse_client.clock import SYSTEM_CLOCK
from cse_client.engines.direct import journal
from cse_client.engines.direct.existing import ExistingCluster
from cse_client.engines.direct.journal import read_journal
from cse_client.engines.direct.operations.replace_workers import failed_workers, further_workers
from cse_client.engines.direct.upgrade_groups import groups_of, replaced_counts, replaced_workers
from cse_client.engines.direct.upgrade_parts import UpgradeParts
from cse_client.model import KubeNode, Template, TemplateFacts, Vm, footprint
from cse_client.model.pools import Pool
from tests.support.direct import HREF, existing, vapp

ANN = "0123456789ab"
NEW = Template(
    name="new",
    revision=1,
    catalog="cse",
    item="new_rev1",
    href="https://vcd.example/api/vAppTemplate/vappTemplate-1",
    facts=TemplateFacts(kubernetes="1.37.2"),
)


def worker(name: str, description: str = "") -> Vm:
    return Vm(name, f"{HREF}/{name}", "POWERED_ON", deployed=True, description=description)


def begun(cluster: ExistingCluster) -> Any:
    nobody = cast(Any, None)
    return UpgradeParts(nobody, SYSTEM_CLOCK, lambda: []).begin(cluster, nobody, NEW, "1.36.3")


def test_pools_keep_the_sizes_that_they_are_to_have() -> None:
    pools = (Pool("default", 3), Pool("own", 1, template="t"), Pool("gpu", 2))
    found = vapp("mstr-a", "node-a", "node-b", worker("node-c", "[pool gpu]"))
    cluster = existing(found, journal.ended(ANN, 1, 6, pools=pools))
    operation = begun(cluster)
    assert (operation.workers, operation.before, operation.pools) == (6, 6, pools)
    groups = [(group.pool.name, group.names) for group in groups_of(operation) if group.pool]
    assert groups == [("default", ("node-a", "node-b")), ("gpu", ("node-c",))]
    assert read_journal(journal.begun(ANN, 2, operation)).operation == operation


def test_workers_that_are_done_stay() -> None:
    pools = (Pool("default", 2), Pool("own", 1, template="t"), Pool("gpu", 1))
    vms = ("node-a", "node-b", worker("node-c", "[pool gpu]"), worker("node-d", "[pool own]"))
    cluster = existing(vapp("mstr-a", *vms))
    for done, names, counts in (
        ((), ["node-a", "node-b", "node-c"], (2, 0, 1)),
        (("node-a", "node-d"), ["node-b", "node-c"], (1, 0, 1)),
        (("node-a", "node-b", "node-c"), [], (0, 0, 0)),
    ):
        assert replaced_workers(cluster, pools, done) == names
        assert replaced_counts(cluster, pools, done) == counts
    assert replaced_workers(cluster, (), ("node-a", "node-c")) == ["node-b", "node-d"]


def test_a_cluster_without_pools_keeps_the_size_that_it_is_to_have() -> None:
    spec = {footprint.SPEC: json.dumps({"workers": 2})}
    cluster = existing(vapp("mstr-a"), {**spec, **journal.ended(ANN, 1, 2)})
    operation = begun(cluster)
    assert (operation.workers, operation.nodes, groups_of(operation)) == (2, (), [])
    assert read_journal(journal.begun(ANN, 2, operation)).operation == operation


@pytest.mark.parametrize(
    ("old", "made", "surge", "expected"),
    [
        (3, 0, 1, 1),
        (3, 0, 2, 2),
        (3, 1, 1, 0),
        (3, 2, 2, 0),
        # a batch of two has made two, and one of the old ones has left
        (2, 2, 2, 0),
        (2, 1, 1, 1),
        (1, 2, 2, 1),
        (1, 3, 2, 0),
        (0, 3, 2, 0),
        (0, 2, 2, 1),
        (2, 0, 1, 2),
    ],
)
def test_a_resumed_replacement_asks_for_what_it_still_makes(
    old: int, made: int, surge: int, expected: int
) -> None:
    names = [f"node-{number}" for number in range(3)]
    new = [worker(f"node-x{number}", "Made. [operation 1]") for number in range(made)]
    cluster = existing(vapp(*names[3 - old :], *new, "node-other"))
    assert further_workers(cluster, names, surge, "[operation 1]") == expected


@pytest.mark.parametrize(
    ("ready", "settled", "failed", "expected"),
    [
        ({"a": True, "b": True}, (), "", []),
        ({"a": True, "b": False}, ("a",), "", ["b"]),
        ({"a": False, "b": False}, ("a",), "", ["b"]),
        ({"a": False, "b": True}, ("a",), "b", ["b"]),
        ({"a": True}, ("a", "b"), "", ["b"]),
        ({"a": False, "b": False}, ("a", "b"), "", []),
    ],
)
def test_a_worker_of_an_earlier_batch_is_not_deleted_undrained(
    ready: dict[str, bool], settled: tuple[str, ...], failed: str, expected: list[str]
) -> None:
    nodes = [KubeNode(name, ready=is_ready) for name, is_ready in ready.items()]
    found = failed_workers([worker("a"), worker("b")], nodes, settled, failed)
    assert [vm.name for vm in found] == expected
