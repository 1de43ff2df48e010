"""Worker pools: what their workers are made of and marked with, and how they come and go."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.editor import Editor
from tests.support.people import Person, offer_template, person
from tests.support.programs import CSE
from tests.support.schemas import check
from tests.support.simulator import Cloud, Control, running_simulator
from tests.support.waiting import until

NAME = "pooled"
BARE = "ubuntu-24.04_k8-1.33_antrea-2.3_rev1"
#: A template of the cluster's release, one of the release before, and one that is too old.
ITEMS = {
    "ubuntu-24.04_k8-1.36_antrea-2.3_rev1": "1.36.3",
    "ubuntu-24.04_k8-1.36_antrea-2.3_rev2": "1.36.3",
    "ubuntu-24.04_k8-1.34_antrea-2.3_rev1": "1.34.2",
}
OWN, OTHER, OLD = ITEMS
REFUSED, WRONG_USAGE, NOT_FOUND = 4, 2, 3


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with running_simulator(tmp_path_factory.mktemp("simulator"), "--time", "instant") as cloud:
        yield cloud


@pytest.fixture(scope="module")
def world(simulated: Cloud) -> Control:
    return Control(simulated)


@pytest.fixture(scope="module")
def admin(
    simulated: Cloud, world: Control, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Person]:
    """An administrator with a cluster of one worker, made without pools."""
    admin = person(simulated, tmp_path_factory.mktemp("admin"))
    for item, release in ITEMS.items():
        offer_template(admin, world, item, release, like=BARE, keepalived=False)
    admin.cluster("create", NAME, "-n", "net1", "-N", "1", "-t", OWN).checked()
    admin.cluster("config", NAME, "--save").checked()
    yield admin


def pools(admin: Person) -> dict[str, Any]:
    found = json.loads(admin.cse("pool", "list", NAME, "-o", "json").checked())
    return {pool["name"]: pool for pool in found}


def sizes(admin: Person) -> dict[str, tuple[int, int, int]]:
    return {name: (one["size"], one["workers"], one["ready"]) for name, one in pools(admin).items()}


def nodes(admin: Person) -> dict[str, Any]:
    found = json.loads(admin.kubectl("get", "nodes", "-o", "json").checked())
    return {node["metadata"]["name"]: node for node in found["items"]}


def members(admin: Person, pool: str) -> list[str]:
    """Return the names of the nodes that Kubernetes has of a pool, by their label."""
    return [
        name
        for name, node in nodes(admin).items()
        if node["metadata"]["labels"].get("cse-client/pool") == pool
    ]


def marks(admin: Person, name: str) -> tuple[dict[str, str], list[str]]:
    """Return a node's own labels, without those of every node, and its taints."""
    node = nodes(admin)[name]
    labels = {
        key: value
        for key, value in node["metadata"]["labels"].items()
        if not key.startswith(("kubernetes.io/", "beta.kubernetes.io/", "cse-client/"))
    }
    taints = [
        f"{one['key']}={one.get('value', '')}:{one['effect']}"
        for one in node["spec"].get("taints", [])
    ]
    return labels, sorted(taints)


def test_a_cluster_without_pools_has_one(admin: Person) -> None:
    assert sizes(admin) == {"default": (1, 1, 1)}
    assert len(members(admin, "default")) == 1
    listed = admin.cse("node", "list", NAME).checked()
    assert "Pool" not in listed and "Worker pools" not in admin.cluster("info", NAME).checked()


