"""Which Kubernetes version kubeadm is to install."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from cse_client.simulator.guest.kubeadm.problems import KubeadmError
from cse_client.simulator.guest.packages.database import installed

if TYPE_CHECKING:
    from cse_client.simulator.guest.exchange import Call
    from cse_client.simulator.guest.kubeadm.flags import Flags
    from cse_client.simulator.guest.system import System

__all__ = ["LOCAL_SOCKET_SINCE", "chosen_version", "own_version"]

#: NodeLocalCRISocket is on by default: the runtime's socket stands in instance-config.yaml.
LOCAL_SOCKET_SINCE = 34

_LABELS = ("stable", "latest")
_NO_ANSWER_SECONDS = 10


def own_version(system: System) -> str:
    """Return kubeadm's own version, which is ahead of the kubelet's in the midst of an upgrade."""
    found = installed(system.disk).get("kubeadm") if system.image.packages else None
    return found.version.partition("-")[0] if found is not None else system.image.kubernetes


def chosen_version(system: System, call: Call, flags: Flags, wanted: str = "") -> str:
    """Return the version without its v; asks the Internet where a label such as stable-1 is meant.

    Raises:
        KubeadmError: no version, or one that this kubeadm cannot install.
    """
    text = wanted or flags.get("kubernetes-version", "stable-1")
    if text.split("-")[0].split("/")[-1] in _LABELS:
        # The label's answer is some current release; without an answer kubeadm takes its own.
        if not system.egress or text.startswith("stable-1"):
            if not system.egress:
                system.sleep_call(call, _NO_ANSWER_SECONDS)
                call.err(
                    "W could not fetch a Kubernetes version from the internet: unable to get URL"
                    ' "https://dl.k8s.io/release/stable-1.txt": context deadline exceeded'
                )
            call.err(f"W falling back to the local client version: v{own_version(system)}")
        return own_version(system)
    match = re.fullmatch(r"v?(\d+)\.(\d+)\.(\d+)([-+].*)?", text)
    if match is None:
        raise KubeadmError(
            f'version "{text}" doesn\'t match patterns for neither semantic version nor labels'
            " (stable, latest, ...)"
        )
    return text.lstrip("v")
