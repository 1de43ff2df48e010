"""The virtual machine: power, disk and console."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cse_client.simulator.clock import Clock
from cse_client.simulator.guest.boot import boot
from cse_client.simulator.guest.disk import Disk
from cse_client.simulator.guest.etcd import RESTORED
from cse_client.simulator.guest.faults import Faults
from cse_client.simulator.guest.imitation import IMITATION
from cse_client.simulator.guest.life import PowerLoss
from cse_client.simulator.guest.model import (
    Customization,
    GuestHooks,
    GuestSettings,
    Hardware,
    Image,
    Nic,
)
from cse_client.simulator.guest.sandbox import SandboxUnavailable
from cse_client.simulator.guest.system import Platform, System
from cse_client.simulator.outside import Outside

if TYPE_CHECKING:
    from cse_client.simulator.guest.etcd import Etcd

__all__ = ["Guest"]

_LONGEST_CONSOLE = 1 << 20


class _Order:
    """One power-on that was asked for, and whether it still holds."""

    def __init__(
        self,
        customization: Customization,
        nics: Sequence[Nic],
        environment: str,
        hardware: Hardware,
    ) -> None:
        self.customization = customization
        self.nics = tuple(nics)
        self.environment = environment
        self.hardware = hardware
        self.canceled = threading.Event()


class Guest:
    """A virtual machine.

    Args:
        directory: where its disk is kept; made if absent, removed by `destroy`.
        image: what a new disk holds.
        hooks: what happens inside is reported to them.
        clock: the time outside; the guest's own may be off.
        settings: how time passes.
        platform: what it is made of.
        source: a folder with the disk that a new one is a copy of; of the image without one.
        outside: where requests of others to its API server and etcd pass.
    """

    def __init__(
        self,
        *,
        directory: Path,
        image: Image,
        hooks: GuestHooks,
        clock: Clock,
        settings: GuestSettings,
        platform: Platform = IMITATION,
        source: Path | None = None,
        outside: Outside | None = None,
    ) -> None:
        self.directory = directory
        self.image = image
        self.hooks = hooks
        self.clock = clock
        self.settings = settings
        self.platform = platform
        self._source = source
        self.outside = outside or Outside()
        self.faults = Faults()
        self.disk = Disk((directory / "root").resolve())
        self.clock_shift = 0.0
        self.hostname = "ubuntu"
        self.etcd: Etcd | None = None
        self._order: _Order | None = None
        self._system: System | None = None
        self._suspended = False
        self._kept_state: dict[str, Any] | None = None
        self._lock = threading.RLock()
        self._console = bytearray()
        self._console_lock = threading.Lock()

    # Power

    @property
    def running(self) -> bool:
        """The power is on."""
        return self._order is not None

    @property
    def system(self) -> System | None:
        """The running operating system; None while off or not yet booted."""
        return self._system

    def power_on(
        self,
        *,
        customization: Customization,
        nics: Sequence[Nic],
        ovf_environment: str = "",
        hardware: Hardware | None = None,
    ) -> None:
        """Switch on and return at once; the guest boots in the background.

        Raises:
            RuntimeError: it is on already.
        """
        with self._lock:
            if self._order is not None:
                raise RuntimeError("the guest is on already")
            self._order = _Order(customization, nics, ovf_environment, hardware or Hardware())
            self._start(self._order, customize=customization.needed)

    def _start(self, order: _Order, *, customize: bool) -> None:
        threading.Thread(
            target=self._boot, args=(order, customize), name="guest-boot", daemon=True
        ).start()

    def _boot(self, order: _Order, customize: bool) -> None:
        if order.canceled.wait(self.settings.boot_delay) or self.faults.never_boot:
            return
        with self._lock:
            if order.canceled.is_set():
                return
            if not self.disk.root.exists():
                self._install()
            self.hostname = self.disk.text("/etc/hostname").strip() or "ubuntu"
            try:
                self._system = system = System(
                    self, self.platform, order.nics, order.environment, order.hardware
                )
            except SandboxUnavailable as error:
                self._refuse(customize, error)
                return
        try:
            boot(system, order.customization if customize else None)
        except PowerLoss:
            return

    def _install(self) -> None:
        """Make the disk: of the source, where there is one, else as the image's installation."""
        if self._source is not None and self._source.is_dir():
            self.platform.copy_disk(self._source, self.disk.root)
        else:
            self.platform.install_disk(self.disk, self.image)

    def copy_of(self, source: Path) -> None:
        """Make the disk, which must not be there yet, a copy of a folder with a disk."""
        self._source = source

    def save_disk(self, target: Path) -> None:
        """Copy the disk as it is now to a folder that is not there yet."""
        with self._lock:
            if not self.disk.root.exists():
                self._install()
            self.platform.copy_disk(self.disk.root, target)

    def take_snapshot(self) -> None:
        """Keep the disk as it is now, instead of what was kept before."""
        with self._lock:
            self.remove_snapshot()
            self.save_disk(self._kept)
            # its members have the state in common, which one of them alone cannot go back to
            if self.etcd is not None and len(self.etcd.members()) == 1:
                self._kept_state = self.etcd.api.dump()

    def revert_to_snapshot(self) -> None:
        """Bring the disk, of which no system runs, back to what was kept.

        Raises:
            RuntimeError: it is on.
        """
        with self._lock:
            if self._order is not None:
                raise RuntimeError("the guest is on")
            shutil.rmtree(self.disk.root)
            self.platform.copy_disk(self._kept, self.disk.root)
            if self._kept_state is not None:
                etcd, self.etcd = self.etcd, None
                if etcd is not None:
                    etcd.stop()
                self.disk.write(RESTORED, json.dumps({"state": self._kept_state, "bump": 0}))

    def remove_snapshot(self) -> None:
        """Forget what was kept."""
        shutil.rmtree(self._kept, ignore_errors=True)
        self._kept_state = None

    @property
    def _kept(self) -> Path:
        return self.directory / "snapshot"

    def _refuse(self, customize: bool, error: SandboxUnavailable) -> None:
        """Show that this machine cannot run guests; nothing is simulated instead."""
        self.remember_console(
            f"simulator: guests cannot run on this machine, no namespaces: {error}\n".encode()
        )
        if customize:
            self.hooks.customization_status("GC_FAILED")

    def power_off(self) -> None:
        """Cut the power: on return every process of the guest is gone. The disk stays."""
        order = self._order
        if order is not None:
            order.canceled.set()
        with self._lock:
            system, self._system = self._system, None
            self._order = None
            self._suspended = False
            if system is not None:
                system.cut()
        if order is not None:
            self.hooks.tools_running(False)

    def lose_power(self, system: System) -> None:
        """Let the power fail from inside, as a fault of a test wants it."""
        if system.life.over:
            return
        self.remember_console(b"simulator: power failure\n")
        system.life.end()
        threading.Thread(target=self._gone, args=(system,), name="guest-power", daemon=True).start()

    def _gone(self, system: System) -> None:
        with self._lock:
            if self._system is not system and self._system is not None:
                return
            self.power_off()
        self.hooks.powered_off()

    def shutdown(self) -> None:
        """Ask the guest to shut down; it goes off a moment later, without tools it ignores this."""
        system = self._system
        if system is None or not self.image.tools:
            return
        threading.Thread(
            target=self._gone, args=(system,), name="guest-shutdown", daemon=True
        ).start()

    def halt(self, system: System, *, again: bool) -> None:
        """Go off (`poweroff`) or boot again (`reboot`), asked for inside the guest."""

        def act() -> None:
            if not again:
                self._gone(system)
                return
            with self._lock:
                order = self._order
                if self._system is not system or order is None:
                    return
                self._system = None
                system.cut()
                self.hooks.tools_running(False)
                self._start(order, customize=False)

        threading.Thread(target=act, name="guest-halt", daemon=True).start()

    def suspend(self) -> None:
        """Freeze the guest; its services stop answering."""
        with self._lock:
            system = self._system
            if system is None or self._suspended:
                return
            self._suspended = True
            system.life.freeze()
            system.sandbox.freeze()
            if self.etcd is not None:
                self.etcd.suspend()

    def resume(self) -> None:
        """Let a suspended guest go on."""
        with self._lock:
            system = self._system
            if system is None or not self._suspended:
                return
            self._suspended = False
            if self.etcd is not None:
                self.etcd.resume()
            system.sandbox.thaw()
            system.life.thaw()

    def destroy(self) -> None:
        """Switch off and remove the disk."""
        self.power_off()
        shutil.rmtree(self.directory, ignore_errors=True)

    # Looking in

    def processes(self) -> list[int]:
        """Return the pids, on this machine, of the guest's processes."""
        system = self._system
        return system.sandbox.processes() if system is not None else []

    def console(self) -> str:
        """Return what was shown on the console since the guest was made."""
        system = self._system
        if system is not None:
            system.drain_console()
        with self._console_lock:
            return self._console.decode("utf-8", "replace")

    def remember_console(self, data: bytes) -> None:
        """Keep what was shown on the console."""
        with self._console_lock:
            self._console += data
            del self._console[:-_LONGEST_CONSOLE]

    def read_file(self, path: str) -> bytes:
        """Return a file of the guest.

        Raises:
            OSError: as open() does.
        """
        return self.disk.read(path)
