"""`kubeadm join`."""

from __future__ import annotations

import base64
import contextlib
import time
from typing import TYPE_CHECKING, Any

import yaml

from cse_client.simulator.guest.kubeadm.cluster import client_for, note_socket
from cse_client.simulator.guest.kubeadm.discovery import JoinSettings, discover, join_settings
from cse_client.simulator.guest.kubeadm.flags import Flags
from cse_client.simulator.guest.kubeadm.further import (
    finish_control_plane,
    prepare_control_plane,
)
from cse_client.simulator.guest.kubeadm.objects import uploaded_kubelet_name
from cse_client.simulator.guest.kubeadm.preflight import (
    Checks,
    default_socket,
    join_checks,
    version_checks,
)
from cse_client.simulator.guest.kubeadm.problems import KubeadmError
from cse_client.simulator.guest.kubeadm.static_pods import write_kubelet_files
from cse_client.simulator.guest.kubeadm.versions import LOCAL_SOCKET_SINCE
from cse_client.simulator.guest.kubeclient import (
    BadKubeconfig,
    Credentials,
    KubeClient,
    Unreachable,
    message_of,
    render_kubeconfig,
)

if TYPE_CHECKING:
    from cse_client.simulator.guest.exchange import Call
    from cse_client.simulator.guest.system import System

__all__ = ["join"]

_OK, _NOT_FOUND = 200, 404
_BOOTSTRAP_SECONDS = 300
_KUBELET_CONF = "/etc/kubernetes/kubelet.conf"
_BOOTSTRAP_CONF = "/etc/kubernetes/bootstrap-kubelet.conf"
_CONFIG_MAPS = "/api/v1/namespaces/kube-system/configmaps"


def join(system: System, call: Call, flags: Flags) -> int:
    """Join this node to a cluster; raises KubeadmError."""
    settings = join_settings(system, flags, default_socket(system.image.minor))
    system.step("kubeadm join preflight")
    call.out("[preflight] Running pre-flight checks")
    join_checks(
        system,
        Checks(call, settings.ignored),
        cri_socket=settings.cri_socket,
        node=settings.node,
        control_plane=settings.control_plane,
    )
    system.step("kubeadm join discovery")
    credentials = discover(system, call, settings)
    client = client_for(system, credentials)
    try:
        return _join(system, call, settings, client)
    except Unreachable as error:
        raise KubeadmError(f"error execution phase preflight: unable to fetch the kubeadm-config"
                           f" ConfigMap: {error}") from error  # fmt: skip
    finally:
        client.close()


def _join(system: System, call: Call, settings: JoinSettings, client: KubeClient) -> int:
    call.out("[preflight] Reading configuration from the cluster...")
    call.out(
        "[preflight] FYI: You can look at this config file with 'kubectl -n kube-system get cm"
        " kubeadm-config -o yaml'"
    )
    configuration = _read_cluster(client)
    version = str(configuration["kubernetesVersion"]).split("v", 1)[-1]
    cluster_minor = int(version.split(".")[1])
    checks = Checks(call, settings.ignored)
    version_checks(system, checks, version, control_plane=settings.control_plane)
    checks.finish()
    _refuse_ready_namesake(client, settings.node)
    config = _kubelet_config(client, cluster_minor)
    further = (
        prepare_control_plane(system, call, settings, configuration)
        if settings.control_plane
        else None
    )
    system.step("kubeadm join bootstrap-kubelet.conf")
    user = {
        "client_certificate_data": base64.b64encode(client.credentials.certificate).decode(),
        "client_key_data": base64.b64encode(client.credentials.key).decode(),
    }
    if client.credentials.token:
        user = {"token": client.credentials.token}
    with system.life.guard():
        system.disk.write(
            _BOOTSTRAP_CONF,
            render_kubeconfig(
                client.credentials.server,
                client.credentials.authority,
                "tls-bootstrap-token-user",
                **user,
            ),
            0o600,
        )
    system.step("kubeadm join ca.crt")
    with system.life.guard():
        system.disk.write("/etc/kubernetes/pki/ca.crt", client.credentials.authority)
    system.systemd.stop("kubelet.service")
    call.out('[kubelet-start] Writing kubelet configuration to file "/var/lib/kubelet/config.yaml"')
    write_kubelet_files(
        system,
        config,
        node=settings.node,
        cri_socket=settings.cri_socket,
        extra=settings.kubelet_flags,
    )
    system.step("kubeadm join kubelet start")
    call.out("[kubelet-start] Starting the kubelet")
    system.systemd.begin("kubelet.service")
    call.out("[kubelet-start] Waiting for the kubelet to perform the TLS Bootstrap...")
    _await_bootstrap(system, call, settings)
    if further is not None:
        finish_control_plane(system, call, further, client.credentials.server)
    call.out(
        "\nThis node has joined the cluster:\n* Certificate signing request was sent to apiserver"
        " and a response was received.\n* The Kubelet was informed of the new secure connection"
        " details.\n\nRun 'kubectl get nodes' on the control-plane to see this node join the"
        " cluster.\n"
    )
    return 0


