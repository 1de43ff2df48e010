"""Single functions of the shell scripts, run by real bash over a private file system.

Whole bootstraps are in tests/bootstrap; here are the corners that are hard to reach from outside.
"""

from __future__ import annotations

import base64
import re
import shutil
import time
from pathlib import Path

import pytest

from tests.support.shell import MOUNTS, SCRIPTS, Guest, can_unshare

pytestmark = pytest.mark.skipif(not can_unshare(), reason="this machine forbids namespaces")


@pytest.fixture
def guest(tmp_path: Path) -> Guest:
    for name in (*MOUNTS, "bin"):
        (tmp_path / name).mkdir(parents=True)
    made = Guest(tmp_path)
    made.command("sleep", 'echo "$1" >>/run/slept')
    made.command("vmtoolsd", 'echo "${2#info-set guestinfo.cse.} " >>/run/guestinfo')
    made.command("kubectl", 'echo "kubectl $*" >>/run/called; cat >/run/stdin')
    return made


def ip_commands(guest: Guest, route: str, addresses: str) -> None:
    (guest.folder / "bin/route").write_text(route)
    (guest.folder / "bin/addresses").write_text(addresses)
    guest.command(
        "ip",
        f"""cd {guest.folder}/bin
case "$*" in
*route*) cat route ;;
*" dev "*) grep " $6 " addresses ;;
*addr*) cat addresses ;;
esac""",
    )


@pytest.mark.parametrize(
    ("route", "addresses", "expected"),
    [
        (
            "default via 10.0.0.1 dev ens192 proto static \n",
            "2: ens192    inet 10.0.0.5/24 brd 10.0.0.255 scope global ens192\n",
            "10.0.0.5",
        ),
        (
            "default via 10.0.0.1 dev ens192\n",
            "2: ens160    inet 192.168.7.7/24 scope global ens160\n"
            "3: ens192    inet 10.0.0.5/24 scope global ens192\n",
            "10.0.0.5",
        ),
        (
            "default via 10.0.0.1 dev eth0\n",
            "2: eth0    inet 10.0.0.9/24 scope global secondary eth0\n"
            "2: eth0    inet 10.0.0.5/24 scope global eth0\n",
            "10.0.0.5",
        ),
        (
            "",
            "2: docker0    inet 172.17.0.1/16 scope global docker0\n"
            "3: eth0    inet 10.0.0.5/24 scope global eth0\n",
            "10.0.0.5",
        ),
    ],
    ids=["one", "two cards", "a second address", "no default route"],
)
def test_the_address_is_the_default_routes(
    guest: Guest, route: str, addresses: str, expected: str
) -> None:
    ip_commands(guest, route, addresses)
    assert f"found {expected}\n" in guest.run('find_ip; say "found $IP"')


def test_of_several_addresses_vcds_own_is_taken(guest: Guest) -> None:
    ip_commands(
        guest,
        "default via 10.0.0.1 dev eth0\n",
        "2: eth0    inet 10.0.0.5/24 scope global eth0\n"
        "2: eth0    inet 10.0.0.6/24 scope global eth0\n",
    )
    guest.command(
        "vmtoolsd",
        """cat <<'E'
<PropertySection><Property oe:key="vCloud_ip_0" oe:value="10.0.0.6"/></PropertySection>
E""",
    )
    assert "found 10.0.0.6\n" in guest.run('find_ip; say "found $IP"')
    guest.command("vmtoolsd", 'echo \'oe:key="vCloud_ip_0" oe:value="10.9.9.9"\'')
    assert "found 10.0.0.5\n" in guest.run('find_ip; say "found $IP"')


def test_a_guest_without_an_address_says_so_after_its_deadline(guest: Guest) -> None:
    ip_commands(guest, "", "")
    log = guest.run("step host", end=1)
    assert "FAILED in phase host (rc 1): no address on a network card after 20 s" in log
    assert (guest.folder / "run/slept").read_text().split() == ["1"] * 19


