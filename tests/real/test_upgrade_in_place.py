"""kubeadm upgrades a real control plane in place, from packages, with a snapshot to go back to.

The old release comes from a template that was built, so that its nodes have real packages; the
package source and the registry are served in the cloud's network.
"""

from __future__ import annotations

import json
import logging
import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial

import pytest

from cse_client.simulator.guest.real import read_kits
from tests.real.build.components import KUBERNETES
from tests.real.build.packages import packages_folder
from tests.real.build.plain import is_made, plain_folder
from tests.real.internet import Registry, folders, internet
from tests.real.plain_machines import network, plain_name
from tests.real.site import Site, eventually
from tests.support.programs import ROOT, Result
from tests.support.waiting import until

pytestmark = pytest.mark.parametrize("kit", [KUBERNETES[0]], indirect=True, scope="session")

TEMPLATE, NAME, SHAKEN = "built-old", "alone", "shaken"
OLD, NEW = KUBERNETES
#: What kubeadm itself leaves unserved, the VM's restart, and what a busy machine may take longer.
MOST_UNSERVED = 240
#: How often the client starts a VM that went off; later it is as with an administrator who does.
CLIENT_STARTS = 3
#: When power fails: at the start of each phase, as it is reported, and in the middle of kubeadm,
#: once the log of the node has a line.
_SCRIPT = ROOT / "cse_client" / "guest" / "scripts" / "upgrade.sh"
PHASES = re.findall(r"^step (\w+)$", _SCRIPT.read_text(encoding="utf-8"), re.M)
INSIDE = {
    "apply": (
        r'\[upgrade/staticpods\] Preparing for "kube-apiserver" upgrade',
        r'\[upgrade/staticpods\] Preparing for "kube-scheduler" upgrade',
    )
}


@pytest.fixture(scope="module")
def reached(site: Site) -> Iterator[None]:
    """What the machines reach outside of the cloud: packages and images of both releases."""
    kits = site.kit.folder.parent
    plain = plain_folder(kits)
    packages = {one: packages_folder(kits, one) for one in KUBERNETES}
    images = [kits / one / "images.tar" for one in KUBERNETES]
    needed = [*packages.values(), *images]
    if not (is_made(plain) and all(one.exists() for one in needed)):
        pytest.skip("There is no plain machine: run `python -m tests.real.build`.")
    places = {
        f"/core:/stable:/{one.rpartition('.')[0]}/deb/": folder for one, folder in packages.items()
    }
    served = internet(plain, {"pkgs.k8s.io": folders(places), "registry.k8s.io": Registry(*images)})
    site.call(served.__enter__)
    yield
    served.__exit__(None, None, None)


