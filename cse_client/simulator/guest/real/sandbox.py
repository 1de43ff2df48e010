"""Where a real machine runs: namespaces of its own, the network included, and its own cgroups."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import subprocess
import time
import uuid
from collections.abc import Sequence
from pathlib import Path

from cse_client.simulator.guest.exchange import exchange
from cse_client.simulator.guest.real.cgroups import Groups, hierarchies
from cse_client.simulator.guest.real.namespaces import listen_inside
from cse_client.simulator.guest.sandbox import PATH, Sandbox, SandboxUnavailable

__all__ = ["CNI_PLUGINS", "RealSandbox", "what_is_missing"]

_NEEDED = ("ip", "iptables", "conntrack", "nsenter", "pivot_root", "runc", "unshare")
CNI_PLUGINS = Path("/usr/lib/cni")
_START_SECONDS = 10.0

_UNSHARE = (
    *("unshare", "--net", "--mount", "--pid", "--uts", "--ipc", "--fork"),
    *("--kill-child=SIGKILL", "--propagation", "private"),
)

# Kernel settings that no namespace keeps from this machine: a guest changes a copy of its own.
_SETTINGS = Path("/proc/sys")
_SHARED_SETTINGS = ("fs", "kernel", "vm")
# What a fresh Ubuntu has in those that a kubelet checks; `prepare_boot` wrote them.
_OWN_SETTINGS = frozenset(
    [
        "vm/overcommit_memory",
        "vm/panic_on_oom",
        "kernel/panic",
        "kernel/panic_on_oops",
        "kernel/keys/root_maxkeys",
        "kernel/keys/root_maxbytes",
    ]
)

# runc and the kubelet need a root that is a mount of its own and shared; a chroot will not do.
_ENTER = """
read -r _ || :  # ends once the simulator listens inside
mount -a -T "$root/.guest/fstab"
mount -t proc proc "$root/proc"
for key in $settings; do mount --bind "$root/.guest/sysctl/$key" "$root/proc/sys/$key"; done
mount --bind /proc/sys/kernel/random "$root/proc/sys/kernel/random"
mount --bind "$root/.guest/boot_id" "$root/proc/sys/kernel/random/boot_id"
mount --bind "$root/.guest/swaps" "$root/proc/swaps"
[ ! -e "$root/proc/sysrq-trigger" ] || mount --bind /dev/null "$root/proc/sysrq-trigger"
rm -f "$root/dev/kmsg" "$root/dev/ptmx"
: >"$root/dev/kmsg"
mount --bind /dev/kmsg "$root/dev/kmsg"
mount -t devpts -o newinstance,ptmxmode=0666,mode=0620 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
mount -t tmpfs -o mode=1777 shm "$root/dev/shm"
if [ -s "$root/etc/hostname" ]; then hostname -F "$root/etc/hostname"; else hostname localhost; fi
cd "$root"
mkdir -p .old
pivot_root . .old
umount -l /.old
mount --make-rshared /
exec /usr/bin/bash --noprofile --norc /.sim/init
"""


def what_is_missing() -> str:
    """Return in one sentence what this machine lacks for real guests, or ""."""
    if os.geteuid():
        return "Real guests need root: they have networks and cgroups of their own."
    lacking = [name for name in _NEEDED if shutil.which(name) is None]
    if lacking:
        return f"Real guests need programs that are not installed: {', '.join(lacking)}."
    if not (CNI_PLUGINS / "bridge").exists():
        return "Real guests need the CNI plugins (Debian: containernetworking-plugins)."
    if not hierarchies():
        return "Real guests need cgroup v1 hierarchies; this machine has cgroup v2 only."
    tried = subprocess.run([*_UNSHARE, "true"], capture_output=True, text=True, check=False)
    if tried.returncode:
        why = tried.stderr.strip().rpartition(": ")[2]
        return f"Real guests need namespaces, which this machine does not allow: {why}."
    return ""


def _copy_settings(guest: Path) -> None:
    """Give a guest copies of this machine's kernel settings that are not its namespaces'."""
    copies = guest / "sysctl"
    (copies / "kernel" / "random").mkdir(parents=True, exist_ok=True)
    (guest / "boot_id").write_text(f"{uuid.uuid4()}\n", encoding="ascii")
    for top in _SHARED_SETTINGS:
        for folder, folders, files in os.walk(_SETTINGS / top):
            folders[:] = [name for name in folders if name not in ("binfmt_misc", "random")]
            inside = Path(folder).relative_to(_SETTINGS)
            (copies / inside).mkdir(parents=True, exist_ok=True)
            for name in files:
                if str(inside / name) not in _OWN_SETTINGS:
                    with contextlib.suppress(OSError):  # some can only be written
                        (copies / inside / name).write_bytes((Path(folder) / name).read_bytes())


class RealSandbox(Sandbox):
    """The processes of one real machine between power-on and power-off."""

    def __init__(
        self,
        root: Path,
        toolbox: Path,
        binds: Sequence[tuple[str, str]],
        *,
        unified: bool = False,
    ) -> None:
        """Start the machine's first process; arguments and errors as for Sandbox.

        `unified` shows cgroup version 2, as current systems have it. It has no controllers here,
        because those are in use as version 1: no container can be started.
        """
        self._check()
        self._unified = unified
        self.groups = Groups()
        _copy_settings(root / ".guest")
        super().__init__(root, toolbox, binds)
        self.network_devices: list[str] = []
        port = exchange().port
        self._listener = listen_inside(self.first_process(), port)
        exchange().listen(self._listener)
        assert self._process.stdin is not None  # noqa: S101  # a pipe was asked for
        self._process.stdin.close()

    @staticmethod
    def _check() -> None:
        missing = what_is_missing()
        if missing:
            raise SandboxUnavailable(missing)

    def _start(self, root: Path) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [*_UNSHARE, "bash", "-c", self._script(root)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env={"PATH": PATH, "LANG": "C.UTF-8", "HOME": "/root"},
            start_new_session=True,
        )

    def _script(self, root: Path) -> str:
        """Return what the first process does before it becomes the machine's."""
        quoted = shlex.quote(str(root))
        inside = [
            "set -e",
            f"root={quoted}",
            f"settings='{' '.join(_SHARED_SETTINGS)}'",
            'mount --bind "$root" "$root"',
            'mount -t sysfs -o ro sysfs "$root/sys"',
            *self._cgroup_mounts(),
            _ENTER,
        ]
        moves = [
            f"echo 0 >{shlex.quote(str(self.groups.path(one) / 'cgroup.procs'))}"
            for one in self.groups.hierarchies
        ]
        then = "exec unshare --cgroup bash -c " + shlex.quote("\n".join(inside))
        return "\n".join(["set -e", "ip link set lo up", *moves, then])

    def _cgroup_mounts(self) -> list[str]:
        if self._unified:
            return ['mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"']
        lines = ['mount -t tmpfs tmpfs "$root/sys/fs/cgroup"']
        for one in self.groups.hierarchies:
            place = f'"$root/sys/fs/cgroup/{one.path.name}"'
            lines.append(f"mkdir {place}; mount -t cgroup -o {one.options} cgroup {place}")
        return lines

    def first_process(self) -> int:
        """Return the pid, out here, of the machine's first process; SandboxUnavailable if none."""
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline and self.alive():
            pid = self._first_process()
            if pid is not None:
                return pid
            time.sleep(0.005)
        raise SandboxUnavailable(self.trouble() or "the machine's first process did not start")

    def processes(self) -> list[int]:
        """Return the pids, out here, of all processes, those of containers included."""
        return self.groups.processes() if self.alive() else []

    def kill(self) -> None:
        """End every process of the machine, and give back its network and groups."""
        super().kill()
        self._listener.close()
        for name in self.network_devices:
            subprocess.run(["ip", "link", "delete", name], capture_output=True, check=False)
        self.groups.remove()

    def freeze(self) -> None:
        """Stop all processes where they are."""
        self.groups.freeze(frozen=True)

    def thaw(self) -> None:
        """Let all processes go on."""
        self.groups.freeze(frozen=False)
