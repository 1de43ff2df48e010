"""The whole script of a node, killed at every single command and started again.

The commands of a Kubernetes node are a few lines of shell here, which keep files and refuse what
the real ones refuse; tests/bootstrap runs the same scripts against strict stand-ins.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from cse_client.guest.pki import ClusterPKI, mint_pki, pki_to_files
from cse_client.guest.render import Bootstrap, control_plane_script, worker_script
from cse_client.model import TemplateFacts

MOUNTS = ("var", "run", "root", "etc")
COUNTED = ("mv", "sync", "rm", "chmod", "install", "mkdir", "cat", "gzip")
# Every stand-in first counts itself, and cuts the power when its turn has come.
TICK = """#!/bin/bash
tick() {
  printf . >>/calls/count
  [ "$KILL_AT" = 0 ] && return
  local n
  n=$(/usr/bin/stat -c %s /calls/count)
  [ "$n" -ge "$KILL_AT" ] || return
  echo "power lost at $n: ${0##*/} $*" >>/calls/lost
  kill -9 -1
  exit 1
}
tick "$@"
"""
COMMANDS = {
    "sleep": "",
    "vmtoolsd": 'printf "%s\\n" "$2" >>/calls/tools',
    "ip": """case "$*" in
*route*) echo 'default via 10.0.0.1 dev eth0' ;;
*) echo '2: eth0    inet 127.0.0.1/24 scope global eth0' ;;
esac""",
    "hostname": "echo $NODE",
    "swapoff": "",
    "modprobe": "",
    "sysctl": "",
    "timeout": "",
    "docker": "",
    "systemctl": """echo "$*" >>/calls/systemctl
case "$*" in
"enable cse-bootstrap"*) touch /var/enabled ;;
"disable cse-bootstrap"*) rm -f /var/enabled ;;
"start --no-block cse-bootstrap.service") bash /var/lib/cse-bootstrap/run.sh ;;
esac""",
    "kubectl": """echo "$*" >>/calls/kubectl
case "$*" in
*"get secrets"*) echo secret/other; [ -e /var/token ] && echo secret/bootstrap-token-abc ;;
*"delete secret/bootstrap-token-abc"*) rm -f /var/token ;;
*"get node"*) [ -s /etc/kubernetes/kubelet.conf ] && [ -s /var/lib/kubelet/config.yaml ] ;;
*" -f -"*) /bin/cat >/dev/null ;;
esac""",
    "kubeadm": """echo "$*" >>/calls/kubeadm
E=/etc/kubernetes
case $1 in
version) echo v1.18.6 ;;
config) echo registry/kube-proxy:v1 registry/pause:3.2 | tr ' ' '\\n' ;;
reset) rm -rf $E/pki $E/manifests $E/admin.conf $E/kubelet.conf ;;
init)
  for f in {,front-proxy-,etcd/}ca.{key,crt} sa.key sa.pub; do
    [ -s "$E/pki/$f" ] || { echo "no $f"; exit 1; }
  done
  case "$*" in *--ignore-preflight-errors=*etcd.yaml* | "init phase "*) ;; *)
    [ -e $E/manifests ] && { echo "manifests exist"; exit 1; } ;;
  esac
  f=$E/pki/apiserver.crt
  [ -e $f ] && ! [ -s $f ] && { echo "bad certificate"; exit 1; }
  [ -e $f ] || { : >$f; tick certs; echo leaf >$f; }
  case $3 in certs | kubeconfig) exit ;; esac
  mkdir -p $E/manifests; tick manifests; touch $E/manifests/etcd.yaml
  tick wait; echo admin >$E/admin.conf; touch /var/token; tick end ;;
join)
  [ -s /run/cse/discovery.conf ] || { echo "no discovery file"; exit 1; }
  [ -e $E/kubelet.conf ] && { echo "kubelet.conf exists"; exit 1; }
  tick preflight; mkdir -p $E /var/lib/kubelet; echo x >$E/bootstrap-kubelet.conf
  tick bootstrap; echo kubelet >$E/kubelet.conf
  tick kubelet; echo config >/var/lib/kubelet/config.yaml
  tick end; rm -f $E/bootstrap-kubelet.conf ;;
