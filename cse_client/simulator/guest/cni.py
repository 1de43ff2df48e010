"""Small manifests of pod networks, as an image carries them.

They hold what the simulator and its users look at: the right kinds and names, a DaemonSet that
puts a network configuration on each node through the hostPath /etc/cni/net.d.
"""

from __future__ import annotations

from typing import Any

import yaml

__all__ = [
    "is_network_pod",
    "manifest_images",
    "manifest_text",
    "network_configuration",
    "released_manifest",
]

_NAMES = {
    "weave": ("weave-net", {"name": "weave-net"}, "weaveworks/weave-kube"),
    "antrea": (
        "antrea-agent",
        {"app": "antrea", "component": "antrea-agent"},
        "antrea/antrea-ubuntu",
    ),
    "calico": ("calico-node", {"k8s-app": "calico-node"}, "calico/node"),
    "flannel": ("kube-flannel-ds", {"app": "flannel"}, "flannel/flannel"),
}


#: Where the projects' own manifests take their images from.
_REGISTRIES = {"calico": "quay.io/calico/node", "flannel": "ghcr.io/flannel-io/flannel"}


def _documents(cni: str, version: str, image: str = "") -> list[dict[str, Any]]:
    name, labels, usual = _NAMES.get(cni, (cni, {"app": cni}, cni))
    image = image or usual
    meta = {"name": name, "namespace": "kube-system", "labels": labels}
    return [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta},
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRole",
            "metadata": {"name": name, "labels": labels},
            "rules": [
                {
                    "apiGroups": [""],
                    "resources": ["pods", "namespaces", "nodes"],
                    "verbs": ["get", "list", "watch"],
                }
            ],
        },
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": name, "labels": labels},
            "roleRef": {
                "apiGroup": "rbac.authorization.k8s.io",
                "kind": "ClusterRole",
                "name": name,
            },
            "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": "kube-system"}],
        },
        {
            "apiVersion": "apps/v1",
            "kind": "DaemonSet",
            "metadata": meta,
            "spec": {
                "selector": {"matchLabels": labels},
                "minReadySeconds": 5,
                "updateStrategy": {"type": "RollingUpdate"},
                "template": {
                    "metadata": {"labels": labels},
                    "spec": {
                        "hostNetwork": True,
                        "serviceAccountName": name,
                        "priorityClassName": "system-node-critical",
                        "tolerations": [{"operator": "Exists"}],
                        "containers": [
                            {
                                "name": name,
                                "image": f"{image}:{version}",
                                "volumeMounts": [{"name": "cni-conf", "mountPath": "/host/etc"}],
                            }
                        ],
                        "volumes": [{"name": "cni-conf", "hostPath": {"path": "/etc/cni/net.d"}}],
                    },
                },
            },
        },
    ]


def manifest_text(cni: str, version: str, image: str = "") -> str:
    """Return the manifest file of a pod network; `image` is without its tag."""
    return str(yaml.safe_dump_all(_documents(cni, version, image), sort_keys=False))


def released_manifest(cni: str, version: str) -> str:
    """Return the manifest file that the project itself offers for download."""
    documents = _documents(cni, version, _REGISTRIES[cni])
    return str(yaml.safe_dump_all(documents, sort_keys=False))


def is_network_pod(spec: dict[str, Any]) -> bool:
    """Return whether a pod puts a CNI configuration on its node, by its volumes."""
    for volume in spec.get("volumes") or []:
        path = (volume.get("hostPath") or {}).get("path") or ""
        if path.rstrip("/") in ("/etc/cni", "/etc/cni/net.d", "/etc"):
            return True
    return False


def network_configuration(image: str) -> tuple[str, str]:
    """Return (file name, content) that a network pod with this image writes on its node."""
    for cni, (_, _, known) in _NAMES.items():
        if known.split("/")[0] in image or cni in image:
            name = {"weave": "10-weave.conflist", "antrea": "10-antrea.conflist"}.get(
                cni, f"10-{cni}.conflist"
            )
            return name, f'{{"cniVersion": "0.3.1", "name": "{cni}", "plugins": []}}\n'
    return "10-network.conflist", '{"cniVersion": "0.3.1", "name": "network", "plugins": []}\n'


def manifest_images(cni: str, version: str) -> list[str]:
    """Return the container images of a pod network."""
    return [
        container["image"]
        for document in _documents(cni, version)
        if document["kind"] == "DaemonSet"
        for container in document["spec"]["template"]["spec"]["containers"]
    ]
