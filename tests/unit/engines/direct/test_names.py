"""Names of VMs and the id in a vApp's description."""

from __future__ import annotations

import re
from uuid import uuid4

from hypothesis import given
from hypothesis import strategies as st

from cse_client.engines.direct.names import fresh_names
from cse_client.model import CONTROL_PLANE, NFS, WORKER, node_kind
from cse_client.model.footprint import describe, id_in_description


def test_fresh_names_are_distinct_and_in_the_alphabet_cse_uses() -> None:
    names = fresh_names("node-", 500, taken=(), purpose="x")
    assert len(set(names)) == 500
    assert all(re.fullmatch(r"node-[a-z0-9]{4}", name) for name in names)


def test_fresh_names_avoid_the_taken_ones() -> None:
    first = fresh_names("mstr-", 200, taken=(), purpose="x")
    second = fresh_names("mstr-", 200, taken=first, purpose="x")
    assert not set(first) & set(second)


def test_the_same_purpose_has_the_same_names() -> None:
    first = fresh_names("node-", 3, taken=(), purpose="x")
    assert fresh_names("node-", 3, taken=(), purpose="x") == first
    assert fresh_names("node-", 2, taken=first[:1], purpose="x") == first[1:]
    assert not set(fresh_names("node-", 3, taken=(), purpose="y")) & set(first)


def test_the_kind_of_a_node_is_its_prefix() -> None:
    assert node_kind("mstr-ab12") == CONTROL_PLANE
    assert node_kind("node-ab12") == WORKER
    assert node_kind("nfsd-ab12") == NFS
    assert node_kind("database-1") == ""


def test_description_carries_the_id() -> None:
    cluster_id = str(uuid4())
    text = describe("demo", cluster_id, "0123456789ab", "01234567")
    assert text.startswith("cluster 'demo'")
    assert id_in_description(text) == cluster_id


@given(st.text())
def test_other_descriptions_carry_none_and_never_raise(text: str) -> None:
    assert id_in_description(text) in ("", text.partition("[cluster id ")[2][:36])
