"""What a kubelet does for the pods on its node that others notice: the network, mirror pods.

Which pods run is played by the cluster (`kube.controllers.kubelets`). The node's network is ready
once a pod of the CNI's DaemonSet is bound to it and its image could be had.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from cse_client.simulator.guest.cni import is_network_pod, network_configuration
from cse_client.simulator.guest.containers import ImageStore, PullFailed

if TYPE_CHECKING:
    from cse_client.simulator.guest.control_plane import ControlPlane
    from cse_client.simulator.guest.kubeclient import KubeClient
    from cse_client.simulator.guest.system import System

__all__ = ["NodePods"]

_OK, _CREATED, _CONFLICT = 200, 201, 409
_SECONDS = 2.0
_PODS = "/api/v1/namespaces/kube-system/pods"
_STATIC = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler")


class NodePods:
    """Looks after the pods of one node."""

    def __init__(self, system: System, client: KubeClient, node: str) -> None:
        self._system = system
        self._client = client
        self._node = node
        self._next = 0.0
        #: The images of the static pods that the API shows.
        self._mirrored: dict[str, str] = {}
        self.problem = ""

    def look(self, control_plane: ControlPlane) -> bool:
        """Look when it is time; True when the node's network became ready."""
        if control_plane.running:
            self._mirror(control_plane)
        if self.network_ready() or time.monotonic() < self._next:
            return False
        self._next = time.monotonic() + max(_SECONDS / self._system.life.speed, 0.2)
        status, found = self._client.request(
            "GET", f"/api/v1/pods?fieldSelector=spec.nodeName%3D{self._node}"
        )
        if status != _OK:
            return False
        for pod in found.get("items") or []:
            if is_network_pod(pod.get("spec") or {}) and self._start_network(pod["spec"]):
                return True
        return False

    def network_ready(self) -> bool:
        """Return whether a CNI configuration lies on the node."""
        return bool(self._system.disk.names("/etc/cni/net.d"))

    def _start_network(self, spec: dict[str, Any]) -> bool:
        store = ImageStore(self._system)
        images = [
            str(container.get("image"))
            for container in [*(spec.get("initContainers") or []), *(spec.get("containers") or [])]
        ]
        for image in images:
            try:
                store.pull(image)
            except PullFailed as error:
                self.problem = f'ErrImagePull: failed to pull image "{image}": {error}'
                return False
        name, text = network_configuration(" ".join(images))
        with self._system.life.guard():
            self._system.disk.write(f"/etc/cni/net.d/{name}", text)
        return True

    def _mirror(self, control_plane: ControlPlane) -> None:
        """Show the static pods in the API, as mirror pods; a changed one as a new pod."""
        for name in _STATIC:
            image = control_plane.image(name)
            if self._mirrored.get(name, "") == image:
                continue
            body = {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {
                    "name": f"{name}-{self._node}",
                    "namespace": "kube-system",
                    "labels": {"component": name, "tier": "control-plane"},
                    "annotations": {
                        "kubernetes.io/config.mirror": name,
                        "kubernetes.io/config.source": "file",
                        "kubernetes.io/config.hash": name,
                    },
                },
                "spec": {
                    "hostNetwork": True,
                    "nodeName": self._node,
                    "priorityClassName": "system-node-critical",
                    "tolerations": [{"effect": "NoExecute", "operator": "Exists"}],
                    "containers": [{"name": name, "image": image}],
                },
            }
            status, _ = self._client.request("POST", _PODS, body)
            if status == _CONFLICT:
                path = f"{_PODS}/{name}-{self._node}"
                status, pod = self._client.request("GET", path)
                if status == _OK and pod["spec"]["containers"][0]["image"] != image:
                    self._client.request("DELETE", f"{path}?gracePeriodSeconds=0")
                    status, _ = self._client.request("POST", _PODS, body)
            if status in (_OK, _CREATED):
                self._mirrored[name] = image
