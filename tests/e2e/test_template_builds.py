"""Builds that are interrupted, or whose VM never begins: said so, resumable, and nothing left."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.programs import VCD, Result, command_line
from tests.support.simulator import Control

Run = Callable[..., Result]

BUILD = (
    *("template", "build", "halfway", "--from", "images/ubuntu-24.04-server", "-n", "net1"),
    *("--kubernetes", "1.37"),
)


def begun(home: Path, environment: dict[str, str], text: str) -> subprocess.Popen[bytes]:
    """Start a build and return once its stderr holds some text."""
    with (home / "out").open("wb") as out, (home / "err").open("wb") as err:
        process = subprocess.Popen(
            command_line(VCD, "cse", *BUILD), cwd=home, env=environment, stdout=out, stderr=err
        )
    deadline = time.monotonic() + 60
    while text not in (home / "err").read_text():
        assert process.poll() is None, (home / "err").read_text()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return process


def ended(home: Path, process: subprocess.Popen[bytes]) -> Result:
    code = process.wait(60)
    return Result(code, (home / "out").read_text(), (home / "err").read_text())


@pytest.mark.parametrize("step", ["• [2/7]", "• [5/7]"])
def test_an_interrupted_build_is_resumed_by_the_same_command(
    cse: Run,
    control: Control,
    logged_in: Path,
    environment: dict[str, str],
    step: str,
) -> None:
    before = control.possessions()
    control.set("faults", kind="slow", method="POST", path="vApp", seconds=1, times=0)
    process = begun(logged_in, environment, step)
    process.send_signal(signal.SIGINT)
    result = ended(logged_in, process)
    control.ask("DELETE", "faults")
    assert (result.code, result.out) == (5, ""), result.err
    assert "Error: Interrupted; template 'halfway' is not finished.\n" in result.err
    assert (
        "Hint: Run the same command again to resume, or remove what was made:"
        " cse template delete halfway\n"
    ) in result.err
    again = cse(*BUILD)
    assert again.code == 0, again.err
    assert "Resuming the unfinished build of template 'halfway'." in again.err
    assert list(control.get("state")["vapps"]) == []
    assert cse("template", "delete", "halfway", "--yes").code == 0
    assert control.possessions() == before


def test_a_template_that_swallows_the_customization_is_named_as_the_cause(
    cse: Run, nothing_created: None
) -> None:
    """cloud-init takes another datasource there, and nobody runs the script or reports."""
    done = cse(
        *("template", "build", "never", "--from", "images/ubuntu-24.04-cloudimg", "-n", "net1"),
        *("--kubernetes", "1.37", "--timeout", "12s"),
    )
    assert (done.code, done.out) == (1, "")
    assert "Error: The build has not started " in done.err
    assert "last seen: customization (GC_PENDING)." in done.err
    assert "disable_vmware_customization: false in /etc/cloud/cloud.cfg" in done.err
    assert "Everything that this command had made was removed." in done.err


def test_custom_scripts_that_are_not_allowed_are_named_as_the_cause(
    cse: Run, control: Control, nothing_created: None
) -> None:
    plain = "templates/ubuntu-24.04-server"
    control.set(plain, image={"custom_scripts": False})
    try:
        done = cse(*BUILD, "--timeout", "20s")
    finally:
        control.set(plain, image={"custom_scripts": True})
    assert (done.code, done.out) == (1, "")
    assert "enable-custom-scripts true" in done.err
    assert "Everything that this command had made was removed." in done.err


def test_a_build_goes_on_where_answers_are_lost(cse: Run, control: Control) -> None:
    before = control.possessions()
    for path in ("composeVApp", "captureVApp", "undeploy", "/metadata", "guestCustomization"):
        control.set("faults", kind="reset_after", method="POST|PUT", path=path, times=1)
    done = cse(*BUILD)
    assert done.code == 0, done.err
    assert all(rule["hit"] for rule in control.get("faults"))
    control.ask("DELETE", "faults")
    items = control.get("state")["catalogs"]["images"]["items"]
    assert [name for name in items if "halfway" in name] == ["halfway"]
    assert cse("template", "delete", "halfway", "--yes").code == 0
    assert control.possessions() == before


def test_a_name_that_is_taken_meanwhile_is_refused_and_nothing_is_left(
    cse: Run, control: Control, logged_in: Path, environment: dict[str, str]
) -> None:
    process = begun(logged_in, environment, "• [2/7]")
    control.set("templates/halfway", like="ubuntu-24.04-server")
    before = control.get("state")["catalogs"]
    result = ended(logged_in, process)
    assert (result.code, result.out) == (1, "")
    assert "Error: Cannot add template 'halfway' to catalog 'images': " in result.err
    assert result.err.endswith("Note: Everything that this command had made was removed.\n")
    after = control.get("state")
    assert (after["catalogs"], after["vapps"]) == (before, {})
    control.set("templates/halfway", remove=True)


def test_nodes_of_a_small_template_are_to_get_more(cse: Run) -> None:
    """kubeadm requires more of a control plane than the template has."""
    small = cse(*BUILD, "--cpu", "1", "--memory", "1024")
    assert small.code == 0, small.err
    assert small.err.endswith(
        "Next: cse cluster create demo --network net1 --template halfway --cpu 2 --memory 2048\n"
    )
    assert cse("template", "delete", "halfway", "--yes").code == 0


def test_a_disk_without_room_is_named_as_the_cause(
    cse: Run, control: Control, nothing_created: None
) -> None:
    plain = "templates/ubuntu-24.04-server"
    control.set(plain, disk_mb=4096)
    try:
        done = cse(*BUILD)
    finally:
        control.set(plain, disk_mb=16384)
    assert (done.code, done.out) == (1, "")
    assert (
        "The build failed in phase 'disk' (exit code 1): the disk is too small: /var/lib has "
        in (done.err)
    )
    assert "Everything that this command had made was removed." in done.err
