"""A guest's running operating system: all that exists only while the power is on."""

from __future__ import annotations

import contextlib
import os
import shlex
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Callable, Optional, Protocol

from cse_client.simulator.guest.exchange import Call, CallAborted, Channel, exchange
from cse_client.simulator.guest.jobs import Job, Jobs
from cse_client.simulator.guest.life import Life, PowerLoss
from cse_client.simulator.guest.model import Hardware, Nic
from cse_client.simulator.guest.packages.database import with_packages
from cse_client.simulator.guest.resolver import write_name_servers
from cse_client.simulator.guest.skeleton import interface_of, prepare_boot
from cse_client.simulator.guest.systemd import Systemd
from cse_client.simulator.guest.toolbox import host_links
from cse_client.simulator.guest.unit_state import Native

if TYPE_CHECKING:
    from cse_client.simulator.clock import Clock
    from cse_client.simulator.guest.disk import Disk
    from cse_client.simulator.guest.etcd import Etcd
    from cse_client.simulator.guest.faults import Faults
    from cse_client.simulator.guest.model import GuestHooks, GuestSettings, Image
    from cse_client.simulator.guest.sandbox import Sandbox
    from cse_client.simulator.guest.toolbox import Toolbox
    from cse_client.simulator.outside import Outside

__all__ = ["Command", "Host", "Platform", "System"]

_SYSTEMD_VERSIONS = {
    "ubuntu-16.04": 229,
    "ubuntu-18.04": 237,
    "ubuntu-20.04": 245,
    "ubuntu-22.04": 249,
}
_NEWEST_SYSTEMD = 255
#: Real seconds in which a guest without power has lost all its processes.
_LONGEST_CUT = 15.0


class Host(Protocol):
    """What an operating system needs of the VM that it runs on.

    Attributes:
        hooks: what happens inside is reported to them.
        clock: the time outside.
        clock_shift: seconds by which the hardware clock is ahead of it.
        hostname: the host name in force; it survives a reboot.
        etcd: the cluster whose data is on the disk, None while there is none.
        outside: where requests of others to its API server and etcd pass.
    """

    disk: Disk
    image: Image
    faults: Faults
    settings: GuestSettings
    hooks: GuestHooks
    clock: Clock
    clock_shift: float
    hostname: str
    etcd: Etcd | None
    outside: Outside

    def remember_console(self, data: bytes) -> None:
        """Keep what was shown on the console."""

    def lose_power(self, system: System) -> None:
        """Fail the power from inside, as an injected fault."""

    def halt(self, system: System, *, again: bool) -> None:
        """Power off, or boot again, as requested inside the guest."""


#: Carries out a command and returns its exit code, or None when it answered the call itself.
Command = Callable[["System", Call], Optional[int]]


class Platform(Protocol):
    """What guests of one kind are made of: an imitated Kubernetes, or the real one.

    Attributes:
        commands: the stand-ins, by the name of the command.
    """

    commands: Mapping[str, Command]

    def install_disk(self, disk: Disk, image: Image) -> None:
        """Write a new VM's disk."""

    def copy_disk(self, source: Path, target: Path) -> None:
        """Copy a disk, of which no guest runs, to a folder that is not there yet."""

    def toolbox(self, image: Image) -> Toolbox:
        """Return the programs that guests with this image share."""

    def unit_files(self, image: Image) -> dict[str, str]:
        """Return the unit files whose services run no process, by name."""

    def sandbox(
        self, root: Path, toolbox: Path, binds: Sequence[tuple[str, str]], image: Image
    ) -> Sandbox:
        """Start a guest's first process; raises SandboxUnavailable."""

    def begin(self, system: System) -> None:
        """Do what precedes all services at a boot: kernel settings, and services played outside."""

    def connect(self, system: System) -> None:
        """Give the guest's network cards their addresses."""

    def packages_changed(self, system: System) -> None:
        """Let the packages that were installed or removed just now count."""