esac""",
}


def _can_unshare() -> bool:
    if shutil.which("unshare") is None:
        return False
    run = subprocess.run(["unshare", "-Urmpf", "true"], capture_output=True, check=False)
    return run.returncode == 0


pytestmark = pytest.mark.skipif(not _can_unshare(), reason="this machine forbids namespaces")


@dataclass
class Machine:
    """A disk, and power that can fail."""

    folder: Path
    node: str
    script: str

    def prepare(self) -> None:
        for name in (*MOUNTS, "bin", "calls"):
            (self.folder / name).mkdir(parents=True)
        for name in ("lib", "log"):
            (self.folder / "var" / name).mkdir()
        (self.folder / "root/weave.yml").write_text("kind: List\n")
        (self.folder / "root/.customization").mkdir()
        (self.folder / "etc/hosts").write_text("127.0.0.1 localhost\n")
        (self.folder / "customize.sh").write_text(self.script)
        bodies = {name: f'exec {shutil.which(name)} "$@"' for name in COUNTED}
        for name, body in {**bodies, **COMMANDS}.items():
            path = self.folder / "bin" / name
            path.write_text(TICK + body + "\n")
            path.chmod(0o755)

    def run(self, script: str, *words: str, kill_at: int = 0) -> int:
        """Run in namespaces of its own; returns how many commands there were."""
        calls = self.folder / "calls"
        (calls / "count").write_text("")
        binds = [f"mount --bind {self.folder / name} /{name}" for name in MOUNTS]
        # The disk's paths are absolute, so /calls and /customize.sh become links to the folder.
        text = "\n".join([*binds, f"bash {script} {' '.join(words)}; exit 0"])
        text = text.replace("/calls", str(calls))
        subprocess.run(
            ["unshare", "-Urmpf", "--propagation", "private", "bash", "-c", text],
            env={
                "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}",
                "KILL_AT": str(kill_at),
                "NODE": self.node,
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=60,
        )
        return (calls / "count").stat().st_size

    def boot(self) -> None:
        """Power comes back: /run is empty, and systemd starts what is enabled and wanted."""
        shutil.rmtree(self.folder / "run")
        (self.folder / "run").mkdir()
        wanted = (self.folder / "var/enabled", self.folder / "var/lib/cse-bootstrap/run.sh")
        if all(path.exists() for path in wanted):
            self.run("/var/lib/cse-bootstrap/run.sh")

    def said(self, name: str) -> str:
        path = self.folder / "calls" / name
        return path.read_text() if path.exists() else ""

    def log(self) -> str:
        path = self.folder / "var/log/cse-bootstrap.log"
        return path.read_text() if path.exists() else ""


PKI = mint_pki("demo")
SPEC = Bootstrap("cluster-1", "demo", "mstr-ab12", facts=TemplateFacts(cni="weave"))


@pytest.fixture
def machine(tmp_path: Path, request: pytest.FixtureRequest) -> Machine:
    if request.param == "control-plane":
        made = Machine(tmp_path / "vm", "mstr-ab12", control_plane_script(SPEC, PKI))
    else:
        spec = Bootstrap("cluster-1", "demo", "node-cd34", facts=SPEC.facts)
        made = Machine(tmp_path / "vm", "node-cd34", worker_script(spec, PKI, endpoint="127.0.0.1"))
    made.prepare()
    for name in ("bin",):
        for path in (made.folder / name).iterdir():
            text = path.read_text().replace("/calls/", f"{made.folder}/calls/")
            path.write_text(text)
    return made


def check_done(machine: Machine, pki: ClusterPKI = PKI) -> None:
    state = machine.folder / "var/lib/cse-bootstrap"
    evidence = machine.said("lost") + machine.log()
    assert (state / "done").read_text() == f"cluster-1 {machine.node}\n", evidence
    assert not (state / "run.sh").exists(), evidence
    assert not (machine.folder / "root/.customization").exists()
    assert "info-set guestinfo.cse.status ready" in machine.said("tools").splitlines()
    kubernetes = machine.folder / "etc/kubernetes"
    if machine.node.startswith("mstr-"):
        for path, content in pki_to_files(pki).items():
            assert (kubernetes / "pki" / path).read_bytes() == content
        assert (kubernetes / "pki/apiserver.crt").read_text() == "leaf\n"
        assert (machine.folder / "root/.kube/config").read_text() == "admin\n"
        assert not (machine.folder / "var/token").exists()
        assert "apply --validate=false -f /root/weave.yml" in machine.said("kubectl")
    else:
        assert (kubernetes / "kubelet.conf").read_text() == "kubelet\n"
        assert not (kubernetes / "bootstrap-kubelet.conf").exists()
        assert not (machine.folder / "run/cse/discovery.conf").exists()
        assert not (kubernetes / "pki/ca.key").exists()


BOTH = pytest.mark.parametrize("machine", ["control-plane", "worker"], indirect=True)


@BOTH
def test_a_node_is_made_by_its_script_alone(machine: Machine) -> None:
    machine.run(str(machine.folder / "customize.sh"), "precustomization")
    assert machine.said("systemctl") == ""
    machine.run(str(machine.folder / "customize.sh"), "postcustomization")
    check_done(machine)
    assert machine.said("systemctl").splitlines()[:3] == [
        "daemon-reload",
        "enable cse-bootstrap.service cse-scrub.service",
        "start --no-block cse-bootstrap.service",
    ]
    mode = (machine.folder / "var/log/cse-bootstrap.log").stat().st_mode & 0o777
    assert mode == 0o600
    assert (machine.folder / "var/lib/cse-bootstrap").stat().st_mode & 0o777 == 0o700
    # A forced customization later finds nothing to do.
    kubeadm = machine.said("kubeadm")
    machine.run(str(machine.folder / "customize.sh"), "postcustomization")
    assert machine.said("kubeadm") == kubeadm
    assert machine.said("systemctl").endswith("start --no-block cse-scrub.service\n")
    check_done(machine)


@pytest.mark.parametrize("machine", ["control-plane"], indirect=True)
def test_init_gets_the_flags_it_needs(machine: Machine) -> None:
    # certificates are made beforehand only while images are pulled
    bodies = {"docker": '[ "$1" != image ]', "timeout": '[ "$1" = 5 ] || /bin/sleep 2'}
    for name, body in bodies.items():
        (machine.folder / "bin" / name).write_text(f"#!/bin/bash\n{body}\n")
    machine.run(str(machine.folder / "customize.sh"), "postcustomization")
    init = [line for line in machine.said("kubeadm").splitlines() if line.startswith("init ")]
    assert init == [
        "init phase certs all --apiserver-cert-extra-sans 127.0.0.1,127.0.0.1"
        " --kubernetes-version v1.18.6 --apiserver-advertise-address 127.0.0.1"
        " --control-plane-endpoint 127.0.0.1:6443",
        "init phase kubeconfig all --node-name mstr-ab12"
        " --kubernetes-version v1.18.6 --apiserver-advertise-address 127.0.0.1"
        " --control-plane-endpoint 127.0.0.1:6443",
        "init --kubernetes-version v1.18.6 --apiserver-advertise-address 127.0.0.1"
        " --control-plane-endpoint 127.0.0.1:6443 --apiserver-cert-extra-sans 127.0.0.1,127.0.0.1"
        " --node-name mstr-ab12 --cri-socket /var/run/dockershim.sock --skip-token-print",
    ]


@BOTH
@pytest.mark.parametrize("part", range(2))
def test_power_loss_at_any_command_is_made_good(machine: Machine, part: int) -> None:
    disk = machine.folder.parent / "fresh"
    shutil.copytree(machine.folder, disk)
    total = machine.run(str(machine.folder / "customize.sh"), "postcustomization")
    check_done(machine)
    assert total > 60
    # All of them take minutes: CSE_TEST_EVERY=1 (then -n 2) does that, each release should.
    every = 2 * int(os.environ.get("CSE_TEST_EVERY", "25"))
    for moment in range(1 + part * every // 2, total + 1, every):
        for path in machine.folder.iterdir():
            if path.is_dir() and path.name != "bin":
                shutil.rmtree(path)
        shutil.copytree(disk, machine.folder, dirs_exist_ok=True, ignore=lambda *_: ["bin"])
        machine.run(str(machine.folder / "customize.sh"), "postcustomization", kill_at=moment)
        assert machine.said("lost"), moment
        started = "start --no-block cse-bootstrap.service" in machine.said("systemctl")
        if not started:
            # Nothing was installed whole, so VCD's customization is not complete: it comes again.
            machine.run(str(machine.folder / "customize.sh"), "postcustomization")
        else:
            machine.boot()
        check_done(machine)
