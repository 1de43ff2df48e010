from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from cse_client.simulator.guest import sandbox_mode
from tests.simulator.guest.lab import NEW, OLD, Machine
from tests.support.waiting import until

Make = Callable[..., Machine]
BOTH = pytest.mark.parametrize("image", [OLD, NEW], ids=["classic", "cloud-init"])


@pytest.mark.skipif(not os.environ.get("CI"), reason="CI must have namespaces")
def booted(vm: Machine, times: int) -> bool:
    return bool(vm.text("/root/boots") == "up\n" * times)


def test_ci_really_runs_guests() -> None:
    assert sandbox_mode() == "unshare"


@BOTH
def test_the_script_runs_before_and_after_the_network(machine: Make, image: object) -> None:
    vm = machine(image)
    vm.on(
        '#!/bin/bash\necho "$1 $(id -u) $(hostname) ${HOME-none}" >>/root/seen\n'
        "ip -4 -o addr show scope global >>/root/seen\n",
        name="node-a",
        password="secret",
    )
    assert vm.customized() == "GC_COMPLETE"
    lines = vm.text("/root/seen").splitlines()
    assert lines[0] == "precustomization 0 ubuntu none"
    assert lines[1] == "postcustomization 0 node-a none"
    assert f"inet {vm.nic.address}/24" in lines[2]
    assert vm.hooks.statuses == ["GC_PENDING", "REBOOT_PENDING", "POST_GC_PENDING", "GC_COMPLETE"]
    assert vm.hooks.tools == [True]
    assert "secret" not in vm.text("/etc/shadow")
    assert vm.text("/etc/shadow").startswith("root:$6$")
    assert vm.guest.disk.exists("/root/.customization/customize.sh")


@BOTH
def test_a_failing_first_run_fails_the_customization(machine: Make, image: object) -> None:
    vm = machine(image)
    vm.on("#!/bin/bash\necho $1 >>/root/seen\nexit 3\n")
    assert vm.customized() == "GC_FAILED"
    assert vm.text("/root/seen") == "precustomization\n"
    assert "precustomization" in vm.guest.console()


def test_only_the_classic_tools_report_the_second_run(machine: Make) -> None:
    script = '#!/bin/bash\n[ "$1" = precustomization ] || exit 3\n'
    results = []
    for image in (OLD, NEW):
        vm = machine(image)
        vm.on(script)
        results.append(vm.customized())
    assert results == ["GC_FAILED", "GC_COMPLETE"]


def test_a_long_customization_is_killed(machine: Make) -> None:
    vm = machine(speed=1.0, timeout=0.6)
    vm.on('#!/bin/bash\n[ "$1" = precustomization ] && exit\nsleep 60; touch /root/late\n')
    assert vm.customized() == "GC_FAILED"
    assert "killed" in vm.guest.console()
    assert not vm.guest.disk.exists("/root/late")


@BOTH
def test_disabled_scripts_fail_unrun(machine: Make, image: object) -> None:
    vm = machine(replace(image, custom_scripts=False))  # type: ignore[type-var]
    vm.on("#!/bin/bash\ntouch /root/ran\n")
    assert vm.customized() == "GC_FAILED"
    assert not vm.guest.disk.exists("/root/ran")


def test_without_tools_it_stays_pending_for_ever(machine: Make) -> None:
    vm = machine(replace(OLD, tools=False))
    vm.on("#!/bin/bash\ntouch /root/ran\n")
    until(lambda: vm.guest.system is not None and vm.guest.system.systemd.units())
    assert vm.hooks.statuses == []
    assert not vm.guest.disk.exists("/root/ran")


def test_carriage_returns_are_removed(machine: Make) -> None:
    vm = machine()
    vm.on("#!/bin/bash\r\nset -o pipefail\r\necho $1 >>/root/seen\r\n")
    assert vm.customized() == "GC_COMPLETE"
    assert vm.text("/root/seen") == "precustomization\npostcustomization\n"


def test_a_script_without_interpreter(machine: Make) -> None:
    classic, cloud_init = machine(OLD), machine(NEW)
    for vm in (classic, cloud_init):
        vm.on("echo $1 >>/root/seen\n")
    assert classic.customized() == "GC_COMPLETE"  # /bin/sh takes it
    assert cloud_init.customized() == "GC_FAILED"


def test_garbage_fails(machine: Make) -> None:
    vm = machine()
    vm.on("\x7fELF\x02\x01 no program (((\n")
    assert vm.customized() == "GC_FAILED"


