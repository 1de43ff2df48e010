"""`kubeadm upgrade apply` on the only control plane.

kubernetes: cmd/kubeadm/app/cmd/upgrade/apply.go and cmd/phases/upgrade/apply (the phases and their
order), app/phases/upgrade/policy.go (which versions), health.go (what has to be well before),
staticpods.go (etcd first, then the others one by one; a component that does not come up in 5
minutes gets its old manifest back). The Job of its preflight is not created here.
"""

from __future__ import annotations

import re
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

import yaml

from cse_client.simulator.guest.containers import image_overrides
from cse_client.simulator.guest.kubeadm.cluster import client_for, put
from cse_client.simulator.guest.kubeadm.init import ensure_addons, upload_config
from cse_client.simulator.guest.kubeadm.objects import bootstrap_rbac
from cse_client.simulator.guest.kubeadm.preflight import Checks, default_socket, pull_checks
from cse_client.simulator.guest.kubeadm.problems import KubeadmError
from cse_client.simulator.guest.kubeadm.settings import InitSettings
from cse_client.simulator.guest.kubeadm.static_pods import kubelet_config, write_manifest
from cse_client.simulator.guest.kubeadm.versions import own_version
from cse_client.simulator.guest.kubeclient import (
    BadKubeconfig,
    Credentials,
    KubeClient,
    Unreachable,
)

if TYPE_CHECKING:
    from cse_client.simulator.guest.exchange import Call
    from cse_client.simulator.guest.kubeadm.flags import Flags
    from cse_client.simulator.guest.system import System

__all__ = ["upgrade"]

_ADMIN = "/etc/kubernetes/admin.conf"
_MANIFESTS = "/etc/kubernetes/manifests"
_COMPONENTS = ("kube-apiserver", "kube-controller-manager", "kube-scheduler")
#: kubeadm's UpgradeManifests.
_MANIFEST_SECONDS = 300
_OK = 200
_WORDS = 3


def upgrade(system: System, call: Call, flags: Flags) -> int:
    """Upgrade this node, and the cluster's configuration; raises KubeadmError."""
    words = flags.command
    if words[1:2] != ["apply"]:
        call.err(f"kubeadm {' '.join(words)}: not simulated")
        return 1
    if len(words) != _WORDS:
        raise KubeadmError("missing one or more required arguments. Required arguments: [version]")
    version = _semantic(words[2])
    try:
        client = client_for(system, Credentials.read(system.disk, _ADMIN))
    except BadKubeconfig as error:
        raise KubeadmError(f"couldn't create a Kubernetes client from file: {error}") from error
    with closing(client):
        settings = _settings(system, call, client, version)
        _preflight(system, call, flags, client, settings)
        _control_plane(system, call, client, settings)
        config = kubelet_config(settings.domain, settings.service_cidr, settings.minor)
        upload_config(system, call, client, settings, config)
        system.step("kubeadm upgrade kubelet-config")
        with system.life.guard():
            system.disk.write("/var/lib/kubelet/config.yaml", config)
        for document in bootstrap_rbac(settings.minor):
            put(client, document, "upgrade/bootstrap-token")
        ensure_addons(system, call, client, settings, "all")
    call.out(
        f'\n[upgrade] SUCCESS! A control plane node of your cluster was upgraded to "v{version}".\n'
    )
    return 0


def _semantic(text: str) -> str:
    if re.fullmatch(r"v?\d+\.\d+\.\d+([-+].*)?", text) is None:
        raise KubeadmError(f'unable to parse normalized version "{text}" as a semantic version')
    return text.removeprefix("v")


def _settings(system: System, call: Call, client: KubeClient, version: str) -> InitSettings:
    """Return the cluster as its ConfigMap has it, with another version."""
    call.out('[upgrade] Reading configuration from the "kubeadm-config" ConfigMap')
    answer = _ask(client, "/api/v1/namespaces/kube-system/configmaps/kubeadm-config")
    try:
        cluster: dict[str, Any] = yaml.safe_load(answer["data"]["ClusterConfiguration"])
        net = cluster["networking"]
    except (KeyError, TypeError, yaml.YAMLError) as error:
        raise KubeadmError(f"[upgrade] FATAL: {error}") from error
    return InitSettings(
        version=version,
        address=system.address,
        port=6443,
        endpoint=str(cluster.get("controlPlaneEndpoint") or ""),
        sans=tuple((cluster.get("apiServer") or {}).get("certSANs") or ()),
        pod_cidr=str(net.get("podSubnet") or ""),
        service_cidr=str(net.get("serviceSubnet") or "10.96.0.0/12"),
        domain=str(net.get("dnsDomain") or "cluster.local"),
        node=system.hostname().lower(),
        cri_socket=default_socket(system.image.minor),
        repository=str(cluster.get("imageRepository") or ""),
        token="",
        token_ttl="",
        skipped=frozenset(),
        ignored=frozenset(),
        overrides=image_overrides(cluster),
    )


def _ask(client: KubeClient, path: str) -> dict[str, Any]:
    try:
        status, answer = client.request("GET", path)
    except Unreachable as error:
        raise KubeadmError(f"[upgrade] FATAL: {error}") from error
    if status != _OK:
        raise KubeadmError(f"[upgrade] FATAL: {answer.get('message')}")
    return answer


