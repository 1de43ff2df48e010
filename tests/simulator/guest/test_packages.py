"""Plain Ubuntu guests: apt and dpkg, and what is a Kubernetes node once its packages are there."""

from __future__ import annotations

import itertools
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cse_client.simulator.guest.packages.package import version_key
from tests.simulator.guest.lab import (
    PLAIN,
    Machine,
    control_plane_script,
    minted,
    worker_script,
)
from tests.support.waiting import until

Make = Callable[..., Machine]
_START = """#!/bin/bash
[ "$1" = precustomization ] && exit 0
exec >/root/log 2>&1
K=/etc/apt/keyrings
S=https://pkgs.k8s.io/core:/stable:
mkdir -p $K
key() { curl -fsSL --connect-timeout 9 -o $K/$2 $S/$1/deb/Release.key; }
source() { echo "deb [signed-by=$K/$2] $S/$1/deb/ /" >/etc/apt/sources.list.d/kubernetes.list; }
update() { apt-get -qq -y update; echo "rc $?"; }
install() { apt-get -qq -y install --no-install-recommends "$@"; echo "rc $?"; }
"""
_READY = "key v1.37 k.asc\nsource v1.37 k.asc\n"


def run(machine: Machine, body: str, image_faults: dict[str, Any] | None = None) -> list[str]:
    """Run a script in a guest; returns the lines that it wrote."""
    for key, value in (image_faults or {}).items():
        setattr(machine.guest.faults, key, value)
    machine.on(_START + body)
    assert machine.customized(60) == "GC_COMPLETE"
    return machine.text("/root/log").splitlines()


UNSIGNED = [
    "W: GPG error: https://pkgs.k8s.io/core:/stable:/v1.37/deb  InRelease: The following signatures"
    " couldn't be verified because the public key is not available: NO_PUBKEY 234654DA9A296436",
    "E: The repository 'https://pkgs.k8s.io/core:/stable:/v1.37/deb  InRelease' is not signed.",
    "rc 100",
]


@pytest.mark.parametrize("release", PLAIN)
def test_what_apt_refuses(machine: Make, release: str) -> None:
    """The answers of apt 2.6.1 to the same."""
    vm = machine(PLAIN[release])
    lines = run(
        vm,
        "command -v kubeadm containerd conntrack\n"
        "install socat\n"  # nothing was fetched so far
        "source v1.37 none.asc; update\n"
        # an armored key must not be called .gpg
        "key v1.37 k.gpg; source v1.37 k.gpg; update\n"
        "key v1.99 k.asc; source v1.99 k.asc; update\n" + _READY + "update\n"
        "install 'kubeadm=1.37.9-*'\n"
        "install kubeadm nothere\n"
        "gpg --dearmor <$K/k.asc >$K/k.gpg; source v1.37 k.gpg; update\n"
        "install 'kubeadm=1.37.1-*'; apt-mark hold kubeadm\n"
        "install kubeadm\n"
        # kubeadm comes alone (kubernetes/release, templates/latest/metadata.yaml: since 1.32)
        "command -v kubelet kubectl crictl\n"
        "install kubelet kubectl\n"
        "install kubectl=1.37.0-1.1\n"
        "dpkg-query -W -f='${Package} ${Version} ${db:Status-Abbrev}\\n' kubeadm kubelet nothere\n"
        "apt-get -qq -y remove kubeadm; command -v kubeadm || echo gone\n"
        "apt-get clean; ls /var/cache/apt/archives\n"
        "df -Pm /var/lib | sed -n 2p | cut -d' ' -f1\n",
    )
    assert lines == [
        "E: Unable to locate package socat",
        "rc 100",
        *UNSIGNED,
        *UNSIGNED,
        "curl: (22) The requested URL returned error: 404",
        "E: The repository 'https://pkgs.k8s.io/core:/stable:/v1.99/deb  Release' does not have a"
        " Release file.",
        "rc 100",
        "rc 0",
        "E: Version '1.37.9-*' for 'kubeadm' was not found",
        "rc 100",
        "E: Unable to locate package nothere",
        "rc 100",
        "rc 0",
        "rc 0",
        "kubeadm set on hold.",
        "E: Held packages were changed and -y was used without --allow-change-held-packages.",
        "rc 100",
        "rc 0",
        "E: Packages were downgraded and -y was used without --allow-downgrades.",
        "rc 100",
        "dpkg-query: no packages found matching nothere",
        "kubeadm 1.37.1-1.1 hi ",
        "kubelet 1.37.2-1.1 ii ",
        "gone",
        "/dev/sda1",
    ]