def test_waiting_counts_sleeps_and_not_the_clock(guest: Guest) -> None:
    log = guest.run("until_ok 12 false || say gave up")
    assert "gave up" in log
    assert (guest.folder / "run/slept").read_text().split() == ["1"] * 11


def test_a_failure_names_phase_code_and_reason_everywhere(guest: Guest) -> None:
    log = guest.run("step_host() { echo about to fail; bash -c 'exit 42'; }; step host", end=1)
    assert "FAILED in phase host (rc 42)" in log
    assert "bash -c 'exit 42': rc 42" in log
    said = guest.guestinfo()
    assert (said["status"].strip(), said["phase"].strip(), said["rc"].strip()) == (
        *("failed", "host"),
        "42",
    )
    tail = base64.b64decode(said["error"]).decode()
    assert "about to fail" in tail
    assert tail.splitlines()[-1].endswith("FAILED in phase host (rc 42)")
    mode = (guest.folder / "var/log/cse-bootstrap.log").stat().st_mode & 0o777
    assert mode == 0o600


def test_the_status_is_set_after_what_explains_it(guest: Guest) -> None:
    guest.run("step_host() { die because; }; step host", end=1)
    keys = [line.split(" ")[0] for line in (guest.folder / "run/guestinfo").read_text().split("\n")]
    assert [key for key in keys if key][-4:] == ["phase", "rc", "error", "status"]


def test_a_shutdown_in_the_middle_is_no_failure(guest: Guest) -> None:
    log = guest.run("step_host() { kill -TERM $$; /bin/sleep 0.2; }; step host", end=143)
    assert "stopped in phase host" in log
    assert guest.guestinfo()["status"].strip() == "running"


def test_five_failures_and_the_unit_rests_until_the_next_boot(guest: Guest) -> None:
    code = "step_host() { die because; }; step host"
    for _ in range(4):
        guest.run(code, end=1)
    assert "giving up until the next boot" in guest.run(code, end=3)
    shutil.rmtree(guest.folder / "run/cse")  # /run is empty after a boot
    guest.run(code, end=1)


def test_a_step_runs_once_and_errexit_holds_inside(guest: Guest) -> None:
    code = "step_one() { say working; }; step one; step_two() { false; say unreached; }; step two"
    first = guest.run(code, end=1)
    assert "working" in first
    assert "unreached" not in first
    second = guest.run(code, end=1)
    assert "working" not in second
    assert "FAILED in phase two" in second


def test_no_secret_leaves_with_the_last_lines(guest: Guest) -> None:
    guest.run(
        "step_x() { echo 'kubeadm join --token abcdef.0123456789abcdef';"
        f" echo 'key: {'QUJD' * 30}'; echo '-----BEGIN x-----'; false; }}; step x",
        end=1,
    )
    tail = base64.b64decode(guest.guestinfo()["error"]).decode()
    assert "abcdef.0123456789abcdef" not in tail
    assert "QUJDQUJD" not in tail
    assert "join --token (token)" in tail
    assert len(guest.guestinfo()["error"]) <= 4001


def test_a_file_is_put_whole_with_its_mode(guest: Guest) -> None:
    guest.run("put /etc/a/b 600 <<<one; put /etc/a/c 644 <<<two; put /etc/a/b 600 <<<three")
    assert (guest.folder / "etc/a/b").read_text() == "three\n"
    assert (guest.folder / "etc/a/b").stat().st_mode & 0o777 == 0o600
    assert (guest.folder / "etc/a/c").stat().st_mode & 0o777 == 0o644
    assert sorted(path.name for path in (guest.folder / "etc/a").iterdir()) == ["b", "c"]


