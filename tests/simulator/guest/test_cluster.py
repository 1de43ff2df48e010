from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from cse_client.simulator.guest import Image
from cse_client.simulator.guest.certs import spki_hash
from tests.simulator.guest.lab import (
    NEW,
    OLD,
    Machine,
    control_plane_script,
    minted,
    worker_script,
)
from tests.support.waiting import until

Make = Callable[..., Machine]
INIT_STEPS = [
    "init certs apiserver",
    "init kubeconfig kubelet",
    "init control-plane kube-controller-manager",
    "init control-plane etcd",
    "init wait-control-plane",
    "init upload-config",
    "init bootstrap-token",
]
JOIN_STEPS = ["join discovery", "join ca.crt", "join kubelet start", "join kubelet.conf"]


def _control_plane(machine: Make, image: Image = OLD) -> Any:
    """Return a machine that has, besides, its `ca` and its `script`."""
    vm: Any = machine(image)
    vm.ca = minted()
    vm.script = control_plane_script(vm, vm.ca)
    return vm


def _log(*machines: Machine) -> str:
    return "\n=====\n".join(vm.text("/var/log/b.log")[-3000:] for vm in machines)


@pytest.mark.parametrize("image", [OLD, NEW], ids=["1.18", "1.33"])
def test_a_control_plane_and_a_worker(machine: Make, image: Image) -> None:
    first, second = _control_plane(machine, image), machine(image)
    second.on(worker_script(second, first.ca, first.nic.address, "node-1"), name="node-1")
    first.on(first.script, name="cp-1")
    until(lambda: first.ready_nodes() == {"cp-1", "node-1"}, lambda: _log(first, second))
    until(lambda: second.status == "ready", lambda: _log(second))
    assert not second.guest.disk.exists("/etc/kubernetes/bootstrap-kubelet.conf")
    api = first.guest.etcd.api
    _, node = api.request("GET", "/api/v1/nodes/cp-1")
    assert node["status"]["nodeInfo"]["kubeletVersion"] == f"v{image.kubernetes}"
    role = "master" if image is OLD else "control-plane"
    assert [taint["key"] for taint in node["spec"]["taints"]] == [f"node-role.kubernetes.io/{role}"]
    assert (image is NEW) == first.guest.disk.exists("/etc/kubernetes/super-admin.conf")
    if image is NEW:
        # kubeadm's policy: one minor release up at most, none above its own, and not unasked
        apply = ["kubeadm", "upgrade", "apply"]
        for refused in ([], ["1.33"], ["v1.35.0", "-y"], ["v1.34.0", "-y"], ["v1.33.1"]):
            assert first.guest.system.run([*apply, *refused]) == 1, refused
        assert first.guest.system.run([*apply, "v1.33.1", "--yes"]) == 0
    # Power off and on: everything comes back by itself.
    for vm in (first, second):
        vm.guest.power_off()
    assert not api.running
    first.on(needed=False)
    second.on(needed=False)
    until(lambda: api.running and first.ready_nodes() == {"cp-1", "node-1"})


@pytest.mark.parametrize("step", INIT_STEPS)
def test_power_failure_of_a_control_plane(machine: Make, step: str) -> None:
    vm = _control_plane(machine)
    vm.guest.faults.kill_at_step = step
    vm.on(vm.script, name="cp-1")
    until(lambda: vm.hooks.offs == 1, lambda: _log(vm))
    assert vm.guest.processes() == []
    vm.on(needed=False)
    until(lambda: vm.status == "ready", lambda: _log(vm))
    until(lambda: vm.ready_nodes() == {"cp-1"})


def test_files_lost_with_the_power_need_a_reset(machine: Make) -> None:
    vm = _control_plane(machine)
    vm.guest.faults.kill_at_step = "init wait-control-plane"
    vm.guest.faults.lose_unsynced = [r"pki/apiserver\.crt$", r"admin\.conf$"]
    vm.on(vm.script, name="cp-1")
    until(lambda: vm.hooks.offs == 1)
    assert vm.guest.read_file("/etc/kubernetes/pki/apiserver.crt") == b""
    vm.on(needed=False)
    until(lambda: vm.status == "ready", lambda: _log(vm))
    assert "does not contain any valid" in vm.text("/var/log/b.log")
    assert vm.ca.certificate_pem == vm.guest.read_file("/etc/kubernetes/pki/ca.crt")


@pytest.mark.parametrize("step", JOIN_STEPS)
def test_power_failure_of_a_worker(machine: Make, step: str) -> None:
    first, second = _control_plane(machine), machine()
    first.on(first.script, name="cp-1")
    second.guest.faults.kill_at_step = step
    # The discovery file lies in /run, which a power failure empties: the script writes it anew.
    second.on(worker_script(second, first.ca, first.nic.address, "node-1"), name="node-1")
    until(lambda: second.hooks.offs == 1, lambda: _log(first, second))
    second.on(needed=False)
    until(lambda: second.status == "ready", lambda: _log(second))
    until(lambda: "node-1" in first.ready_nodes())


def test_a_foreign_certificate_does_not_join(machine: Make) -> None:
    first, second = _control_plane(machine), machine()
    first.on(first.script, name="cp-1")
    other = minted()
    second.on(
        worker_script(second, first.ca, first.nic.address, "node-1", signer=other), name="node-1"
    )
    until(lambda: first.status == "ready")
    refused = "tls" if True else ""
    until(lambda: refused in _log(second).lower() or "logged in" in _log(second))
    assert "node-1" not in first.ready_nodes()
    assert second.status == "wait"


