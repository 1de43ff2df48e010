"""What kubeadm puts into a new cluster: configuration, RBAC, bootstrap token, add-ons."""

from __future__ import annotations

import secrets
import string
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import yaml

from cse_client.simulator.guest.containers import default_repository

if TYPE_CHECKING:
    from cse_client.simulator.guest.kubeadm.settings import InitSettings

__all__ = [
    "NODE_TOKEN_GROUP",
    "addons",
    "bootstrap_rbac",
    "cluster_info",
    "config_maps",
    "new_token",
    "token_secret",
    "uploaded_kubelet_name",
]

NODE_TOKEN_GROUP = "system:bootstrappers:kubeadm:default-node-token"
_RBAC = "rbac.authorization.k8s.io"
_SYSTEM = "kube-system"
_PLAIN_KUBELET_CONFIG_SINCE = 24
_STATUS_GONE = 22
_LETTERS = string.ascii_lowercase + string.digits
_CONFIG_VERSION = ((31, "v1beta4"), (22, "v1beta3"), (0, "v1beta2"))


def new_token() -> str:
    """Return a new bootstrap token."""
    pick = secrets.choice
    return (
        "".join(pick(_LETTERS) for _ in range(6)) + "." + "".join(pick(_LETTERS) for _ in range(16))
    )


def uploaded_kubelet_name(minor: int) -> str:
    """Return the name of the kubelet's ConfigMap."""
    return "kubelet-config" if minor >= _PLAIN_KUBELET_CONFIG_SINCE else f"kubelet-config-1.{minor}"


def _object(kind: str, name: str, namespace: str = "", **fields: Any) -> dict[str, Any]:
    versions = {"Role": f"{_RBAC}/v1", "RoleBinding": f"{_RBAC}/v1",
                "ClusterRole": f"{_RBAC}/v1", "ClusterRoleBinding": f"{_RBAC}/v1",
                "Deployment": "apps/v1", "DaemonSet": "apps/v1"}  # fmt: skip
    meta: dict[str, Any] = {"name": name}
    if namespace:
        meta["namespace"] = namespace
    return {"apiVersion": versions.get(kind, "v1"), "kind": kind, "metadata": meta, **fields}


def _rule(resources: str, verbs: str, *names: str, group: str = "") -> dict[str, Any]:
    rule: dict[str, Any] = {
        "apiGroups": [group],
        "resources": resources.split(),
        "verbs": verbs.split(),
    }
    if names:
        rule["resourceNames"] = list(names)
    return rule


def _group(name: str) -> dict[str, str]:
    return {"apiGroup": _RBAC, "kind": "Group", "name": name}


def _binding(
    name: str, role: str, subjects: list[dict[str, str]], namespace: str = ""
) -> dict[str, Any]:
    kind = "Role" if namespace else "ClusterRole"
    return _object(
        f"{kind}Binding",
        name,
        namespace,
        roleRef={"apiGroup": _RBAC, "kind": kind, "name": role},
        subjects=subjects,
    )


def _readable(name: str, config_map: str, groups: tuple[str, ...]) -> list[dict[str, Any]]:
    """Return the Role and RoleBinding that let groups read one ConfigMap of kube-system."""
    return [
        _object("Role", name, _SYSTEM, rules=[_rule("configmaps", "get", config_map)]),
        _binding(name, name, [_group(group) for group in groups], _SYSTEM),
    ]


