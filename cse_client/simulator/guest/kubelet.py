"""The kubelet: TLS bootstrap, its Node, heartbeats, static pods and the pods on its node."""

from __future__ import annotations

import base64
import threading
import time
from typing import TYPE_CHECKING, Any

import yaml

from cse_client.simulator.guest.certs import csr_pem, new_key_pem
from cse_client.simulator.guest.commands.kernel import swap_in_use
from cse_client.simulator.guest.containers import Daemon
from cse_client.simulator.guest.control_plane import ControlPlane
from cse_client.simulator.guest.kubeclient import (
    BadKubeconfig,
    Credentials,
    KubeClient,
    Unreachable,
    render_kubeconfig,
)
from cse_client.simulator.guest.life import PowerLoss
from cse_client.simulator.guest.node_status import node_status
from cse_client.simulator.guest.pods import NodePods
from cse_client.simulator.kube.node_authorizer import is_own_label

if TYPE_CHECKING:
    from cse_client.simulator.guest.system import System

__all__ = ["Kubelet"]

CONFIG = "/var/lib/kubelet/config.yaml"
KUBECONFIG = "/etc/kubernetes/kubelet.conf"
BOOTSTRAP = "/etc/kubernetes/bootstrap-kubelet.conf"
CLIENT_PEM = "/var/lib/kubelet/pki/kubelet-client-current.pem"
_HEARTBEAT_SECONDS = 10.0
_LONGEST_LOOK = 15.0
_CREATED, _CONFLICT, _NOT_FOUND, _OK = 201, 409, 404, 200
_MERGE = "application/strategic-merge-patch+json"
_CSR_V1_SINCE = 19
_LABELS_CHECKED_SINCE = 16


