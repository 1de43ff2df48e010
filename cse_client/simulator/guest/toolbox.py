"""The commands and libraries that all guests of one image share, made once, read-only.

A guest's /usr/bin holds links to this machine's own programs (bash, coreutils, grep ...) and, for
what belongs to a Kubernetes node, one small stand-in that hands its words to the simulator.
Programs that an Ubuntu server image does not have stay out.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from cse_client.simulator.guest.model import Image

__all__ = [
    "ABSENT",
    "PACKAGED_PROGRAMS",
    "STUB",
    "Toolbox",
    "host_links",
    "stand_ins",
    "toolbox_for",
]

# Not on an Ubuntu server, or the stand-in's own.
ABSENT = frozenset(
    [
        "ansible",
        "bwrap",
        "cc",
        "c++",
        "clang",
        "clang++",
        "cargo",
        "crictl",
        "ctr",
        "containerd",
        "docker",
        "dockerd",
        "g++",
        "gcc",
        "go",
        "gofmt",
        "helm",
        "java",
        "jq",
        "keepalived",
        "kubeadm",
        "kubectl",
        "kubelet",
        "nerdctl",
        "nmap",
        "node",
        "nodejs",
        "npm",
        "npx",
        "pip",
        "pip3",
        "podman",
        "proot",
        "python",
        "python2",
        "runc",
        "rustc",
        "socat",
        "ssh-agent",
        "tcpdump",
        "tmux",
        "tree",
        "yq",
        "zip",
        "zsh",
    ]
)

# Answered by the simulator.
_COMMON = [
    "systemctl",
    "journalctl",
    "vmtoolsd",
    "vmware-rpctool",
    "vmware-toolbox-cmd",
    "kubeadm",
    "kubectl",
    "kubelet",
    "crictl",
    "swapoff",
    "swapon",
    "modprobe",
    "sysctl",
    "hostnamectl",
    "ip",
    "timedatectl",
    "reboot",
    "poweroff",
    "shutdown",
    "halt",
    "curl",
    "wget",
    "apt-get",
    "apt",
    "apt-mark",
    "logger",
    "ping",
    "nslookup",
    "host",
    "dig",
    "update-grub",
    "cloud-init",
    "systemd-detect-virt",
    "lsmod",
    "resolvconf",
    "resolvectl",
    "update-ca-certificates",
]
_IN_SBIN = frozenset(
    [
        "halt",
        "keepalived",
        "lsmod",
        "modprobe",
        "poweroff",
        "reboot",
        "resolvconf",
        "update-ca-certificates",
        "shutdown",
        "swapoff",
        "swapon",
        "sysctl",
        "update-grub",
    ]
)
_RUNTIME = {
    "docker": ["docker", "dockerd", "containerd", "ctr"],
    "containerd": ["containerd", "ctr"],
}

_OF_PACKAGES = ("apt-cache", "df", "dpkg", "dpkg-query")
#: Commands that come with packages, where an image names its own: those that the simulator answers.
PACKAGED = ("containerd", "crictl", "ctr", "keepalived", "kubeadm", "kubectl", "kubelet")
#: The same: those that are this machine's own programs, if it has them.
PACKAGED_PROGRAMS = (
    "conntrack", "containerd-shim-runc-v2", "ebtables", "ethtool", "ip6tables", "ip6tables-restore",
    "ip6tables-save", "ipset", "iptables", "iptables-restore", "iptables-save", "ipvsadm", "jq",
    "runc", "socat",
)  # fmt: skip

STUB = """#!/usr/bin/bash
. /.guest/conf
d=
for a; do
  case $a in -|-f-|--filename=-|-f=-|*/dev/stdin) d=$(/usr/bin/base64 -w0); break;; esac
done
exec 9<>"/dev/tcp/127.0.0.1/$P" || exit 255
printf '%s\\0' "$T" "${0##*/}" "$PWD" "${KUBECONFIG-}" "${HOME-}" "$d" "$#" "$@" >&9
while IFS= read -r -u 9 l; do
  case $l in
    o*) printf '%s\\n' "${l:1}" ;;
    O*) printf '%s' "${l:1}" ;;
    e*) printf '%s\\n' "${l:1}" >&2 ;;
    E*) printf '%s' "${l:1}" >&2 ;;
    h*) /.host/usr/bin/hostname "${l:1}" ;;
    x*) exit "${l:1}" ;;
  esac