def test_a_pool_is_created_with_its_labels_and_taints(admin: Person, world: Control) -> None:
    words = (
        *("pool", "create", NAME, "gpu", "-N", "2", "-t", OTHER),
        *("--label", "tier=front", "--label", "node-role.kubernetes.io/gpu="),
        *("--taint", "gpu=yes:NoSchedule", "--taint", "slow:PreferNoSchedule"),
    )
    before = world.possessions()
    planned = admin.cse(*words, "--dry-run").checked()
    assert f"Create 2 worker VMs from '{OTHER}'." in planned
    document = json.loads(admin.cse(*words, "--dry-run", "-o", "json").checked())
    check("pool create", document)
    assert (document["pool"], len(document["plan"])) == ("gpu", len(planned.splitlines()))
    refused = admin.cse(*words, "-o", "json")
    assert (refused.code, refused.out) == (2, "")
    assert "Error: -o FORMAT and --query require --dry-run.\n" in refused.err
    assert world.possessions() == before
    done = admin.cse(*words)
    assert done.out == f"Pool gpu of cluster {NAME} is created: 2 workers.\n", done.err
    names = members(admin, "gpu")
    assert len(names) == 2
    for name in names:
        labels, taints = marks(admin, name)
        assert labels == {"tier": "front", "node-role.kubernetes.io/gpu": ""}
        assert taints == ["gpu=yes:NoSchedule", "slow=:PreferNoSchedule"]
    assert sizes(admin) == {"default": (1, 1, 1), "gpu": (2, 2, 2)}
    assert pools(admin)["gpu"]["template"] == OTHER[: -len("_rev2")]
    listed = admin.cse("node", "list", NAME, "--pool", "gpu").checked()
    assert all(name in listed for name in names) and len(listed.splitlines()) == 4
    info = admin.cluster("info", NAME).checked()
    assert "default (1), gpu (2)" in info
    again = admin.cse("pool", "create", NAME, "gpu")
    assert (again.code, "already has a worker pool 'gpu'" in again.err) == (1, True), again


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (("create", NAME, "GPU"), WRONG_USAGE, "'GPU' is not a name of a pool"),
        (("create", NAME, "a", "--label", "k8s.io/x=1"), WRONG_USAGE, "reserved for Kubernetes"),
        (("create", NAME, "a", "--label", "x"), WRONG_USAGE, "KEY=VALUE"),
        (("create", NAME, "a", "--taint", "x=y"), WRONG_USAGE, "KEY=VALUE:EFFECT"),
        (("create", NAME, "a", "--taint", "x=y:Never"), WRONG_USAGE, "its effect must be"),
        (("create", NAME, "a", "-t", OLD), REFUSED, "has Kubernetes 1.34.2, and workers"),
        (("create", NAME, "a", "-t", "gone"), NOT_FOUND, "Template 'gone' was not found"),
        (("create", NAME, "a", "--sizing-policy", "x"), NOT_FOUND, "no sizing policy 'x'"),
        (("create", NAME, "a", "-s", "x"), NOT_FOUND, "no storage profile 'x'"),
        (("resize", NAME, "a", "-N", "2"), NOT_FOUND, "no worker pool 'a'; its pools: default"),
        (("delete", NAME, "a", "--yes"), NOT_FOUND, "no worker pool 'a'"),
        (("delete", NAME, "gpu"), WRONG_USAGE, "must be confirmed"),
        (("update", NAME, "a", "--label", "x=y"), NOT_FOUND, "no worker pool 'a'"),
        (("update", NAME, "gpu", "--label", "a b=y"), WRONG_USAGE, "the key 'a b'"),
        (("upgrade", NAME, "gpu", "-t", OLD, "--yes"), REFUSED, "the one before"),
    ],
)
def test_what_cannot_be_done_changes_nothing(
    admin: Person, world: Control, words: tuple[str, ...], code: int, text: str
) -> None:
    before = world.possessions()
    result = admin.cse("pool", *words)
    assert (result.code, text in result.err) == (code, True), result
    assert result.err.count("Error: ") == 1 and result.out == ""
    assert world.possessions() == before


def test_workers_are_added_to_a_pool_and_taken_from_it(admin: Person) -> None:
    unclear = admin.cse("node", "create", NAME)
    assert unclear.code == WRONG_USAGE and "has 2 worker pools: default, gpu" in unclear.err
    unclear = admin.cluster("resize", NAME, "-N", "2")
    assert unclear.code == WRONG_USAGE and "--pool" in unclear.err
    admin.cse("node", "create", NAME, "--pool", "gpu").checked()
    assert sizes(admin) == {"default": (1, 1, 1), "gpu": (3, 3, 3)}
    assert all(marks(admin, name)[0]["tier"] == "front" for name in members(admin, "gpu"))
    admin.cluster("resize", NAME, "--pool", "default", "-N", "2").checked()
    assert sizes(admin) == {"default": (2, 2, 2), "gpu": (3, 3, 3)}
    (one, *_others) = members(admin, "default")
    wrong = admin.cse("node", "delete", NAME, one, "--pool", "gpu", "--yes")
    assert wrong.code == WRONG_USAGE and f"{one} (pool 'default') is not in pool 'gpu'" in wrong.err
    admin.cse("node", "delete", NAME, one, "--pool", "default", "--yes").checked()
    assert sizes(admin) == {"default": (1, 1, 1), "gpu": (3, 3, 3)}
    done = admin.cse("pool", "resize", NAME, "gpu", "-N", "1").checked()
    assert done == f"Pool gpu of cluster {NAME} has 1 worker.\n"
    assert sizes(admin) == {"default": (1, 1, 1), "gpu": (1, 1, 1)}


