"""kubeadm's preflight checks (cmd/kubeadm/app/preflight/checks.go)."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cse_client.simulator.guest.commands.kernel import swap_in_use
from cse_client.simulator.guest.commands.network import resolve
from cse_client.simulator.guest.containers import Daemon, ImageStore, PullFailed
from cse_client.simulator.guest.kubeadm.problems import KubeadmError
from cse_client.simulator.guest.kubelet import Kubelet

if TYPE_CHECKING:
    from cse_client.simulator.guest.exchange import Call
    from cse_client.simulator.guest.system import System

__all__ = [
    "Checks",
    "default_socket",
    "init_checks",
    "join_checks",
    "pull_checks",
    "socket_problem",
    "version_checks",
]

MANIFESTS = "/etc/kubernetes/manifests"
_DOCKER_SOCKET = "/var/run/dockershim.sock"
_DOCKERSHIM_GONE = 24
_SWAP_ALLOWED = 28
_BRIDGE_CHECK_GONE = 30
# kubernetes/kubernetes:cmd/kubeadm/app/constants (ControlPlaneNumCPU, ControlPlaneMem); the check
# of memory came with 1.20 (kubernetes/kubernetes#93275)
_LEAST_CPUS = 2
_LEAST_MEMORY_MB = 1700
_MEMORY_CHECKED = 20
_MANDATORY = ("conntrack", "ip", "iptables", "mount", "nsenter")
# No longer asked for by 1.36.
_FORGOTTEN, _FORGOTTEN_SINCE = ("conntrack", "ip", "iptables", "nsenter"), 36
_RUNTIME_CONFIG_GONE = {36: "1.37", 37: "1.38"}
_OPTIONAL = ("ebtables", "ethtool", "socat", "tc", "touch")


def default_socket(minor: int) -> str:
    """Return the runtime socket that kubeadm assumes."""
    if minor < _DOCKERSHIM_GONE:
        return _DOCKER_SOCKET
    return "unix:///var/run/containerd/containerd.sock"


@dataclass
class Checks:
    """Collects findings; an ignored check's errors become warnings.

    Args:
        call: where warnings are shown.
        ignored: lower-case names of --ignore-preflight-errors.
    """

    call: Call
    ignored: frozenset[str]
    errors: list[str] = field(default_factory=list)

    def error(self, name: str, text: str) -> None:
        """Note an error of the named check."""
        if "all" in self.ignored or name.lower() in self.ignored:
            self.warning(name, text)
        else:
            self.errors.append(f"\t[ERROR {name}]: {text}\n")

    def warning(self, name: str, text: str) -> None:
        """Show a warning."""
        self.call.err(f"\t[WARNING {name}]: {text}")

    def file_available(self, path: str, *, present: bool) -> None:
        """A file that must not be there yet."""
        if present:
            self.error(f"FileAvailable-{path.replace('/', '-')}", f"{path} already exists")

    def finish(self) -> None:
        """Raise KubeadmError if there were errors."""
        if self.errors:
            raise KubeadmError(
                "error execution phase preflight: [preflight] Some fatal errors occurred:\n"
                + "".join(self.errors)
                + "[preflight] If you know what you are doing, you can make a check non-fatal with"
                " `--ignore-preflight-errors=...`"
            )


def port_in_use(system: System, port: int) -> bool:
    """Return whether something listens on a port of this guest.

    kubelet, etcd, controller manager and scheduler open no port here; they are looked up.
    """
    kubelet = system.natives.get("kubelet.service")
    if isinstance(kubelet, Kubelet):
        if port == 10250 and kubelet.running:  # noqa: PLR2004
            return True
        if port in (2379, 2380, 10257, 10259, 10251, 10252) and kubelet.control_plane.running:
            return True
    for nic in system.nics:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((nic.address, port))
            except OSError:
                return True
    return False


def _check_ports(system: System, checks: Checks, ports: Iterable[int]) -> None:
    for port in ports:
        if port_in_use(system, port):
            checks.error(f"Port-{port}", f"Port {port} is in use")


def socket_problem(system: System, cri_socket: str) -> str:
    """Return why the container runtime behind a socket does not answer, or ""."""
    path = cri_socket.replace("unix://", "").replace("/var/run/", "/run/")
    if path == "/run/dockershim.sock":
        if system.image.minor >= _DOCKERSHIM_GONE:
            return (
                "validate service connection: CRI v1 runtime API is not implemented for endpoint"
                f' "unix://{path}"'
            )
        service = system.natives.get("docker.service")
        if isinstance(service, Daemon) and service.running:
            return ""
        return (
            "container runtime is not running: output: Client:\n Debug Mode: false\n\nServer:\n"
            "ERROR: Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the"
            " docker daemon running?\nerrors pretty printing info\n, error: exit status 1"
        )
    service = system.natives.get("containerd.service")
    if path == "/run/containerd/containerd.sock" and isinstance(service, Daemon):
        if service.running and system.image.runtime == "containerd":
            return ""
        if service.running:
            return (
                "container runtime is not running: rpc error: code = Unimplemented desc = unknown"
                " service runtime.v1alpha2.RuntimeService"
            )
    return f"container runtime is not running: dial unix {path}: connect: no such file or directory"


def _runtime(system: System, checks: Checks, cri_socket: str) -> None:
    """Check the container runtime."""
    minor = system.image.minor
    problem = socket_problem(system, cri_socket)
    if problem:
        checks.error("CRI", problem)
    elif minor in _RUNTIME_CONFIG_GONE:
        # kubeadm 1.36.3 and 1.37.2: ContainerRuntimeVersionCheck; containerd before 2.0 lacks it.
        checks.warning(
            "ContainerRuntimeVersion",
            "You must update your container runtime to a version that supports the CRI method"
            " RuntimeConfig. Falling back to using cgroupDriver from kubelet config will be removed"
            f" in {_RUNTIME_CONFIG_GONE[minor]}. For more information, see"
            " https://git.k8s.io/enhancements/keps/sig-node/4033-group-driver-detection-over-cri",
        )
    if "dockershim" in cri_socket:
        checks.warning(
            "IsDockerSystemdCheck",
            'detected "cgroupfs" as the Docker cgroup driver. The recommended driver is "systemd".',
        )


def _common(system: System, checks: Checks, cri_socket: str, node: str) -> None:
    minor = system.image.minor
    _runtime(system, checks, cri_socket)
    if minor < _BRIDGE_CHECK_GONE:
        _content(system, checks, "net/bridge/bridge-nf-call-iptables")
    _content(system, checks, "net/ipv4/ip_forward")
    if swap_in_use(system):
        if minor < _SWAP_ALLOWED:
            checks.error("Swap", "running with swap on is not supported. Please disable swap")
        else:
            checks.warning("Swap", "swap is supported for cgroup v2 only")
    for names, finding in ((_MANDATORY, checks.error), (_OPTIONAL, checks.warning)):
        for name in names:
            forgotten = minor >= _FORGOTTEN_SINCE and name in _FORGOTTEN
            if not forgotten and name in system.image.missing_commands:
                finding(f"FileExisting-{name}", f"{name} not found in system path")
    if minor >= _DOCKERSHIM_GONE and "crictl" in system.image.missing_commands:
        checks.error("FileExisting-crictl", "crictl not found in system path")
    if resolve(system, node) is None:
        checks.warning("Hostname", f'hostname "{node}" could not be reached')
    if not system.systemd.files.enabled("kubelet.service"):
        checks.warning(
            "Service-Kubelet",
            "kubelet service is not enabled, please run 'systemctl enable kubelet.service'",
        )
    _check_ports(system, checks, [10250])


def _content(system: System, checks: Checks, key: str) -> None:
    path = f"/proc/sys/{key}"
    name = f"FileContent-{path.replace('/', '-')}"
    file = system.disk.path(f"/.guest/sysctl/{key}")
    if not file.is_file():
        checks.error(name, f"{path} does not exist")
    elif file.read_text(encoding="utf-8")[:1] != "1":
        checks.error(name, f"{path} contents are not set to 1")


def init_checks(
    system: System, checks: Checks, *, version: str, cri_socket: str, node: str, port: int
) -> None:
    """Run the checks of `kubeadm init`; raises KubeadmError."""
    _check_hardware(system, checks)
    version_checks(system, checks, version)
    _check_ports(system, checks, (port, 10259, 10257))
    for name in ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "etcd"):
        path = f"{MANIFESTS}/{name}.yaml"
        checks.file_available(path, present=system.disk.exists(path))
    _common(system, checks, cri_socket, node)
    _check_ports(system, checks, (2379, 2380))
    if system.disk.names("/var/lib/etcd"):
        checks.error("DirAvailable--var-lib-etcd", "/var/lib/etcd is not empty")
    checks.finish()


def _check_hardware(system: System, checks: Checks) -> None:
    cpus, memory = system.hardware.cpus, system.hardware.usable_memory_mb
    if cpus < _LEAST_CPUS:
        checks.error(
            "NumCPU",
            f"the number of available CPUs {cpus} is less than the required {_LEAST_CPUS}",
        )
    if memory < _LEAST_MEMORY_MB and system.image.minor >= _MEMORY_CHECKED:
        checks.error(
            "Mem",
            f"the system RAM ({memory} MB) is less than the minimum {_LEAST_MEMORY_MB} MB",
        )


def version_checks(
    system: System, checks: Checks, version: str, *, control_plane: bool = True
) -> None:
    """Compare the cluster's version with kubeadm's; raises KubeadmError.

    A cluster that is too old is refused when its configuration is read, by every command that does
    so; the rest are checks of nodes that become control planes, by init or by join
    (cmd/kubeadm/app/util/config/initconfiguration.go; preflight.RunInitNodeChecks, which
    app/cmd/join.go calls for a control plane, too).
    """
    minor = int(version.split(".")[1])
    if minor < system.image.minor - 1:
        raise KubeadmError(
            "this version of kubeadm only supports deploying clusters with the control plane"
            f" version >= 1.{system.image.minor - 1}.0. Current version: v{version}"
        )
    if not control_plane:
        return
    if minor > system.image.minor:
        checks.warning(
            "KubernetesVersion",
            f"Kubernetes version is greater than kubeadm version. Please consider to upgrade"
            f" kubeadm. Kubernetes version: {version}. Kubeadm version: 1.{system.image.minor}.x",
        )
    if minor < system.image.minor:
        checks.error(
            "KubeletVersion",
            "the kubelet version is higher than the control plane version. This is not a supported"
            f" version skew and may lead to a malfunctional cluster. Kubelet version:"
            f' "{system.image.kubernetes}" Control plane version: "{version}"',
        )


def join_checks(
    system: System, checks: Checks, *, cri_socket: str, node: str, control_plane: bool
) -> None:
    """Run the checks of `kubeadm join`; raises KubeadmError."""
    if not control_plane and system.disk.names(MANIFESTS):
        checks.error(
            "DirAvailable--etc-kubernetes-manifests", "/etc/kubernetes/manifests is not empty"
        )
    paths = ["/etc/kubernetes/kubelet.conf", "/etc/kubernetes/bootstrap-kubelet.conf"]
    for path in paths:
        checks.file_available(path, present=system.disk.exists(path))
    _common(system, checks, cri_socket, node)
    if not control_plane:
        path = "/etc/kubernetes/pki/ca.crt"
        checks.file_available(path, present=system.disk.exists(path))
    checks.finish()


def pull_checks(
    system: System,
    checks: Checks,
    *,
    images: Iterable[str],
    pause: Callable[[float], None],
) -> None:
    """Pull the control plane's images; raises KubeadmError."""
    store = ImageStore(system)
    for name in images:
        try:
            store.pull(name, pause)
        except PullFailed as error:
            checks.error("ImagePull", f"failed to pull image {name}: output: {error}")
    checks.finish()