def _preflight(
    system: System, call: Call, flags: Flags, client: KubeClient, settings: InitSettings
) -> None:
    system.step("kubeadm upgrade preflight")
    call.out(
        "[upgrade/preflight] Running preflight checks\n[upgrade] Running cluster health checks"
    )
    checks = Checks(call, frozenset(one.lower() for one in flags.list("ignore-preflight-errors")))
    for name in _COMPONENTS:
        if not system.disk.exists(f"{_MANIFESTS}/{name}.yaml"):
            checks.error("StaticPodManifest", f"manifest files not found: [{name}.yaml]")
    bad = _not_ready(client)
    if bad:
        checks.error(
            "ControlPlaneNodesReady", f"there are NotReady control-planes in the cluster: {bad}"
        )
    checks.finish()
    call.out(
        '[upgrade/preflight] You have chosen to upgrade the cluster version to "v'
        f'{settings.version}"'
    )
    _check_versions(system, call, client, settings)
    if not (flags.on("yes") or flags.on("force")):
        raise KubeadmError("error execution phase preflight: won't proceed; the user didn't answer")
    call.out("[upgrade/preflight] Pulling images required for setting up a Kubernetes cluster")
    pull_checks(
        system,
        checks,
        images=settings.images,
        pause=lambda seconds: system.sleep_call(call, seconds),
    )


def _not_ready(client: KubeClient) -> list[str]:
    path = "/api/v1/nodes?labelSelector=node-role.kubernetes.io%2Fcontrol-plane"
    return [
        node["metadata"]["name"]
        for node in _ask(client, path).get("items") or []
        for one in (node.get("status") or {}).get("conditions") or []
        if one.get("type") == "Ready" and one.get("status") != "True"
    ]


def _check_versions(system: System, call: Call, client: KubeClient, settings: InitSettings) -> None:
    """Refuse what policy.go refuses and nobody forces here."""
    there = str(_ask(client, "/version").get("gitVersion"))
    mine = own_version(system)
    call.out(f"[upgrade/versions] Cluster version: {there}")
    call.out(f"[upgrade/versions] kubeadm version: v{mine}")
    now, to, tool = (_minor(one) for one in (there, settings.version, mine))
    problem = ""
    if to > now + 1:
        problem = (
            f'Specified version to upgrade to "v{settings.version}" is too high; kubeadm can'
            " upgrade only 1 minor version at a time"
        )
    elif to < now - 1:
        problem = (
            f'Specified version to downgrade to "v{settings.version}" is too low; kubeadm can'
            " downgrade only 1 minor version at a time"
        )
    elif to > tool:
        problem = (
            f'Specified version to upgrade to "v{settings.version}" is at least one minor release'
            f" higher than the kubeadm minor release ({to} > {tool}). Such an upgrade is not"
            " supported"
        )
    elif to < tool:
        problem = (
            f"Kubeadm version v{mine} can only be used to upgrade to Kubernetes version 1.{tool}"
        )
    if problem:
        raise KubeadmError(
            "error execution phase preflight: the version argument is invalid due to these fatal"
            f" errors:\n\n\t- {problem}\n\nPlease fix the misalignments highlighted above and try"
            " upgrading again"
        )


def _minor(version: str) -> int:
    return int(version.split(".")[1])


def _control_plane(system: System, call: Call, client: KubeClient, settings: InitSettings) -> None:
    call.out(
        f'[upgrade/control-plane] Upgrading your static Pod-hosted control plane to version "v'
        f'{settings.version}" (timeout: 5m0s)...'
    )
    for name in ("etcd", *_COMPONENTS):
        system.step(f"kubeadm upgrade {name}")
        before = system.disk.text(f"{_MANIFESTS}/{name}.yaml")
        write_manifest(system, name, settings)
        if system.disk.text(f"{_MANIFESTS}/{name}.yaml") == before:
            call.out(
                f"[upgrade/staticpods] Current and new manifests of {name} are equal, skipping"
            )
            continue
        call.out(
            f'[upgrade/staticpods] Moving new manifest to "{_MANIFESTS}/{name}.yaml"\n'
            "[upgrade/staticpods] Waiting for the kubelet to restart the component"
        )
        try:
            _await_pod(system, call, client, name, settings)
        except KubeadmError:
            with system.life.guard():
                system.disk.write(f"{_MANIFESTS}/{name}.yaml", before, 0o600)
            raise
        call.out(f'[upgrade/staticpods] Component "{name}" upgraded successfully!')


def _await_pod(
    system: System, call: Call, client: KubeClient, name: str, settings: InitSettings
) -> None:
    """Wait until the mirror pod of a component is that of the new manifest, and Ready."""
    limit = time.monotonic() + _MANIFEST_SECONDS / system.life.speed
    image = next(one for one in settings.images if f"/{name}:" in one)
    path = f"/api/v1/namespaces/kube-system/pods/{name}-{settings.node}"
    while True:
        try:
            status, pod = client.request("GET", path)
            if status == _OK and pod["spec"]["containers"][0]["image"] == image and _ready(pod):
                return
        except Unreachable:
            pass
        if time.monotonic() > limit:
            raise KubeadmError(
                f"error execution phase control-plane: couldn't upgrade control plane. kubeadm has"
                " tried to recover everything into the earlier state. Errors faced: static Pod hash"
                f" for component {name} on Node {settings.node} did not change after 5m0s: timed"
                " out waiting for the condition"
            )
        system.pause_call(call, min(0.2, max(0.5 / system.life.speed, 0.05)))


def _ready(pod: dict[str, Any]) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or []
    return any(one.get("type") == "Ready" and one.get("status") == "True" for one in conditions)