@pytest.mark.parametrize(
    ("present", "settings", "expected"),
    [
        (["weave_v2-6-5.yml"], "", "weave_v2-6-5.yml"),
        (["weave.yml"], "", "weave.yml"),
        (["weave.yml", "weave_v2-6-5.yml"], "", "weave_v2-6-5.yml"),
        (["weave_v2-5-2.yml", "weave_v2-6-5.yml"], "", "weave_v2-6-5.yml"),
        (["antrea_0.11.3.yml"], "CNI=antrea CNI_VERSION=0.11.3", "antrea_0.11.3.yml"),
        (["calico.yaml"], "CNI= CNI_VERSION=", "calico.yaml"),
        (["kube-flannel.yml", "flannel.yml"], "CNI=flannel CNI_VERSION=", "flannel.yml"),
        (["cni.yaml"], "CNI=other CNI_VERSION=", "cni.yaml"),
        (["weave.yml", "my net.yaml"], "CNI_MANIFEST='/root/my net.yaml'", "my net.yaml"),
    ],
)
def test_the_cni_manifest_is_found(
    guest: Guest, present: list[str], settings: str, expected: str
) -> None:
    for name in present:
        (guest.folder / "root" / name).write_text("kind: List\n")
    log = guest.run(f'{settings}\nMANIFEST=; find_manifest; say "found $MANIFEST."')
    assert f"found /root/{expected}." in log


@pytest.mark.parametrize(
    ("present", "settings", "message"),
    [
        ([], "", "no CNI manifest for weave under /root in this template"),
        ([], "CNI=", "no CNI manifest for any known network under /root in this template"),
        (["calico.yaml"], "", "no CNI manifest for weave under /root in this template"),
        (["weave.yml"], "CNI_MANIFEST=/root/x.yml", "the CNI manifest /root/x.yml is not in this"),
    ],
)
def test_a_missing_cni_manifest_is_named(
    guest: Guest, present: list[str], settings: str, message: str
) -> None:
    for name in present:
        (guest.folder / "root" / name).write_text("kind: List\n")
    log = guest.run(f"{settings}\nIP=127.0.0.1\nstep network", end=1)
    assert f"FAILED in phase network (rc 1): {message}" in log


def test_an_empty_cni_manifest_is_none(guest: Guest) -> None:
    (guest.folder / "root/weave.yml").touch()
    assert "no CNI manifest for weave" in guest.run("IP=127.0.0.1\nstep network", end=1)


@pytest.mark.parametrize(
    ("version", "docker", "expected"),
    [
        ("v1.18.6", True, "18 1 /var/run/dockershim.sock"),
        ("v1.23.1", False, "23  /run/containerd/containerd.sock"),
        ("v1.24.0", True, "24  unix:///run/containerd/containerd.sock"),
        ("v1.33.1", False, "33  unix:///run/containerd/containerd.sock"),
    ],
)
def test_the_runtimes_socket(guest: Guest, version: str, docker: bool, expected: str) -> None:
    guest.command("kubeadm", f"echo {version}")
    guest.command("command_not_found", "")
    hide = "" if docker else 'command() { [ "$2" != docker ]; }\n'
    guest.command("docker", "true")
    log = guest.run(f'{hide}look_around; say "$MINOR $DOCKER $CRI."')
    assert f"{expected}." in log


def test_a_template_without_kubeadm(guest: Guest) -> None:
    log = guest.run("start", end=1)
    assert "kubeadm does not run: is this a Kubernetes template?" in log


PULLS = "KVER=v1.18.6 DOCKER=1\nstart_pulls; step images"


def test_an_image_that_cannot_be_had_names_the_registry(guest: Guest) -> None:
    guest.command("kubeadm", "echo registry.invalid/pause:3.2")
    guest.command("docker", '[ "$1" = pull ] || exit 1; echo "$*" >>/run/called; echo no; exit 7')
    log = guest.run(PULLS, end=1)
    assert "FAILED in phase images (rc 1): cannot reach registry.invalid: its name does not" in log
    assert log.count("pulling registry.invalid/pause:3.2: rc 7: no\n") == 3
    assert (guest.folder / "run/called").read_text().count("pull registry.invalid/pause:3.2") == 3
    assert (guest.folder / "run/slept").read_text().split() == ["5", "10"]


