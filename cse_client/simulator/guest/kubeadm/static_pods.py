"""The static pod manifests that kubeadm writes, and the kubelet's files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

from cse_client.simulator.guest.kubeadm.versions import LOCAL_SOCKET_SINCE

if TYPE_CHECKING:
    from cse_client.simulator.guest.kubeadm.settings import InitSettings
    from cse_client.simulator.guest.system import System

__all__ = ["kubelet_config", "write_kubelet_files", "write_manifest"]

PKI = "/etc/kubernetes/pki"
_CGROUP_DEFAULT_SINCE = 22
_DOCKERSHIM_GONE = 24


def _commands(name: str, settings: InitSettings) -> list[str]:
    address = settings.address
    return {
        "kube-apiserver": [
            "kube-apiserver",
            f"--advertise-address={address}",
            "--allow-privileged=true",
            "--authorization-mode=Node,RBAC",
            f"--client-ca-file={PKI}/ca.crt",
            "--enable-admission-plugins=NodeRestriction",
            "--enable-bootstrap-token-auth=true",
            f"--etcd-cafile={PKI}/etcd/ca.crt",
            f"--etcd-certfile={PKI}/apiserver-etcd-client.crt",
            "--etcd-servers=https://127.0.0.1:2379",
            f"--secure-port={settings.port}",
            f"--service-cluster-ip-range={settings.service_cidr}",
            f"--tls-cert-file={PKI}/apiserver.crt",
            f"--tls-private-key-file={PKI}/apiserver.key",
        ],
        "kube-controller-manager": [
            "kube-controller-manager",
            "--kubeconfig=/etc/kubernetes/controller-manager.conf",
            f"--cluster-signing-cert-file={PKI}/ca.crt",
            f"--cluster-signing-key-file={PKI}/ca.key",
            f"--cluster-cidr={settings.pod_cidr}",
        ],
        "kube-scheduler": [
            "kube-scheduler",
            "--kubeconfig=/etc/kubernetes/scheduler.conf",
        ],
        "etcd": [
            "etcd",
            f"--advertise-client-urls=https://{address}:2379",
            f"--cert-file={PKI}/etcd/server.crt",
            "--data-dir=/var/lib/etcd",
            f"--name={settings.node}",
        ],
    }[name]


def write_manifest(system: System, name: str, settings: InitSettings) -> None:
    """Write one control plane component's manifest."""
    image = next(one for one in settings.images if f"/{name}:" in one)
    manifest: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": "kube-system",
            "labels": {"component": name, "tier": "control-plane"},
        },
        "spec": {
            "containers": [{"name": name, "image": image, "command": _commands(name, settings)}],
            "hostNetwork": True,
            "priorityClassName": "system-node-critical",
        },
    }
    with system.life.guard():
        if name == "etcd":
            system.disk.make_folder("/var/lib/etcd", 0o700)
        system.disk.write(
            f"/etc/kubernetes/manifests/{name}.yaml",
            yaml.safe_dump(manifest, sort_keys=False),
            0o600,
        )


def kubelet_config(settings_domain: str, service_cidr: str, minor: int) -> str:
    """Return the KubeletConfiguration that kubeadm uploads and writes on every node."""
    config: dict[str, Any] = {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": f"{PKI}/ca.crt"},
        },
        "authorization": {"mode": "Webhook"},
        "clusterDNS": [service_cidr.split("/", maxsplit=1)[0].rsplit(".", 1)[0] + ".10"],
        "clusterDomain": settings_domain,
        "rotateCertificates": True,
        "staticPodPath": "/etc/kubernetes/manifests",
    }
    if minor >= _CGROUP_DEFAULT_SINCE:
        config["cgroupDriver"] = "systemd"
    return str(yaml.safe_dump(config, sort_keys=False))


def write_kubelet_files(
    system: System, config: str, *, node: str, cri_socket: str, extra: tuple[str, ...] = ()
) -> None:
    """Write the kubelet's configuration and flags, as kubeadm's kubelet-start phase does.

    `extra` are the flags that the node's registration asks for.
    """
    flags = []
    if "dockershim" in cri_socket:
        flags += ["--cgroup-driver=cgroupfs", "--network-plugin=cni"]
    elif system.image.minor < _DOCKERSHIM_GONE:
        flags += ["--container-runtime=remote", f"--container-runtime-endpoint={cri_socket}"]
    elif system.image.minor < LOCAL_SOCKET_SINCE:
        flags += [f"--container-runtime-endpoint={cri_socket}"]
    if node != system.hostname().lower():
        flags.append(f"--hostname-override={node}")
    flags += extra
    with system.life.guard():
        system.disk.write(
            "/var/lib/kubelet/kubeadm-flags.env", f'KUBELET_KUBEADM_ARGS="{" ".join(flags)}"\n'
        )
        system.disk.write("/var/lib/kubelet/config.yaml", config)
        if system.image.minor >= LOCAL_SOCKET_SINCE:
            system.disk.write(
                "/var/lib/kubelet/instance-config.yaml",
                "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\n"
                f"containerRuntimeEndpoint: {cri_socket}\n",
            )