@pytest.fixture(scope="module")
def template(site: Site, reached: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A template of the old release with real packages; that of the new one is registered."""
    manifest = tmp_path_factory.mktemp("cni") / "flannel.yaml"
    manifest.write_text(network(site.kit), encoding="utf-8")
    site.vcd(
        *("cse", "template", "build", TEMPLATE, "--from", f"cse/{plain_name(site)}", "-n", "net1"),
        *("--kubernetes", OLD.removeprefix("v"), "--cni", str(manifest), "--catalog", "cse"),
    ).checked()
    # its name has the minor release only
    version = ("--kubernetes-version", NEW.removeprefix("v"))
    site.vcd("cse", "template", "register", "cse", new_template(site), *version).checked()
    yield
    site.vcd("cse", "template", "delete", TEMPLATE, "--yes").checked()


@contextmanager
def control_plane(site: Site, cluster: str) -> Iterator[str]:
    """The only node of a cluster of the old release, without a virtual address."""
    made = site.vcd(
        *("-j", "cse", "cluster", "create", cluster, "-n", "net1", "-N", "0", "-t", TEMPLATE),
        *("--vip", "none"),
    )
    assert made.code == 0, made.err + str(site.bootstrap_logs())
    config = site.kubeconfig_of(cluster)
    config.touch(0o600)
    config.write_text(site.vcd("cse", "cluster", "config", cluster).checked(), encoding="utf-8")
    (name,) = (node["name"] for node in json.loads(made.out)["nodes"])
    # kubeadm tries a Job with `pause -v` where a node can be scheduled to, and the pause that is
    # built here does not know -v
    site.kubectl("cordon", str(name), of=cluster).checked()
    yield str(name)
    site.vcd("cse", "cluster", "delete", cluster, "--yes", "--break-lock").checked()


@pytest.fixture(scope="module")
def head(site: Site, template: None) -> Iterator[str]:
    with control_plane(site, NAME) as name:
        yield name


@pytest.fixture
def shaken(site: Site, template: None) -> Iterator[str]:
    with control_plane(site, SHAKEN) as name:
        yield name


def upgrade(site: Site, cluster: str = NAME) -> Result:
    return site.vcd("cse", "cluster", "upgrade", cluster, "-t", new_template(site), "--yes")


def new_template(site: Site) -> str:
    kits = read_kits(site.kit.folder.parent)
    return next(kit.template for kit in kits if kit.folder.name == NEW)


def served(site: Site, cluster: str = NAME) -> tuple[str, str]:
    """The versions of API server and kubelet."""
    server = json.loads(site.kubectl("version", "-o", "json", of=cluster).checked())
    (node,) = json.loads(site.kubectl("get", "nodes", "-o", "json", of=cluster).checked())["items"]
    kubelet: str = node["status"]["nodeInfo"]["kubeletVersion"]
    return str(server["serverVersion"]["gitVersion"]), kubelet


def record(site: Site, cluster: str = NAME) -> str:
    metadata = site.control.get("state")["vapps"][cluster]["metadata"]
    return str(metadata.get("GENERAL:cse.client.in_place", "-"))


def test_what_fails_late_is_rolled_back_whole(site: Site, head: str) -> None:
    """API server, etcd and their data are those of the new release already, the kubelet is not."""
    site.kubectl("create", "configmap", "kept", "--from-literal=a=1", of=NAME).checked()
    hook = 'DPkg::Pre-Install-Pkgs { "! grep -q /kubelet_"; };'
    spoil = f"echo '{hook}' >/etc/apt/apt.conf.d/99-spoil"
    site.inside(head, "sh", "-c", spoil).checked()
    failed = upgrade(site)
    assert failed.code == 1, failed.err
    assert "failed in phase 'kubelet'" in failed.err, failed.err
    assert f"Kubernetes {OLD.removeprefix('v')} serves again." in failed.err
    assert served(site) == (OLD, OLD)
    assert record(site) == "-"
    site.kubectl("get", "configmap", "kept", of=NAME).checked()
    site.inside(head, "rm", "/etc/apt/apt.conf.d/99-spoil").checked()


def test_a_real_control_plane_is_upgraded_in_place(site: Site, head: str) -> None:
    site.kubectl("create", "configmap", "there", "--from-literal=a=1", of=NAME).checked()
    began = time.monotonic()
    with site.asking(NAME) as client:
        done = upgrade(site)
    took = time.monotonic() - began
    assert done.code == 0, done.err
    asked = client.end()
    logging.getLogger(__name__).info("in place: %.0f s, %s", took, asked)
    assert len(asked.failed) <= MOST_UNSERVED
    assert served(site) == (NEW, NEW)
    assert record(site) == "-"
    assert not site.control.get("state")["vapps"][NAME]["vms"][head]["snapshot"]
    site.kubectl("get", "configmap", "there", of=NAME).checked()
    held = site.inside(head, "apt-mark", "showhold").checked().split()
    assert {"kubeadm", "kubectl", "kubelet"} <= set(held)
    site.kubectl("uncordon", head, of=NAME).checked()
    dns = ("-n", "kube-system", "rollout", "status", "deployment/coredns", "--timeout=180s")
    site.kubectl(*dns, of=NAME).checked()


def test_power_fails_in_every_phase(site: Site, shaken: str) -> None:
    """The upgrade carries on at each boot; nobody goes back, and nothing is lost."""
    site.kubectl("create", "configmap", "kept", of=SHAKEN).checked()
    moments: list[tuple[str, str]] = []
    for phase in PHASES:
        moments.append((rf"guestinfo\.cse\.task-phase {phase}\b", ""))
        moments += [("", line) for line in INSIDE.get(phase, ())]
    kill_at(site, shaken, moments[0][0])
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(upgrade, site, SHAKEN)
        for number, (_call, line) in enumerate(moments):
            until(partial(has_failed, site, shaken, line), str(moments[number]), 420)
            for call, _line in moments[number + 1 : number + 2]:
                kill_at(site, shaken, call)
            if number >= CLIENT_STARTS:
                eventually(lambda: site.vcd("vm", "power-on", SHAKEN, shaken).code == 0, "power")
            until(lambda: is_on(site, shaken), "the VM is on again", 120)
        done = running.result()
    assert done.code == 0, done.err
    assert done.err.count(f"The VM {shaken} is off and is started again.") == CLIENT_STARTS
    assert served(site, SHAKEN) == (NEW, NEW)
    assert record(site, SHAKEN) == "-"
    assert not site.control.get("state")["vapps"][SHAKEN]["vms"][shaken]["snapshot"]
    site.kubectl("get", "configmap", "kept", of=SHAKEN).checked()


def is_on(site: Site, name: str) -> bool:
    return bool(site.control.get(f"guests/{name}")["running"])


def kill_at(site: Site, name: str, call: str) -> None:
    """Let a machine lose its power as its script calls a program; without a call, nothing."""
    if call:
        site.control.set(f"guests/{name}", faults={"kill_at": call})


def has_failed(site: Site, name: str, line: str) -> bool:
    """Return whether a machine has lost its power; take it once its log has `line`.

    A VM that is off may have been shut down by the upgrade.
    """
    if not line:
        guest = site.control.get(f"guests/{name}")
        return guest["kill_at"] is None and not guest["running"]
    if not re.search(line, site.bootstrap_logs().get(name, "")):
        return False
    site.control.set(f"guests/{name}", crash=True)
    return True
