"""What a test can make go wrong in one guest."""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass, field

__all__ = ["Faults"]


@dataclass
class Faults:
    """Misfortunes of one guest; a test sets them, before or while the guest runs.

    Attributes:
        kill_at_call: power fails when the stand-in call of this number (from 1) begins.
        kill_at: power fails when a stand-in's command line matches this expression, before it
            does anything.
        kill_at_step: power fails at a named step inside a stand-in, such as
            "kubeadm init certs"; matched as an expression. What was not synced may be lost.
        lose_unsynced: a power failure truncates these files to nothing, as a file system does
            with what was written and never synced; expressions over absolute paths.
        never_boot: the guest hangs before its operating system starts.
        no_address: the network card never gets its address.
        address_blocked: the network lets no other address of the network card pass than the one
            that VCD gave it, as SpoofGuard does (NSX-T Administration Guide, "SpoofGuard").
        clock_offset: seconds by which the guest's clock is off.
        serving_ends: seconds from now after which the API server's certificate ends, below 0 for
            one that has ended; it is replaced on disk and served at once, as kube-apiserver
            reloads its own (since 1.17). Strikes once.
        runtime_late: seconds of the guest's time after which the container runtime answers, once
            its service counts as started; as after a crash, when it first sorts out what it had.
        slow: seconds (real) by expression that a matching command line takes longer.
        fail: exit code by expression that a matching command line ends with, doing nothing.
        unreachable_registries: image pulls fail although there is a way out.
        unreachable_images: pulls of images whose name matches this expression fail, as behind a
            proxy that knows some registries only.
        unreachable_hosts: connections to hosts of the Internet whose name matches this expression
            time out.
        wrong_package_key: the Kubernetes packages are signed by another key than their source
            offers.
        packages_locked: seconds of the guest's time since its boot for which unattended-upgrades
            holds dpkg's lock.
        lists_locked: the same for apt-daily's `apt-get update` and the lock of the package lists.
        disk_full: nothing is left on the guest's disk for packages and images.
    """

    kill_at_call: int | None = None
    kill_at: str | None = None
    kill_at_step: str | None = None
    lose_unsynced: list[str] = field(default_factory=list)
    never_boot: bool = False
    no_address: bool = False
    address_blocked: bool = False
    clock_offset: float = 0.0
    serving_ends: float | None = None
    runtime_late: float = 0.0
    slow: dict[str, float] = field(default_factory=dict)
    fail: dict[str, int] = field(default_factory=dict)
    unreachable_registries: bool = False
    unreachable_images: str | None = None
    unreachable_hosts: str | None = None
    wrong_package_key: bool = False
    packages_locked: float = 0.0
    lists_locked: float = 0.0
    disk_full: bool = False
    calls: int = 0
    log: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def count(self, line: str) -> bool:
        """Note a stand-in call; True when power must fail now. Each fault strikes once."""
        with self._lock:
            self.calls += 1
            self.log.append(line)
            if self.kill_at_call is not None and self.calls >= self.kill_at_call:
                self.kill_at_call = None
                return True
            if self.kill_at is not None and re.search(self.kill_at, line):
                self.kill_at = None
                return True
        return False

    def step(self, name: str) -> bool:
        """Note a step inside a stand-in; True when power must fail now."""
        with self._lock:
            self.log.append(f"step: {name}")
            if self.kill_at_step is not None and re.search(self.kill_at_step, name):
                self.kill_at_step = None
                return True
        return False

    def delay(self, line: str) -> float:
        """Return the seconds by which this command line is slowed."""
        return sum(seconds for rule, seconds in self.slow.items() if re.search(rule, line))

    def failure(self, line: str) -> int | None:
        """Return the exit code that this command line is made to fail with."""
        for rule, code in self.fail.items():
            if re.search(rule, line):
                return code
        return None

    def withholds(self, image: str) -> bool:
        """Return whether an image cannot be pulled."""
        rule = self.unreachable_images
        return self.unreachable_registries or (rule is not None and bool(re.search(rule, image)))

    def cuts_off(self, host: str) -> bool:
        """Return whether a host cannot be connected to."""
        rule = self.unreachable_hosts
        return rule is not None and bool(re.search(rule, host))

    def loses(self, path: str) -> bool:
        """Return whether a power failure takes the content of this file."""
        return any(re.search(rule, path) for rule in self.lose_unsynced)
