"""A node template built of a plain machine with the real apt, dpkg and containerd, and its nodes.

The machine is a Debian: Ubuntu's packages cannot be had here. All that it reaches outside is served
in the cloud's network: Debian's packages, those of pkgs.k8s.io and the images of registry.k8s.io.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.real.build.components import KUBERNETES
from tests.real.build.packages import packages_folder
from tests.real.build.plain import is_made, plain_folder
from tests.real.internet import Registry, folders, internet
from tests.real.plain_machines import network, plain_name
from tests.real.site import Site
from tests.support.programs import Result

pytestmark = pytest.mark.parametrize("kit", [KUBERNETES[-1]], indirect=True, scope="session")

TEMPLATE, CLUSTER = "built", "of-built"
NEWEST = KUBERNETES[-1].removeprefix("v")
RELEASE, _, _ = NEWEST.rpartition(".")
HELD = {"kubeadm", "kubectl", "kubelet"}


@pytest.fixture(scope="module")
def reached(site: Site) -> Iterator[None]:
    """What the machines reach outside of the cloud."""
    kits = site.kit.folder.parent
    plain = plain_folder(kits)
    packages = packages_folder(kits, f"v{site.kit.version}")
    if not (is_made(plain) and packages.is_dir()):
        pytest.skip("There is no plain machine: run `python -m tests.real.build`.")
    served = internet(
        plain,
        {
            "pkgs.k8s.io": folders({f"/core:/stable:/v{RELEASE}/deb/": packages}),
            "registry.k8s.io": Registry(site.kit.folder / "images.tar"),
        },
    )
    site.call(served.__enter__)
    yield
    served.__exit__(None, None, None)


@pytest.fixture(scope="module")
def manifest(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file with the manifest of the pod network."""
    file = tmp_path_factory.mktemp("cni") / "flannel.yaml"
    file.write_text(network(site.kit), encoding="utf-8")
    return file


def build(site: Site, manifest: Path, name: str, version: str, *more: str) -> Result:
    """Run `template build` with the plain machine."""
    return site.vcd(
        *("-j", "cse", "template", "build", name, "--from", f"cse/{plain_name(site)}"),
        *("-n", "net1", "--kubernetes", version, "--cni", str(manifest), "--catalog", "cse"),
        *more,
    )


@pytest.fixture(scope="module")
def built(site: Site, reached: None, manifest: Path) -> dict[str, Any]:
    """The built template, as `template build` prints it."""
    done = build(site, manifest, TEMPLATE, site.kit.version, "--keep")
    if done.code:
        logs = "\n".join(f"== {name}\n{log}" for name, log in site.bootstrap_logs().items())
        pytest.fail(f"{done.err}\n{logs}")
    printed: dict[str, Any] = json.loads(done.out)
    return printed


@pytest.fixture(scope="module")
def nodes(site: Site, built: dict[str, Any]) -> Iterator[dict[str, Path]]:
    """The disks of the nodes of a cluster that was created from the built template, by name."""
    made = site.vcd(
        *("-j", "cse", "cluster", "create", CLUSTER, "-n", "net1", "-N", "1"),
        *("-t", TEMPLATE),
    )
    if made.code:
        logs = "\n".join(f"== {name}\n{log}" for name, log in site.bootstrap_logs().items())
        pytest.fail(f"{made.err}\n{logs}")
    names = [node["name"] for node in json.loads(made.out)["nodes"]]
    disks = site.disks()
    yield {name: disks[name] for name in names}
    site.vcd("cse", "cluster", "delete", CLUSTER, "--yes").checked()


def vapps(site: Site) -> set[str]:
    return set(site.control.get("state")["vapps"])


def test_the_built_template_gives_ready_nodes(site: Site, nodes: dict[str, Path]) -> None:
    config = site.kubeconfig.with_name("of-built")
    config.touch(0o600)
    config.write_text(site.vcd("cse", "cluster", "config", CLUSTER).checked(), encoding="utf-8")
    kubectl = (str(site.kit.programs / "kubectl"), "--kubeconfig", str(config))
    # CoreDNS is the first pod with a network of its own.
    dns = ("-n", "kube-system", "rollout", "status", "deployment/coredns", "--timeout=180s")
    site.run(*kubectl, *dns).checked()
    listed = json.loads(site.run(*kubectl, "get", "nodes", "-o", "json").checked())["items"]
    assert {one["metadata"]["name"] for one in listed} == set(nodes)
    for one in listed:
        conditions = {each["type"]: each["status"] for each in one["status"]["conditions"]}
        assert conditions["Ready"] == "True"
        assert one["status"]["nodeInfo"]["kubeletVersion"] == f"v{site.kit.version}"


def test_nodes_of_one_template_are_different_machines(
    site: Site, nodes: dict[str, Path], built: dict[str, Any]
) -> None:
    assert len(nodes) == 2
    plain = plain_folder(site.kit.folder.parent) / "root"
    for file in ("etc/machine-id", "etc/ssh/ssh_host_ed25519_key", "etc/hostname"):
        found = [(root / file).read_text(encoding="utf-8") for root in (plain, *nodes.values())]
        assert all(text.strip() for text in found), file
        assert len(set(found)) == 3, file


def test_packages_are_held_and_keepalived_is_there(site: Site, nodes: dict[str, Path]) -> None:
    for name in nodes:
        held = site.inside(name, "apt-mark", "showhold").checked().split()
        assert set(held) >= HELD
        state = ("dpkg-query", "-W", "-f", "${Status} ${Version}", "keepalived")
        assert site.inside(name, *state).checked().startswith("install ok installed 1:2.")
        assert site.inside(name, "dpkg", "--audit").checked() == ""
        # Its package enables it, and the bootstrap does on control planes that share an address.
        enabled = site.inside(name, "systemctl", "is-enabled", "keepalived").out.strip()
        assert enabled == ("disabled" if name.startswith("node-") else "enabled")


def test_the_check_finds_all_that_nodes_need(site: Site, built: dict[str, Any]) -> None:
    before = vapps(site)
    done = site.vcd("cse", "template", "check", f"cse/{TEMPLATE}", "--boot", "-n", "net1")
    assert done.code == 0, done.out + done.err
    assert vapps(site) == before


@pytest.mark.parametrize(
    ("version", "source", "reason"),
    [
        (f"{RELEASE}.99", (), f"has no Kubernetes {RELEASE}.99; it has {NEWEST}"),
        ("1.35", (), f"has no Kubernetes 1.35; the newest one that it has is {RELEASE}"),
        (
            *(RELEASE, ("--package-source", "https://nowhere.test/k8s")),
            "cannot reach nowhere.test: its name does not resolve",
        ),
    ],
    ids=["version", "release", "host"],
)
@pytest.mark.usefixtures("reached")
def test_what_the_package_source_lacks_is_named(
    site: Site, manifest: Path, version: str, source: tuple[str, ...], reason: str
) -> None:
    before = vapps(site)
    refused = build(site, manifest, "none", version, *source)
    assert refused.code == 1
    assert json.loads(refused.out)["error"].endswith(f"{reason}.")
    assert vapps(site) == before