def config_maps(settings: InitSettings, kubelet_config: str) -> list[dict[str, Any]]:
    """Return kubeadm-config and the kubelet's configuration, with who may read them."""
    api = next(name for since, name in _CONFIG_VERSION if settings.minor >= since)
    cluster: dict[str, Any] = {
        "apiServer": {"certSANs": list(settings.sans), "timeoutForControlPlane": "4m0s"},
        "apiVersion": f"kubeadm.k8s.io/{api}",
        "certificatesDir": "/etc/kubernetes/pki",
        "clusterName": "kubernetes",
        "controlPlaneEndpoint": settings.endpoint,
        "imageRepository": settings.repository or default_repository(settings.version),
        "kind": "ClusterConfiguration",
        "kubernetesVersion": f"v{settings.version}",
        "networking": {
            "dnsDomain": settings.domain,
            "podSubnet": settings.pod_cidr,
            "serviceSubnet": settings.service_cidr,
        },
    }
    for name, repository, tag in settings.overrides:
        part = {
            key: one for key, one in (("imageRepository", repository), ("imageTag", tag)) if one
        }
        cluster.update({"dns": part} if name == "coredns" else {"etcd": {"local": part}})
    data = {"ClusterConfiguration": yaml.safe_dump(cluster)}
    if settings.minor < _STATUS_GONE:
        endpoints = {
            settings.node: {"advertiseAddress": settings.address, "bindPort": settings.port}
        }
        data["ClusterStatus"] = yaml.safe_dump(
            {
                "apiEndpoints": endpoints,
                "apiVersion": f"kubeadm.k8s.io/{api}",
                "kind": "ClusterStatus",
            }
        )
    kubelet_name = uploaded_kubelet_name(settings.minor)
    readers = (NODE_TOKEN_GROUP, "system:nodes")
    return [
        _object("ConfigMap", "kubeadm-config", _SYSTEM, data=data),
        *_readable("kubeadm:nodes-kubeadm-config", "kubeadm-config", readers),
        _object("ConfigMap", kubelet_name, _SYSTEM, data={"kubelet": kubelet_config}),
        *_readable(f"kubeadm:{kubelet_name}", kubelet_name, ("system:nodes", NODE_TOKEN_GROUP)),
    ]


def token_secret(
    token: str, expires: datetime | None, *, usages: tuple[str, ...], groups: tuple[str, ...],
    description: str,
) -> dict[str, Any]:  # fmt: skip
    """Return the Secret of a bootstrap token."""
    identity, _, secret = token.partition(".")
    data = {
        "token-id": identity,
        "token-secret": secret,
        "auth-extra-groups": ",".join(groups),
        "description": description,
    }
    data.update({f"usage-bootstrap-{usage}": "true" for usage in usages})
    if expires is not None:
        data["expiration"] = expires.strftime("%Y-%m-%dT%H:%M:%SZ")
    return _object(
        "Secret",
        f"bootstrap-token-{identity}",
        _SYSTEM,
        type="bootstrap.kubernetes.io/token",
        stringData=data,
    )


def span_of(text: str) -> timedelta | None:
    """Return the length of a Go duration such as "24h0m0s"; None for 0, which is for ever."""
    total, number = 0.0, ""
    for letter in text:
        if letter.isdigit() or letter == ".":
            number += letter
        elif letter in "hms" and number:
            total += float(number) * {"h": 3600, "m": 60, "s": 1}[letter]
            number = ""
    return timedelta(seconds=total) if total else None


def bootstrap_rbac(minor: int) -> list[dict[str, Any]]:
    """Return the bindings that let nodes join."""
    found = [
        _binding(
            "kubeadm:kubelet-bootstrap", "system:node-bootstrapper", [_group(NODE_TOKEN_GROUP)]
        ),
        _binding(
            "kubeadm:node-autoapprove-bootstrap",
            "system:certificates.k8s.io:certificatesigningrequests:nodeclient",
            [_group(NODE_TOKEN_GROUP)],
        ),
        _binding(
            "kubeadm:node-autoapprove-certificate-rotation",
            "system:certificates.k8s.io:certificatesigningrequests:selfnodeclient",
            [_group("system:nodes")],
        ),
        _object("ClusterRole", "kubeadm:get-nodes", rules=[_rule("nodes", "get")]),
        _binding("kubeadm:get-nodes", "kubeadm:get-nodes", [_group(NODE_TOKEN_GROUP)]),
    ]
    if minor >= 29:  # noqa: PLR2004
        found.append(
            _binding("kubeadm:cluster-admins", "cluster-admin", [_group("kubeadm:cluster-admins")])
        )
    return found