_NO_NAME = "Temporary failure resolving"
_LOCK = "Could not get lock /var/lib/dpkg/lock-frontend. It is held by process"
CASES: dict[str, tuple[dict[str, Any], str, list[str]]] = {
    "signed by another key": ({"wrong_package_key": True}, _READY + "update", UNSIGNED),
    "no way out": (
        {"egress": False},
        _READY + "update; apt-get -qq -o APT::Update::Error-Mode=any update; echo rc $?",
        [
            "curl: (6) Could not resolve host: pkgs.k8s.io",
            f"W: Failed to fetch https://pkgs.k8s.io/core:/stable:/v1.37/deb/InRelease  {_NO_NAME}"
            " 'pkgs.k8s.io'",
            "W: Some index files failed to download. They have been ignored, or old ones used"
            " instead.",
            "rc 0",
            f"E: Failed to fetch https://pkgs.k8s.io/core:/stable:/v1.37/deb/InRelease  {_NO_NAME}"
            " 'pkgs.k8s.io'",
            "rc 100",
        ],
    ),
    "no connection": (
        {"unreachable_hosts": r"k8s\.io"},
        _READY + "update; install socat; install kubeadm",
        [
            "curl: (28) Failed to connect to pkgs.k8s.io port 443: Connection timed out",
            "W: Failed to fetch https://pkgs.k8s.io/core:/stable:/v1.37/deb/InRelease  Could not"
            " connect to pkgs.k8s.io:443 (203.0.113.10), connection timed out",
            "rc 0",
            "rc 0",
            "E: Unable to locate package kubeadm",
            "rc 100",
        ],
    ),
    "lists locked": (
        {"lists_locked": 1e6},
        "systemctl is-active apt-daily.service apt-daily-upgrade.service\n"
        "apt-get -qq -o DPkg::Lock::Timeout=9 update; echo rc $?",
        [
            "activating",
            "inactive",
            "E: Could not get lock /var/lib/apt/lists/lock. It is held by process 1702 (apt-get)",
            "E: Unable to lock directory /var/lib/apt/lists/",
            "rc 100",
        ],
    ),
    "packages locked": (
        {"packages_locked": 1e6},
        "update; install socat; install -o DPkg::Lock::Timeout=9 socat",
        [
            "rc 0",
            f"E: {_LOCK} 1719 (unattended-upgr)",
            "E: Unable to acquire the dpkg frontend lock (/var/lib/dpkg/lock-frontend), is another"
            " process using it?",
            "rc 100",
            f"Waiting for cache lock: {_LOCK} 1719 (unattended-upgr)...",
            "E: Unable to acquire the dpkg frontend lock (/var/lib/dpkg/lock-frontend), is another"
            " process using it?",
            "rc 100",
        ],
    ),
    "locked for a while": (
        {"packages_locked": 60.0},
        "update; install -o DPkg::Lock::Timeout=300 socat; command -v socat",
        [
            "rc 0",
            f"Waiting for cache lock: {_LOCK} 1719 (unattended-upgr)...",
            "rc 0",
            "/usr/bin/socat",
        ],
    ),
    "disk full": (
        {"disk_full": True},
        "update; install socat; command -v socat",
        [
            "rc 0",
            "E: You don't have enough free space in /var/cache/apt/archives/.",
            "rc 100",
        ],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_what_gets_in_apt_s_way(machine: Make, case: str) -> None:
    faults, body, wanted = CASES[case]
    vm = machine(PLAIN["24.04"])
    faults = dict(faults)
    vm.nic = replace(vm.nic, egress=faults.pop("egress", True))
    found = run(vm, body, faults)
    # what else apt says is about Ubuntu's own archive
    rest = iter(found)
    assert all(line in rest for line in wanted), found


def test_a_mirror_near_by_needs_no_way_out(machine: Make) -> None:
    """Its host is one of the network's registries; its certificate has to be known."""
    vm = machine(PLAIN["24.04"])
    vm.nic = replace(vm.nic, egress=False, registries=(("mirror.acme", "the CA"),))
    lines = run(
        vm,
        "S=https://mirror.acme/kubernetes\n" + _READY + "apt-get -qq update 2>&1 | tail -n 1\n"
        "rm -rf /etc/apt/sources.list.d/ubuntu.sources\n"
        "echo 'the CA' >/usr/local/share/ca-certificates/a.crt; update-ca-certificates\n"
        + _READY
        + "update; install kubectl; echo 'deb https://mirror.acme/ubuntu noble main'"
        " >/etc/apt/sources.list; update; install socat\n",
    )
    assert lines == [
        "curl: (60) SSL certificate problem: unable to get local issuer certificate",
        "E: The repository 'https://mirror.acme/kubernetes/v1.37/deb  Release' does not have a"
        " Release file.",
        "1 added, 0 removed; done.",
        *["rc 0"] * 4,
    ]


BUILD = (
    _READY
    + """
update
install 'kubeadm=@VERSION@-*' 'kubelet=@VERSION@-*' 'kubectl=@VERSION@-*' cri-tools containerd \\
  conntrack socat
apt-mark hold kubeadm kubelet kubectl
modprobe overlay
kubeadm config images pull
curl -fsSL -o /root/flannel-v0.27.4.yaml \\
  https://github.com/flannel-io/flannel/releases/download/v0.27.4/kube-flannel.yml
for i in $(grep -oE 'image: .*' /root/flannel-v0.27.4.yaml | cut -c8-); do crictl pull $i; done
crictl images
systemctl is-active containerd
systemctl enable kubelet
: >/etc/machine-id
"""
)


@pytest.mark.parametrize(("release", "version"), [("24.04", "1.37.2"), ("22.04", "1.36.3")])
def test_a_node_of_what_was_installed(
    machine: Make, tmp_path: Path, release: str, version: str
) -> None:
    """A disk with Kubernetes, copied, makes nodes that need no way out."""
    source = machine(PLAIN[release])
    body = BUILD.replace("@VERSION@", version).replace("v1.37", f"v{version.rpartition('.')[0]}")
    lines = run(source, body)
    assert f"registry.k8s.io/kube-apiserver   v{version}" in lines
    assert any(line.startswith("ghcr.io/flannel-io/flannel ") for line in lines), lines
    assert "active" in lines
    source.guest.power_off()
    source.guest.save_disk(tmp_path / "template")
    source.guest.destroy()
    made = []
    image = replace(PLAIN[release], runtime="containerd", cni_manifest="/root/flannel-v0.27.4.yaml")
    for _ in range(2):
        vm = machine(image)
        vm.guest.copy_of(tmp_path / "template")
        vm.nic = replace(vm.nic, egress=False)
        made.append(vm)
    first, second = made
    ca = minted()
    first.on(control_plane_script(first, ca), name="cp-1")
    second.on(worker_script(second, ca, first.nic.address, "node-1"), name="node-1")
    until(
        lambda: first.ready_nodes() == {"cp-1", "node-1"},
        lambda: first.text("/var/log/b.log")[-3000:],
    )
    assert first.guest.etcd is not None
    _, node = first.guest.etcd.api.request("GET", "/api/v1/nodes/node-1")
    assert node["status"]["nodeInfo"]["kubeletVersion"] == f"v{version}"
    ids = {vm.text("/etc/machine-id").strip() for vm in made}
    assert len(ids) == 2
    assert "" not in ids


def test_a_small_disk_is_full_of_images(machine: Make) -> None:
    vm = machine(PLAIN["24.04"])
    vm.disk_mb = 3500
    body = _READY + "update\ninstall kubeadm containerd\nkubeadm config images pull; echo rc $?\n"
    lines = run(vm, body)
    assert "no space left on device" in "\n".join(lines)
    assert lines[-1] == "rc 1"


def test_versions_are_ordered_as_dpkg_orders_them() -> None:
    if shutil.which("dpkg") is None:
        pytest.skip("no dpkg on this machine")
    versions = [
        *("1.0", "1.0~rc1", "1.0-1", "1.0-1.1", "1.0a", "1:0.9", "1.10", "1.9", "1.0+b1"),
        *("1.7.28-0ubuntu1~24.04.1", "1.7.28-0ubuntu1", "1.7.28-0ubuntu1~22.04.1", "2.0-~", "2.0"),
    ]
    for left, right in itertools.combinations(versions, 2):
        less = subprocess.run(["dpkg", "--compare-versions", left, "lt", right], check=False)
        assert (version_key(left) < version_key(right)) == (less.returncode == 0), (left, right)
