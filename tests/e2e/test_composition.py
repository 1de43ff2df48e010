"""All VMs of a new cluster in one composition, and what happens where that is not possible."""

from __future__ import annotations

import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.programs import VCD, Result, command_line
from tests.support.simulator import Cloud, Control, log_in
from tests.support.waiting import until

Run = Callable[..., Result]

NAME = "composed"
CREATE = ("cluster", "create", NAME, "-n", "net1", "-N", "1")
OTHER = "other-00001"
FAILED = 1


@pytest.fixture(autouse=True)
def _restored(cse: Run, control: Control) -> Iterator[None]:
    """Remove what a test left behind, and put the network back."""
    pool = control.get("state")["networks"]["net1"]["pool"]
    yield
    control.ask("DELETE", "faults")
    control.set("networks/net1", pool=pool)
    control.set("org", new_vms_keep_sizes=False)
    for name in {NAME, OTHER} & set(control.get("state")["vapps"]):
        cse("cluster", "delete", name, "--yes")


@pytest.fixture
def begun(
    home: Path, environment: dict[str, str], logged_in: Path
) -> Callable[..., subprocess.Popen[str]]:
    """Start `cse ...` beside the test."""

    def start(*words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            command_line(VCD, "cse", *words),
            cwd=home,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return start


def compositions(control: Control) -> list[str]:
    """Return which requests made or removed VMs since the last call."""
    paths = [one.partition("?")[0].rpartition("/")[2] for one in control.requests()]
    return [one for one in paths if one in ("composeVApp", "recomposeVApp", "deploy")]


def vapp(control: Control, name: str = NAME) -> Any:
    return control.get("state")["vapps"][name]


def address_of(control: Control, prefix: str) -> str:
    (vm,) = (vm for name, vm in vapp(control)["vms"].items() if name.startswith(prefix))
    return str(vm["address"])


def kinds(control: Control) -> list[str]:
    return sorted(name.partition("-")[0] for name in vapp(control)["vms"])


def small_pool(control: Control, size: int) -> list[str]:
    """Make the pool of the network this small; return its addresses."""
    first = control.get("state")["networks"]["net1"]["pool"][0]
    head, _, number = first.rpartition(".")
    pool = [f"{head}.{int(number) + step}" for step in range(size)]
    control.set("networks/net1", pool=[pool[0], pool[-1]])
    return pool


def wait_for_hold(control: Control, process: subprocess.Popen[str]) -> None:
    def held() -> bool:
        assert process.poll() is None, process.communicate()
        return any(one["hit"] for one in control.get("faults"))

    until(held)


def test_one_task_makes_and_starts_everything(cse: Run, control: Control) -> None:
    plan = cse(*CREATE, "--dry-run")
    assert "with 1 control plane VM and 1 worker VM from" in plan.out
    assert "a free address of the network's static pool" in plan.out
    control.requests()
    done = cse(*CREATE)
    assert done.code == 0, done.err
    assert compositions(control) == ["composeVApp"]
    assert kinds(control) == ["mstr", "node"]
    assert vapp(control)["metadata"]["GENERAL:cse.master.ip"] == address_of(control, "mstr-")


def test_sizes_are_part_of_it(cse: Run, control: Control) -> None:
    control.requests()
    done = cse(*CREATE, "--cpu", "4", "--memory", "4096")
    assert done.code == 0, done.err
    assert compositions(control) == ["composeVApp"]
    assert {(vm["cpus"], vm["memory_mb"]) for vm in vapp(control)["vms"].values()} == {(4, 4096)}


def test_sizes_that_the_composition_does_not_take_are_set_afterwards(
    cse: Run, control: Control
) -> None:
    control.set("org", new_vms_keep_sizes=True)
    control.requests()
    done = cse(*CREATE, "--cpu", "4", "--memory", "4096")
    assert done.code == 0, done.err
    assert compositions(control) == ["composeVApp", "recomposeVApp", "deploy"]
    assert {(vm["cpus"], vm["memory_mb"]) for vm in vapp(control)["vms"].values()} == {(4, 4096)}


def hide_addresses(control: Control) -> None:
    control.set("faults", kind="status", status=403, path="allocatedAddresses", times=0)


@pytest.mark.parametrize(
    ("network", "reason"),
    [
        ("net3", "network 'net3' is direct"),
        ("net1", "VCD does not show which addresses are in use in network 'net1'"),
    ],
)
def test_without_a_pool_that_can_be_read_the_control_plane_comes_first(
    cse: Run, control: Control, network: str, reason: str
) -> None:
    if network == "net1":
        hide_addresses(control)
    words = ("cluster", "create", NAME, "-n", network, "-N", "1")
    plan = cse(*words, "--dry-run")
    assert f"before the workers: {reason}" in re.sub(r"\s+", " ", plan.out)
    control.requests()
    done = cse(*words)
    assert done.code == 0, done.err
    assert compositions(control) == ["composeVApp", "recomposeVApp", "recomposeVApp"]
    assert kinds(control) == ["mstr", "node"]


def test_without_a_pool_sizes_are_set_before_the_vms_start(cse: Run, control: Control) -> None:
    control.requests()
    done = cse("cluster", "create", NAME, "-n", "net3", "-N", "1", "--cpu", "4")
    assert done.code == 0, done.err
    made = ["composeVApp", "recomposeVApp", "recomposeVApp", "deploy"]
    assert compositions(control) == made
    assert {vm["cpus"] for vm in vapp(control)["vms"].values()} == {4}


def test_without_waiting_the_same_command_finishes_it(cse: Run, control: Control) -> None:
    control.requests()
    left = cse(*CREATE, options=("--no-wait",))
    assert left.code == 0, left.err
    assert compositions(control) == ["composeVApp"]
    assert vapp(control)["metadata"]["GENERAL:cse.client.phase"] == "creating"
    done = cse(*CREATE)
    assert done.code == 0, done.err
    assert compositions(control) == []
    assert vapp(control)["metadata"]["GENERAL:cse.client.phase"] == "ready"


@pytest.mark.parametrize("running", [True, False])
def test_an_address_that_is_taken_meanwhile_is_replaced(
    begun: Callable[..., subprocess.Popen[str]], control: Control, running: bool
) -> None:
    # the two lowest ones are left to VCD
    *_, address = small_pool(control, 3)
    rule = control.set("faults", kind="hold", method="POST", path="composeVApp")["id"]
    process = begun(*CREATE)
    wait_for_hold(control, process)
    control.set("vapps", count=1, prefix="other", address=address, running=running)
    control.ask("DELETE", f"faults/{rule}")
    _out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert f"Address {address} was taken in the meantime" in err
    assert address_of(control, "mstr-") != address
    assert kinds(control) == ["mstr", "node"]
    allocated = control.get("state")["networks"]["net1"]["allocated"]
    assert len(allocated) == 3
    assert not any("," in holders for holders in allocated.values())


def test_after_several_refusals_the_choice_is_left_to_vcd(cse: Run, control: Control) -> None:
    pool = small_pool(control, 3)
    text = f"IP addresses: {', '.join(pool)} are in use."
    control.set("faults", kind="task", operation="vdcComposeVapp", times=3, message=text)
    control.requests()
    done = cse(*CREATE)
    assert done.code == 0, done.err
    assert "VCD chooses the address itself." in done.err
    assert compositions(control) == ["composeVApp"] * 4 + ["recomposeVApp"] * 2
    assert kinds(control) == ["mstr", "node"]


@pytest.mark.parametrize("keep", [None, 0, 1])
@pytest.mark.usefixtures("nothing_created")
def test_a_composition_that_fails_is_removed(cse: Run, control: Control, keep: int | None) -> None:
    control.set("faults", kind="task", operation="vdcComposeVapp", keep=keep)
    failed = cse(*CREATE)
    assert failed.code == FAILED, failed.err
    assert "Everything that this command had made was removed." in failed.err


def killed_at(
    begun: Callable[..., subprocess.Popen[str]], control: Control, words: tuple[str, ...], **at: str
) -> None:
    """Kill a command once VCD has carried out, or not even received, one of its requests."""
    act = at.pop("act", "yes") == "yes"
    control.set("faults", kind="hang", seconds=60, act=act, **at)
    process = begun(*words)

    def reached() -> bool:
        assert process.poll() is None, process.communicate()
        # the rule for the composition's task is another one
        return any(
            one["acted"] if act else one["hit"]
            for one in control.get("faults")
            if one["kind"] == "hang"
        )

    until(reached)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    control.ask("DELETE", "faults")


def test_a_crash_before_the_record_is_finished_by_the_same_command(
    cse: Run, begun: Callable[..., subprocess.Popen[str]], control: Control
) -> None:
    killed_at(begun, control, CREATE, method="POST", path="composeVApp")
    before = vapp(control)
    assert not any("cse" in key for key in before["metadata"])
    other = cse(*CREATE[:-1], "2")
    assert other.code == FAILED
    assert f"An unfinished cluster '{NAME}' was started with different options." in other.err
    assert vapp(control)["vms"].keys() == before["vms"].keys()
    control.requests()
    done = cse(*CREATE)
    assert done.code == 0, done.err
    assert compositions(control) == []
    assert vapp(control)["vms"].keys() == before["vms"].keys()


@pytest.mark.parametrize("keep", [None, 0, 1])
def test_a_crash_after_a_failed_composition_is_finished_by_the_same_command(
    cse: Run,
    begun: Callable[..., subprocess.Popen[str]],
    control: Control,
    keep: int | None,
) -> None:
    control.set("faults", kind="task", operation="vdcComposeVapp", keep=keep)
    killed_at(begun, control, CREATE, method="DELETE", path="/vApp/", act="no")
    assert vapp(control)["status"] == "FAILED_CREATION"
    done = cse(*CREATE)
    assert done.code == 0, done.err
    assert kinds(control) == ["mstr", "node"]


def test_a_crash_between_making_and_starting_finds_another_address(
    cse: Run, begun: Callable[..., subprocess.Popen[str]], control: Control
) -> None:
    *_, address = small_pool(control, 3)
    rule = control.set("faults", kind="hold", method="POST", path="composeVApp")["id"]
    process = begun(*CREATE)
    wait_for_hold(control, process)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    control.set("vapps", count=1, prefix="other", address=address)
    control.ask("DELETE", f"faults/{rule}")
    until(lambda: control.get("state")["vapps"].get(NAME, {}).get("status") == "POWERED_OFF")
    done = cse(*CREATE)
    assert done.code == 0, done.err
    assert address_of(control, "mstr-") != address
    assert kinds(control) == ["mstr", "node"]


def test_what_somebody_else_is_just_making_is_not_deleted(
    begun: Callable[..., subprocess.Popen[str]],
    control: Control,
    cloud: Cloud,
    environment: dict[str, str],
    tmp_path: Path,
) -> None:
    elsewhere = tmp_path / "elsewhere"
    log_in(cloud, elsewhere)
    rule = control.set("faults", kind="hold", method="POST", path="/metadata$")["id"]
    process = begun(*CREATE)
    wait_for_hold(control, process)
    refused = subprocess.run(
        command_line(VCD, "cse", "cluster", "delete", NAME, "--yes"),
        cwd=elsewhere,
        env={**environment, "HOME": str(elsewhere)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert refused.returncode == FAILED, refused.stderr
    assert f"Cluster '{NAME}' is just being created by admin." in refused.stderr
    control.ask("DELETE", f"faults/{rule}")
    _out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