def test_labels_and_taints_change_on_nodes_that_are_there(admin: Person) -> None:
    (name,) = members(admin, "gpu")
    admin.kubectl("label", "node", name, "mine=1").checked()
    admin.kubectl("taint", "node", name, "mine=1:PreferNoSchedule").checked()
    marking = (
        "--label",
        "tier-",
        "--label",
        "zone=b",
        "--taint",
        "slow-",
        "--taint",
        "gpu=no:NoSchedule",
    )
    done = admin.cse("pool", "update", NAME, "gpu", *marking)
    assert done.out == f"Pool gpu of cluster {NAME} is updated.\n", done.err
    labels, taints = marks(admin, name)
    assert labels == {"zone": "b", "node-role.kubernetes.io/gpu": "", "mine": "1"}
    assert taints == ["gpu=no:NoSchedule", "mine=1:PreferNoSchedule"]
    admin.cse("pool", "resize", NAME, "gpu", "-N", "2").checked()
    for other in members(admin, "gpu"):
        assert marks(admin, other)[0]["zone"] == "b"
    # what somebody took away is there again
    admin.kubectl("label", "node", name, "zone-").checked()
    admin.cse("pool", "update", NAME, "gpu").checked()
    assert marks(admin, name)[0]["zone"] == "b"


def test_a_lost_worker_is_replaced_in_its_pool(admin: Person, simulated: Cloud) -> None:
    (lost, _other) = members(admin, "gpu")
    Editor(simulated).delete_vm(NAME, lost)
    problems = json.loads(admin.cluster("info", NAME, "-o", "json").checked())["problems"]
    assert "pool 'gpu' has 1 worker VM where 2 were requested" in problems
    planned = admin.cluster("repair", NAME).checked()
    assert "Replace a worker of pool 'gpu' that is missing." in planned
    # a repair that fails leaves it to the next one
    control = Control(simulated)
    control.set("guests", vm="node-.*", faults={"fail": {"kubeadm join.*": 7}})
    failed = admin.cluster("repair", NAME, "--yes")
    control.ask("DELETE", "guests")
    assert (failed.code, "failed in phase 'join'" in failed.err) == (1, True), failed.err
    assert "Replace a worker of pool 'gpu' that is missing." in admin.cluster("repair", NAME).out
    admin.cluster("repair", NAME, "--yes").checked()
    assert sizes(admin) == {"default": (1, 1, 1), "gpu": (2, 2, 2)}
    assert all(marks(admin, name)[0]["zone"] == "b" for name in members(admin, "gpu"))


def test_a_pool_is_upgraded(admin: Person) -> None:
    before = members(admin, "gpu")
    planned = admin.cse("pool", "upgrade", NAME, "gpu", "-t", OWN, "--dry-run").checked()
    assert all(f"Replace {name}" in planned for name in before)
    done = admin.cse("pool", "upgrade", NAME, "gpu", "-t", OWN, "--yes", "--max-surge", "2")
    assert done.out == f"Pool gpu of cluster {NAME} is upgraded.\n", done.err
    after = members(admin, "gpu")
    assert len(after) == 2 and not set(after) & set(before)
    for name in after:
        labels, taints = marks(admin, name)
        assert labels == {"zone": "b", "node-role.kubernetes.io/gpu": ""}
        assert taints == ["gpu=no:NoSchedule"]
    assert pools(admin)["gpu"]["template_revision"] == 1
    assert sizes(admin) == {"default": (1, 1, 1), "gpu": (2, 2, 2)}


