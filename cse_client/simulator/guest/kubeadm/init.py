"""`kubeadm init`."""

from __future__ import annotations

import base64
import time
from contextlib import closing
from typing import TYPE_CHECKING

import yaml

from cse_client.simulator.guest.kubeadm.cluster import (
    client_for,
    mark_control_plane,
    note_socket,
    path_of,
    put,
)
from cse_client.simulator.guest.kubeadm.flags import Flags
from cse_client.simulator.guest.kubeadm.objects import (
    NODE_TOKEN_GROUP,
    addons,
    bootstrap_rbac,
    cluster_info,
    config_maps,
    new_token,
    span_of,
    token_secret,
)
from cse_client.simulator.guest.kubeadm.pki import (
    PKI,
    apiserver_names,
    certs_phase,
    kubeconfig_phase,
    load_authority,
    make_leaf,
    refuse_external_ca,
)
from cse_client.simulator.guest.kubeadm.preflight import Checks, init_checks, pull_checks
from cse_client.simulator.guest.kubeadm.problems import KubeadmError
from cse_client.simulator.guest.kubeadm.settings import (
    InitSettings,
    init_settings,
    read_config,
)
from cse_client.simulator.guest.kubeadm.static_pods import (
    kubelet_config,
    write_kubelet_files,
    write_manifest,
)
from cse_client.simulator.guest.kubeclient import (
    BadKubeconfig,
    Credentials,
    KubeClient,
    Unreachable,
)

if TYPE_CHECKING:
    from cse_client.simulator.guest.exchange import Call
    from cse_client.simulator.guest.system import System

__all__ = ["ensure_addons", "init", "init_phase", "upload_config"]

_WAIT_SECONDS = 240
_INITIAL_SECONDS = 40
_CLUSTER_ADMINS_SINCE = 29
# The kubelet's files used to come first; on 1.36 they come after the manifests, etcd's before the
# others (kubernetes:cmd/kubeadm/app/cmd/init.go; the change is from about 1.29).
_KUBELET_LAST_SINCE = 29
_COMPONENTS = ("kube-apiserver", "kube-controller-manager", "kube-scheduler")
_ETCD = "etcd"
_OK = 200


def init(system: System, call: Call, flags: Flags) -> int:
    """Make this node a control plane; raises KubeadmError."""
    settings = init_settings(system, call, flags)
    refuse_external_ca(system)
    call.out(f"[init] Using Kubernetes version: v{settings.version}")
    _preflight(system, call, settings)
    config = kubelet_config(settings.domain, settings.service_cidr, settings.minor)
    late = settings.minor >= _KUBELET_LAST_SINCE
    if not late:
        _write_kubelet(system, call, settings, config)
    if "certs" not in settings.skipped:
        certs_phase(system, call, settings)
    if "kubeconfig" not in settings.skipped:
        kubeconfig_phase(system, call, settings)
    call.out('[control-plane] Using manifest folder "/etc/kubernetes/manifests"')
    for name in (_ETCD, *_COMPONENTS) if late else (*_COMPONENTS, _ETCD):
        system.step(f"kubeadm init control-plane {name}")
        call.out(f'[control-plane] Creating static Pod manifest for "{name}"')
        write_manifest(system, name, settings)
    if late:
        _write_kubelet(system, call, settings, config)
    system.step("kubeadm init kubelet start")
    call.out("[kubelet-start] Starting the kubelet")
    system.systemd.begin("kubelet.service")
    _wait(system, call, settings)
    _fill(system, call, settings, config)
    _farewell(call, settings)
    return 0


def _write_kubelet(system: System, call: Call, settings: InitSettings, config: str) -> None:
    system.step("kubeadm init kubelet-start")
    call.out('[kubelet-start] Writing kubelet configuration to file "/var/lib/kubelet/config.yaml"')
    system.systemd.stop("kubelet.service")
    write_kubelet_files(system, config, node=settings.node, cri_socket=settings.cri_socket)


def _preflight(system: System, call: Call, settings: InitSettings) -> None:
    system.step("kubeadm init preflight")
    call.out("[preflight] Running pre-flight checks")
    if "preflight" in settings.skipped:
        return
    init_checks(
        system,
        Checks(call, settings.ignored),
        version=settings.version,
        cri_socket=settings.cri_socket,
        node=settings.node,
        port=settings.port,
    )
    call.out("[preflight] Pulling images required for setting up a Kubernetes cluster")
    call.out("[preflight] This might take a minute or two, depending on the speed of your internet")
    pull_checks(
        system,
        Checks(call, settings.ignored),
        images=settings.images,
        pause=lambda seconds: system.sleep_call(call, seconds),
    )


