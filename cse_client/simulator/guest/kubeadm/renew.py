"""`kubeadm certs renew all`: of the certificates, the API server's is what anybody can see.

kubernetes: cmd/kubeadm/app/cmd/certs.go; the command was `kubeadm alpha certs` up to 1.20.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from cse_client.simulator.guest.kubeadm.problems import KubeadmError
from cse_client.simulator.guest.serving_certificate import reissue

if TYPE_CHECKING:
    from cse_client.simulator.guest.exchange import Call
    from cse_client.simulator.guest.kubeadm.flags import Flags
    from cse_client.simulator.guest.system import System

__all__ = ["certs"]

_SINCE, _UNTIL_ALPHA = 20, 21


def certs(system: System, call: Call, flags: Flags) -> int:
    """Renew the certificates."""
    words = list(flags.command)
    minor = system.image.minor
    if words[0] == "alpha" and minor < _UNTIL_ALPHA:
        del words[0]
    elif words[0] == "alpha" or minor < _SINCE:
        call.err(f'unknown command "{words[0]}" for "kubeadm"')
        return 1
    if words != ["certs", "renew", "all"]:
        call.err(f"kubeadm {' '.join(flags.command)}: not simulated")
        return 1
    if not system.disk.exists("/etc/kubernetes/pki/apiserver.crt"):
        raise KubeadmError("failed to load existing certificate apiserver: not found")
    reissue(system, timedelta(days=365))
    call.out("certificate for serving the Kubernetes API renewed")
    call.out(
        "\nDone renewing certificates. You must restart the kube-apiserver,"
        " kube-controller-manager, kube-scheduler and etcd, so that they can use the new"
        " certificates."
    )
    return 0
