"""What `kubeadm init` is to do, from its flags or its configuration file."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml

from cse_client.simulator.guest.containers import Overrides, image_overrides, kubernetes_images
from cse_client.simulator.guest.kubeadm.flags import Flags
from cse_client.simulator.guest.kubeadm.preflight import default_socket
from cse_client.simulator.guest.kubeadm.problems import KubeadmError
from cse_client.simulator.guest.kubeadm.versions import chosen_version

if TYPE_CHECKING:
    from cse_client.simulator.guest.exchange import Call
    from cse_client.simulator.guest.system import System

__all__ = ["InitSettings", "init_settings", "kubelet_flags", "read_config"]

# API version of the configuration file: (first, last) minor release that reads it.
_CONFIG_VERSIONS = {
    "v1beta1": (13, 21),
    "v1beta2": (15, 24),
    "v1beta3": (22, 99),
    "v1beta4": (31, 99),
}
# PodSubnetNodeMaskMaxDiff of kubeadm's constants
_MOST_NODE_BITS = 16
_WITH_CONFIG = {"config", "ignore-preflight-errors", "v", "skip-token-print", "dry-run",
                "upload-certs", "skip-phases", "certificate-key", "node-name", "cri-socket",
                "skip-certificate-key-print", "help", "rootfs"}  # fmt: skip


@dataclass(frozen=True)
class InitSettings:
    """The cluster that `kubeadm init` makes."""

    version: str
    address: str
    port: int
    endpoint: str
    sans: tuple[str, ...]
    pod_cidr: str
    service_cidr: str
    domain: str
    node: str
    cri_socket: str
    repository: str
    token: str
    token_ttl: str
    skipped: frozenset[str]
    ignored: frozenset[str]
    overrides: Overrides = ()

    @property
    def images(self) -> list[str]:
        """The images of the control plane."""
        return kubernetes_images(self.version, self.repository, self.overrides)

    @property
    def minor(self) -> int:
        """The minor release of the cluster."""
        return int(self.version.split(".")[1])

    @property
    def server(self) -> str:
        """The URL in the kubeconfigs that are shared: the endpoint where there is one."""
        return f"https://{self.endpoint or f'{self.address}:{self.port}'}"

    @property
    def local_server(self) -> str:
        """The URL of this very control plane."""
        return f"https://{self.address}:{self.port}"


def read_config(system: System, flags: Flags, kinds: tuple[str, ...]) -> dict[str, Any]:
    """Read a --config file; returns its documents by kind.

    Raises:
        KubeadmError: absent, broken, or of an API version that this release does not read.
    """
    mixed = sorted(set(flags.values) - _WITH_CONFIG)
    if mixed:
        raise KubeadmError(f"can not mix '--config' with arguments [{' '.join(mixed)}]")
    path = flags.get("config")
    if not system.disk.exists(path):
        raise KubeadmError(
            f'unable to read config from "{path}" : open {path}: no such file or directory'
        )
    found: dict[str, Any] = {}
    try:
        documents = list(yaml.safe_load_all(system.disk.text(path)))
    except yaml.YAMLError as error:
        raise KubeadmError(f"error converting YAML to JSON: yaml: {error}") from error
    for document in documents:
        if not isinstance(document, dict):
            continue
        group, _, version = str(document.get("apiVersion")).partition("/")
        if group == "kubeadm.k8s.io":
            first, last = _CONFIG_VERSIONS.get(version, (99, 0))
            if not first <= system.image.minor <= last:
                raise KubeadmError(
                    f'no kind "{document.get("kind")}" is registered for version'
                    f' "kubeadm.k8s.io/{version}"'
                )
        found[str(document.get("kind"))] = document
    if not any(kind in found for kind in kinds):
        raise KubeadmError(f"no {' or '.join(kinds)} kind was found in the YAML file")
    return found


def kubelet_flags(registration: dict[str, Any]) -> tuple[str, ...]:
    """Return the kubelet's flags that a nodeRegistration asks for, as kubeadm writes them.

    `kubeletExtraArgs` is a map until v1beta3 and a list from v1beta4 on; taints become the flag
    --register-with-taints (kubernetes/kubernetes:cmd/kubeadm/app/phases/kubelet/flags.go).

    Raises:
        KubeadmError: a taint is not one.
    """
    extra = registration.get("kubeletExtraArgs") or {}
    pairs = extra.items() if isinstance(extra, dict) else [(x["name"], x["value"]) for x in extra]
    taints = [_taint(one) for one in registration.get("taints") or []]
    with_taints = [f"--register-with-taints={','.join(taints)}"] if taints else []
    return (*with_taints, *(f"--{name}={value}" for name, value in sorted(pairs)))


def _taint(taint: dict[str, Any]) -> str:
    if taint.get("effect") not in ("NoSchedule", "PreferNoSchedule", "NoExecute"):
        raise KubeadmError(f"nodeRegistration.taints: invalid taint effect: {taint.get('effect')}")
    return f"{taint['key']}={taint.get('value') or ''}:{taint['effect']}"


def _default_address(system: System) -> str:
    if not system.address:
        raise KubeadmError("unable to select an IP from default routes.")
    return system.address


def init_settings(system: System, call: Call, flags: Flags) -> InitSettings:
    """Return what to do; raises KubeadmError."""
    cluster: dict[str, Any] = {}
    own: dict[str, Any] = {}
    if flags.get("config"):
        files = read_config(system, flags, ("ClusterConfiguration", "InitConfiguration"))
        cluster = files.get("ClusterConfiguration") or {}
        own = files.get("InitConfiguration") or {}
    local = own.get("localAPIEndpoint") or {}
    node_part = own.get("nodeRegistration") or {}
    net = cluster.get("networking") or {}
    address = flags.get("apiserver-advertise-address") or local.get("advertiseAddress") or ""
    address = address or _default_address(system)
    try:
        ipaddress.ip_address(address)
    except ValueError:
        raise KubeadmError(
            f'couldn\'t use "{address}" as "apiserver-advertise-address", must be ipv4 or ipv6'
            " address"
        ) from None
    port = int(flags.get("apiserver-bind-port") or local.get("bindPort") or 6443)
    endpoint = flags.get("control-plane-endpoint") or cluster.get("controlPlaneEndpoint") or ""
    if endpoint and ":" not in endpoint:
        endpoint = f"{endpoint}:{port}"
    tokens = own.get("bootstrapTokens") or [{}]
    for name, value in (
        ("pod-network-cidr", flags.get("pod-network-cidr") or net.get("podSubnet") or ""),
        ("service-cidr", flags.get("service-cidr") or net.get("serviceSubnet") or "10.96.0.0/12"),
    ):
        _check_network(name, value)
    _check_pod_subnet(flags.get("pod-network-cidr") or net.get("podSubnet") or "")
    return InitSettings(
        version=chosen_version(system, call, flags, str(cluster.get("kubernetesVersion") or "")),
        address=address,
        port=port,
        endpoint=endpoint,
        sans=tuple(
            flags.list("apiserver-cert-extra-sans")
            or (cluster.get("apiServer") or {}).get("certSANs")
            or ()
        ),
        pod_cidr=flags.get("pod-network-cidr") or net.get("podSubnet") or "",
        service_cidr=flags.get("service-cidr") or net.get("serviceSubnet") or "10.96.0.0/12",
        domain=flags.get("service-dns-domain") or net.get("dnsDomain") or "cluster.local",
        node=(flags.get("node-name") or node_part.get("name") or system.hostname()).lower(),
        cri_socket=flags.get("cri-socket")
        or node_part.get("criSocket")
        or default_socket(system.image.minor),
        repository=flags.get("image-repository") or cluster.get("imageRepository") or "",
        token=flags.get("token") or str(tokens[0].get("token") or ""),
        token_ttl=flags.get("token-ttl") or str(tokens[0].get("ttl") or "24h0m0s"),
        overrides=image_overrides(cluster),
        skipped=frozenset(flags.list("skip-phases")),
        ignored=frozenset(
            word.lower()
            for word in (
                flags.list("ignore-preflight-errors")
                or node_part.get("ignorePreflightErrors")
                or ()
            )
        ),
    )


def _check_pod_subnet(value: str) -> None:
    """Compare with the node mask, /24 unless the controller manager has another setting.

    Source: ValidatePodSubnetNodeMask in
    kubernetes/kubernetes:cmd/kubeadm/app/apis/kubeadm/validation/validation.go.
    """
    for part in filter(None, value.split(",")):
        subnet = ipaddress.ip_network(part)
        size, node = subnet.prefixlen, 24 if subnet.version == 4 else 64  # noqa: PLR2004
        if size > node:
            raise KubeadmError(
                f'networking.podSubnet: Invalid value: "{part}": the size of pod subnet with mask'
                f" {size} is smaller than the size of node subnet with mask {node}"
            )
        if node - size > _MOST_NODE_BITS:
            raise KubeadmError(
                f'networking.podSubnet: Invalid value: "{part}": pod subnet mask ({size}) and'
                f" node-mask ({node}) difference is greater than {_MOST_NODE_BITS}"
            )


def _check_network(name: str, value: str) -> None:
    for part in filter(None, value.split(",")):
        try:
            ipaddress.ip_network(part)
        except ValueError:
            raise KubeadmError(
                f'{name}: Invalid value: "{value}": couldn\'t parse subnet'
            ) from None
