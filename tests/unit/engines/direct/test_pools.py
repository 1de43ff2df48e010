"""Worker pools as VCD keeps them: in descriptions, in the spec and in the journal."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cse_client.engines.direct import journal
from cse_client.engines.direct.journal import read_journal
from cse_client.engines.direct.metadata import initial_metadata, recorded_spec
from cse_client.engines.direct.operation import GROW, SHRINK, Operation
from cse_client.engines.direct.pending import finishing_command
from cse_client.engines.direct.pools import (
    parse_pools,
    pool_documents,
    pool_mark,
    pool_of,
    sized_to,
)
from cse_client.model import ClusterSpec, Template, Vm
from cse_client.model.pools import Pool, Taint

GPU = Pool(
    "gpu",
    2,
    template="ubuntu",
    template_revision=3,
    template_id="urn:1",
    cpus=4,
    disk_mb=40960,
    sizing_policy="large",
    labels={"tier": "front", "node-role.kubernetes.io/gpu": ""},
    taints=(Taint("gpu", "NoSchedule", "yes"), Taint("slow", "PreferNoSchedule")),
)
POOLS = (Pool("default", 1), GPU)
OWNER, ELSEWHERE = "0" * 12, "1" * 12


def test_a_pool_is_recorded_whole() -> None:
    assert parse_pools(json.loads(json.dumps(pool_documents(POOLS)))) == POOLS
    template = Template("ubuntu", 3, "cse", "ubuntu_rev3", "href")
    spec = ClusterSpec("demo", "net1", workers=3, pools=POOLS)
    assert recorded_spec(initial_metadata(spec, template, "id")).pools == POOLS


@pytest.mark.parametrize(
    "raw",
    [
        "gpu",
        [1],
        [{"name": "GPU"}],
        [{"name": "a"}, {"name": "a"}],
        [{"name": "a", "size": "2"}],
        [{"name": "a", "size": -1}],
        [{"name": "a", "template": 1}],
        [{"name": "a", "labels": {"k8s.io/x": "1"}}],
        [{"name": "a", "labels": {"x": 1}}],
        [{"name": "a", "labels": {"x": "$(id)"}}],
        [{"name": "a", "taints": [["x", "y"]]}],
        [{"name": "a", "taints": [["x", "y", "Never"]]}],
        [{"name": f"p{number}"} for number in range(21)],
    ],
)
def test_pools_that_cannot_be_meant_are_none(raw: Any) -> None:
    assert parse_pools(raw) is None
    metadata = {"cse.client.spec": json.dumps({"workers": 1, "pools": raw})}
    assert "pools" in recorded_spec(metadata).damaged
    done = {f"cse.client.done.{OWNER}": f"1:{json.dumps({'turn': 1, 'pools': raw})}"}
    assert read_journal(done).damaged == tuple(done)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists))
def test_whatever_is_recorded(raw: Any) -> None:
    parse_pools(raw)


@pytest.mark.parametrize(
    ("description", "pool"),
    [
        ("", "default"),
        ("[operation 12ab]", "default"),
        ("[operation 12ab] [pool gpu]", "gpu"),
        ("mine [pool gpu] of all", "gpu"),
        ("[pool GPU]", "default"),
        ("[pool ]", "default"),
    ],
)
def test_the_description_names_the_pool(description: str, pool: str) -> None:
    assert pool_of(Vm("node-a", "href", "POWERED_ON", description=description)) == pool


def test_the_default_pool_needs_no_mark() -> None:
    assert (pool_mark("default"), pool_mark("gpu")) == ("", "[pool gpu]")


@pytest.mark.parametrize(
    ("pools", "workers", "sizes"),
    [
        ((Pool("default", 2),), 5, {"default": 5}),
        ((Pool("default", 2),), None, {"default": 2}),
        (POOLS, 3, {"default": 1, "gpu": 2}),
        # an older version has changed the number of all workers
        (POOLS, 5, {"default": 3, "gpu": 2}),
        (POOLS, 1, {"default": 0, "gpu": 2}),
        ((GPU,), 3, {"gpu": 2, "default": 1}),
        ((GPU,), 1, {"gpu": 2}),
    ],
)
def test_the_default_pool_has_the_others(
    pools: tuple[Pool, ...], workers: int | None, sizes: dict[str, int]
) -> None:
    assert {one.name: one.size for one in sized_to(pools, workers)} == sizes


def test_the_latest_record_is_what_the_cluster_is_to_have() -> None:
    smaller = (Pool("default", 1), Pool("gpu", 1))
    metadata = {
        **journal.ended(OWNER, 1, 3, pools=POOLS),
        **journal.ended(ELSEWHERE, 2, 2, pools=smaller),
    }
    found = read_journal(metadata)
    assert found.desired_pools((), found.desired_workers(None)) == smaller
    # what is going on counts, and until it ends what was before is known
    growth = Operation.begin(GROW, workers=3, before=2, pool="gpu", pools=POOLS)
    begun = read_journal({**metadata, **journal.begun(OWNER, 3, growth)})
    assert begun.desired_pools((), begun.desired_workers(None)) == POOLS
    assert begun.pools == smaller


def test_operations_of_pools_are_resumed_with_their_pools() -> None:
    growth = Operation.begin(GROW, workers=3, before=2, pool="gpu", pools=POOLS)
    assert growth.is_for("gpu", 2)
    assert not growth.is_for("gpu", 3) and not growth.is_for("default", 1)
    what, command = finishing_command("demo", growth)
    assert what == "growing to 2 workers in pool 'gpu'"
    assert command.endswith("cluster resize demo --nodes 2 --pool gpu")
    both = Operation.begin(SHRINK, workers=3, before=4, nodes=("node-a",), pools=POOLS)
    assert not both.is_for("gpu", 2)
    plain = Operation.begin(GROW, workers=3, before=2)
    assert plain.is_for("default", 3) and not plain.is_for("gpu", 3)
