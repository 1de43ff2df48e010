"""`kubeadm join --control-plane`: what it does beyond the join of a worker.

kubernetes:cmd/kubeadm/app/cmd/join.go and phases/join: certificates, kubeconfigs and manifests
before the kubelet starts; etcd's member and its manifest, and the node's labels, after that.
"""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from cse_client.simulator.guest.containers import etcd_version, image_overrides
from cse_client.simulator.guest.etcd import Etcd
from cse_client.simulator.guest.kubeadm.cluster import client_for, mark_control_plane
from cse_client.simulator.guest.kubeadm.pki import PKI, certs_phase, kubeconfig_phase
from cse_client.simulator.guest.kubeadm.problems import KubeadmError
from cse_client.simulator.guest.kubeadm.settings import InitSettings
from cse_client.simulator.guest.kubeadm.static_pods import write_manifest
from cse_client.simulator.guest.kubeclient import Credentials, Unreachable
from cse_client.simulator.kube import serving_at

if TYPE_CHECKING:
    from cse_client.simulator.guest.exchange import Call
    from cse_client.simulator.guest.kubeadm.discovery import JoinSettings
    from cse_client.simulator.guest.system import System
    from cse_client.simulator.kube import KubeAPI

__all__ = ["finish_control_plane", "prepare_control_plane"]

_COMPONENTS = ("kube-apiserver", "kube-controller-manager", "kube-scheduler")
_CAS = ("ca", "front-proxy-ca", "etcd/ca")
_WAIT_SECONDS = 240
#: How long kubeadm repeats a request to etcd (its timeout etcdAPICall).
_ETCD_SECONDS = 120
_OK = 200


def prepare_control_plane(
    system: System, call: Call, join: JoinSettings, configuration: dict[str, Any]
) -> InitSettings:
    """Write certificates, kubeconfigs and manifests; `configuration` is kubeadm-config's.

    Raises:
        KubeadmError: the cluster or this node is not fit for it.
    """
    settings = _settings(system, join, configuration)
    if not settings.endpoint:
        raise KubeadmError(
            "error execution phase preflight: \nOne or more conditions for hosting a new control"
            " plane instance is not satisfied.\n\nunable to add a new control plane instance to a"
            " cluster that doesn't have a stable controlPlaneEndpoint address"
        )
    for name in (*(f"{ca}.key" for ca in _CAS), *(f"{ca}.crt" for ca in _CAS), "sa.key", "sa.pub"):
        if not system.disk.exists(f"{PKI}/{name}"):
            raise KubeadmError(
                "error execution phase preflight: \nOne or more conditions for hosting a new"
                " control plane instance is not satisfied.\n\n[failure loading"
                f" {name}: open {PKI}/{name}: no such file or directory]"
            )
    system.step("kubeadm join control-plane-prepare")
    certs_phase(system, call, settings)
    kubeconfig_phase(system, call, settings, kubelet=False)
    call.out('[control-plane] Using manifest folder "/etc/kubernetes/manifests"')
    for name in _COMPONENTS:
        call.out(f'[control-plane] Creating static Pod manifest for "{name}"')
        write_manifest(system, name, settings)
    return settings


def finish_control_plane(
    system: System, call: Call, settings: InitSettings, authority_server: str
) -> None:
    """Join etcd, wait for the own API server and mark the node; raises KubeadmError."""
    system.step("kubeadm join control-plane-join/etcd")
    call.out("[etcd] Announced new etcd member joining to the existing etcd cluster")
    target = urlsplit(authority_server)
    api = serving_at(target.hostname or "", target.port or 6443)
    if api is None:
        raise KubeadmError(
            "error execution phase control-plane-join/etcd: error creating local etcd static pod"
            " manifest file: etcd cluster is not healthy: failed to dial endpoint"
        )
    member = _added(system, call, settings, api)
    system.step("kubeadm join control-plane-join/etcd added")
    with system.life.guard():
        system.disk.make_folder("/var/lib/etcd", 0o700)
    member.begin(system.disk)
    system.guest.etcd = member
    write_manifest(system, "etcd", settings)
    call.out('[etcd] Creating static Pod manifest for "etcd"')
    _await_own_server(system, call, settings)
    with closing(client_for(system, _admin(system))) as client:
        mark_control_plane(system, call, client, settings.node)


def _added(system: System, call: Call, settings: InitSettings, api: KubeAPI) -> Etcd:
    """Add this node to etcd, as a learner; raises KubeadmError."""
    version = etcd_version(system.image.kubernetes)
    limit = time.monotonic() + _ETCD_SECONDS / system.life.speed
    while True:
        member = Etcd.added(api, settings.node, settings.address, version=version)
        if member is not None:
            return member
        if time.monotonic() > limit:
            raise KubeadmError(
                "error execution phase control-plane-join/etcd: error creating local etcd static"
                " pod manifest file: etcdserver: too many learner members in cluster"
            )
        system.pause_call(call, min(0.1, max(0.5 / system.life.speed, 0.03)))


def _admin(system: System) -> Credentials:
    return Credentials.read(system.disk, "/etc/kubernetes/admin.conf")


def _await_own_server(system: System, call: Call, settings: InitSettings) -> None:
    own = replace(_admin(system), server=settings.local_server)
    limit = time.monotonic() + _WAIT_SECONDS / system.life.speed
    with closing(client_for(system, own)) as client:
        while True:
            try:
                if client.request("GET", "/healthz")[0] == _OK:
                    return
            except Unreachable:
                pass
            if time.monotonic() > limit:
                raise KubeadmError(
                    "error execution phase wait-control-plane: a client rate limiter Wait returned"
                    " an error: timed out waiting for the condition"
                )
            system.pause_call(call, min(0.1, max(0.5 / system.life.speed, 0.03)))


def _settings(system: System, join: JoinSettings, configuration: dict[str, Any]) -> InitSettings:
    net = configuration.get("networking") or {}
    return InitSettings(
        version=str(configuration.get("kubernetesVersion", "")).lstrip("v"),
        address=join.address or system.address,
        port=6443,
        endpoint=str(configuration.get("controlPlaneEndpoint") or ""),
        sans=tuple((configuration.get("apiServer") or {}).get("certSANs") or ()),
        pod_cidr=str(net.get("podSubnet") or ""),
        service_cidr=str(net.get("serviceSubnet") or "10.96.0.0/12"),
        domain=str(net.get("dnsDomain") or "cluster.local"),
        node=join.node,
        cri_socket=join.cri_socket,
        repository=str(configuration.get("imageRepository") or ""),
        overrides=image_overrides(configuration),
        token="",
        token_ttl="",
        skipped=frozenset(),
        ignored=join.ignored,
    )
