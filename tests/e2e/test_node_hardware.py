"""What nodes are made of and where they run: chosen at creation, recorded, inherited by others."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.support.programs import Result
from tests.support.simulator import Control

Run = Callable[..., Result]

NAME = "sized"
CREATE = ("cluster", "create", NAME, "-n", "net1", "-N", "1")
REFUSED, USAGE, NOT_FOUND, FAILED = 4, 2, 3, 1


@pytest.fixture(autouse=True)
def _restored(cse: Run, control: Control) -> Iterator[None]:
    yield
    control.ask("DELETE", "faults")
    control.set("org", new_vms_keep_sizes=False)
    control.set("vdcs/vdc1", fast_provisioning=False)
    control.set("users/admin", rights={"Organization vDC Compute Policy: View": True})
    if NAME in control.get("state")["vapps"]:
        cse("cluster", "delete", NAME, "--yes")


def made_of(control: Control, *fields: str) -> dict[str, list[Any]]:
    """Return fields of the VMs by kind; those of one kind are alike."""
    found: dict[str, list[Any]] = {}
    for name, vm in sorted(control.get("state")["vapps"][NAME]["vms"].items()):
        values = [vm[field] for field in fields]
        assert found.setdefault(name.partition("-")[0], values) == values
    return found


def compositions(control: Control) -> list[str]:
    paths = [one.partition("?")[0].rpartition("/")[2] for one in control.requests()]
    return [one for one in paths if one in ("composeVApp", "recomposeVApp", "deploy")]


def test_policies_and_disks_of_new_and_of_later_nodes(cse: Run, control: Control) -> None:
    control.set("vdcs/vdc1", policies={"small": {"cpus": 2, "memory_mb": 4096}})
    options = (
        *("--sizing-policy", "small", "--control-plane-sizing-policy", "4core-8gb"),
        *("--placement-policy", "zone-a", "--control-plane-placement-policy", "zone-b"),
        *("--disk-size", "40G"),
    )
    plan = cse(*CREATE, *options, "--dry-run")
    assert (
        "a disk of 40960 MB, sizing policy 'small' and placement policy 'zone-a', the control"
        " plane a disk of 40960 MB, sizing policy '4core-8gb' and placement policy 'zone-b'"
    ) in plan.out
    control.requests()
    done = cse(*CREATE, *options)
    assert done.code == 0, done.err
    assert compositions(control) == ["composeVApp"]
    fields = ("sizing_policy", "placement_policy", "cpus", "memory_mb", "disk_mb")
    worker = ["small", "zone-a", 2, 4096, 40960]
    head = ["4core-8gb", "zone-b", 4, 8192, 40960]
    assert made_of(control, *fields) == {"mstr": head, "node": worker}

    shown = cse("cluster", "info", NAME, options=("-j",))
    assert json.loads(shown.out)["node_options"] == {
        "disk_mb": 40960,
        "sizing_policy": "small",
        "placement_policy": "zone-a",
        "control_plane_cpus": None,
        "control_plane_memory_mb": None,
        "control_plane_sizing_policy": "4core-8gb",
        "control_plane_placement_policy": "zone-b",
    }
    text = " ".join(cse("cluster", "info", NAME).out.split())
    assert "Disk size 40960 MB Sizing policy small Placement policy zone-a" in text
    assert "Control plane sizing policy 4core-8gb" in text

    grown = cse("cluster", "resize", NAME, "-N", "2")
    assert grown.code == 0, grown.err
    assert made_of(control, *fields) == {"mstr": head, "node": worker}
    contrary = cse("node", "create", NAME, "--cpu", "4")
    assert (contrary.code, contrary.out) == (USAGE, "")
    assert "The sizing policy 'small' defines 2 CPUs, and --cpu is 4." in contrary.err
    control.set("vdcs/vdc1", policies={"small": None})
    gone = cse("node", "create", NAME)
    other = cse("node", "create", NAME, "--sizing-policy", "System Default", "--cpu", "3")
    assert (gone.code, gone.out) == (NOT_FOUND, "")
    assert (
        "has no sizing policy 'small'; available: 2core-4gb, 4core-8gb, System Default." in gone.err
    )
    assert other.code == 0, other.err
    vms = control.get("state")["vapps"][NAME]["vms"].values()
    assert [vm["cpus"] for vm in vms if vm["sizing_policy"] == "System Default"] == [3]


@pytest.mark.parametrize("network", ["net1", "net3"])
def test_a_larger_control_plane_and_disks(cse: Run, control: Control, network: str) -> None:
    """In one composition, or where VCD chooses the addresses in two steps."""
    words = ("cluster", "create", NAME, "-n", network, "-N", "1")
    sizes = ("--memory", "2048", "--control-plane-cpu", "4", "--control-plane-memory", "4096")
    control.set("org", new_vms_keep_sizes=True)
    done = cse(*words, *sizes, "--disk-size", "20480")
    assert done.code == 0, done.err
    expected = {"mstr": [4, 4096, 20480], "node": [2, 2048, 20480]}
    assert made_of(control, "cpus", "memory_mb", "disk_mb") == expected


@pytest.mark.usefixtures("nothing_created")
@pytest.mark.parametrize(
    ("words", "code", "messages"),
    [
        (
            "--sizing-policy nope --control-plane-placement-policy nix --disk-size 10G",
            NOT_FOUND,
            (
                "VDC 'vdc1' has no sizing policy 'nope'; available: 2core-4gb, 4core-8gb, System",
                "no placement policy 'nix'; available: zone-a, zone-b.",
                "has 16384 MB, and --disk-size is 10240 MB: a disk can only grow.",
            ),
        ),
        (
            "--sizing-policy 2core-4gb --control-plane-cpu 4",
            USAGE,
            ("The sizing policy '2core-4gb' defines 2 CPUs, and --control-plane-cpu is 4.",),
        ),
        ("--disk-size 40x", USAGE, ("'40x' is not the size of a disk. Use a form such as 40G",)),
        (
            "--control-plane-cpu 0 --control-plane-memory 0",
            USAGE,
            ("A node cannot have 0 CPUs.", "for example --control-plane-memory 4096."),
        ),
        (
            "--disk-size 12T --storage-profile silver",
            REFUSED,
            ("MB left, and 2 nodes need 25165824 MB.",),
        ),
    ],
)
def test_what_cannot_be_had_is_refused_before_anything_is_made(
    cse: Run, words: str, code: int, messages: tuple[str, ...]
) -> None:
    refused = cse(*CREATE, *words.split())
    assert (refused.code, refused.out) == (code, "")
    text = " ".join(refused.err.split())
    assert [one for one in messages if one not in text] == []


def test_policies_that_nobody_may_see(cse: Run, control: Control) -> None:
    control.set("users/admin", rights={"Organization vDC Compute Policy: View": False})
    refused = cse(*CREATE, "--sizing-policy", "2core-4gb")
    assert (refused.code, refused.out) == (REFUSED, "")
    assert 'The right "Organization vDC Compute Policy: View" is required' in refused.err
    plan = cse(*CREATE, "--dry-run")
    assert plan.code == 0, plan.err


def test_an_unfinished_creation_keeps_its_hardware(cse: Run, control: Control) -> None:
    begun = cse(
        *CREATE, "--disk-size", "40G", "--sizing-policy", "2core-4gb", options=("--no-wait",)
    )
    assert begun.code == 0, begun.err
    other = cse(*CREATE, "--disk-size", "50G", "--placement-policy", "zone-a")
    assert (other.code, other.out) == (FAILED, "")
    assert "--disk-size 40960M (now 51200M), --placement-policy not given (now zone-a)" in other.err
    done = cse(*CREATE)
    assert done.code == 0, done.err
    expected = [40960, "2core-4gb"]
    found = made_of(control, "disk_mb", "sizing_policy")
    assert found == {"mstr": expected, "node": expected}


@pytest.mark.usefixtures("nothing_created")
def test_disks_of_linked_clones_do_not_grow(cse: Run, control: Control) -> None:
    control.set("vdcs/vdc1", fast_provisioning=True)
    failed = cse(*CREATE, "--disk-size", "40G")
    assert (failed.code, failed.out) == (FAILED, "")
    assert "Disks with parents cannot be expanded" in failed.err
    assert "The org VDC uses fast provisioning" in failed.err
    assert "omit --disk-size" in failed.err
