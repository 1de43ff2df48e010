"""cloud-init in plain guests: who carries a customization out, and when nobody does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.simulator.guest.lab import NEW, PLAIN, Machine
from tests.support.waiting import until

Make = Callable[..., Machine]
SCRIPT = """#!/bin/bash
[ "$1" = precustomization ] && exit 0
{ cloud-init status; cloud-init status --long | grep detail; } >/root/log 2>&1
"""


@pytest.mark.parametrize(
    ("engine", "datasource", "detail"),
    [
        ("classic", "", "DataSourceOVF [seed=com.vmware.guestInfo]"),
        ("cloud-init", "list", "DataSourceVMware [seed=imc]"),
        ("cloud-init", "ds-identify", "DataSourceVMware [seed=imc]"),
    ],
)
def test_a_customization_is_carried_out(
    machine: Make, engine: str, datasource: str, detail: str
) -> None:
    image = replace(PLAIN["24.04"], customization_engine=engine, datasource=datasource)
    vm = machine(image)
    vm.on(SCRIPT)
    assert vm.customized() == "GC_COMPLETE"
    assert vm.text("/root/log").splitlines() == ["status: running", f"detail: {detail}"]
    assert vm.guest.system is not None
    assert vm.guest.system.cloud_init_done.wait(5)


def swallowed(vm: Machine) -> None:
    """Boot with a script that never runs, and that nobody reports on."""
    vm.hooks.statuses.clear()
    vm.on(SCRIPT)
    until(lambda: vm.guest.system is not None and vm.guest.system.cloud_init_done.is_set())
    assert vm.hooks.statuses == ["GC_PENDING"]
    assert vm.hooks.tools[-1]
    assert not vm.guest.disk.exists("/root/log")
    assert vm.guest.system is not None and not vm.guest.system.network_up
    assert "Executing cloud-init workflow." in vm.text("/var/log/vmware-imc/toolsDeployPkg.log")


def test_the_ovf_environment_is_found_first(machine: Make) -> None:
    vm = machine(replace(PLAIN["24.04"], datasource=""))
    swallowed(vm)
    assert "Cloud-init was loaded from DataSourceOVF" in vm.text("/var/log/cloud-init.log")


def test_a_kubernetes_template_may_miss_customizations_too(machine: Make) -> None:
    swallowed(machine(replace(NEW, datasource="OVF")))


@pytest.mark.parametrize(
    "command",
    [
        "touch /etc/cloud/cloud-init.disabled",
        # what a sealed template no longer has
        "rm /etc/cloud/ds-identify.cfg",
    ],
)
def test_a_disk_that_no_longer_finds_customizations(
    machine: Make, tmp_path: Path, command: str
) -> None:
    image = replace(PLAIN["24.04"], datasource="ds-identify")
    vm = machine(image)
    vm.on(f"#!/bin/bash\n{command} || :\n")
    assert vm.customized() == "GC_COMPLETE"
    vm.guest.power_off()
    vm.guest.save_disk(tmp_path / "template")
    copy = machine(image)
    copy.guest.copy_of(tmp_path / "template")
    swallowed(copy)


def test_what_makes_a_copy_another_machine(machine: Make, tmp_path: Path) -> None:
    """Host keys are an instance's; the machine-id and cloud-init's state are the disk's."""
    vm = machine(PLAIN["24.04"])
    vm.on("#!/bin/bash\n:\n")
    vm.customized()
    vm.guest.power_off()
    vm.guest.save_disk(tmp_path / "unsealed")
    vm.hooks.statuses.clear()
    vm.on("#!/bin/bash\ncloud-init clean --logs --machine-id; ls /var/lib/cloud >/root/left\n")
    vm.customized()
    assert vm.guest.read_file("/root/left") == b""
    vm.guest.power_off()
    vm.guest.save_disk(tmp_path / "sealed")
    seen = {}
    for name in ("unsealed", "sealed"):
        for number in (1, 2):
            copy = machine(PLAIN["24.04"])
            copy.guest.copy_of(tmp_path / name)
            copy.on("#!/bin/bash\n:\n")
            copy.customized()
            seen[name, number] = (
                copy.text("/etc/machine-id"),
                copy.text("/etc/ssh/ssh_host_ed25519_key.pub"),
            )
    assert seen["unsealed", 1][0] == seen["unsealed", 2][0]
    assert seen["sealed", 1][0] != seen["sealed", 2][0]
    assert len({keys for _id, keys in seen.values()}) == 4