def test_a_registry_that_hangs_is_given_up_after_one_images_deadline(guest: Guest) -> None:
    guest.command("kubeadm", "printf '%s\\n' 127.0.0.1:1/{a,b,c,d,e,f}")
    guest.command("docker", 'shift; [ "$1" = inspect ] || exec /bin/sleep 60; exit 1')
    began = time.monotonic()
    log = guest.run(f"T_IMAGES=3\n{PULLS}", end=1)
    assert time.monotonic() - began < 20
    assert re.search(r"cannot reach 127.0.0.1 port 1 \(image 127.0.0.1:1/[abcd]\)", log)
    assert "rc 124" in log


def test_images_are_pulled_four_at_a_time_and_each_once(guest: Guest) -> None:
    """Each pull ends only when three others are under way, or are over."""
    names = [f"r/{number}" for number in range(1, 9)]
    guest.command("kubeadm", f"printf '%s\\n' {' '.join(names)}")
    guest.command(
        "docker",
        """[ "$1" = pull ] || exit 1
echo "$2" >>/run/begun
until [ "$(wc -l </run/begun)" -ge 4 ]; do /bin/sleep 0.02; done
echo "$2" >>/run/pulled""",
    )
    guest.run(PULLS)
    pulled = (guest.folder / "run/pulled").read_text().split()
    assert sorted(pulled) == names


def test_other_steps_go_on_while_images_are_pulled(guest: Guest) -> None:
    guest.command("kubeadm", "echo r/one")
    guest.command(
        "docker",
        '[ "$1" = pull ] || exit 1; until [ -e /run/other ]; do /bin/sleep 0.02; done',
    )
    code = "step_other() { : >/run/other; }\nKVER=v1.18.6 DOCKER=1\nstart_pulls\nstep other"
    log = guest.run(f"{code}\nstep images")
    assert log.index("phase other") < log.index("phase images")
    phases = (guest.folder / "run/guestinfo").read_text().split("\n")
    assert [line.strip() for line in phases if line.startswith("phase")][:2] == [
        "phase other",
        "phase images",
    ]


def test_a_failed_pull_ends_another_steps_wait(guest: Guest) -> None:
    """A worker may wait for its control plane for half an hour."""
    guest.command("kubeadm", "echo 127.0.0.1:1/one")
    guest.command("docker", "exit 1")
    guest.command("sleep", "exec /bin/sleep 0.05")
    code = "T_WAIT=9999 KVER=v1.18.6 DOCKER=1\nstart_pulls\nstep wait"
    log = guest.run(code, kind="worker", end=1)
    assert "FAILED in phase images (rc 1): cannot reach 127.0.0.1 port 1" in log.splitlines()[-1]
    assert guest.guestinfo()["phase"].strip() == "images"


def test_a_missing_image_list_is_a_failure_of_that_phase(guest: Guest) -> None:
    guest.command("kubeadm", "exit 3")
    assert "FAILED in phase images (rc 1)" in guest.run(PULLS, end=1)


def test_images_that_are_there_are_not_pulled(guest: Guest) -> None:
    guest.command("kubeadm", "printf '%s\\n' r/kube-apiserver:v1 r/kube-proxy:v1 r/pause:3.2")
    guest.command("crictl", 'echo "$*" >>/run/called')
    settings = "KVER=v1.33.1 DOCKER= CRI=unix:///run/c.sock"
    guest.run(f"{settings}\nstart_pulls '/(kube-proxy|pause):'\nstep images", kind="worker")
    assert sorted((guest.folder / "run/called").read_text().splitlines()) == [
        "-r unix:///run/c.sock inspecti r/kube-proxy:v1",
        "-r unix:///run/c.sock inspecti r/pause:3.2",
    ]


