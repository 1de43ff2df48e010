"""What the bootstrap scripts cost: power-on to Ready, against kubeadm typed by hand at once.

    sudo python benchmarks/bootstrap.py [--pairs N] [--release v1.37.2]

Both run on the same machines with a real Kubernetes (see docs/simulator.md): a control plane, and a
worker that is started together with it. By hand means that the commands which kubeadm's
documentation names (swap, kernel modules and settings, `kubeadm init` with a token and the pod
network, `kubeadm join`) begin as soon as a machine has its address. The kits must be there
(`python -m tests.real.build`).

A machine's time is counted from the end of the VCD task that started it to the moment at which
its Node became Ready by the Node's own condition, which is exact to a second. Every other pair
begins with the bare one. The limit is 1.15, for the medians of the ratios.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import sys
import tempfile
import threading
import time
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import arguments

from cse_client.simulator.guest.real import read_kits, what_is_missing
from cse_client.simulator.world import CATALOG
from tests.real.build.kit import kit_folder
from tests.real.build.places import cache_folder
from tests.real.site import CLUSTER, Site, eventually
from tests.support.simulator import start_simulator, stop_simulator

if TYPE_CHECKING:
    from collections.abc import Iterator

LIMIT = 1.15
HEAD, WORKER = "bare-head", "bare-worker"
TOKEN = "abcdef.0123456789abcdef"
PREPARE = """set -e
swapoff -a
modprobe overlay
modprobe br_netfilter
sysctl -q -w net.ipv4.ip_forward=1
systemctl enable kubelet.service
ip=$(ip -4 -o addr show scope global | sed -nE 's/.* inet ([0-9.]+).*/\\1/p' | head -n 1)
until crictl -r unix:///run/containerd/containerd.sock info >/dev/null 2>&1; do sleep 0.2; done
"""
INIT = (
    PREPARE
    + """kubeadm init --kubernetes-version {version} --apiserver-advertise-address "$ip" \\
  --pod-network-cidr 10.244.0.0/16 --token {token} --node-name {node}
kubectl --kubeconfig /etc/kubernetes/admin.conf apply -f {manifest}
"""
)
JOIN = (
    PREPARE
    + """kubeadm join {head}:6443 --token {token} --discovery-token-unsafe-skip-ca-verification \\
  --node-name {node}
"""
)
Pair = tuple[float, float]


@contextmanager
def machines(release: str) -> Iterator[Site]:
    """Start a simulator with real machines, and log in."""
    kits = kit_folder(cache_folder())
    kit = next((one for one in read_kits(kits) if one.folder.name == release), None)
    if kit is None:
        sys.exit(f"Kubernetes {release} has not been built: run `python -m tests.real.build`.")
    with tempfile.TemporaryDirectory() as name:
        # named as the tests' own, which remove what runs that were killed have left
        disks = Path(tempfile.mkdtemp(prefix=f"disks-{os.getpid()}-", dir=cache_folder()))
        process, cloud = start_simulator(
            Path(name),
            *("--guests", "real", "--real-dir", str(kits)),
            environment={"TMPDIR": str(disks)},
        )
        try:
            site = Site(process.pid, cloud, Path(name, "home"), disks, kit)
            site.log_in()
            yield site
        finally:
            stop_simulator(process)
            shutil.rmtree(disks, ignore_errors=True)


def seconds(text: str) -> float:
    """Return a moment as VCD and Kubernetes write it, in seconds."""
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def starts(site: Site) -> list[float]:
    """Return when each task that started VMs has ended."""
    tasks = site.control.get("state")["tasks"]["all"]
    making = ("vdcComposeVapp", "vdcRecomposeVapp", "vdcInstantiateVapp", "vappDeploy")
    return [seconds(task["ended"]) for task in tasks if task["name"] in making and task["ended"]]


def ready(nodes: list[dict[str, Any]]) -> dict[str, float]:
    """Return when Nodes became Ready, by name."""
    return {
        node["metadata"]["name"]: seconds(condition["lastTransitionTime"])
        for node in nodes
        for condition in node["status"].get("conditions", ())
        if (condition["type"], condition["status"]) == ("Ready", "True")
    }


def ours(site: Site) -> Pair:
    """Create a cluster; return the seconds of its control plane and of its worker."""
    before = len(starts(site))
    words = ("-n", "net1", "-N", "1", "-t", site.kit.template)
    site.vcd("cse", "cluster", "create", CLUSTER, *words).checked()
    site.kubeconfig.touch(0o600)
    site.kubeconfig.write_text(site.vcd("cse", "cluster", "config", CLUSTER).checked())
    moments = ready(site.items("nodes"))
    begun = starts(site)[before:]
    head = next(moment for name, moment in moments.items() if name.startswith("mstr-"))
    worker = next(moment for name, moment in moments.items() if name.startswith("node-"))
    site.vcd("cse", "cluster", "delete", CLUSTER, "--yes").checked()
    # with one composition both start with the only task that makes VMs
    return head - begun[-2 if len(begun) > 2 else -1], worker - begun[-1]


def make_bare(site: Site, name: str) -> float:
    """Instantiate the template as a VM without a script; return when it was started."""
    words = ("-c", CATALOG, "-t", site.kit.template, "-n", "net1", "-i", "pool")
    site.vcd("vapp", "create", name, *words, "-v", name, "-o", name, "-a").checked()
    return starts(site)[-1]


def address(site: Site, name: str) -> str:
    """Return a machine's address once it has it."""
    given: str = site.control.get("state")["vapps"][name]["vms"][name]["address"]

    def look() -> bool:
        if not site.control.get(f"guests/{name}")["processes"]:
            return False
        return f" {given}/" in site.inside(name, "ip", "-4", "-o", "addr", "show").out

    eventually(look, f"{name} has its address {given}")
    return given


