"""kubeadm looks at the machine it runs on, and at the pod network it is given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from cse_client.simulator.guest import Hardware
from tests.simulator.guest.lab import NEW, OLD, Machine

_INIT = """#!/bin/bash
[ "$1" = precustomization ] && exit 0
swapoff -a
modprobe -a overlay br_netfilter
sysctl -q -w net.ipv4.ip_forward=1
kubeadm init --pod-network-cidr @POD@ >/root/init.log 2>&1
echo $? >/root/init.code
"""
_CPUS = "[ERROR NumCPU]: the number of available CPUs 1 is less than the required 2"


@pytest.mark.parametrize(
    ("kubernetes", "hardware", "errors"),
    [
        (
            "1.33.1",
            Hardware(1, 1024),
            [_CPUS, "[ERROR Mem]: the system RAM (993 MB) is less than "],
        ),
        ("1.19.3", Hardware(1, 1024), [_CPUS]),
        ("1.20.6", Hardware(2, 1751), ["[ERROR Mem]: the system RAM (1699 MB) is less than the "]),
    ],
)
def test_the_machine(
    machine: Callable[..., Machine], kubernetes: str, hardware: Hardware, errors: list[str]
) -> None:
    image = replace(NEW if kubernetes == "1.33.1" else OLD, kubernetes=kubernetes)
    one = machine(image)
    one.on(_INIT.replace("@POD@", "10.244.0.0/16"), hardware=hardware)
    one.customized()
    log = one.text("/root/init.log")
    assert one.text("/root/init.code").strip() == "1"
    for error in errors:
        assert error in log
    # the container runtime may be late
    assert log.count("[ERROR") - log.count("[ERROR CRI]") == len(errors), log


@pytest.mark.parametrize(
    ("pods", "error"),
    [
        ("10.244.0.0/25", "the size of pod subnet with mask 25 is smaller than the size of node"),
        ("10.0.0.0/7", "pod subnet mask (7) and node-mask (24) difference is greater than 16"),
    ],
)
def test_the_pod_network(machine: Callable[..., Machine], pods: str, error: str) -> None:
    one = machine(NEW)
    one.on(_INIT.replace("@POD@", pods))
    one.customized()
    assert error in one.text("/root/init.log")
    assert one.text("/root/init.code").strip() != "0"