def cluster_info(kubeconfig: str) -> list[dict[str, Any]]:
    """Return the public cluster-info ConfigMap and its role for anonymous readers."""
    name, space = "kubeadm:bootstrap-signer-clusterinfo", "kube-public"
    anonymous = {"apiGroup": _RBAC, "kind": "User", "name": "system:anonymous"}
    return [
        _object("ConfigMap", "cluster-info", space, data={"kubeconfig": kubeconfig}),
        _object("Role", name, space, rules=[_rule("configmaps", "get", "cluster-info")]),
        _binding(name, name, [anonymous], space),
    ]


def addons(settings: InitSettings) -> list[dict[str, Any]]:
    """Return CoreDNS and kube-proxy."""
    images = settings.images
    dns_image = next(name for name in images if "coredns" in name)
    proxy_image = next(name for name in images if "kube-proxy" in name)
    dns_labels, proxy_labels = {"k8s-app": "kube-dns"}, {"k8s-app": "kube-proxy"}
    account = [{"kind": "ServiceAccount", "name": "coredns", "namespace": _SYSTEM}]
    proxy_account = [{"kind": "ServiceAccount", "name": "kube-proxy", "namespace": _SYSTEM}]
    service = _object(
        "Service",
        "kube-dns",
        _SYSTEM,
        spec={
            "selector": dns_labels,
            "clusterIP": settings.service_cidr.split("/")[0].rsplit(".", 1)[0] + ".10",
            "ports": [{"name": "dns", "port": 53, "protocol": "UDP", "targetPort": 53}],
        },
    )
    service["metadata"]["labels"] = dns_labels
    return [
        _object("ServiceAccount", "coredns", _SYSTEM),
        _object("ConfigMap", "coredns", _SYSTEM, data={"Corefile": ".:53 {\n    errors\n}\n"}),
        _object(
            "ClusterRole",
            "system:coredns",
            rules=[_rule("endpoints services pods namespaces", "list watch")],
        ),
        _binding("system:coredns", "system:coredns", account),
        _workload("Deployment", "coredns", dns_labels, dns_image, replicas=2),
        service,
        _object("ServiceAccount", "kube-proxy", _SYSTEM),
        _object(
            "ConfigMap",
            "kube-proxy",
            _SYSTEM,
            data={"config.conf": _proxy_config(settings.pod_cidr), "kubeconfig.conf": ""},
        ),
        _binding("kubeadm:node-proxier", "system:node-proxier", proxy_account),
        *_readable("kube-proxy", "kube-proxy", (NODE_TOKEN_GROUP,)),
        _workload("DaemonSet", "kube-proxy", proxy_labels, proxy_image),
    ]


def _proxy_config(pod_cidr: str) -> str:
    return (
        "apiVersion: kubeproxy.config.k8s.io/v1alpha1\n"
        f'clusterCIDR: "{pod_cidr}"\nkind: KubeProxyConfiguration\n'
    )


def _workload(
    kind: str, name: str, labels: dict[str, str], image: str, *, replicas: int | None = None
) -> dict[str, Any]:
    pod: dict[str, Any] = {
        "serviceAccountName": name,
        "priorityClassName": "system-cluster-critical",
        "tolerations": [
            {"key": "CriticalAddonsOnly", "operator": "Exists"},
            {"key": "node-role.kubernetes.io/master", "effect": "NoSchedule"},
            {"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"},
        ],
        "containers": [{"name": name, "image": image}],
    }
    if kind == "DaemonSet":
        pod["hostNetwork"] = True
        pod["tolerations"] = [{"operator": "Exists"}]
    spec: dict[str, Any] = {
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": pod},
    }
    if replicas is not None:
        spec["replicas"] = replicas
    made = _object(kind, name, _SYSTEM, spec=spec)
    made["metadata"]["labels"] = labels
    return made
