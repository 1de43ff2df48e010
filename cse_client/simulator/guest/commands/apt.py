"""What all actions of apt share: the command line, dpkg's lock, proxies and errors.

The texts were taken from runs of apt 2.6.1 against a signed repository, a missing one, one of
another key, held locks and a full disk.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cse_client.simulator.guest.commands.internet import FetchFailed
from cse_client.simulator.guest.packages.sources import option

if TYPE_CHECKING:
    from cse_client.simulator.guest.exchange import Call
    from cse_client.simulator.guest.system import System

__all__ = [
    "FAILED",
    "AptError",
    "Run",
    "proxy_of",
    "reason_of",
    "wait_for_lock",
]

#: apt-get's exit code for every failure.
FAILED = 100


class AptError(Exception):
    """apt gives up; its words were written already, or are this text."""


@dataclass
class Run:
    """One command line: where its words go, and its options."""

    system: System
    call: Call

    def option(self, name: str) -> str:
        """Return a configuration option."""
        return option(self.system.disk, self.call.words, name)

    def wait(self, seconds: float) -> None:
        """Let seconds of the guest's time pass."""
        self.system.sleep_call(self.call, seconds)

    @property
    def quiet(self) -> bool:
        """Whether output for the log is wanted, or none."""
        return any(word in ("-qq", "-q=2", "--quiet=2") for word in self.call.words)

    def out(self, text: str) -> None:
        """Write what -qq leaves out."""
        if not self.quiet:
            self.call.out(text)


def wait_for_lock(run: Run) -> None:
    """Take dpkg's lock as apt does.

    DPkg::Lock::Timeout is for this lock alone (apt-pkg/deb/debsystem.cc, `GetLockMaybeWait`).
    """
    left = run.system.locked("packages")
    if not left:
        return
    limit = float(run.option("DPkg::Lock::Timeout") or 0)
    held = (
        "Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 1719"
        " (unattended-upgr)"
    )
    if limit:
        run.call.out(f"Waiting for cache lock: {held}...")
        run.wait(left if limit < 0 else min(limit, left))
        if not run.system.locked("packages"):
            return
    else:
        run.call.err(f"E: {held}")
    raise AptError(
        "E: Unable to acquire the dpkg frontend lock (/var/lib/dpkg/lock-frontend), is another"
        " process using it?"
    )


def reason_of(error: FetchFailed) -> str:
    """Return why something could not be fetched, as apt words it."""
    if error.kind == "name":
        return f"Temporary failure resolving '{error.host}'"
    if error.kind == "certificate":
        return (
            "Certificate verification failed: The certificate is NOT trusted. The certificate"
            " issuer is unknown.  Could not handshake: Error in the certificate verification."
        )
    where = f"{error.host}:{error.port} (203.0.113.10)"
    return f"Could not connect to {where}, connection timed out"


def proxy_of(run: Run, url: str) -> str:
    """Return the proxy for a URL; https falls back to http's (apt-transport-https(1))."""
    names = ["http", "https"] if url.startswith("https") else ["http"]
    for scheme in reversed(names):
        value = run.option(f"Acquire::{scheme}::Proxy")
        if value:
            return "" if value == "DIRECT" else value
    return ""
