"""The script that builds a template: its shape, and single functions run by real bash."""

from __future__ import annotations

import re
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from cse_client.errors import WrongUsage
from cse_client.guest.script_format import MAX_SCRIPT_BYTES
from cse_client.guest.stored_scripts import recover_pki
from cse_client.guest.template_script import Build, template_script
from cse_client.model.cni import KNOWN, Cni, name_in
from cse_client.model.settings import ClusterSettings
from tests.support.shell import MOUNTS, Guest, can_unshare

SOURCE = "https://pkgs.k8s.io/core:/stable:"
BUILD = Build("b" * 36, "k8s-1.37", "1.37", KNOWN["flannel"], SOURCE)
MANIFEST = "kind: DaemonSet\n" + "".join(f"# {number:032x}\n" for number in range(20))
DATA = f"KUBE=1.37 SOURCE={SOURCE} NEWEST=37 GROW= NEED_MB=1 T_APT=20 CNI_URL= CNI_MANIFEST= HELM="
MADISON = """\
   kubeadm | 1.37.2-1.1 | https://pkgs.k8s.io/core:/stable:/v1.37/deb  Packages
   kubeadm | 1.37.10-1.1 | https://pkgs.k8s.io/core:/stable:/v1.37/deb  Packages
   kubeadm | 1.37.1-1.1 | https://pkgs.k8s.io/core:/stable:/v1.37/deb  Packages
"""

needs_namespaces = pytest.mark.skipif(not can_unshare(), reason="this machine forbids namespaces")


@pytest.mark.parametrize(
    "build",
    [
        *(replace(BUILD, cni=cni) for cni in KNOWN.values()),
        replace(BUILD, cni=Cni("", text=MANIFEST)),
        replace(
            BUILD,
            settings=ClusterSettings(
                https_proxy="http://proxy.example.com:3128",
                registry_mirrors="docker.io=https://mirror.example.com",
            ),
        ),
    ],
    ids=[*KNOWN, "a file", "a proxy and a mirror"],
)
def test_scripts_are_whole_bash_and_small(build: Build) -> None:
    script = template_script(build)
    subprocess.run(["bash", "-n"], input=script, text=True, check=True)
    assert len(script) < 13 * 1024
    assert recover_pki(script) is None


def test_a_manifest_that_vcd_might_not_take_is_refused() -> None:
    import random

    long = "kind: x\n" + "\n".join(
        f"# {random.Random(number).getrandbits(256):x}" for number in range(1000)
    )
    with pytest.raises(WrongUsage, match="CNI manifest is too long") as caught:
        template_script(replace(BUILD, cni=Cni("", text=long)))
    assert "--cni" in caught.value.hint
    assert MAX_SCRIPT_BYTES == 16 * 1024


@pytest.mark.parametrize(
    ("manifest", "name"),
    [
        ("  image: ghcr.io/flannel-io/flannel:v0.27.4\n", "flannel"),
        ('- image: "docker.io/calico/node:v3.31"\n', "calico"),
        ("# calico\nimage: example.com/net:1\n", ""),
    ],
)
def test_a_manifests_images_tell_the_plugin(manifest: str, name: str) -> None:
    assert name_in(manifest) == name


@pytest.fixture
def guest(tmp_path: Path) -> Guest:
    for name in (*MOUNTS, "bin"):
        (tmp_path / name).mkdir(parents=True)
    made = Guest(tmp_path)
    made.command("sleep", 'echo "$1" >>/run/slept')
    made.command("vmtoolsd", "true")
    made.command("curl", 'while [ "$1" != -o ]; do shift; done; echo key >"$2"')
    made.command("apt-get", 'echo "$*" >>/run/apt; echo "Reading package lists..."')
    made.command("apt-cache", f"cat <<'E'\n{MADISON}E")
    return made


def run(guest: Guest, code: str, *, end: int = 0, **values: str) -> str:
    data = DATA + "".join(f" {key}={value}" for key, value in values.items())
    return guest.run(code, kind="template", data=data, until='\nsay "building', end=end)


def reason(log: str) -> str:
    found = re.search(r"FAILED in phase \S+ \(rc 1\): (.*)\n$", log)
    assert found, log
    return found[1]


@needs_namespaces
@pytest.mark.parametrize(("asked", "version"), [("1.37", "1.37.10-1.1"), ("1.37.1", "1.37.1-1.1")])
def test_the_newest_patch_release_is_installed_or_the_one_that_was_asked_for(
    guest: Guest, asked: str, version: str
) -> None:
    run(guest, "step_source", KUBE=asked)
    assert (guest.folder / "var/lib/cse-bootstrap/version").read_text() == f"{version}\n"
    listed = (guest.folder / "etc/apt/sources.list.d/kubernetes.list").read_text()
    assert listed == (
        "deb [signed-by=/etc/apt/keyrings/kubernetes-apt-keyring.asc] "
        "https://pkgs.k8s.io/core:/stable:/v1.37/deb/ /\n"
    )


