"""docker, crictl and ctr."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from cse_client.simulator.guest.commands.etcd import PROGRAMS, restore_snapshot
from cse_client.simulator.guest.containers import Daemon, ImageStore, PullFailed
from cse_client.simulator.guest.toolbox import STUB

if TYPE_CHECKING:
    from cse_client.simulator.guest.exchange import Call
    from cse_client.simulator.guest.system import System

__all__ = ["crictl", "ctr", "daemon", "docker"]


_TAKING = ("-r", "--runtime-endpoint", "-i", "--image-endpoint", "-c", "--config", "-t",
           "--timeout", "-o", "--output", "--name", "--label", "-q")  # fmt: skip


def _up(system: System, name: str) -> bool:
    service = system.natives.get(f"{name}.service")
    return isinstance(service, Daemon) and service.running


def _bare(words: list[str], taking: tuple[str, ...]) -> list[str]:
    """Return the words without options and the values of those that take one."""
    found = []
    skip = False
    for word in words:
        if skip:
            skip = False
        elif word in taking:
            skip = True
        elif not word.startswith("-") or word == "-":
            found.append(word)
    return found


def docker(system: System, call: Call) -> int:  # noqa: PLR0911, PLR0912  # one answer per verb
    """Docker info, version, images, image inspect|pull|ls, inspect, pull, ps, load, run, ..."""
    words = _bare(call.words, ("-f", "--format", "--filter", "-H", "--name", "--type", "-i"))
    verb = words[0] if words else ""
    if verb == "--version" or "--version" in call.words or "-v" in call.words[:1]:
        call.out("Docker version 19.03.12, build 48a66213fe")
        return 0
    if not _up(system, "docker"):
        call.err(
            "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker"
            " daemon running?"
        )
        return 1
    if verb == "image" and len(words) > 1:
        words = words[1:]
        verb = {"ls": "images", "inspect": "inspect", "pull": "pull", "rm": "rmi"}.get(
            words[0], words[0]
        )
    store = ImageStore(system)
    if verb == "info":
        if any("CgroupDriver" in word for word in call.words):
            call.out("cgroupfs")
        else:
            call.out(
                " Server Version: 19.03.12\n Storage Driver: overlay2\n Cgroup Driver: cgroupfs"
            )
        return 0
    if verb == "version":
        call.out("Client: Docker Engine - Community\n Version: 19.03.12")
        return 0
    if verb == "images":
        for name in store.names():
            call.out(name if any("{{" in word for word in call.words) else name.replace(":", "   "))
        return 0
    if verb == "inspect":
        return _inspect(call, store, words[1:])
    if verb == "pull":
        return _docker_pull(system, call, store, words[1:])
    if verb == "run" and "etcdctl" in call.words:
        (image,) = (at for at, word in enumerate(call.words) if "/etcd:" in word)
        return restore_snapshot(system, call, call.words[image + 1 :])
    if verb in ("ps", "rm", "rmi", "stop", "kill", "container", "load", "system", "network"):
        return 0
    call.err(f"docker: '{verb}' is not simulated")
    return 1


def _inspect(call: Call, store: ImageStore, names: list[str]) -> int:
    found = [name for name in names if store.has(name)]
    call.out(json.dumps([{"RepoTags": [name]} for name in found], indent=4))
    for name in names:
        if name not in found:
            call.err(f"Error: No such image: {name}")
    return 0 if len(found) == len(names) else 1


def _docker_pull(system: System, call: Call, store: ImageStore, names: list[str]) -> int:
    for name in names:
        try:
            store.pull(name, lambda seconds: system.sleep_call(call, seconds))
        except PullFailed as error:
            call.err(f"Error response from daemon: {error}")
            return 1
        call.out(f"Status: Downloaded newer image for {name}\n{name}")
    return 0


def _socket_problem(system: System, words: list[str]) -> str:
    """Return why the runtime endpoint on a crictl command line does not answer, or ""."""
    endpoint = ""
    for index, word in enumerate(words):
        if word in ("-r", "--runtime-endpoint") and index + 1 < len(words):
            endpoint = words[index + 1]
        elif word.startswith("--runtime-endpoint="):
            endpoint = word.partition("=")[2]
    path = endpoint.replace("unix://", "")
    if not path:
        path = "/run/containerd/containerd.sock"
    docker_shim = "dockershim" in path
    known = path.replace("/var/run/", "/run/")
    if known == "/run/containerd/containerd.sock" and _up(system, "containerd"):
        if "cri" in _disabled_plugins(system):
            return "unknown service runtime.v1alpha2.RuntimeService"
        return ""
    if docker_shim and _up(system, "docker"):
        return "" if system.disk.exists("/var/run/dockershim.sock") else _refused(path)
    return _refused(path)


def _refused(path: str) -> str:
    return (
        'connect: connect endpoint "unix://' + path + '", make sure you are running as root and the'
        " endpoint has been started: context deadline exceeded"
    )


def _disabled_plugins(system: System) -> str:
    for line in system.disk.text("/etc/containerd/config.toml").splitlines():
        if line.replace(" ", "").startswith("disabled_plugins="):
            return line
    # Docker's package of containerd switches the plugin off.
    return '"cri"' if system.image.runtime == "docker" else ""


def crictl(system: System, call: Call) -> int:  # noqa: PLR0911  # one answer per verb
    """Crictl info, images, inspecti, pull, ps, pods, version."""
    words = [w for w in _bare(call.words, tuple(t for t in _TAKING if t != "-q")) if w]
    verb = words[0] if words else ""
    if "--version" in call.words or "-v" in call.words[:1]:
        call.out(f"crictl version v1.{system.image.minor}.0")
        return 0
    problem = _socket_problem(system, call.words)
    if problem:
        system.sleep_call(call, 2)
        call.err(f'level=fatal msg="{problem}"')
        return 1
    store = ImageStore(system)
    if verb == "info":
        network = bool(system.disk.names("/etc/cni/net.d"))
        conditions = [
            {"type": "RuntimeReady", "status": True, "reason": "", "message": ""},
            {"type": "NetworkReady", "status": network, "reason": "", "message": ""},
        ]
        call.out(json.dumps({"status": {"conditions": conditions}}, indent=2))
        return 0
    if verb in ("images", "image", "img"):
        for name in store.names():
            call.out(name if "-q" in call.words else name.replace(":", "   "))
        return 0
    if verb == "inspecti":
        for name in words[1:]:
            if not store.has(name):
                call.err(f'level=fatal msg="no such image \\"{name}\\" present"')
                return 1
        call.out(json.dumps({"status": {"repoTags": words[1:]}}))
        return 0
    if verb == "pull":
        for name in words[1:]:
            try:
                store.pull(name, lambda seconds: system.sleep_call(call, seconds))
            except PullFailed as error:
                call.err(f'level=fatal msg="pulling image failed: {error}"')
                return 1
            call.out(f"Image is up to date for {name}")
        return 0
    if verb == "version":
        call.out("Version:  0.1.0\nRuntimeName:  containerd\nRuntimeVersion:  v1.7.27")
        return 0
    return 0 if verb in ("ps", "pods", "stopp", "rmp", "rm", "stop", "stats", "rmi") else 1


def ctr(system: System, call: Call) -> int:
    """Ctr -n k8s.io images ls|pull|mount|unmount, version."""
    words = _bare(call.words, ("-n", "--namespace", "-a", "--address"))
    if not _up(system, "containerd"):
        call.err('ctr: failed to dial "/run/containerd/containerd.sock": connection refused')
        return 1
    store = ImageStore(system)
    if words[:1] in (["images"], ["image"], ["i"]):
        if words[1:2] in (["pull"],):
            try:
                store.pull(words[2], lambda seconds: system.sleep_call(call, seconds))
            except PullFailed as error:
                call.err(f"ctr: {error}")
                return 1
            return 0
        if words[1:2] == ["mount"]:
            return _mount(system, call, store, words[2], words[3])
        if words[1:2] == ["unmount"]:
            return 0 if system.disk.remove(words[2]) else 1
        for name in store.names():
            call.out(name)
    return 0


def _mount(system: System, call: Call, store: ImageStore, image: str, folder: str) -> int:
    """Show an image's files in a folder: of etcd's, the programs."""
    if not store.has(image):
        call.err(f'ctr: image "{image}": not found')
        return 1
    for name in PROGRAMS if "/etcd:" in image else ():
        system.disk.write(f"{folder}/usr/local/bin/{name}", STUB, 0o755)
    return 0


def daemon(system: System, call: Call) -> int:
    """Dockerd and containerd by hand: the service runs them."""
    if call.words[:1] in (["-v"], ["--version"]):
        call.out(
            "containerd containerd.io 1.7.27"
            if call.command == "containerd"
            else "Docker version 19.03.12"
        )
        return 0
    if call.command == "containerd" and call.words[:2] == ["config", "default"]:
        # Debian's package looks for CNI plugins elsewhere than the project does
        plugins = "/usr/lib/cni" if system.image.packages else "/opt/cni/bin"
        call.out('version = 2\ndisabled_plugins = []\n[plugins."io.containerd.grpc.v1.cri"]')
        call.out('  sandbox_image = "registry.k8s.io/pause:3.8"')
        call.out('  [plugins."io.containerd.grpc.v1.cri".cni]')
        call.out(f'    bin_dir = "{plugins}"\n    conf_dir = "/etc/cni/net.d"')
        call.out(
            '  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]\n'
            "            SystemdCgroup = false"
        )
        return 0
    call.err(f"{call.command}: runs as a service")
    return 1