def test_the_host_is_prepared_once_and_for_all(guest: Guest) -> None:
    ip_commands(guest, "", "2: eth0    inet 10.0.0.5/24 scope global eth0\n")
    guest.command("hostname", '[ -z "$1" ] && echo old; echo "$*" >>/run/called')
    (guest.folder / "etc/hosts").write_text("127.0.0.1 localhost\n127.0.1.1 mstr-ab12\n")
    (guest.folder / "root/.ssh").mkdir()
    (guest.folder / "root/.ssh/authorized_keys").write_text("ssh-rsa other\n")
    code = "SSH_KEY='ssh-ed25519 AAAA it'\\''s me'\nstep_host; step_host"
    guest.run(code)
    assert (guest.folder / "etc/hosts").read_text() == ("127.0.0.1 localhost\n10.0.0.5 mstr-ab12\n")
    keys = (guest.folder / "root/.ssh/authorized_keys").read_text()
    assert keys == "ssh-rsa other\nssh-ed25519 AAAA it's me\n"
    assert (guest.folder / "etc/hostname").read_text() == "mstr-ab12\n"
    assert (guest.folder / "root/.ssh").stat().st_mode & 0o777 == 0o700


def test_a_clock_behind_is_set_and_one_ahead_is_left(guest: Guest) -> None:
    ip_commands(guest, "", "2: eth0    inet 10.0.0.5/24 scope global eth0\n")
    guest.command("date", '[ "$2" = +%s ] && echo 1000; echo "$*" >>/run/called')
    (guest.folder / "etc/hosts").touch()
    guest.run("MINTED=2000\nstep_host\nMINTED=500\nstep_host")
    said = (guest.folder / "run/called").read_text().splitlines()
    assert [line for line in said if "-s" in line] == ["-u -s @2000"]


def test_a_worker_waits_for_the_control_plane_and_names_it(guest: Guest) -> None:
    log = guest.run("MINTED=$(date +%s)\nstep wait", kind="worker", end=1)
    assert "the control plane at 127.0.0.1:1 is not ready after 20 s: no connection" in log
    assert (guest.folder / "run/slept").read_text().split() == ["1"] * 19


def test_a_worker_whose_certificate_has_ended_says_so(guest: Guest) -> None:
    guest.command("kubectl", "echo 'error: You must be logged in to the server'; exit 1")
    code = "MINTED=$(($(date +%s) - 7300))\nport_open() { true; }\nstep wait"
    log = guest.run(code, kind="worker", end=1)
    assert "this node's join certificate has expired, replace the node: error: You must" in log


def test_nothing_is_sent_to_the_tools_without_a_value(guest: Guest) -> None:
    guest.run('gi error ""')
    assert guest.guestinfo()["error"].strip() == "-"


def test_a_failure_ends_pulls_that_are_under_way(guest: Guest) -> None:
    """Nothing is written to the log after the reason, which is its last line."""
    guest.command("kubeadm", "echo r/one")
    guest.command("docker", '[ "$1" = pull ] || exit 1; /bin/sleep 2; exit 1')
    guest.run("KVER=v1.18.6 DOCKER=1\nstart_pulls\nstep_x() { die because; }; step x", end=1)
    time.sleep(3)
    assert guest.log().splitlines()[-1].endswith("FAILED in phase x (rc 1): because")


def test_no_process_is_killed_but_pulls_that_still_run(guest: Guest) -> None:
    """The number of one that has ended may be another program's by now."""
    guest.command("kubeadm", "echo r/one")
    guest.command("docker", "true")
    code = 'kill() { say "killed $*"; }; KVER=v1.18.6 DOCKER=1\nstart_pulls; step images; die late'
    assert "killed \n" in guest.run(code, end=1)