@needs_namespaces
def test_what_the_source_has_is_named(guest: Guest) -> None:
    log = run(guest, "step_source", end=1, KUBE="1.37.9")
    assert reason(log) == (
        "the package source https://pkgs.k8s.io/core:/stable: has no Kubernetes 1.37.9;"
        " it has 1.37.10 1.37.2 1.37.1"
    )


@needs_namespaces
def test_the_newest_release_that_the_source_has_is_named(guest: Guest) -> None:
    guest.command("curl", 'case "$*" in *v1.36*) exit 0 ;; esac; exit 22')
    log = run(guest, "step_source", end=1, KUBE="1.99")
    assert reason(log) == (
        "the package source https://pkgs.k8s.io/core:/stable: has no Kubernetes 1.99;"
        " the newest one that it has is 1.36"
    )


@needs_namespaces
@pytest.mark.parametrize(
    ("code", "end"),
    [
        (6, "its name does not resolve"),
        (7, "the network has no way out to it"),
        (28, "the network has no way out to it"),
        (60, "its certificate is not trusted in this template"),
        (35, "curl: (35) something"),
    ],
)
@pytest.mark.parametrize("proxy", ["", "http://proxy.example.com:3128"])
def test_the_host_that_cannot_be_reached_is_named(
    guest: Guest, code: int, end: str, proxy: str
) -> None:
    guest.command("curl", f'echo "curl: ({code}) something" >&2; exit {code}')
    by = " through the proxy proxy.example.com:3128" if proxy else ""
    log = run(guest, "step_source", end=1, HTTPS_P=proxy)
    assert reason(log) == f"cannot reach pkgs.k8s.io{by}: {end}"


@needs_namespaces
def test_apts_own_reason_is_kept(guest: Guest) -> None:
    guest.command("apt-cache", "true")
    guest.command(
        "apt-get",
        "echo Hit:1; echo \"E: The repository 'https://pkgs.k8s.io/x InRelease' is not signed.\";"
        " echo 'W: more'; exit 100",
    )
    assert reason(run(guest, "step_source", end=1)) == (
        "apt finds no kubeadm in https://pkgs.k8s.io/core:/stable:/v1.37/deb:"
        " E: The repository 'https://pkgs.k8s.io/x InRelease' is not signed."
    )


@needs_namespaces
def test_a_locked_list_of_packages_is_waited_for(guest: Guest) -> None:
    guest.command(
        "apt-get",
        "echo x >>/run/apt; [ $(wc -l </run/apt) -gt 2 ] ||"
        " { echo 'E: Could not get lock /var/lib/apt/lists/lock.'; exit 100; }",
    )
    run(guest, "step_source")
    assert (guest.folder / "run/slept").read_text() == "20\n20\n"


@needs_namespaces
@pytest.mark.parametrize(
    ("kube", "version", "fails"),
    [
        ("1.37.2", "containerd github.com/containerd/containerd 1.7.24", False),
        ("1.38.0", "containerd github.com/containerd/containerd v2.0.4 abc", False),
        ("1.38.0", "containerd github.com/containerd/containerd v1.7.24 abc", True),
    ],
)
def test_an_old_containerd_is_refused_where_kubernetes_does_not_run_with_it(
    guest: Guest, kube: str, version: str, fails: bool
) -> None:
    (guest.folder / "var/lib/cse-bootstrap").mkdir()
    (guest.folder / "var/lib/cse-bootstrap/version").write_text(f"{kube}-1.1\n")
    guest.command("kubeadm", f"echo v{kube}")
    guest.command("containerd", f"echo '{version}'")
    for name in ("apt-mark", "systemctl"):
        guest.command(name, "true")
    log = run(guest, "step_packages", end=int(fails))
    if fails:
        assert reason(log).startswith("Kubernetes 1.37 requires containerd 2")
    asked = (guest.folder / "run/apt").read_text()
    assert f"kubeadm={kube}-1.1" in asked and "keepalived" in asked
    assert " containerd" not in asked


@needs_namespaces
@pytest.mark.parametrize(
    ("default", "line"),
    [
        ('    sandbox_image = "registry.k8s.io/pause:3.8"\n', "    sandbox_image = "),
        ("    sandbox = 'registry.k8s.io/pause:3.10'\n", "    sandbox = "),
    ],
)
def test_containerd_gets_systemds_cgroups_and_kubeadms_pause(
    guest: Guest, default: str, line: str
) -> None:
    config = f"version = 2\n{default}            SystemdCgroup = false\n"
    guest.command("containerd", f"cat <<'E'\n{config}E")
    guest.command("kubeadm", "printf 'registry.k8s.io/etcd:3\\nregistry.k8s.io/pause:3.10.2\\n'")
    guest.command("systemctl", "true")
    run(guest, "KVER=v1.37.2; mkdir -p /etc/containerd; step_containerd")
    made = (guest.folder / "etc/containerd/config.toml").read_text()
    assert made == (
        f'version = 2\n{line}"registry.k8s.io/pause:3.10.2"\n            SystemdCgroup = true\n'
    )