done
exit 255
"""

# Waits pass quicker in the guest than outside; no word to the simulator is needed.
_SLEEP = """#!/usr/bin/bash
. /.guest/conf
t=0
for a; do
  case $a in --) continue;; -*) exec /.host/usr/bin/sleep "$@";; esac
  u=1; n=$a
  case $a in *s) n=${a%s};; *m) n=${a%m} u=60;; *h) n=${a%h} u=3600;; *d) n=${a%d} u=86400;; esac
  [[ $n =~ [0-9] && $n =~ ^([0-9]*)(\\.([0-9]*))?$ ]] || {
    [ "$a" = infinity ] && exec /.host/usr/bin/sleep infinity
    echo "sleep: invalid time interval '$a'" >&2; exit 1; }
  f=${BASH_REMATCH[3]}000
  t=$((t + (10#${BASH_REMATCH[1]:-0} * 1000 + 10#${f:0:3}) * u))
done
[ $# -gt 0 ] || exec /.host/usr/bin/sleep
t=$((t * 1000 / S))
printf -v t '%d.%03d' $((t / 1000)) $((t % 1000))
exec /.host/usr/bin/sleep "$t"
"""

# The guest's clock may be off; the offset is the simulator's to know.
_DATE = """#!/usr/bin/bash
. /.guest/conf
exec 9<>"/dev/tcp/127.0.0.1/$P" || exit 255
printf '%s\\0' "$T" date "$PWD" "" "" "" "$#" "$@" >&9
IFS= read -r -u 9 l || exit 255
exec 9>&-
case $l in
  x*) exit "${l:1}" ;;
  =0) exec /.host/usr/bin/date "$@" ;;
esac
o=${l:1} k=() g= w=
while [ $# -gt 0 ]; do
  case $1 in
    -d|--date) g=$2; w=1; shift ;;
    -d?*) g=${1#-d}; w=1 ;;
    --date=*) g=${1#*=}; w=1 ;;
    -r|--reference|-f|--file) k+=("$1" "$2"); w=2; shift ;;
    -r?*|--reference=*|-f?*|--file=*) k+=("$1"); w=2 ;;
    -s|--set) shift ;;
    -s?*|--set=*) ;;
    *) k+=("$1") ;;
  esac
  shift
done
case $w in
  2) ;;
  1) case $g in @*|[0-9][0-9][0-9][0-9]*) k+=(-d "$g") ;; *) k+=(-d "$g $o seconds") ;; esac ;;
  *) k+=(-d "now $o seconds") ;;
esac
exec /.host/usr/bin/date "${k[@]}"
"""

_SUDO = """#!/usr/bin/bash
while [ $# -gt 0 ]; do
  case $1 in
    -u|-g|-p|-C) shift 2 ;;
    -i|-s) shift; [ $# -gt 0 ] || exec /usr/bin/bash ;;
    --) shift; break ;;
    -*) shift ;;
    *=*) export "$1"; shift ;;
    *) break ;;
  esac
done
exec "$@"
"""

# Names of hosts depend on the simulated network; all else is this machine's own program.
_GETENT = STUB.replace(
    ". /.guest/conf\n",
    'case $1 in hosts|ahosts|ahostsv4) ;; *) exec /.host/usr/bin/getent "$@";; esac\n'
    ". /.guest/conf\n",
)

# curl takes its proxy from the environment, which the simulator does not see.
_CURL = STUB.replace(
    ". /.guest/conf\n",
    "p=${https_proxy-${HTTPS_PROXY-}}\n"
    '[ -z "$p" ] || set -- --noproxy "${no_proxy-${NO_PROXY-}}" --proxy "$p" "$@"\n'
    ". /.guest/conf\n",
)

# The guest's first process: starts and signals jobs on the simulator's word, each in a process
# group of its own. It ends, and the whole guest with it, when the simulator is gone.
_INIT = """
. /.guest/conf
exec 8<>"/dev/tcp/127.0.0.1/$P" || exit 1
printf '%s\\0' "$T" .init / "" "" "" 0 >&8
set -m
job() {
  set -m
  /usr/bin/bash "/.guest/jobs/$1" 8>&- &
  printf 'pid %s %s\\n' "$1" $! >&8
  wait $!
  printf 'exit %s %s\\n' "$1" $? >&8
}
while read -r -u 8 v a b; do
  case $v in
    start) job "$a" & ;;
    signal) kill -s "$a" -- "-$b" ;;
    hostname) /.host/usr/bin/hostname "$a" ;;
  esac
done 2>/dev/null
"""


def _folder_of(name: str) -> str:
    """Return where Ubuntu keeps a stand-in's command."""
    return "sbin" if name in _IN_SBIN else "bin"


def host_links() -> list[tuple[str, str]]:
    """Return the host's top folders of programs and libraries: (folder, link target or "")."""
    found = []
    for name in ("bin", "sbin", "lib", "lib32", "lib64", "libx32"):
        path = Path("/", name)
        if path.is_symlink():
            found.append((name, os.readlink(path)))  # noqa: PTH115
        elif path.is_dir():
            found.append((name, ""))
    return found