class Kubelet:
    """The kubelet as a systemd unit."""

    def __init__(self, system: System) -> None:
        self._system = system
        self.control_plane = ControlPlane(system)
        self.running = False
        #: The release that was installed when it was started.
        self.version = system.image.kubernetes
        self.registered = False
        self.problem = ""
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._changing = threading.Lock()
        self._client: KubeClient | None = None
        self._pods: NodePods | None = None
        self._last_beat = 0.0

    # The unit

    def begin(self) -> None:
        """Start.

        Raises:
            OSError: with what a real kubelet logs before it exits.
        """
        system = self._system
        if not system.disk.exists(CONFIG):
            raise OSError(
                f"failed to load Kubelet config file {CONFIG}, error failed to read kubelet config"
                f' file "{CONFIG}", error: open {CONFIG}: no such file or directory'
            )
        try:
            config = yaml.safe_load(system.disk.text(CONFIG))
        except yaml.YAMLError as error:
            raise OSError(f"failed to load Kubelet config file {CONFIG}: {error}") from error
        if not isinstance(config, dict):
            raise OSError(f"failed to load Kubelet config file {CONFIG}: empty")
        self._refuse_labels()
        if swap_in_use(system) and config.get("failSwapOn", True):
            raise OSError(
                "failed to run Kubelet: running with swap on is not supported, please disable"
                " swap! or set --fail-swap-on flag to false"
            )
        if not self._runtime_up():
            raise OSError(
                f"failed to run Kubelet: failed to get {system.image.runtime} version: cannot"
                " connect to the container runtime"
            )
        if not system.disk.exists(KUBECONFIG) and not system.disk.exists(BOOTSTRAP):
            raise OSError(
                "failed to run Kubelet: unable to load bootstrap kubeconfig: stat"
                f" {BOOTSTRAP}: no such file or directory"
            )
        if system.disk.exists(KUBECONFIG):
            try:
                Credentials.read(system.disk, KUBECONFIG)
            except BadKubeconfig as error:
                if not system.disk.exists(BOOTSTRAP):
                    raise OSError(f"failed to run Kubelet: {error}") from error
        with self._changing:
            self._stop = threading.Event()
            self.running = True
            self.version = system.image.kubernetes
            self.registered = False
            self._client = None
            self._last_beat = 0.0
            self._thread = threading.Thread(
                target=self._work, args=(self._stop,), name="kubelet", daemon=True
            )
            self._thread.start()

    def end(self) -> None:
        """Stop. Containers, static pods among them, live on in the runtime."""
        with self._changing:
            self.running = False
            self._stop.set()
            thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            # A look in progress must not start static pods after this returns.
            thread.join(_LONGEST_LOOK)

    def _runtime_up(self) -> bool:
        service = self._system.natives.get(f"{self._system.image.runtime}.service")
        return isinstance(service, Daemon) and service.running

    # Work

    @property
    def node(self) -> str:
        """The node's name: --hostname-override of kubeadm's flags, else the host name."""
        return self._flag("hostname-override") or self._system.hostname().lower()

    def _flag(self, name: str) -> str:
        """Return a flag in the file that kubeadm writes; empty where it is not there."""
        flags = self._system.disk.text("/var/lib/kubelet/kubeadm-flags.env")
        for word in flags.replace('"', " ").split():
            if word.startswith(f"--{name}="):
                return word.partition("=")[2]
        return ""

    def _labels(self) -> dict[str, str]:
        """Return what --node-labels adds when the node registers."""
        pairs = (one.partition("=") for one in self._flag("node-labels").split(",") if one)
        return {key: value for key, _equal, value in pairs}

    def _refuse_labels(self) -> None:
        """Refuse labels that a kubelet may not give itself, as since Kubernetes 1.16.

        Source: kubernetes:cmd/kubelet/app/options/options.go, ValidateKubeletFlags.
        """
        unknown = sorted(key for key in self._labels() if not is_own_label(key))
        if unknown and self._system.image.minor >= _LABELS_CHECKED_SINCE:
            raise OSError(
                "failed to validate kubelet flags: unknown 'kubernetes.io' or 'k8s.io' labels"
                f" specified with --node-labels: [{' '.join(unknown)}]\n--node-labels in the"
                " 'kubernetes.io' namespace must begin with an allowed prefix"
                " (kubelet.kubernetes.io, node.kubernetes.io)"
            )

    def _taints(self) -> list[dict[str, str]]:
        """Return the taints of --register-with-taints."""
        found = []
        for one in filter(None, self._flag("register-with-taints").split(",")):
            rest, _colon, effect = one.rpartition(":")
            key, _equal, value = rest.partition("=")
            taint = {"key": key, "effect": effect}
            found.append({**taint, "value": value} if value else taint)
        return found

    def _work(self, stop: threading.Event) -> None:
        life = self._system.life
        try:
            while not stop.is_set():
                self._round()
                stop.wait(self._pause())
                life.check()
        except PowerLoss:
            return
        finally:
            client, self._client = self._client, None
            if client is not None:
                client.close()

    def _pause(self) -> float:
        """Return the real seconds until the next look: short while something is expected."""
        if not self.registered or (self.control_plane.present() and not self.control_plane.running):
            return 0.1
        if self._pods is not None and not self._pods.network_ready():
            return 0.25
        return 0.5

    def _round(self) -> None:
        if self._runtime_up():
            self.control_plane.reconcile()
        try:
            self._serve_node()
        except (Unreachable, BadKubeconfig) as error:
            self._note(str(error))

    def _note(self, text: str) -> None:
        if text != self.problem:
            self.problem = text
            self._system.systemd.journal("kubelet.service", f"kubelet: {text}")

    def _credentials(self) -> Credentials | None:
        """Return the node's own credentials, None while there are none yet."""
        disk = self._system.disk
        if not disk.exists(KUBECONFIG):
            return None
        try:
            return Credentials.read(disk, KUBECONFIG)
        except BadKubeconfig:
            if disk.exists(BOOTSTRAP):
                return None
            raise

    def _serve_node(self) -> None:
        credentials = self._credentials()
        if credentials is None:
            if self._system.disk.exists(BOOTSTRAP):
                self._bootstrap()
            return
        if self._client is None or self._client.credentials != credentials:
            if self._client is not None:
                self._client.close()
            self._client = KubeClient(
                credentials, now=self._system.now, gate=self._system.life.check
            )
            self._pods = NodePods(self._system, self._client, self.node)
        if not self.registered:
            self._register(self._client)
        if self.registered and self._pods is not None:
            changed = self._pods.look(self.control_plane)
            if changed or time.monotonic() - self._last_beat > _HEARTBEAT_SECONDS:
                self._beat(self._client)

    # TLS bootstrap

    def _bootstrap(self) -> None:
        """Ask for a client certificate with the bootstrap credentials, and keep it."""
        system = self._system
        credentials = Credentials.read(system.disk, BOOTSTRAP)
        client = KubeClient(credentials, now=system.now, gate=system.life.check)
        key = new_key_pem()
        version = "v1" if system.image.minor >= _CSR_V1_SINCE else "v1beta1"
        base = f"/apis/certificates.k8s.io/{version}/certificatesigningrequests"
        body: dict[str, Any] = {
            "apiVersion": f"certificates.k8s.io/{version}",
            "kind": "CertificateSigningRequest",
            "metadata": {"generateName": "csr-"},
            "spec": {
                "request": base64.b64encode(csr_pem(key, self.node)).decode(),
                "signerName": "kubernetes.io/kube-apiserver-client-kubelet",
                "usages": ["digital signature", "key encipherment", "client auth"],
            },
        }
        try:
            status, made = client.request("POST", base, body)
            if status != _CREATED:
                self._note(f"cannot create certificate signing request: {made.get('message')}")
                system.life.sleep(2)
                return
            name = made["metadata"]["name"]
            certificate = self._await_certificate(client, f"{base}/{name}")
        finally:
            client.close()
        if certificate is None:
            return
        with system.life.guard():
            system.disk.write(CLIENT_PEM, certificate + key, 0o600)
            system.disk.write(
                KUBECONFIG,
                render_kubeconfig(
                    credentials.server,
                    credentials.authority,
                    "default-auth",
                    cluster="default-cluster",
                    client_certificate=CLIENT_PEM,
                    client_key=CLIENT_PEM,
                ),
                0o600,
            )

    def _await_certificate(self, client: KubeClient, path: str) -> bytes | None:
        """Wait until the request is approved and signed; None when it is denied or we stop."""
        life = self._system.life
        while not self._stop.is_set():
            status, found = client.request("GET", path)
            if status == _NOT_FOUND:
                return None
            state = found.get("status") or {}
            if state.get("certificate"):
                return base64.b64decode(state["certificate"])
            kinds = [entry.get("type") for entry in state.get("conditions") or []]
            if "Denied" in kinds or "Failed" in kinds:
                self._note("certificate signing request was denied")
                life.sleep(10)
                return None
            life.wait_real(min(0.25, max(1 / life.speed, 0.05)))
        return None

    # The Node

    def _register(self, client: KubeClient) -> None:
        name = self.node
        labels = {
            "kubernetes.io/hostname": name,
            "kubernetes.io/os": "linux",
            "kubernetes.io/arch": "amd64",
            "beta.kubernetes.io/os": "linux",
            "beta.kubernetes.io/arch": "amd64",
            **self._labels(),
        }
        taints = self._taints()
        body = {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {
                "name": name,
                "labels": labels,
                "annotations": {"volumes.kubernetes.io/controller-managed-attach-detach": "true"},
            },
            "spec": {"taints": taints} if taints else {},
            "status": self._status(),
        }
        status, answer = client.request("POST", "/api/v1/nodes", body)
        if status not in (_CREATED, _CONFLICT):
            self._note(f"Unable to register node {name!r} with API server: {answer.get('message')}")
            return
        self.registered = True
        self._note(f"Successfully registered node {name}")
        self._last_beat = 0.0

    def _beat(self, client: KubeClient) -> None:
        """Report the node's state."""
        status, answer = client.request(
            "PATCH",
            f"/api/v1/nodes/{self.node}/status",
            {"status": self._status()},
            content_type=_MERGE,
        )
        if status == _OK:
            self._last_beat = time.monotonic()
        else:
            # A node that was deleted stays away until the kubelet starts again.
            self._note(f"Error updating node status: {answer.get('message')}")
            self._last_beat = time.monotonic()

    def _status(self) -> dict[str, Any]:
        return node_status(self._system, self.node, self.version, self._ready())

    def _ready(self) -> tuple[bool, str, str]:
        if not self._runtime_up():
            return False, "KubeletNotReady", "container runtime is down"
        if self._system.disk.names("/etc/cni/net.d"):
            return True, "KubeletReady", "kubelet is posting ready status"
        return (
            False,
            "KubeletNotReady",
            "runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:"
            "docker: network plugin is not ready: cni config uninitialized",
        )