def test_workers_that_are_of_the_template_already_stay(admin: Person, world: Control) -> None:
    there = members(admin, "gpu")
    before = world.possessions()
    upgrade = ("pool", "upgrade", NAME, "gpu", "-t", OWN)
    note = (
        f"The workers of pool 'gpu' of cluster '{NAME}' are already of template '{OWN}'; nothing"
        " was changed.\n"
    )
    for option in ("--dry-run", "--yes"):
        done = admin.cse(*upgrade, option)
        assert (done.code, note in done.err) == (0, True), done
    assert world.possessions() == before
    # only one that is of another template is replaced
    admin.cse("node", "create", NAME, "--pool", "gpu", "-t", OTHER).checked()
    (other,) = set(members(admin, "gpu")) - set(there)
    planned = admin.cse(*upgrade, "--dry-run").checked()
    assert f"Replace {other}" in planned and not any(name in planned for name in there)
    admin.cse(*upgrade, "--yes").checked()
    after = set(members(admin, "gpu"))
    assert len(after) == 3 and after > set(there) and other not in after
    admin.cse("pool", "resize", NAME, "gpu", "-N", "2").checked()


@pytest.mark.parametrize("made", [False, True])
def test_a_pool_whose_creation_was_killed_can_be_deleted(
    admin: Person, world: Control, made: bool
) -> None:
    before = sizes(admin)
    hang = {"kind": "hang", "method": "POST", "path": "/recomposeVApp$", "seconds": 60}
    rule = world.set("faults", **hang, act=made)
    process = admin.start(CSE, "pool", "create", NAME, "half", "-N", "2")
    try:
        until(lambda: [one for one in world.get("faults") if one["acted" if made else "hit"]])
    finally:
        process.kill()
        process.communicate(timeout=60)
        world.ask("DELETE", f"faults/{rule['id']}")
    if not made:
        refused = admin.cse("pool", "delete", NAME, "gpu", "--yes")
        assert refused.code == 1 and "has an unfinished operation: growing to 2" in refused.err
    planned = admin.cse("pool", "delete", NAME, "half", "--dry-run").checked()
    assert ("Drain" in planned, "has no pool 'half'" in planned) == (made, not made), planned
    deleted = admin.cse("pool", "delete", NAME, "half", "--yes")
    assert deleted.out == f"Pool half is deleted from cluster {NAME}.\n", deleted.err
    assert sizes(admin) == before
    assert len(world.get("state")["vapps"][NAME]["vms"]) == 1 + sum(
        workers for _size, workers, _ready in before.values()
    )


def test_a_pool_whose_template_is_not_there_any_more(admin: Person, world: Control) -> None:
    admin.cse("pool", "create", NAME, "old", "-N", "0", "-t", OTHER).checked()
    world.set(f"templates/{OTHER}", remove=True)
    done = admin.cse("pool", "resize", NAME, "old", "-N", "1")
    assert (done.code, done.out) == (NOT_FOUND, "")
    assert done.err.endswith(
        f"Error: Template '{OTHER[:-5]}' has no revision 2.\n"
        "Hint: Available: 1. Pool 'old' was created from it; to move it to another template: cse"
        f" pool upgrade {NAME} old --template NAME\n"
    )
    admin.cse("pool", "upgrade", NAME, "old", "--template", OWN, "--yes").checked()
    admin.cse("pool", "resize", NAME, "old", "-N", "1").checked()
    admin.cse("pool", "delete", NAME, "old", "--yes").checked()


def test_pools_are_deleted_until_one_remains(admin: Person, world: Control) -> None:
    kept = members(admin, "gpu")
    admin.cse("pool", "delete", NAME, "default", "--yes").checked()
    assert sizes(admin) == {"gpu": (2, 2, 2)}
    assert members(admin, "gpu") == kept and members(admin, "default") == []
    last = admin.cse("pool", "delete", NAME, "gpu", "--yes")
    assert last.code == REFUSED and "is the only worker pool" in last.err
    # it is the only one, and need not be named
    admin.cluster("resize", NAME, "-N", "0").checked()
    assert sizes(admin) == {"gpu": (0, 0, 0)}
    admin.cse("pool", "create", NAME, "empty", "-N", "0").checked()
    admin.cse("pool", "delete", NAME, "empty", "--yes").checked()
    assert sizes(admin) == {"gpu": (0, 0, 0)}
