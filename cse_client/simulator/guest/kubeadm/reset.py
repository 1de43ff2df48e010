"""`kubeadm reset`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cse_client.simulator.guest.kubeadm.flags import Flags
from cse_client.simulator.guest.kubeadm.preflight import default_socket, socket_problem
from cse_client.simulator.guest.kubeadm.problems import KubeadmError
from cse_client.simulator.guest.kubelet import Kubelet

if TYPE_CHECKING:
    from cse_client.simulator.guest.exchange import Call
    from cse_client.simulator.guest.system import System

__all__ = ["reset"]

_FILES = (
    "/etc/kubernetes/admin.conf",
    "/etc/kubernetes/super-admin.conf",
    "/etc/kubernetes/kubelet.conf",
    "/etc/kubernetes/bootstrap-kubelet.conf",
    "/etc/kubernetes/controller-manager.conf",
    "/etc/kubernetes/scheduler.conf",
)


def reset(system: System, call: Call, flags: Flags) -> int:
    """Undo what init or join did on this node; raises KubeadmError."""
    if not flags.on("force") and b"y" not in call.stdin[:1].lower():
        call.out(
            "[reset] WARNING: Changes made to this host by 'kubeadm init' or 'kubeadm join' will"
            " be reverted.\n[reset] Are you sure you want to proceed? [y/N]: ",
            end="",
        )
        raise KubeadmError("Aborted reset operation")
    call.out("[preflight] Running pre-flight checks")
    had_etcd = system.disk.exists("/etc/kubernetes/manifests/etcd.yaml")
    system.step("kubeadm reset kubelet")
    call.out("[reset] Stopping the kubelet service")
    system.systemd.stop("kubelet.service")
    call.out('[reset] Unmounting mounted directories in "/var/lib/kubelet"')
    socket = flags.get("cri-socket") or default_socket(system.image.minor)
    problem = socket_problem(system, socket)
    kubelet = system.natives.get("kubelet.service")
    if problem:
        # Without the runtime the old containers live on, and keep their ports.
        call.err(f"[reset] Failed to remove containers: {problem}")
    elif isinstance(kubelet, Kubelet):
        kubelet.control_plane.stop()
    system.step("kubeadm reset files")
    if had_etcd and system.guest.etcd is not None and len(system.guest.etcd.members()) > 1:
        call.out("[reset] Removing the local etcd member")
        system.guest.etcd.leave()
    folders = ["/etc/kubernetes/manifests", "/var/lib/kubelet", "/etc/kubernetes/pki"]
    if had_etcd:
        folders.append("/var/lib/etcd")
    call.out(f"[reset] Deleting contents of directories: [{' '.join(folders)}]")
    for folder in folders:
        for name in system.disk.names(folder):
            with system.life.guard():
                system.disk.remove(f"{folder}/{name}")
    call.out(f"[reset] Deleting files: [{' '.join(_FILES)}]")
    for path in _FILES:
        with system.life.guard():
            system.disk.remove(path)
    call.out(
        "\nThe reset process does not clean CNI configuration. To do so, you must remove"
        " /etc/cni/net.d"
    )
    return 0
