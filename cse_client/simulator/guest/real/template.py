"""What a template with a real Kubernetes has on its disk beyond the imitated one."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from pathlib import Path

import yaml

from cse_client.simulator.guest.disk import Disk
from cse_client.simulator.guest.model import Image
from cse_client.simulator.guest.real.kits import Kit
from cse_client.simulator.guest.real.network import pod_range
from cse_client.simulator.guest.skeleton import install_disk
from cse_client.simulator.guest.units import KUBELET_DROP_IN

__all__ = [
    "KUBELET_UNIT",
    "REAL_DROP_IN",
    "install_template",
    "kubelet_configuration",
    "write_pod_network",
]

_CONTAINERD_UNIT = """[Unit]
Description=containerd container runtime
After=network.target
[Service]
ExecStartPre=-/sbin/modprobe overlay
ExecStart=/usr/bin/containerd
Type=notify
KillMode=process
Restart=always
RestartSec=5
[Install]
WantedBy=multi-user.target
"""

KUBELET_UNIT = """[Unit]
Description=kubelet: The Kubernetes Node Agent
Documentation=https://kubernetes.io/docs/
Wants=network-online.target
After=network-online.target

[Service]
ExecStart=/usr/bin/kubelet
Restart=always
StartLimitInterval=0
RestartSec=10

[Install]
WantedBy=multi-user.target
"""

# The variables and files that kubeadm's documentation names for the package's drop-in.
REAL_DROP_IN = f"""{KUBELET_DROP_IN}ExecStart=
ExecStart=/usr/bin/kubelet $KUBELET_KUBECONFIG_ARGS $KUBELET_CONFIG_ARGS\
 $KUBELET_KUBEADM_ARGS $KUBELET_EXTRA_ARGS
"""

# Ubuntu's own unit starts nothing before there is a configuration, either.
_KEEPALIVED_UNIT = """[Unit]
Description=Keepalive Daemon (LVS and VRRP)
After=network-online.target
ConditionFileNotEmpty=/etc/keepalived/keepalived.conf
[Service]
ExecStart=/usr/sbin/keepalived --dont-fork --log-console
Restart=on-failure
[Install]
WantedBy=multi-user.target
"""

_KUBELET_CONFIGURATIONS = "/etc/kubernetes/kubelet.conf.d"


def install_template(disk: Disk, image: Image, kit: Kit) -> None:
    """Write a new disk with the kit's images in containerd's store."""
    install_disk(disk, image)
    # The imitation's link leads to this machine's folder, which is read-only.
    disk.remove("/usr/libexec")
    disk.make_folder("/usr/libexec")
    pause = kit.pause_image()
    files = {
        "/etc/systemd/system/containerd.service": _CONTAINERD_UNIT,
        "/etc/systemd/system/kubelet.service": KUBELET_UNIT,
        "/etc/systemd/system/kubelet.service.d/10-kubeadm.conf": REAL_DROP_IN,
        "/etc/default/kubelet": f"KUBELET_EXTRA_ARGS=--config-dir={_KUBELET_CONFIGURATIONS}\n",
        f"{_KUBELET_CONFIGURATIONS}/10-template.conf": kubelet_configuration(),
        "/etc/containerd/config.toml": _containerd_configuration(pause),
    }
    for path, text in files.items():
        disk.write(path, text)
    if image.keepalived:
        disk.write("/etc/systemd/system/keepalived.service", _KEEPALIVED_UNIT)
    if image.cni_manifest:
        disk.write(image.cni_manifest, _network_manifest(image, pause))
    for folder in (".real", "etc/cni/net.d", "dev", "sys"):
        (disk.root / folder).mkdir(parents=True, exist_ok=True)
    _copy_store(kit.store, disk.root / "var/lib/containerd")


def kubelet_configuration() -> str:
    """Return what a kubelet needs to know of this machine, besides its own configuration."""
    return yaml.safe_dump(
        {
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "failCgroupV1": False,
            "cgroupDriver": "cgroupfs",
            # This machine's disk is shared by all of its machines, and may be nearly full.
            "evictionHard": {"imagefs.available": "0%", "nodefs.available": "0%"},
            "imageGCHighThresholdPercent": 100,
        },
        sort_keys=False,
    )


def _containerd_configuration(pause: str) -> str:
    return f"""version = 3
[plugins.'io.containerd.cri.v1.images'.pinned_images]
  sandbox = '{pause}'
[plugins.'io.containerd.cri.v1.runtime']
  restrict_oom_score_adj = true
  disable_apparmor = true
  [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
    runtime_type = 'io.containerd.runc.v2'
    [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
      SystemdCgroup = false
"""


def _network_manifest(image: Image, pause: str) -> str:
    """Return a manifest with a DaemonSet that only stands there: machines are wired outside."""
    labels = {"app": image.cni}
    name = f"kube-{image.cni}-ds"
    return yaml.safe_dump(
        {
            "apiVersion": "apps/v1",
            "kind": "DaemonSet",
            "metadata": {"name": name, "namespace": "kube-system", "labels": labels},
            "spec": {
                "selector": {"matchLabels": labels},
                "template": {
                    "metadata": {"labels": labels},
                    "spec": {
                        "hostNetwork": True,
                        "priorityClassName": "system-node-critical",
                        "tolerations": [{"operator": "Exists"}],
                        "containers": [{"name": name, "image": pause}],
                    },
                },
            },
        },
        sort_keys=False,
    )


def write_pod_network(disk: Disk, address: str) -> None:
    """Write the CNI configuration of the machine with this address."""
    plugin = {
        "type": "bridge",
        "bridge": "cni0",
        "isGateway": True,
        "hairpinMode": True,
        "ipam": {
            "type": "host-local",
            "ranges": [[{"subnet": pod_range(address)}]],
            "routes": [{"dst": "0.0.0.0/0"}],
        },
    }
    configuration = {"cniVersion": "1.0.0", "name": "pods", "plugins": [plugin]}
    disk.write("/etc/cni/net.d/10-pods.conflist", json.dumps(configuration, indent=1) + "\n")


def _copy_store(store: Path, target: Path) -> None:
    """Copy containerd's root folder; content that is never changed in place becomes hard links.

    Its databases are changed, so they are copied.
    """

    def copy(source: str, place: str) -> None:
        if not source.endswith(".db"):
            with contextlib.suppress(OSError):  # another file system
                os.link(source, place, follow_symlinks=False)
                return
        shutil.copy2(source, place, follow_symlinks=False)

    shutil.copytree(store, target, symlinks=True, copy_function=copy)
