from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.simulator.guest.lab import NEW, OLD, Machine
from tests.support.waiting import until

Make = Callable[..., Machine]
HEAD = "#!/bin/bash\n[ $1 = precustomization ] && exit\nexec >/root/out 2>&1\n"


def _run(machine: Make, body: str, image: object = OLD) -> Machine:
    vm = machine(image)
    vm.on(HEAD + body)
    assert vm.customized() in ("GC_COMPLETE", "GC_FAILED")
    return vm


def _unit(lines: str, name: str = "x") -> str:
    return f"cat >/etc/systemd/system/{name}.service <<'U'\n{lines}\nU\nsystemctl daemon-reload\n"


def test_a_failed_service_is_restarted_unless_its_code_forbids_it(machine: Make) -> None:
    unit = _unit(
        "[Service]\nExecStart=/bin/bash -c 'echo run >>/root/runs;"
        " [ $(wc -l </root/runs) -lt 3 ] &&"
        " exit 1; exit 7'\nRestart=on-failure\nRestartSec=5\nRestartPreventExitStatus=7"
    )
    vm = _run(machine, unit + "systemctl start x\n")
    system: Any = vm.guest.system
    until(lambda: system.systemd.load("x.service").state == "failed")
    assert vm.text("/root/runs") == "run\n" * 3


def test_exit_codes_of_systemctl(machine: Make) -> None:
    body = (
        "systemctl start nope; echo $?; systemctl is-active docker >/dev/null; echo $?\n"
        "systemctl is-active nope; echo $?; systemctl is-enabled ssh; echo $?\n"
        "systemctl bogus; echo $?\n"
    )
    vm = _run(machine, body)
    out = vm.text("/root/out")
    assert "Unit nope.service not found." in out
    assert out.splitlines()[1] == "5"
    assert "unknown\n3\n" in out
    assert "enabled\n0\n" in out
    assert "Unknown operation bogus.\n1\n" in out


def test_old_systemd_refuses_restart_of_oneshot(machine: Make) -> None:
    unit = _unit("[Service]\nType=oneshot\nExecStart=/bin/true\nRestart=on-failure")
    for image, code in ((OLD, "1"), (NEW, "0")):
        vm = _run(machine, unit + "systemctl start x; echo $?\n", image)
        assert vm.text("/root/out").splitlines()[-1] == code


def test_conditions_and_environment(machine: Make) -> None:
    body = (
        _unit("[Unit]\nConditionPathExists=!/root/done\n[Service]\nType=oneshot\n"
              "Environment=A=1 \"B=two words\"\n"
            "ExecStart=/bin/bash -c 'echo $A-${B}-$$$$ >>/root/e'")
        + "systemctl start x; touch /root/done; systemctl start x; echo $?\n"
    )  # fmt: skip
    vm = _run(machine, body)
    assert vm.text("/root/out").splitlines()[-1] == "0"
    assert vm.text("/root/e").startswith("1-two words-")
    assert len(vm.text("/root/e").splitlines()) == 1


def test_the_commands_of_a_node(machine: Make) -> None:
    body = (
        "modprobe -a overlay nosuch; echo $?; modprobe br_netfilter\n"
        "sysctl -w net.bridge.bridge-nf-call-iptables=1; sysctl -n no.such; echo $?\n"
        "getent hosts $(hostname); getent hosts nowhere; echo $?; getent passwd root\n"
        "time sleep 30; which jq kubectl; ip route get 1.1.1.1\n"
    )
    vm = _run(machine, body, NEW)
    out = vm.text("/root/out")
    assert "Module nosuch not found" in out
    assert "net.bridge.bridge-nf-call-iptables = 1" in out
    assert "127.0.1.1       vm-1" in out
    assert "root:x:0:0" in out
    assert "/usr/bin/kubectl" in out
    assert "jq" not in out
    assert "uid 0" in out
