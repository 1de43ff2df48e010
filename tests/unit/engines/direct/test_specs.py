"""What an interrupted creation goes on with, and what new workers are made from."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from cse_client.engines.direct.specs import inherited_spec, resumed_spec
from cse_client.errors import Conflict
from cse_client.model import ClusterSpec
from cse_client.model.hardware import NodeOptions
from cse_client.model.nodes import NodesSpec
from tests.support.direct import existing, vapp
from tests.support.ssh_keys import public_key

ID = "0d0c7a35-0000-4000-8000-00000000000b"
RECORD: dict[str, Any] = {
    "workers": 2,
    "network": "net1",
    "template": "t",
    "revision": 1,
    "catalog": "cse",
    "template_id": "11111111-2222-4333-8444-555555555555",
    "cpus": 4,
    "memory_mb": 8192,
    "storage_profile": "gold",
    "endpoint": "k8s.example.com",
}


def recorded(**changes: Any) -> dict[str, str]:
    """Return the metadata of a cluster made from RECORD; None leaves a field out."""
    values = {key: value for key, value in {**RECORD, **changes}.items() if value is not None}
    return {
        "cse.cluster.id": ID,
        "cse.template.name": "t",
        "cse.template.revision": "1",
        "cse.client.spec": json.dumps(values),
    }


AGAIN = ClusterSpec("demo", "net1", 2, template="t", cpus=4, memory_mb=8192)
RESUMED = replace(
    AGAIN,
    template_revision=1,
    template_id=RECORD["template_id"],
    storage_profile="gold",
    endpoint="k8s.example.com",
    vip="none",
)


@pytest.mark.parametrize(
    ("typed", "metadata", "expected"),
    [
        # nothing was recorded yet: what is typed now counts
        (AGAIN, {}, AGAIN),
        (AGAIN, {"cse.cluster.id": ID}, AGAIN),
        (AGAIN, recorded(), RESUMED),
        # what is not typed again is taken from the record
        (ClusterSpec("demo", "net1", 2), recorded(), RESUMED),
        # the template in each of the ways to name it
        (replace(AGAIN, template="t_rev1"), recorded(), RESUMED),
        (replace(AGAIN, template="cse/t_rev1"), recorded(), RESUMED),
        (replace(AGAIN, template=RECORD["template_id"]), recorded(), RESUMED),
        # `auto` has become an address, or none
        (
            replace(AGAIN, vip="auto"),
            recorded(vip="10.0.0.9"),
            replace(RESUMED, vip="10.0.0.9"),
        ),
        # what the record lacks stays as it was typed
        (
            replace(AGAIN, storage_profile="silver", endpoint="other.example.com"),
            recorded(storage_profile=None, endpoint=None),
            replace(RESUMED, storage_profile="silver", endpoint="other.example.com"),
        ),
    ],
)
def test_a_creation_is_resumed(
    typed: ClusterSpec, metadata: dict[str, str], expected: ClusterSpec
) -> None:
    assert resumed_spec(typed, metadata) == expected


KEYS = public_key(), public_key("ssh-rsa")


@pytest.mark.parametrize(
    ("typed", "metadata", "message"),
    [
        (replace(AGAIN, workers=3), recorded(), "different options: --nodes 2 (now 3)"),
        (replace(AGAIN, network="n"), recorded(), "different options: --network net1 (now n)"),
        (replace(AGAIN, vip="10.0.0.8"), recorded(vip="10.0.0.9"), "--vip 10.0.0.9 (now 10.0.0.8)"),
        (replace(AGAIN, vip="10.0.0.8"), recorded(), "--vip none (now 10.0.0.8)"),
        (replace(AGAIN, vip="none"), recorded(vip="10.0.0.9"), "--vip 10.0.0.9 (now none)"),
        (replace(AGAIN, control_planes=3), recorded(), "--control-planes 1 (now 3)"),
        (replace(AGAIN, template="u"), recorded(), "different options: --template t (now u)"),
        (replace(AGAIN, cpus=2), recorded(cpus=None), "--cpu not given (now 2)"),
        (
            replace(AGAIN, workers=1, memory_mb=4096),
            recorded(),
            "--nodes 2 (now 1), --memory 8192 (now 4096)",
        ),
        (
            replace(AGAIN, ssh_key=KEYS[0]),
            {**recorded(), "cse.client.ssh_key": KEYS[1]},
            "different options: --ssh-key ",
        ),
        (AGAIN, {**recorded(), "cse.client.spec": "{"}, "metadata cse.client.spec cannot be read"),
        (AGAIN, recorded(workers=-1), "metadata cse.client.spec has no usable workers"),
        (AGAIN, recorded(workers=True), "metadata cse.client.spec has no usable workers"),
        (AGAIN, {"cse.cluster.id": "two words"}, "metadata cse.cluster.id is not an id"),
        (
            AGAIN,
            {**recorded(), "cse.cluster.id": "x" * 201},
            "metadata cse.cluster.id is not an id",
        ),
    ],
)
def test_a_creation_that_cannot_be_resumed(
    typed: ClusterSpec, metadata: dict[str, str], message: str
) -> None:
    with pytest.raises(Conflict) as refused:
        resumed_spec(typed, metadata)
    assert message in str(refused.value)
    assert "vcd cse cluster delete demo" in (refused.value.hint or "")


INHERITED = ClusterSpec(
    "demo",
    "net1",
    5,
    template="t",
    template_revision=1,
    template_id=RECORD["template_id"],
    cpus=4,
    memory_mb=8192,
    storage_profile="gold",
    endpoint="k8s.example.com",
)


@pytest.mark.parametrize(
    ("asked", "metadata", "expected"),
    [
        ({}, recorded(), INHERITED),
        (
            {"cpus": 8, "memory_mb": 1024, "storage_profile": "silver", "network": "net2"},
            recorded(),
            replace(INHERITED, cpus=8, memory_mb=1024, storage_profile="silver", network="net2"),
        ),
        # another template is looked up anew, by its own revision
        (
            {"template": "u"},
            recorded(),
            replace(INHERITED, template="u", template_revision=None, template_id=""),
        ),
        (
            {"template": "u", "template_revision": 7},
            recorded(),
            replace(INHERITED, template="u", template_revision=7, template_id=""),
        ),
        ({"ssh_key": "k"}, recorded(), replace(INHERITED, ssh_key="k")),
        ({"accept_eulas": True}, recorded(), replace(INHERITED, accept_eulas=True)),
        # a cluster of CSE's has no record: its network is the vApp's
        (
            {},
            {"cse.template.name": "t", "cse.template.revision": "2"},
            ClusterSpec("demo", "net1", 5, template="t", template_revision=2),
        ),
        ({}, {}, ClusterSpec("demo", "net1", 5)),
        # a damaged field counts as not recorded
        ({}, recorded(cpus="4"), replace(INHERITED, cpus=None)),
        ({}, recorded(endpoint="a b"), replace(INHERITED, endpoint="")),
        (
            {},
            {**recorded(), "cse.template.revision": "one"},
            replace(INHERITED, template_revision=None),
        ),
    ],
)
def test_what_new_workers_inherit(
    asked: dict[str, Any], metadata: dict[str, str], expected: ClusterSpec
) -> None:
    found = existing(vapp("mstr-a", "node-b"), metadata)
    assert inherited_spec(found, NodesSpec("demo", 1, **asked), 5) == expected


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({}, {}),
        ({"cpus": 8}, {"control_plane_cpus": 8}),
        (
            {"placement_policy": "b"},
            {"placement_policy": "b", "control_plane_placement_policy": "b"},
        ),
        (
            {"sizing_policy": "s"},
            {"sizing_policy": "s", "control_plane_sizing_policy": "s", "control_plane_cpus": None},
        ),
    ],
)
def test_what_new_control_planes_get_instead_of_what_is_recorded(
    asked: dict[str, Any], expected: dict[str, Any]
) -> None:
    own = NodeOptions(control_plane_cpus=4, control_plane_placement_policy="a")
    found = existing(vapp("mstr-a", "node-b"), recorded(**own.given()))
    spec = inherited_spec(found, NodesSpec("demo", 0, control_planes=3, **asked), 1)
    assert spec.node_options == replace(own, **expected)


def test_without_a_record_and_a_network_none_is_made_up() -> None:
    found = existing(vapp("mstr-a", networks=()), {})
    assert inherited_spec(found, NodesSpec("demo", 1), 5).network == ""