def _admin(system: System, name: str = "admin") -> KubeClient:
    path = f"/etc/kubernetes/{name}.conf"
    try:
        return client_for(system, Credentials.read(system.disk, path))
    except BadKubeconfig as error:
        raise KubeadmError(f"failed to load admin kubeconfig: {error}") from error


def _wait(system: System, call: Call, settings: InitSettings) -> None:
    """Wait for a healthy API server, as the kubelet starts it from the manifests."""
    system.step("kubeadm init wait-control-plane")
    call.out(
        "[wait-control-plane] Waiting for the kubelet to boot up the control plane as static Pods"
        ' from directory "/etc/kubernetes/manifests". This can take up to 4m0s'
    )
    name = "super-admin" if settings.minor >= _CLUSTER_ADMINS_SINCE else "admin"
    began = time.monotonic()
    with closing(_admin(system, name)) as client:
        _poll_health(system, call, client, began)
    seconds = (time.monotonic() - began) * system.life.speed
    call.out(f"[apiclient] All control plane components are healthy after {seconds:.6f} seconds")


def _poll_health(system: System, call: Call, client: KubeClient, began: float) -> None:
    limit, warned = _WAIT_SECONDS / system.life.speed, False
    last = ""
    while True:
        try:
            status, _ = client.request("GET", "/healthz")
            if status == _OK:
                break
        except Unreachable as error:
            last = str(error)
        passed = time.monotonic() - began
        if passed > _INITIAL_SECONDS / system.life.speed and not warned:
            warned = True
            call.out("[kubelet-check] Initial timeout of 40s passed.")
        if passed > limit:
            raise KubeadmError(
                "\n\tUnfortunately, an error has occurred:\n\t\ttimed out waiting for the"
                " condition\n\n\tThis error is likely caused by:\n\t\t- The kubelet is not"
                f" running\n\t\t- The kubelet is unhealthy\n\t({last})\n\n"
                "error execution phase wait-control-plane: couldn't initialize a Kubernetes"
                " cluster"
            )
        system.pause_call(call, min(0.1, max(0.5 / system.life.speed, 0.03)))


def _fill(system: System, call: Call, settings: InitSettings, config: str) -> None:
    """Upload the configuration, RBAC, token and add-ons."""
    if settings.minor >= _CLUSTER_ADMINS_SINCE:
        # admin.conf has no rights before this binding exists: super-admin.conf makes it.
        with closing(_admin(system, "super-admin")) as strong:
            for document in bootstrap_rbac(settings.minor):
                if document["metadata"]["name"] == "kubeadm:cluster-admins":
                    put(strong, document, "kubeconfig/admin")
    with closing(_admin(system)) as client:
        _upload(system, call, client, settings, config)


def _upload(
    system: System, call: Call, client: KubeClient, settings: InitSettings, config: str
) -> None:
    upload_config(system, call, client, settings, config)
    _await_node(system, call, client, settings)
    call.out("[upload-certs] Skipping phase. Please see --upload-certs")
    system.step("kubeadm init mark-control-plane")
    if "mark-control-plane" not in settings.skipped:
        mark_control_plane(system, call, client, settings.node)
    system.step("kubeadm init bootstrap-token")
    if "bootstrap-token" not in settings.skipped:
        _bootstrap_token(system, call, client, settings)
    ensure_addons(system, call, client, settings, "all")


def upload_config(
    system: System, call: Call, client: KubeClient, settings: InitSettings, config: str
) -> None:
    """Store kubeadm's configuration, and the kubelet's `config`; raises KubeadmError."""
    system.step("kubeadm init upload-config")
    call.out('[upload-config] Storing the configuration used in ConfigMap "kubeadm-config" in the'
             ' "kube-system" Namespace')  # fmt: skip
    for document in config_maps(settings, config):
        put(client, document, "upload-config/kubeadm")


def _uploaded(system: System, flags: Flags, settings: InitSettings) -> str:
    """Return the kubelet's configuration of the --config file, the default without one."""
    if flags.get("config"):
        files = read_config(system, flags, ("ClusterConfiguration", "InitConfiguration"))
        if "KubeletConfiguration" in files:
            return str(yaml.safe_dump(files["KubeletConfiguration"], sort_keys=False))
    return kubelet_config(settings.domain, settings.service_cidr, settings.minor)


