"""Where guests run: namespaces made with util-linux' `unshare`.

A guest has its own root folder, process, mount, host name and IPC namespaces and is uid 0 in its
own user namespace; this machine's programs and libraries are bound read-only. It shares the
network: its addresses are loopback addresses. Where a machine forbids such mounts there is no
honest way to run a script that writes to absolute paths, so guests are refused, loudly.
"""

from __future__ import annotations

import functools
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

__all__ = ["PATH", "Sandbox", "SandboxUnavailable", "sandbox_mode"]

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

_UNSHARE = (
    "unshare",
    "--user",
    "--map-root-user",
    "--mount",
    "--pid",
    "--uts",
    "--ipc",
    "--fork",
    "--kill-child=SIGKILL",
    "--propagation",
    "private",
)

# A fresh proc where that is allowed (containers forbid it), else the host's.
_ENTER = """
set -e
mount -a -T "$1/.guest/fstab"
mount -t proc proc "$1/proc" 2>/dev/null || mount --rbind /proc "$1/proc"
mount --bind "$1/.guest/sysctl" "$1/proc/sys"
mount --bind "$1/.guest/swaps" "$1/proc/swaps"
mount --bind "$1/dev/null" "$1/proc/sysrq-trigger" 2>/dev/null || :
if [ -s "$1/etc/hostname" ]; then hostname -F "$1/etc/hostname"; else hostname localhost; fi
cd /
exec chroot "$1" /usr/bin/bash --noprofile --norc /.sim/init
"""

_PROBE = """
set -e
mkdir "$1/usr"
printf '/usr %s none rbind,ro 0 0\\n' "$1/usr" >"$1/fstab"
mount -a -T "$1/fstab"
if touch "$1/usr/bin/.probe" 2>/dev/null; then exit 9; fi
mkdir "$1/proc"
mount -t proc proc "$1/proc" 2>/dev/null || mount --rbind /proc "$1/proc"
hostname probe
[ -x "$1/usr/bin/env" ]
code=0
chroot "$1" /usr/bin/true 2>/dev/null || code=$?
[ "$code" -ne 125 ] || { echo "chroot is not allowed" >&2; exit 1; }
"""

_DEVICES = ("null", "zero", "full", "random", "urandom", "tty")


class SandboxUnavailable(OSError):
    """This machine does not allow the namespaces and mounts that a guest needs."""


@functools.lru_cache(maxsize=1)
def _probe() -> str:
    """Return "" when a guest can be made here, else why not."""
    with tempfile.TemporaryDirectory(prefix="vm-probe-") as folder:
        try:
            done = subprocess.run(
                [*_UNSHARE, "bash", "-c", _PROBE, "probe", folder],
                capture_output=True,
                text=True,
                timeout=20,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            return str(error)
    if done.returncode:
        return (done.stderr.strip() or f"exit code {done.returncode}").splitlines()[-1]
    return ""


def sandbox_mode() -> str:
    """Return "unshare", or "none: REASON" where guests cannot run; probed by a real mount."""
    reason = _probe()
    return f"none: {reason}" if reason else "unshare"


class Sandbox:
    """The processes of one guest between power-on and power-off."""

    def __init__(self, root: Path, toolbox: Path, binds: Sequence[tuple[str, str]]) -> None:
        """Start the guest's first process.

        Args:
            root: the guest's root folder.
            toolbox: what becomes /.sim.
            binds: further (folder of this machine, folder in the guest), read-only.

        Raises:
            SandboxUnavailable: the machine does not allow it.
        """
        self._check()
        lines = [f"{toolbox} {root}/.sim none rbind,ro 0 0"]
        lines += [f"{source} {root}{target} none rbind,ro 0 0" for source, target in binds]
        lines += [f"/dev/{name} {root}/dev/{name} none bind 0 0" for name in _DEVICES]
        (root / ".guest" / "fstab").write_text(
            "".join(line.replace("\\", "\\134") + "\n" for line in lines), encoding="utf-8"
        )
        self._first: int | None = None
        self._process = self._start(root)

    @staticmethod
    def _check() -> None:
        reason = _probe()
        if reason:
            raise SandboxUnavailable(reason)

    def _start(self, root: Path) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [*_UNSHARE, "bash", "-c", _ENTER, "guest", str(root)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env={"PATH": PATH, "LANG": "C.UTF-8"},
            start_new_session=True,
        )

    def _first_process(self) -> int | None:
        """Return the pid, out here, of the guest's first process."""
        if self._first is None:
            pid = self._process.pid
            try:
                words = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
            except OSError:
                words = []
            self._first = int(words[0]) if words else None
        return self._first

    def alive(self) -> bool:
        """Return whether the guest's first process runs."""
        return self._process.poll() is None

    def trouble(self) -> str:
        """Return what was said while the sandbox was made; empties the pipe of a dead guest."""
        if self._process.poll() is None or self._process.stderr is None:
            return ""
        if self._process.stderr.closed:
            return ""
        return self._process.stderr.read().decode("utf-8", "replace").strip()

    def processes(self) -> list[int]:
        """Return the pids, out here, of all processes of the guest."""
        first = self._first_process()
        if first is None or not self.alive():
            return []
        try:
            space = os.readlink(f"/proc/{first}/ns/pid")  # noqa: PTH115
        except OSError:
            return []
        found = []
        for entry in os.scandir("/proc"):
            if not entry.name.isdigit():
                continue
            try:
                if os.readlink(f"/proc/{entry.name}/ns/pid") == space:  # noqa: PTH115
                    found.append(int(entry.name))
            except OSError:
                continue
        return sorted(found)

    def kill(self) -> None:
        """End every process of the guest; on return none is left.

        The kernel lets the first process of a pid namespace be reaped only after it has killed
        and reaped all others, so waiting for its parent `unshare` is enough.
        """
        deadline = time.monotonic() + 1.0
        while self._process.poll() is None:
            first = self._first_process()
            if first is not None:
                self._signal(first)
                self._process.wait()
                break
            if time.monotonic() > deadline:
                self._signal(self._process.pid)
                self._process.wait()
                break
            time.sleep(0.002)
        if self._process.stderr is not None:
            self._process.stderr.close()

    @staticmethod
    def _signal(pid: int) -> None:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            return

    def freeze(self) -> None:
        """Stop all processes where they are; those born meanwhile too."""
        seen: set[int] = set()
        while True:
            fresh = [pid for pid in self.processes() if pid not in seen]
            if not fresh:
                return
            for pid in fresh:
                seen.add(pid)
                self._deliver(pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let all processes go on."""
        for pid in self.processes():
            self._deliver(pid, signal.SIGCONT)

    @staticmethod
    def _deliver(pid: int, number: signal.Signals) -> None:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return