class System:
    """One boot of a guest.

    Attributes:
        guest: the VM with its disk, image, clock and faults.
        platform: what it is made of.
        life: ends with the power.
        nics: the network cards; their addresses count once `network_up`.
        image: what is installed: the VM's image, with its packages as they are.
        hardware: CPUs, memory and disk of this boot.
        cloud_init_done: set once this boot's run of cloud-init has ended.
        guestinfo: values that vmtoolsd can read.
        modules: kernel modules loaded so far.
    """

    def __init__(
        self,
        host: Host,
        platform: Platform,
        nics: Sequence[Nic],
        ovf_environment: str,
        hardware: Hardware,
    ) -> None:
        self.guest = host
        self.platform = platform
        self.disk = host.disk
        self.faults = host.faults
        self.nics = tuple(nics)
        self.hardware = hardware
        self.life = Life(host.settings.speed)
        self.jobs = Jobs(self.disk, self.life)
        self.network_up = False
        self.cloud_init_done = threading.Event()
        self.guestinfo: dict[str, str] = {"guestinfo.ovfEnv": ovf_environment}
        self.modules: set[str] = set()
        self.natives: dict[str, Native] = {}
        self._channels: set[Channel] = set()
        self._all_ended = threading.Event()
        self._lock = threading.Lock()
        self.toolbox = platform.toolbox(host.image)
        self.image = with_packages(host.image, self.disk)
        self._booted = time.monotonic()
        self._token = exchange().register(self._serve)
        self.interface = interface_of(self.image)
        prepare_boot(self.disk, self.image, conf=self._conf())
        self.disk.write("/sys/class/dmi/id/product_uuid", hardware.uuid + "\n")
        self._console = os.open(
            self.disk.root / "dev" / "console", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC
        )
        self.systemd = Systemd(
            disk=self.disk,
            life=self.life,
            jobs=self.jobs,
            builtin=platform.unit_files(host.image),
            natives=self.natives,
            version=_SYSTEMD_VERSIONS.get(self.image.os, _NEWEST_SYSTEMD),
            hostname=self.hostname,
            commands=self.toolbox.all_commands,
        )
        binds = [("/usr", "/.host/usr")]
        binds += [(f"/{name}", f"/.host/{name}") for name, target in host_links() if not target]
        for _, target in binds:
            (self.disk.root / target[1:]).mkdir(parents=True, exist_ok=True)
        self.sandbox = platform.sandbox(self.disk.root, self.toolbox.folder, binds, host.image)

    def _conf(self) -> str:
        speed = max(int(self.life.speed * 1000), 1)
        return f"P={exchange().port}\nT={self._token}\nS={speed}\n"

    # The clock

    def now(self) -> datetime:
        """Return the guest's idea of the time."""
        return self.guest.clock.now() + timedelta(seconds=self.shift)

    @property
    def shift(self) -> float:
        """Seconds by which the guest's clock is ahead of the simulator's."""
        return self.guest.clock_shift + self.faults.clock_offset

    def offset_to_host(self) -> float:
        """Seconds by which the guest's clock is ahead of this machine's."""
        return (self.now() - datetime.now(timezone.utc)).total_seconds()

    def locked(self, what: str) -> float:
        """Seconds for which another process still holds apt's lock of `packages` or `lists`."""
        locks = {"packages": self.faults.packages_locked, "lists": self.faults.lists_locked}
        held = locks.get(what, 0.0)
        return max(held - (time.monotonic() - self._booted) * self.life.speed, 0.0)

    # The host name

    def hostname(self) -> str:
        """Return the host name in force."""
        return self.guest.hostname

    def set_hostname(self, name: str) -> None:
        """Set the host name, for good."""
        with self.life.guard():
            self.disk.write("/etc/hostname", name + "\n")
            self.disk.path("/.guest/sysctl/kernel/hostname").write_text(name + "\n")
        self.guest.hostname = name
        self.jobs.set_hostname(name)

    # The network

    @property
    def address(self) -> str:
        """The first card's address, "" while there is none."""
        return self.nics[0].address if self.network_up and self.nics else ""

    @property
    def virtual_address(self) -> str:
        """The address that keepalived holds on the first card, "" while it holds none."""
        return str(getattr(self.natives.get("keepalived.service"), "held", ""))

    @property
    def egress(self) -> bool:
        """There is a way out to the Internet."""
        return self.network_up and any(nic.egress for nic in self.nics)

    def connect(self) -> None:
        """Bring the network cards up with their addresses."""
        self.platform.connect(self)
        self.network_up = True
        if self.disk.exists("/etc/netplan/99-netcfg-vmware.yaml"):
            servers = [dns for nic in self.nics for dns in nic.dns]
            write_name_servers(self.disk, self.interface, servers)

    # The console

    def drain_console(self) -> None:
        """Take what was written to the console."""
        with self._lock:
            if self._console < 0:
                return
            while True:
                try:
                    data = os.read(self._console, 65536)
                except (BlockingIOError, OSError):
                    return
                if not data:
                    return
                self.guest.remember_console(data)

    def say(self, text: str) -> None:
        """Show a line on the console."""
        self.drain_console()
        self.guest.remember_console((text + "\n").encode())

    # Jobs

    def run(self, words: Sequence[str], *, output: str = "/dev/null") -> int:
        """Run a command in the guest and wait; returns its exit code."""
        line = " ".join(shlex.quote(word) for word in words)
        job = self.jobs.start(f"exec </dev/null >>{shlex.quote(output)} 2>&1\nexec {line}\n")
        code = self.jobs.wait(job)
        return 255 if code is None else code

    def spawn(self, script: str) -> Job:
        """Start a bash script in the guest."""
        return self.jobs.start(script)

    # Stand-ins

    def _serve(self, channel: Channel, fields: list[str]) -> None:
        """Answer one connection from the guest."""
        _, command, folder, kubeconfig, home, data, _, *words = fields
        if command == ".init":
            self.jobs.serve(channel)
            return
        call = Call(channel, command, folder, kubeconfig, home, words, data)
        with self._lock:
            self._channels.add(channel)
        try:
            code = self._answer(call)
            if code is not None:
                channel.send(f"x{code}\n")
        except CallAborted:
            return
        except PowerLoss:
            # Its caller would take the end of the connection for a failure, and act on it.
            self._all_ended.wait(_LONGEST_CUT)
        finally:
            with self._lock:
                self._channels.discard(channel)

    def _answer(self, call: Call) -> int | None:
        self.life.check()
        if call.command != "logger" and self.faults.count(call.text):
            self.guest.lose_power(self)
            raise PowerLoss
        delay = self.faults.delay(call.text)
        if delay:
            self.pause_call(call, delay)
        failure = self.faults.failure(call.text)
        if failure is not None:
            call.err(f"{call.command}: injected failure")
            return failure
        handler = self.platform.commands.get(call.command)
        if handler is None:
            self.say(f"simulator: no stand-in for {call.command!r}")
            call.err(f"{call.command}: not simulated")
            return 127
        try:
            return handler(self, call)
        except OSError as error:
            call.err(f"{call.command}: {error.strerror or error}")
            return 1

    def pause_call(self, call: Call, seconds: float) -> None:
        """Wait real seconds for a stand-in, unless its caller or the power goes."""
        left = seconds
        while left > 0:
            self.life.check()
            if call.channel.gone(min(left, 0.1)):
                raise CallAborted
            left -= 0.1

    def sleep_call(self, call: Call, seconds: float) -> None:
        """Wait seconds of the guest's time for a stand-in."""
        self.pause_call(call, seconds / self.life.speed)

    def step(self, name: str) -> None:
        """Mark a step inside a stand-in, where power may fail."""
        self.life.check()
        if self.faults.step(name):
            self.guest.lose_power(self)
            raise PowerLoss

    # The end

    def cut(self) -> None:
        """Power off: end everything, exactly now. Safe to call twice, from any thread."""
        self.life.end()
        self.sandbox.kill()
        self._all_ended.set()
        exchange().forget(self._token)
        self.drain_console()
        with self._lock:
            channels = list(self._channels)
            handle, self._console = self._console, -1
        for channel in channels:
            with contextlib.suppress(OSError):
                channel.close()
        if handle >= 0:
            os.close(handle)
        self.sweep()

    def sweep(self) -> None:
        """Take from the disk what a power failure takes: unsynced content, by fault."""
        rules = self.faults.lose_unsynced
        if not rules:
            return
        for folder, _, names in os.walk(self.disk.root / "etc"):
            for name in names:
                inside = "/" + os.path.relpath(os.path.join(folder, name), self.disk.root)  # noqa: PTH118
                if self.faults.loses(inside):
                    with open(os.path.join(folder, name), "wb"):  # noqa: PTH118, PTH123
                        pass
        self.faults.lose_unsynced = []


def hashed_password(password: str) -> str:
    """Return the SHA-512 crypt of a password for /etc/shadow, "!" where openssl is missing."""
    try:
        done = subprocess.run(
            ["openssl", "passwd", "-6", "-stdin"],
            input=password + "\n",
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return "!"
    return done.stdout.strip()