def _read_cluster(client: KubeClient) -> dict[str, Any]:
    """Return the ClusterConfiguration in kubeadm-config; raises KubeadmError."""
    status, found = client.request("GET", f"{_CONFIG_MAPS}/kubeadm-config")
    if status != _OK:
        raise KubeadmError(
            "error execution phase preflight: unable to fetch the kubeadm-config ConfigMap: failed"
            f" to get config map: {message_of(status, found)}"
        )
    read = yaml.safe_load((found.get("data") or {}).get("ClusterConfiguration", ""))
    if isinstance(read, dict) and isinstance(read.get("kubernetesVersion"), str):
        return read
    raise KubeadmError("error execution phase preflight: unable to decode kubeadm-config")


def _refuse_ready_namesake(client: KubeClient, node: str) -> None:
    status, found = client.request("GET", f"/api/v1/nodes/{node}")
    if status == _NOT_FOUND:
        return
    phase = "error execution phase kubelet-start: "
    if status != _OK:
        raise KubeadmError(f'{phase}cannot get Node "{node}": {message_of(status, found)}')
    for condition in (found.get("status") or {}).get("conditions") or []:
        if condition.get("type") == "Ready" and condition.get("status") == "True":
            raise KubeadmError(
                f'{phase}a Node with name "{node}" and status "Ready" already exists in the'
                " cluster. You must delete the existing Node or change the name of this new"
                " joining Node"
            )


def _kubelet_config(client: KubeClient, minor: int) -> str:
    name = uploaded_kubelet_name(minor)
    status, found = client.request("GET", f"{_CONFIG_MAPS}/{name}")
    if status != _OK:
        raise KubeadmError(
            f'error execution phase kubelet-start: failed to get config map "{name}":'
            f" {message_of(status, found)}"
        )
    return str((found.get("data") or {}).get("kubelet", ""))


def _await_bootstrap(system: System, call: Call, settings: JoinSettings) -> None:
    """Wait for the kubelet's certificate and Node, then tidy up; raises KubeadmError."""
    limit = time.monotonic() + _BOOTSTRAP_SECONDS / system.life.speed
    system.step("kubeadm join tls-bootstrap")
    _await_node(system, call, settings, limit)
    with system.life.guard():
        system.disk.remove(_BOOTSTRAP_CONF)


def _own_client(system: System) -> KubeClient | None:
    """Return a client with the kubelet's own credentials, None while there are none."""
    if not system.disk.exists(_KUBELET_CONF):
        return None
    try:
        return client_for(system, Credentials.read(system.disk, _KUBELET_CONF))
    except BadKubeconfig:
        return None


def _await_node(system: System, call: Call, settings: JoinSettings, limit: float) -> None:
    """Wait until the kubelet has registered, and note the runtime's socket at its Node."""
    pause = min(0.2, max(1 / system.life.speed, 0.05))
    client: KubeClient | None = None
    try:
        while True:
            if client is None:
                client = _own_client(system)
                if client is not None:
                    # kubeadm deletes the bootstrap file once the real one is there (deferred).
                    system.step("kubeadm join kubelet.conf")
            if client is not None:
                if system.image.minor >= LOCAL_SOCKET_SINCE:
                    # nothing to write at the Node, so kubeadm is done before there is one
                    return
                with contextlib.suppress(Unreachable):
                    minor = system.image.minor
                    if note_socket(client, settings.node, settings.cri_socket, minor):
                        return
            if time.monotonic() > limit:
                what = "timed out" if client is None else "Error getting node: timed out"
                raise KubeadmError(
                    f"error execution phase kubelet-start: error uploading crisocket: {what}"
                    " waiting for the condition"
                )
            system.pause_call(call, pause)
    finally:
        if client is not None:
            client.close()