FLANNEL = """  net-conf.json: |
    {
      "Network": "10.244.0.0/16",
      "EnableNFTables": false,
      "IPv6Network": "2001:cafe:42:0::/56"
"""
CALICO = """            # - name: CALICO_IPV4POOL_CIDR
            #   value: "192.168.0.0/16"
            - name: CALICO_IPV4POOL_CIDR
              value: "192.168.0.0/16"
            - name: FELIX_IPV6SUPPORT
              value: "false"
"""
CILIUM = """  ipam: "cluster-pool"
  cluster-pool-ipv4-cidr: "10.0.0.0/8"
  cluster-pool-ipv4-mask-size: "24"
"""


@pytest.mark.parametrize(
    ("manifest", "after"),
    [
        (FLANNEL, FLANNEL.replace("10.244.0.0/16", "172.30.0.0/16")),
        # the second one: the first is a comment
        (CALICO, "172.30.0.0/16".join(CALICO.rsplit("192.168.0.0/16", 1))),
        (CILIUM, CILIUM.replace("10.0.0.0/8", "172.30.0.0/16")),
        ("kind: DaemonSet\n", "kind: DaemonSet\n"),
    ],
    ids=["flannel", "calico", "cilium", "antrea"],
)
def test_a_chosen_pod_network_is_put_into_the_manifest(
    guest: Guest, manifest: str, after: str
) -> None:
    (guest.folder / "root/cni.yaml").write_text(manifest)
    guest.run("CNI_MANIFEST=/root/cni.yaml CNI_CIDR=172.30.0.0/16; step_network")
    assert (guest.folder / "var/lib/cse-bootstrap/cni.yaml").read_text() == after
    assert "-f /var/lib/cse-bootstrap/cni.yaml" in (guest.folder / "run/called").read_text()


#: containerd's file of each version before, and the tables that it has afterwards.
CONTAINERD = {
    "": ("plugins", "io.containerd.grpc.v1.cri"),
    'version = 2\n[plugins."io.containerd.grpc.v1.cri"]\nsandbox_image = "k8s.gcr.io/pause:3.1"\n'
    '  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]\n'
    "    SystemdCgroup = true\n": ("plugins", "io.containerd.grpc.v1.cri"),
    "version = 2\n[plugins]\n  [plugins.'io.containerd.grpc.v1.cri'.registry]\n"
    "    config_path = ''\n    [plugins.'io.containerd.grpc.v1.cri'.registry.auths]\n"
    "  [plugins.'io.containerd.transfer.v1.local']\n    config_path = ''\n": (
        "plugins",
        "io.containerd.grpc.v1.cri",
    ),
    "version = 3\n[plugins.'io.containerd.cri.v1.images'.pinned_images]\n"
    "  sandbox = 'registry.k8s.io/pause:3.10'\n[plugins.'io.containerd.cri.v1.images'.registry]\n"
    "  config_path = '/etc/old'\n": ("plugins", "io.containerd.cri.v1.images"),
    'oom_score = 0\n[plugins.cri]\n  sandbox_image = "x"\n': ("plugins", "cri"),
}


@pytest.mark.parametrize("before", CONTAINERD)
def test_containerds_configuration_is_changed_and_stays_valid(guest: Guest, before: str) -> None:
    tomllib = pytest.importorskip("tomllib")
    guest.command("kubeadm", "printf 'r.example/%s\\n' kube-proxy:v1 pause:3.10")
    (guest.folder / "etc/containerd").mkdir()
    path = guest.folder / "etc/containerd/config.toml"
    path.write_text(before)
    settings = SCRIPTS.joinpath("registries.sh").read_text()
    values = "CRI=/run/containerd/containerd.sock KVER=v1 MIRRORS=docker.io=http://m REPO=r.example"
    for _ in range(2):
        guest.run(f"{settings}\n{values}; set_registries")
        found = tomllib.loads(path.read_text())
        for name in CONTAINERD[before]:
            found = found[name]
        assert found["registry"]["config_path"] == "/etc/containerd/certs.d"
        assert "r.example/pause:3.10" in (
            found.get("sandbox_image"),
            found.get("pinned_images", {}).get("sandbox"),
        )
    for line in ("SystemdCgroup = true", "transfer.v1.local']\n    config_path = ''", "oom_score"):
        assert (line in path.read_text()) is (line in before)
    hosts = guest.folder / "etc/containerd/certs.d/docker.io/hosts.toml"
    assert tomllib.loads(hosts.read_text())["host"] == {
        "http://m": {"capabilities": ["pull", "resolve"]}
    }