def test_power_off_leaves_no_process_and_the_disk(machine: Make) -> None:
    vm = machine(speed=1.0)
    vm.on(
        "#!/bin/bash\necho here >/root/kept\n"
        '[ "$1" = precustomization ] && exit\n'
        "for i in 1 2 3; do (setsid bash -c 'trap \"\" TERM; while :; do sleep 1; done' &) ; done\n"
    )
    assert vm.customized() == "GC_COMPLETE"
    pids = vm.guest.processes()
    assert len(pids) >= 4
    vm.guest.power_off()
    assert [pid for pid in pids if Path(f"/proc/{pid}").exists()] == []
    assert vm.text("/root/kept") == "here\n"
    assert vm.hooks.tools == [True, False]


def test_a_guest_cannot_touch_this_machine(machine: Make) -> None:
    vm = machine()
    vm.on(
        "#!/bin/bash\nexec 2>/dev/null\n"
        "touch /.host/usr/x || echo usr; touch /usr/bin/x || echo bin; echo 1 >/etc/mine\n"
        "echo 1 >/proc/sys/net/ipv4/ip_forward; ls /home /etc/ssh >/root/list\n"
        "date -u -s @2000000000 >/root/when; date -u +%Y >>/root/when\n"
    )
    assert vm.customized() == "GC_COMPLETE"
    assert not Path("/etc/mine").exists()
    assert not Path("/usr/x").exists()
    assert vm.text("/root/when").endswith("2033\n")
    assert time.gmtime().tm_year != 2033


def test_enabled_units_come_back_at_every_boot(machine: Make) -> None:
    vm = machine()
    vm.on(
        "#!/bin/bash\n[ $1 = precustomization ] && exit\n"
        'printf \'[Service]\\nExecStart=/bin/bash -c "echo up >>/root/boots"\\n[Install]\\n'
        "WantedBy=multi-user.target\\n' >/etc/systemd/system/x.service\n"
        "systemctl daemon-reload; systemctl enable x\n"
    )
    assert vm.customized() == "GC_COMPLETE"
    assert vm.text("/root/boots") == ""  # enabling starts nothing in this boot
    for count in (1, 2):
        vm.guest.power_off()
        vm.on(needed=False)
        until(partial(booted, vm, count))
    assert vm.hooks.statuses[-1] == "GC_COMPLETE"


def test_a_guest_can_reboot_and_go_off(machine: Make) -> None:
    vm = machine()
    vm.on("#!/bin/bash\n[ $1 = precustomization ] && exit\nreboot\nsleep 600\n")
    until(lambda: vm.hooks.tools == [True, False, True])
    system = vm.guest.system
    assert system is not None
    vm.guest.shutdown()
    until(lambda: vm.hooks.offs == 1)
    assert not vm.guest.running


def test_the_guest_reads_and_sets_guestinfo(machine: Make) -> None:
    vm = machine()
    vm.on(
        "#!/bin/bash\nvmtoolsd --cmd 'info-get guestinfo.ovfEnv' >/root/env\n"
        "vmtoolsd --cmd \"info-set guestinfo.a  b c \"; vmware-rpctool 'info-get guestinfo.no'\n"
        "echo $? >/root/code; vmtoolsd --cmd 'info-set guestinfo.ovfEnv '\"' '\n"
        "echo hello >/dev/tty1\n".replace(
            "'info-set guestinfo.ovfEnv '\"' '", "\"info-set guestinfo.ovfEnv ' '\""
        )
    )
    assert vm.customized() == "GC_COMPLETE"
    assert vm.hooks.values["guestinfo.a"] == " b c "
    assert vm.text("/root/code") == "1\n"
    assert "hello" in vm.guest.console()


def test_suspend_freezes_and_resume_goes_on(machine: Make) -> None:
    vm = machine(speed=1.0)
    vm.on(
        "#!/bin/bash\n[ $1 = precustomization ] && exit\n"
        "(while :; do echo x >>/root/n; sleep 0.05; done) &\n"
    )
    assert vm.customized() == "GC_COMPLETE"
    until(lambda: vm.text("/root/n"))
    vm.guest.suspend()
    before = vm.text("/root/n")
    time.sleep(0.3)
    assert vm.text("/root/n") == before
    vm.guest.resume()
    until(lambda: len(vm.text("/root/n")) > len(before))
