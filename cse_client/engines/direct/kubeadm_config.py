"""The Kubernetes release in kubeadm's own record of a cluster, which joining nodes follow.

`kubeadm join --control-plane` starts the release that ConfigMap kube-system/kubeadm-config names,
and refuses one that is older than its kubelet (kubernetes:cmd/kubeadm/app/preflight,
KubeletVersionCheck).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from cse_client.errors import CseError
from cse_client.kube.answers import Json, problem

if TYPE_CHECKING:
    from cse_client.kube.api import ClusterAPI

__all__ = ["read_release", "write_release"]

_PATH = "/api/v1/namespaces/kube-system/configmaps/kubeadm-config"
_KEY = "ClusterConfiguration"
_RELEASE = re.compile(r"^kubernetesVersion: *[\"']?v?([0-9][^\s\"']*)[\"']? *$", re.M)
_MERGE = "application/merge-patch+json"
_BAD, _CONFLICT = 400, 409
_ATTEMPTS = 5


def read_release(api: ClusterAPI) -> str:
    """Return the recorded release without its v, such as 1.37.2.

    Raises:
        CseError: there is no such record, or it names no release.
        ClusterUnreachable: the API does not answer.
    """
    return _found(_read(api))[1][1]


def write_release(api: ClusterAPI, release: str) -> None:
    """Record another release; the rest of the record stays as it is.

    Raises:
        CseError: there is no such record, or it cannot be written.
        ClusterUnreachable: the API does not answer.
    """
    for _attempt in range(_ATTEMPTS):
        config_map = _read(api)
        text, found = _found(config_map)
        if found[1] == release:
            return
        changed = f"{text[: found.start()]}kubernetesVersion: v{release}{text[found.end() :]}"
        body = {
            "metadata": {"resourceVersion": config_map["metadata"]["resourceVersion"]},
            "data": {_KEY: changed},
        }
        status, answer = api.ask("PATCH", _PATH, body, content_type=_MERGE)
        if status < _BAD:
            return
        if status != _CONFLICT:
            raise problem(status, answer, "write kubeadm's configuration", api.server)
    raise CseError(
        "kubeadm's configuration in the cluster is changed by somebody else all the time."
    )


def _read(api: ClusterAPI) -> Json:
    found = api.read(_PATH, "ConfigMap", "read kubeadm's configuration")
    if found is None:
        raise CseError(
            "The cluster has no ConfigMap kube-system/kubeadm-config.",
            hint="Nodes of another release can join only where kubeadm made the cluster.",
        )
    return found


def _found(config_map: Json) -> tuple[str, re.Match[str]]:
    text = (config_map.get("data") or {}).get(_KEY, "")
    found = _RELEASE.search(text) if isinstance(text, str) else None
    if found is None:
        raise CseError("ConfigMap kube-system/kubeadm-config does not name a Kubernetes version.")
    return text, found
