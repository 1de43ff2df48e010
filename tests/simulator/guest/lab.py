"""Guests for tests: scripts of our own, certificates of our own, hooks that remember."""

from __future__ import annotations

import base64
import itertools
import os
from datetime import datetime, timedelta, timezone
from pathlib import Path
from uuid import uuid4

from cse_client.simulator.clock import Clock
from cse_client.simulator.guest import (
    Customization,
    Guest,
    GuestSettings,
    Hardware,
    Image,
    Nic,
)
from cse_client.simulator.guest.certs import Pair, new_authority, new_leaf
from cse_client.simulator.guest.kubeclient import render_kubeconfig
from cse_client.simulator.guest.packages.archive import PREINSTALLED
from tests.support.waiting import until

OLD = Image(name="old", images_preloaded=True)
NEW = Image(
    name="new",
    os="ubuntu-24.04",
    os_version_id="24.04",
    kubernetes="1.33.1",
    runtime="containerd",
    cni="calico",
    cni_version="v3.29.0",
    cni_manifest="/root/calico.yaml",
    customization_engine="cloud-init",
    images_preloaded=True,
)
PLAIN = {
    release: Image(
        name=f"ubuntu-{release}",
        os=f"ubuntu-{release}",
        os_version_id=release,
        kubernetes="",
        runtime="",
        cni="",
        cni_version="",
        cni_manifest=None,
        customization_engine="cloud-init",
        datasource="list",
        packages=PREINSTALLED,
    )
    for release in ("22.04", "24.04")
}
SPEED = 50.0

_FRAME = r"""#!/bin/bash
[ "$1" = precustomization ] && exit 0
mkdir -p /var/lib/b
cat >/var/lib/b/run.sh <<'END_OF_RUN'
#!/bin/bash
set -Eeuo pipefail
exec >>/var/log/b.log 2>&1 </dev/null
say() { vmtoolsd --cmd "info-set guestinfo.t.status $1" >/dev/null; }
trap 'say "failed line $LINENO"' ERR
NAME=$(hostname)
@BODY@
touch /var/lib/b/done; sync
say ready
END_OF_RUN
cat >/etc/systemd/system/b.service <<'END_OF_UNIT'
[Unit]
ConditionPathExists=!/var/lib/b/done
[Service]
ExecStart=/bin/bash /var/lib/b/run.sh
Restart=on-failure
RestartSec=15
[Install]
WantedBy=multi-user.target
END_OF_UNIT
systemctl daemon-reload
systemctl enable b.service
systemctl start --no-block b.service
"""

_HOST = r"""
say host
swapoff -a
modprobe -a overlay br_netfilter
sysctl -q -w net.ipv4.ip_forward=1
until @RUNTIME@ >/dev/null; do sleep 2; done
"""

_CONTROL_PLANE = (
    _HOST
    + r"""
say pki
P=/etc/kubernetes/pki
pki() {
  mkdir -p $P
  base64 -d >$P/ca.key <<<@KEY@
  base64 -d >$P/ca.crt <<<@CERT@
}
M=FileAvailable--etc-kubernetes-manifests
IGNORE=$M-kube-apiserver.yaml,$M-kube-controller-manager.yaml,$M-kube-scheduler.yaml,$M-etcd.yaml
IGNORE=$IGNORE,DirAvailable--var-lib-etcd,Port-6443,Port-10250,Port-10257,Port-10259,Port-2379,Port-2380
init() {
  kubeadm init --kubernetes-version "$(kubeadm version -o short)" --node-name "$NAME" \
    --apiserver-advertise-address @IP@ --control-plane-endpoint @IP@:6443 \
    --pod-network-cidr 10.244.0.0/16 --cri-socket @SOCKET@ --skip-token-print "$@"
}
pki
say init
if [ -e /var/lib/b/began ]; then
  init --ignore-preflight-errors="$IGNORE" || {
    kubeadm reset -f --cri-socket @SOCKET@
    rm -rf /var/lib/etcd
    pki
    init
  }
else
  touch /var/lib/b/began; sync
  init
fi
say network
kubectl --kubeconfig /etc/kubernetes/admin.conf apply -f @CNI@
"""
)

_WORKER = (
    _HOST
    + r"""
say wait
base64 -d >/run/d.conf <<<@CONF@
k() { kubectl --kubeconfig /run/d.conf --request-timeout=5s "$@"; }
until k get configmap kubeadm-config -n kube-system -o name &&
      k auth can-i create certificatesigningrequests.certificates.k8s.io \
        --subresource=selfnodeclient
do sleep 10; done
say join
K=/etc/kubernetes
own() { kubectl --kubeconfig $K/kubelet.conf get node "$NAME" -o name; }
if [ -e $K/kubelet.conf ]; then
  until own; do sleep 5; done
  kubectl --kubeconfig $K/kubelet.conf annotate --overwrite node "$NAME" \
    kubeadm.alpha.kubernetes.io/cri-socket=@SOCKET@
  rm -f $K/bootstrap-kubelet.conf
else
  kubeadm reset -f --cri-socket @SOCKET@
  rm -f $K/bootstrap-kubelet.conf $K/kubelet.conf $K/pki/ca.crt
  kubeadm join --discovery-file /run/d.conf --node-name "$NAME" --cri-socket @SOCKET@
fi
"""
)