def bare(site: Site) -> Pair:
    """Type kubeadm's commands; return the seconds of the control plane and of the worker."""
    image = site.kit.image()
    known = {"token": TOKEN, "version": f"v{site.kit.version}", "manifest": image["cni_manifest"]}
    begun: dict[str, float] = {}
    threads = [
        threading.Thread(target=lambda name=name: begun.update({name: make_bare(site, name)}))
        for name in (HEAD, WORKER)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    scripts = {
        HEAD: INIT.format(node=HEAD, **known),
        WORKER: JOIN.format(node=WORKER, head=address(site, HEAD), **known),
    }
    typed = [
        threading.Thread(target=site.inside, args=(name, "bash", "-c", script))
        for name, script in scripts.items()
        if address(site, name)
    ]
    for thread in typed:
        thread.start()
    moments: dict[str, float] = {}

    def look() -> bool:
        words = ("kubectl", "--kubeconfig", "/etc/kubernetes/admin.conf", "get", "nodes")
        listed = site.inside(HEAD, *words, "-o", "json")
        if listed.code == 0:
            moments.update(ready(json.loads(listed.out)["items"]))
        return len(moments) == len(scripts)

    eventually(look, "both bare machines are Ready", 600)
    for thread in typed:
        thread.join()
    for name in scripts:
        site.vcd("vapp", "delete", name, "--yes", "--force").checked()
    return moments[HEAD] - begun[HEAD], moments[WORKER] - begun[WORKER]


def main() -> int:
    """Measure; the exit code says whether the limit holds."""
    parser = arguments.parser(
        "Measures power-on to Ready on machines with a real Kubernetes, as root, against kubeadm"
        f" typed by hand at once; the limit is a ratio of {LIMIT}."
    )
    parser.add_argument("--pairs", type=arguments.number, default=3, help="pairs of clusters")
    parser.add_argument("--release", default="v1.37.2", help="Kubernetes release of the machines")
    options = parser.parse_args()
    missing = what_is_missing()
    if missing:
        sys.exit(missing)
    line = "{:<8} {:>14} {:>8} {:>8}"
    ratios: dict[str, list[float]] = {"control plane": [], "worker": []}
    with machines(options.release) as site:
        print(line.format("pair", "machine", "scripts", "by hand"))
        for number in range(options.pairs):
            if number % 2:
                plain, scripted = bare(site), ours(site)
            else:
                scripted, plain = ours(site), bare(site)
            for (kind, found), mine, theirs in zip(ratios.items(), scripted, plain):
                found.append(mine / theirs)
                print(line.format(number + 1, kind, f"{mine:.1f}", f"{theirs:.1f}"), flush=True)
            time.sleep(1)
    print()
    for kind, found in ratios.items():
        print(f"{kind:<14} ratio {statistics.median(found):.2f}; the limit is {LIMIT}")
    return 0 if all(statistics.median(found) <= LIMIT for found in ratios.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