@pytest.mark.parametrize(
    ("cri", "text", "why"),
    [
        ("/var/run/dockershim.sock", "", "requires containerd; this template has dockershim.sock"),
        (
            "unix:///run/containerd/containerd.sock",
            'version = 2\n[plugins."io.containerd.grpc.v1.cri".registry.mirrors."docker.io"]\n',
            "/etc/containerd/config.toml in this template has registry mirrors of its own",
        ),
    ],
)
def test_mirrors_that_a_runtime_cannot_have(guest: Guest, cri: str, text: str, why: str) -> None:
    (guest.folder / "etc/containerd").mkdir()
    (guest.folder / "etc/containerd/config.toml").write_text(text)
    settings = SCRIPTS.joinpath("registries.sh").read_text()
    log = guest.run(f"{settings}\nCRI={cri} MIRRORS=docker.io=http://m; set_registries", end=1)
    assert why in log


def test_servers_on_ubuntu_16_04_and_with_chrony(guest: Guest) -> None:
    ip_commands(guest, "", "2: eth0    inet 10.0.0.5/24 brd 10.0.0.255 scope global eth0\n")
    guest.command("resolvconf", 'echo "$*" >>/run/called; cat >>/run/called')
    guest.command("systemctl", "")
    (guest.folder / "etc/resolv.conf").symlink_to("../run/resolvconf/resolv.conf")
    (guest.folder / "etc/network").mkdir()
    (guest.folder / "etc/chrony").mkdir()
    (guest.folder / "etc/network/interfaces").write_text(
        "iface eth0\n    dns-nameservers 10.9.9.9\n"
    )
    settings = SCRIPTS.joinpath("servers.sh").read_text()
    guest.run(f"{settings}\nIP=10.0.0.5 DNS='10.1.1.1 10.1.1.2' NTP='a b'; set_dns; set_ntp")
    assert (guest.folder / "run/called").read_text() == (
        "-a eth0.inet\nnameserver 10.1.1.1\nnameserver 10.1.1.2\n"
    )
    interfaces = (guest.folder / "etc/network/interfaces").read_text()
    assert interfaces == "iface eth0\n    dns-nameservers 10.1.1.1 10.1.1.2\n"
    chrony = (guest.folder / "etc/chrony/conf.d/cse.conf").read_text()
    assert chrony == "server a iburst\nserver b iburst\n"


def test_a_resolver_of_another_kind_is_named(guest: Guest) -> None:
    ip_commands(guest, "", "2: eth0    inet 10.0.0.5/24 brd 10.0.0.255 scope global eth0\n")
    (guest.folder / "etc/resolv.conf").symlink_to("/run/NetworkManager/resolv.conf")
    settings = SCRIPTS.joinpath("servers.sh").read_text()
    log = guest.run(f"{settings}\nIP=10.0.0.5 DNS=10.1.1.1; set_dns", end=1)
    assert "--dns: /run/NetworkManager/resolv.conf in this template is neither of" in log


def test_a_task_reports_its_own_lines_only(guest: Guest) -> None:
    log = guest.folder / "var/log/cse-bootstrap.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text("of the bootstrap\n")
    for number in (1, 2):
        guest.run(f'say "boot {number}"; die "no packages"', data="TASK=upgrade-1", end=3)
    reported = base64.b64decode(guest.guestinfo()["task-error"]).decode()
    assert "of the bootstrap" not in reported
    assert re.findall("boot .", reported) == ["boot 1", "boot 2"]
    assert reported.rstrip().endswith("FAILED in phase start (rc 1): no packages")