def ensure_addons(
    system: System, call: Call, client: KubeClient, settings: InitSettings, which: str
) -> None:
    """Make CoreDNS and kube-proxy, or bring them to this release; raises KubeadmError.

    A Corefile that is there stays, and so does the number of CoreDNS's replicas
    (cmd/kubeadm/app/phases/addons/dns/dns.go).
    """
    system.step("kubeadm init addon")
    for document in addons(settings):
        name, kind = document["metadata"]["name"], document["kind"]
        of_dns = "dns" in name
        if which not in ("all", "coredns" if of_dns else "kube-proxy"):
            continue
        if name == "coredns" and kind in ("ConfigMap", "Deployment"):
            path = f"{path_of(document)}/{name}"
            status, old = client.request("GET", path)
            if status == _OK and kind == "ConfigMap":
                continue
            if status == _OK:
                document["spec"]["replicas"] = old["spec"].get("replicas", 1)
        put(client, document, "addon/coredns" if of_dns else "addon/kube-proxy")
    if which in ("all", "coredns"):
        call.out("[addons] Applied essential addon: CoreDNS")
    if which in ("all", "kube-proxy"):
        call.out("[addons] Applied essential addon: kube-proxy")


def _await_node(system: System, call: Call, client: KubeClient, settings: InitSettings) -> None:
    """Wait until the kubelet has registered the node, and note the runtime's socket there."""
    limit = time.monotonic() + _WAIT_SECONDS / system.life.speed
    while True:
        try:
            if note_socket(client, settings.node, settings.cri_socket, settings.minor):
                return
        except Unreachable as error:
            raise KubeadmError(f"error execution phase upload-config/kubelet: {error}") from error
        if time.monotonic() > limit:
            raise KubeadmError(
                "error execution phase upload-config/kubelet: Error writing Crisocket information"
                " for the control-plane node: timed out waiting for the condition"
            )
        system.pause_call(call, 0.1)


def _bootstrap_token(
    system: System, call: Call, client: KubeClient, settings: InitSettings
) -> None:
    span = span_of(settings.token_ttl)
    call.out("[bootstrap-token] Configuring bootstrap tokens, cluster-info ConfigMap, RBAC Roles")
    secret = token_secret(
        settings.token or new_token(),
        system.now() + span if span else None,
        usages=("signing", "authentication"),
        groups=(NODE_TOKEN_GROUP,),
        description="The default bootstrap token generated by 'kubeadm init'.",
    )
    put(client, secret, "bootstrap-token")
    for document in bootstrap_rbac(settings.minor):
        put(client, document, "bootstrap-token")
    authority = base64.b64encode(system.disk.read(f"{PKI}/ca.crt")).decode()
    kubeconfig = (
        "apiVersion: v1\nclusters:\n- cluster:\n"
        f'    certificate-authority-data: {authority}\n    server: {settings.server}\n  name: ""\n'
        'contexts: null\ncurrent-context: ""\nkind: Config\npreferences: {}\nusers: null\n'
    )
    for document in cluster_info(kubeconfig):
        put(client, document, "bootstrap-token")


def _farewell(call: Call, settings: InitSettings) -> None:
    call.out(
        "\nYour Kubernetes control-plane has initialized successfully!\n\n"
        "To start using your cluster, you need to run the following as a regular user:\n\n"
        "  mkdir -p $HOME/.kube\n  sudo cp -i /etc/kubernetes/admin.conf $HOME/.kube/config\n"
    )


def init_phase(system: System, call: Call, flags: Flags) -> int:
    """`kubeadm init phase certs|kubeconfig|bootstrap-token ...`."""
    words = flags.command[2:]
    settings = init_settings(system, call, flags)
    if words[:2] == ["certs", "apiserver"]:
        make_leaf(
            system, call, "apiserver", "ca", "kube-apiserver",
            server=True, client=False, names=apiserver_names(settings),
        )  # fmt: skip
    elif words[:1] == ["certs"]:
        certs_phase(system, call, settings)
    elif words[:1] == ["kubeconfig"]:
        load_authority(system, "ca")
        kubeconfig_phase(system, call, settings)
    elif words[:1] == ["bootstrap-token"]:
        with closing(_admin(system)) as client:
            _bootstrap_token(system, call, client, settings)
    elif words[:1] == ["mark-control-plane"]:
        with closing(_admin(system)) as client:
            mark_control_plane(system, call, client, settings.node)
    elif words[:1] == ["preflight"]:
        _preflight(system, call, settings)
    elif words[:1] == ["upload-config"]:
        with closing(_admin(system)) as client:
            upload_config(system, call, client, settings, _uploaded(system, flags, settings))
    elif words[:1] == ["addon"]:
        with closing(_admin(system)) as client:
            ensure_addons(system, call, client, settings, (words[1:] or ["all"])[0])
    else:
        call.err(f"kubeadm init phase {' '.join(words)}: not simulated")
        return 1
    return 0
