"""Which stand-in answers which command.

Each takes the running system and the call, and returns the exit code, or None when it answered in
its own way.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from cse_client.simulator.guest.commands.clock import date, hostnamectl, timedatectl
from cse_client.simulator.guest.commands.cloud_init import cloud_init
from cse_client.simulator.guest.commands.containers import crictl, ctr, daemon, docker
from cse_client.simulator.guest.commands.curl import curl
from cse_client.simulator.guest.commands.df import df
from cse_client.simulator.guest.commands.etcd import PROGRAMS, etcdutl
from cse_client.simulator.guest.commands.kernel import lsmod, modprobe, swapoff, swapon, sysctl
from cse_client.simulator.guest.commands.network import (
    getent,
    ip,
    lookup,
    ping,
    resolvectl,
    wget,
)
from cse_client.simulator.guest.commands.packages import (
    apt_cache,
    apt_get,
    apt_mark,
    dpkg,
    dpkg_query,
    update_ca_certificates,
)
from cse_client.simulator.guest.commands.power import poweroff, reboot, shutdown
from cse_client.simulator.guest.commands.services import (
    detect_virt,
    journalctl,
    logger,
    runlevel,
    systemctl,
)
from cse_client.simulator.guest.commands.vmtools import rpctool, toolbox_cmd, vmtoolsd
from cse_client.simulator.guest.keepalived import keepalived
from cse_client.simulator.guest.kubeadm import kubeadm, kubelet
from cse_client.simulator.guest.kubectl import kubectl
from cse_client.simulator.guest.toolbox import PACKAGED_PROGRAMS

if TYPE_CHECKING:
    from cse_client.simulator.guest.exchange import Call
    from cse_client.simulator.guest.system import Command, System

__all__ = ["COMMANDS"]


def _nothing(system: System, call: Call) -> int:
    """Succeed without effect, as resolvconf -u and update-grub do here."""
    return 0


COMMANDS: Mapping[str, Command] = {
    "apt": apt_get,
    "update-ca-certificates": update_ca_certificates,
    "apt-cache": apt_cache,
    "apt-get": apt_get,
    "apt-mark": apt_mark,
    **dict.fromkeys(PACKAGED_PROGRAMS, _nothing),
    **dict.fromkeys(PROGRAMS, etcdutl),
    "cloud-init": cloud_init,
    "containerd": daemon,
    "crictl": crictl,
    "ctr": ctr,
    "curl": curl,
    "date": date,
    "df": df,
    "dig": lookup,
    "docker": docker,
    "dpkg": dpkg,
    "dpkg-query": dpkg_query,
    "dockerd": daemon,
    "getent": getent,
    "halt": poweroff,
    "host": lookup,
    "hostnamectl": hostnamectl,
    "ip": ip,
    "journalctl": journalctl,
    "keepalived": keepalived,
    "kubeadm": kubeadm,
    "kubectl": kubectl,
    "kubelet": kubelet,
    "logger": logger,
    "lsmod": lsmod,
    "modprobe": modprobe,
    "nslookup": lookup,
    "ping": ping,
    "poweroff": poweroff,
    "reboot": reboot,
    "resolvconf": _nothing,
    "resolvectl": resolvectl,
    "runlevel": runlevel,
    "shutdown": shutdown,
    "swapoff": swapoff,
    "swapon": swapon,
    "sysctl": sysctl,
    "systemctl": systemctl,
    "systemd-detect-virt": detect_virt,
    "timedatectl": timedatectl,
    "update-grub": _nothing,
    "vmtoolsd": vmtoolsd,
    "vmware-rpctool": rpctool,
    "vmware-toolbox-cmd": toolbox_cmd,
    "wget": wget,
}