def test_an_authority_from_the_future_times_out(machine: Make) -> None:
    vm = machine(speed=400.0)
    vm.guest.faults.clock_offset = -2 * 86400
    vm.on(control_plane_script(vm, minted()), name="cp-1")
    until(lambda: "couldn't initialize a Kubernetes cluster" in _log(vm))


def test_without_a_way_out_images_cannot_be_pulled(machine: Make) -> None:
    vm = machine(replace(OLD, images_preloaded=False), speed=1000.0)
    vm.nic = replace(vm.nic, egress=False)
    vm.on(control_plane_script(vm, minted()), name="cp-1")
    until(lambda: "[ERROR ImagePull]" in _log(vm), lambda: _log(vm))
    until(lambda: vm.status.startswith("failed"))


def test_strictness_of_kubeadm(machine: Make) -> None:
    vm = machine(replace(OLD, swap=True))
    vm.on(
        "#!/bin/bash\n[ $1 = precustomization ] && exit\nexec >/root/out 2>&1\n"
        "sleep 5; kubeadm init --bogus; echo rc=$?\n"
        "sysctl -q -w net.ipv4.ip_forward=1; mkdir -p /var/lib/etcd/x\n"
        "kubeadm init --kubernetes-version v1.18.6; echo rc=$?\n"
        "swapoff -a; rm -r /var/lib/etcd; touch /etc/kubernetes/pki; mkdir -p /etc/kubernetes/pki\n"
        "kubeadm init --kubernetes-version v1.15.0; echo rc=$?\n"
        "kubeadm join 127.0.0.1:6443 --token abc; echo rc=$?\n"
        "kubeadm join --discovery-file /none; echo rc=$?\n"
    )
    assert vm.customized() in ("GC_COMPLETE", "GC_FAILED")
    out = vm.text("/root/out")
    assert "unknown flag: --bogus" in out
    assert "[ERROR Swap]" in out
    assert "[ERROR DirAvailable--var-lib-etcd]" in out
    assert "only supports deploying clusters with the control plane version >= 1.17.0" in out
    assert out.count("rc=0") == 0


@pytest.mark.parametrize("image", [OLD, NEW], ids=["1.18", "1.33"])
def test_joining_with_a_bootstrap_token(machine: Make, image: Image) -> None:
    first, second = _control_plane(machine, image), machine(image)
    first.on(first.script, name="cp-1")
    until(lambda: first.status == "ready", lambda: _log(first))
    token, pin = "abcdef.0123456789abcdef", spki_hash(first.ca.certificate)
    create = first.guest.system.run(["kubeadm", "token", "create", token, "--ttl", "2h"])
    assert create == 0
    address = first.nic.address
    second.on(
        "#!/bin/bash\n[ $1 = precustomization ] && exit\nexec >>/var/log/b.log 2>&1\nsleep 60\n"
        "modprobe br_netfilter; sysctl -q -w net.ipv4.ip_forward=1\n"
        f"kubeadm join {address}:6443 --token {token} --discovery-token-ca-cert-hash sha256:00\n"
        "echo rc=$?\n"
        f"kubeadm join {address}:6443 --token {token} --discovery-token-ca-cert-hash {pin}\n"
        "echo rc=$?\n",
        name="node-1",
    )
    until(lambda: "rc=0" in _log(second), lambda: _log(second))
    assert "none of the public keys" in _log(second)
    until(lambda: "node-1" in first.ready_nodes())


def test_a_newer_node_joins_a_cluster_only_as_far_as_kubeadm_allows(machine: Make) -> None:
    first = _control_plane(machine, NEW)
    older, newer = (machine(replace(NEW, kubernetes=version)) for version in ("1.34.1", "1.35.0"))
    first.on(first.script, name="cp-1")
    until(lambda: first.status == "ready", lambda: _log(first))
    token, pin = "abcdef.0123456789abcdef", spki_hash(first.ca.certificate)
    assert first.guest.system.run(["kubeadm", "token", "create", token, "--ttl", "2h"]) == 0
    join = (
        "#!/bin/bash\n[ $1 = precustomization ] && exit\nexec >>/var/log/b.log 2>&1\nsleep 60\n"
        "modprobe br_netfilter; sysctl -q -w net.ipv4.ip_forward=1\n"
        f"kubeadm join {first.nic.address}:6443 --token {token}"
        f" --discovery-token-ca-cert-hash {pin} $MORE\necho rc=$?\n"
    )
    newer.on(join, name="node-1")
    older.on(join.replace("$MORE", "--control-plane"), name="cp-2")
    until(lambda: "rc=" in _log(newer), lambda: _log(newer))
    assert ">= 1.34.0. Current version: v1.33.1" in _log(newer)
    until(lambda: "rc=" in _log(older), lambda: _log(older))
    assert "the kubelet version is higher than the control plane version" in _log(older)


def test_a_ready_namesake_is_refused(machine: Make) -> None:
    first, second, third = _control_plane(machine), machine(), machine()
    first.on(first.script, name="cp-1")
    script = worker_script(second, first.ca, first.nic.address, "node-1")
    second.on(script, name="node-1")
    until(lambda: "node-1" in first.ready_nodes(), lambda: _log(second))
    third.on(script, name="node-1")
    until(lambda: 'status "Ready" already exists' in _log(third), lambda: _log(third))
    until(lambda: third.status.startswith("failed"))


def test_two_control_planes_do_not_trust_each_other(machine: Make) -> None:
    first, second = _control_plane(machine), machine()
    first.on(first.script, name="cp-1")
    until(lambda: first.status == "ready")
    second.on(worker_script(second, minted(), first.nic.address, "node-1"), name="node-1")
    until(lambda: "certificate signed by unknown authority" in _log(second), lambda: _log(second))
