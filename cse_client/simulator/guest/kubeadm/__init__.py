"""kubeadm, as strict as the real one, and the kubelet's command line."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import yaml

from cse_client.simulator.guest.containers import (
    ImageStore,
    PullFailed,
    image_overrides,
    kubernetes_images,
)
from cse_client.simulator.guest.kubeadm.flags import Flags, UnknownFlag, parse
from cse_client.simulator.guest.kubeadm.init import init, init_phase
from cse_client.simulator.guest.kubeadm.join import join
from cse_client.simulator.guest.kubeadm.preflight import default_socket, socket_problem
from cse_client.simulator.guest.kubeadm.problems import KubeadmError
from cse_client.simulator.guest.kubeadm.renew import certs
from cse_client.simulator.guest.kubeadm.reset import reset
from cse_client.simulator.guest.kubeadm.settings import read_config
from cse_client.simulator.guest.kubeadm.tokens import token
from cse_client.simulator.guest.kubeadm.upgrade import upgrade
from cse_client.simulator.guest.kubeadm.versions import chosen_version, own_version

if TYPE_CHECKING:
    from cse_client.simulator.guest.exchange import Call
    from cse_client.simulator.guest.system import System

__all__ = ["kubeadm", "kubelet"]

_TRACE = "To see the stack trace of this error execute with --v=5 or higher"


def kubeadm(system: System, call: Call) -> int:
    """Run kubeadm; errors end with its own words and exit code."""
    try:
        flags = parse(call.words, system.image.minor)
        return _run(system, call, flags)
    except UnknownFlag as error:
        call.err(f"{error}\n{_TRACE}")
        return 1
    except KubeadmError as error:
        call.err(f"{error}\n{_TRACE}")
        return error.code


def _run(system: System, call: Call, flags: Flags) -> int:  # noqa: PLR0911  # one per verb
    if flags.help:
        call.out(f"Usage:\n  kubeadm {' '.join(flags.command)} [flags]")
        return 0
    verb = flags.command[0] if flags.command else ""
    if verb == "version":
        return _version(system, call, flags)
    if verb == "config":
        return _config(system, call, flags)
    if verb == "init":
        return (
            init_phase(system, call, flags)
            if "phase" in flags.command
            else init(system, call, flags)
        )
    if verb == "join":
        return join(system, call, flags)
    if verb == "reset":
        return reset(system, call, flags)
    if verb in ("certs", "alpha"):
        return certs(system, call, flags)
    if verb == "upgrade":
        return upgrade(system, call, flags)
    if verb == "token":
        return token(system, call, flags)
    call.err(f'unknown command "{verb}" for "kubeadm"' if verb else "Usage: kubeadm [command]")
    return 1 if verb else 0


def _version(system: System, call: Call, flags: Flags) -> int:
    version = f"v{own_version(system)}"
    form = flags.get("output")
    info = {
        "clientVersion": {
            "major": "1",
            "minor": str(system.image.minor),
            "gitVersion": version,
            "gitTreeState": "clean",
            "compiler": "gc",
            "platform": "linux/amd64",
        }
    }
    if form == "short":
        call.out(version)
    elif form == "json":
        call.out(json.dumps(info, indent=2))
    elif form == "yaml":
        call.out(yaml.safe_dump(info), end="")
    elif form:
        raise KubeadmError(f"invalid output format: {form}")
    else:
        call.out(
            f'kubeadm version: &version.Info{{Major:"1", Minor:"{system.image.minor}",'
            f' GitVersion:"{version}", GitTreeState:"clean", Platform:"linux/amd64"}}'
        )
    return 0


def _config(system: System, call: Call, flags: Flags) -> int:
    words = flags.command[1:]
    if words[:1] != ["images"] or len(words) < 2:  # noqa: PLR2004
        call.err(f"kubeadm config {' '.join(words)}: not simulated")
        return 1
    cluster: dict[str, Any] = {}
    if flags.get("config"):
        files = read_config(system, flags, ("ClusterConfiguration", "InitConfiguration"))
        cluster = files.get("ClusterConfiguration") or {}
    version = chosen_version(system, call, flags, str(cluster.get("kubernetesVersion") or ""))
    repository = flags.get("image-repository") or str(cluster.get("imageRepository") or "")
    images = kubernetes_images(version, repository, image_overrides(cluster))
    if words[1] == "list":
        for name in images:
            call.out(name)
        return 0
    store = ImageStore(system)
    problem = socket_problem(system, flags.get("cri-socket") or default_socket(system.image.minor))
    if problem:
        raise KubeadmError(f"failed to create new CRI runtime service: {problem}")
    for name in images:
        try:
            store.pull(name, lambda seconds: system.sleep_call(call, seconds))
        except PullFailed as error:
            raise KubeadmError(f'failed to pull image "{name}": {error}') from error
        call.out(f"[config/images] Pulled {name}")
    return 0


def kubelet(system: System, call: Call) -> int:
    """`kubelet --version`; the service runs it otherwise."""
    if call.words[:1] == ["--version"]:
        call.out(f"Kubernetes v{system.image.kubernetes}")
        return 0
    call.err("kubelet: runs as a service")
    return 1