_addresses = itertools.count(2)


class Hooks:
    """Remembers what a guest reported."""

    def __init__(self) -> None:
        self.statuses: list[str] = []
        self.tools: list[bool] = []
        self.values: dict[str, str] = {}
        self.offs = 0

    def tools_running(self, running: bool) -> None:
        self.tools.append(running)

    def customization_status(self, status: str) -> None:
        self.statuses.append(status)

    def guestinfo_changed(self, key: str, value: str) -> None:
        self.values[key] = value

    def powered_off(self) -> None:
        self.offs += 1


class Machine:
    """A guest with its hooks and address."""

    def __init__(self, folder: Path, image: Image, speed: float, timeout: float) -> None:
        self.hooks = Hooks()
        number = next(_addresses)
        self.nic = Nic(f"127.91.{os.getpid() % 250}.{number}", 24, "127.91.0.1", ("192.0.2.53",))
        self.clock = Clock()
        self.disk_mb = 16384
        self.uuid = str(uuid4())
        self.guest = Guest(
            directory=folder,
            image=image,
            hooks=self.hooks,
            clock=self.clock,
            settings=GuestSettings(speed=speed, customization_timeout=timeout),
        )

    def on(
        self,
        script: str = "",
        *,
        name: str = "vm-1",
        needed: bool = True,
        password: str = "",
        hardware: Hardware | None = None,
    ) -> None:
        wish = Customization(name, script, password or None, needed)
        self.guest.power_on(
            customization=wish,
            nics=[self.nic],
            ovf_environment='<?xml version="1.0"?>\n<Environment/>',
            hardware=hardware or Hardware(disk_mb=self.disk_mb, uuid=self.uuid),
        )

    def customized(self, seconds: float = 20.0) -> str:
        """Wait for the end of the customization; returns its state."""
        ends = ("GC_COMPLETE", "GC_FAILED")
        seen = self.hooks.statuses
        return until(
            lambda: next((one for one in seen[-1:] if one in ends), ""), lambda: str(seen), seconds
        )

    @property
    def status(self) -> str:
        return self.hooks.values.get("guestinfo.t.status", "")

    def text(self, path: str) -> str:
        return self.guest.disk.text(path)

    def ready_nodes(self) -> set[str]:
        """The names of the cluster's Ready nodes, asked of this control plane."""
        if self.guest.etcd is None:
            return set()
        _, found = self.guest.etcd.api.request("GET", "/api/v1/nodes")
        return {
            node["metadata"]["name"]
            for node in found["items"]
            for one in node["status"]["conditions"]
            if one["type"] == "Ready" and one["status"] == "True"
        }


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def minted(hours_ago: float = 24.0) -> Pair:
    """A cluster's authority."""
    return new_authority("kubernetes", datetime.now(timezone.utc) - timedelta(hours=hours_ago))


def _filled(body: str, image: Image, **values: str) -> str:
    docker = image.runtime == "docker"
    values["RUNTIME"] = (
        "docker info" if docker else "crictl -r unix:///run/containerd/containerd.sock info"
    )
    values["SOCKET"] = (
        "/var/run/dockershim.sock" if docker else "unix:///run/containerd/containerd.sock"
    )
    values["CNI"] = str(image.cni_manifest)
    text = _FRAME.replace("@BODY@", body)
    for key, value in values.items():
        text = text.replace(f"@{key}@", value)
    return text


def control_plane_script(machine: Machine, ca: Pair) -> str:
    """A control plane's customization script."""
    return _filled(
        _CONTROL_PLANE,
        machine.guest.image,
        IP=machine.nic.address,
        KEY=_b64(ca.key_pem),
        CERT=_b64(ca.certificate_pem),
    )


def worker_script(
    machine: Machine, ca: Pair, endpoint: str, name: str, *, signer: Pair | None = None
) -> str:
    """A worker's customization script; its certificate is of `signer`, by default of `ca`."""
    now = datetime.now(timezone.utc)
    leaf = new_leaf(signer or ca, f"system:node:{name}", now, organization="system:nodes")
    conf = render_kubeconfig(
        f"https://{endpoint}:6443",
        ca.certificate_pem,
        "discovery",
        client_certificate_data=_b64(leaf.certificate_pem),
        client_key_data=_b64(leaf.key_pem),
    )
    return _filled(_WORKER, machine.guest.image, CONF=_b64(conf.encode()))
