"""kubeadm upgrades a real control plane in place, from packages, with a snapshot to go back to.

The old release comes from a template that was built, so that its nodes have real packages; the
package source and the registry are served in the cloud's network.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator

import pytest

from cse_client.simulator.guest.real import read_kits
from tests.real.build.components import KUBERNETES
from tests.real.build.packages import packages_folder
from tests.real.build.plain import is_made, plain_folder
from tests.real.internet import Registry, folders, internet
from tests.real.plain_machines import network, plain_name
from tests.real.site import Site
from tests.support.programs import Result

pytestmark = pytest.mark.parametrize("kit", [KUBERNETES[0]], indirect=True, scope="session")

TEMPLATE, NAME = "built-old", "alone"
OLD, NEW = KUBERNETES
#: What kubeadm itself leaves unserved, the VM's restart, and what a busy machine may take longer.
MOST_UNSERVED = 240


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
def head(site: Site, reached: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The only node of a cluster of the old release, without a virtual address."""
    manifest = tmp_path_factory.mktemp("cni") / "flannel.yaml"
    manifest.write_text(network(site.kit), encoding="utf-8")
    site.vcd(
        *("cse", "template", "build", TEMPLATE, "--from", f"cse/{plain_name(site)}", "-n", "net1"),
        *("--kubernetes", OLD.removeprefix("v"), "--cni", str(manifest), "--catalog", "cse"),
    ).checked()
    # its name has the minor release only
    version = ("--kubernetes-version", NEW.removeprefix("v"))
    site.vcd("cse", "template", "register", "cse", new_template(site), *version).checked()
    made = site.vcd(
        *("-j", "cse", "cluster", "create", NAME, "-n", "net1", "-N", "0", "-t", TEMPLATE),
        *("--vip", "none"),
    )
    assert made.code == 0, made.err + str(site.bootstrap_logs())
    config = site.kubeconfig_of(NAME)
    config.touch(0o600)
    config.write_text(site.vcd("cse", "cluster", "config", NAME).checked(), encoding="utf-8")
    (name,) = (node["name"] for node in json.loads(made.out)["nodes"])
    # kubeadm tries a Job with `pause -v` where a node can be scheduled to, and the pause that is
    # built here does not know -v
    site.kubectl("cordon", str(name), of=NAME).checked()
    yield str(name)
    site.vcd("cse", "cluster", "delete", NAME, "--yes", "--break-lock").checked()
    site.vcd("cse", "template", "delete", TEMPLATE, "--yes").checked()


def upgrade(site: Site) -> Result:
    return site.vcd("cse", "cluster", "upgrade", NAME, "-t", new_template(site), "--yes")


def new_template(site: Site) -> str:
    kits = read_kits(site.kit.folder.parent)
    return next(kit.template for kit in kits if kit.folder.name == NEW)


def served(site: Site) -> tuple[str, str]:
    """The versions of API server and kubelet."""
    server = json.loads(site.kubectl("version", "-o", "json", of=NAME).checked())
    (node,) = json.loads(site.kubectl("get", "nodes", "-o", "json", of=NAME).checked())["items"]
    kubelet: str = node["status"]["nodeInfo"]["kubeletVersion"]
    return str(server["serverVersion"]["gitVersion"]), kubelet


def record(site: Site) -> str:
    metadata = site.control.get("state")["vapps"][NAME]["metadata"]
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