def stand_ins(image: Image) -> dict[str, str]:
    """Return the scripts of an image's stand-ins, by the command's name."""
    own = {name: STUB for name in [*_COMMON, *_RUNTIME.get(image.runtime, [])]}
    if image.packages:
        own.update({name: STUB for name in _OF_PACKAGES})
        for name in PACKAGED:
            own.pop(name, None)
    own.update({"sleep": _SLEEP, "date": _DATE, "sudo": _SUDO, "getent": _GETENT, "curl": _CURL})
    if image.runtime == "docker" and image.minor < 18:  # noqa: PLR2004
        own.pop("crictl", None)
    if image.os == "ubuntu-16.04":
        own.pop("cloud-init", None)
    if image.keepalived:
        own["keepalived"] = STUB
    if not image.tools:
        for name in ("vmtoolsd", "vmware-rpctool", "vmware-toolbox-cmd"):
            own.pop(name)
    return own


class Toolbox:
    """The shared folders of one image's guests: `bin`, `lib` and the first process's script.

    Args:
        folder: an empty folder, to be filled.
        own: scripts by the name of the command.
        links: where further commands lie in the guest.
        absent: programs of this machine that the guest lacks.
        units: unit files for lib/systemd/system.
        whole: the guest has an installed system of its own, and needs nothing of this machine.
    """

    def __init__(
        self,
        folder: Path,
        *,
        own: Mapping[str, str],
        links: Mapping[str, str],
        absent: frozenset[str],
        units: Mapping[str, str],
        whole: bool = False,
    ) -> None:
        self.folder = folder
        self.commands = frozenset(own)
        self._whole = whole
        self._fill_bin(own, links, absent)
        self._write(folder / "init", _INIT)
        if not whole:
            self._fill_lib(units)
            self._fill_packaged()
            if Path("/etc/ld.so.cache").exists():
                shutil.copyfile("/etc/ld.so.cache", folder / "ld.so.cache")
        self.all_commands = frozenset(
            entry.name for name in ("bin", "sbin") for entry in os.scandir(folder / name)
        )

    def shared_commands(self) -> list[str]:
        """Return "bin/NAME" and "sbin/NAME" of all commands."""
        return [
            f"{name}/{entry.name}"
            for name in ("bin", "sbin")
            for entry in os.scandir(self.folder / name)
        ]

    def _fill_bin(
        self, own: Mapping[str, str], links: Mapping[str, str], absent: frozenset[str]
    ) -> None:
        for name in ("bin", "sbin"):
            (self.folder / name).mkdir(parents=True)
        for name, place in links.items():
            (self.folder / _folder_of(name) / name).symlink_to(place)
        for name, script in own.items():
            for folder in ("sbin", "bin") if name == "ip" else (_folder_of(name),):
                path = self.folder / folder / name
                self._write(path, script)
                path.chmod(0o755)
        if self._whole:
            return
        taken = set(own) | set(links) | absent
        for folder in ("/usr/bin", "/bin", "/usr/sbin", "/sbin"):
            if not Path(folder).is_dir():
                continue
            target = self.folder / folder.rsplit("/", 1)[1]
            for entry in os.scandir(folder):
                if entry.name in taken:
                    continue
                real = os.path.realpath(entry.path)
                if real.startswith(("/usr/", "/bin/", "/sbin/", "/lib")):
                    taken.add(entry.name)
                    (target / entry.name).symlink_to("/.host" + real)

    def _write(self, path: Path, script: str) -> None:
        own = script.replace("/.host/", "/") if self._whole else script
        path.write_text(own, encoding="utf-8")

    def _fill_packaged(self) -> None:
        """Keep what packages put links to."""
        target = self.folder / "packaged"
        target.mkdir()
        for name in (*PACKAGED, *PACKAGED_PROGRAMS):
            found = shutil.which(name, path="/usr/sbin:/usr/bin:/sbin:/bin")
            if name in PACKAGED or found is None:
                (target / name).write_text(STUB, encoding="utf-8")
                (target / name).chmod(0o755)
            else:
                (target / name).symlink_to("/.host" + os.path.realpath(found))

    def _fill_lib(self, units: Mapping[str, str]) -> None:
        target = self.folder / "lib"
        (target / "systemd" / "system").mkdir(parents=True)
        for entry in os.scandir("/usr/lib"):
            if entry.name != "systemd":
                (target / entry.name).symlink_to("/.host/usr/lib/" + entry.name)
        for name, text in units.items():
            (target / "systemd" / "system" / name).write_text(text, encoding="utf-8")


_made: dict[tuple[Callable[[Path, Image], Toolbox], Image], Toolbox] = {}
_lock = threading.Lock()


def toolbox_for(image: Image, make: Callable[[Path, Image], Toolbox]) -> Toolbox:
    """Return the toolbox of guests with this image, made by `make` at its first use."""
    with _lock:
        if (make, image) not in _made:
            folder = Path(tempfile.mkdtemp(prefix="vm-toolbox-"))
            folder.chmod(0o755)
            atexit.register(shutil.rmtree, folder, ignore_errors=True)
            _made[make, image] = make(folder, image)
        return _made[make, image]
