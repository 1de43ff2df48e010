"""date, timedatectl and hostnamectl: the guest's own clock and name."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

from cse_client.simulator.guest.sandbox import PATH

if TYPE_CHECKING:
    from cse_client.simulator.guest.exchange import Call
    from cse_client.simulator.guest.system import System

__all__ = ["date", "hostnamectl", "timedatectl"]


def _setting(words: list[str]) -> str | None:
    """Return what `date` is to be set to, None when it only prints the time."""
    for index, word in enumerate(words):
        if word in ("-s", "--set") and index + 1 < len(words):
            return words[index + 1]
        if word.startswith("--set="):
            return word.partition("=")[2]
        if word.startswith("-") and not word.startswith("--") and "s" in word[1:]:
            before, _, after = word[1:].partition("s")
            if all(letter in "uR" for letter in before):
                return after or (words[index + 1] if index + 1 < len(words) else "")
    return None


def _epoch(text: str, offset: float) -> float | None:
    """Return the moment that GNU date reads from a string, None where it refuses."""
    absolute = text.startswith("@") or text[:4].isdigit()
    when = text if absolute else f"{text} {offset:.0f} seconds"
    environment = {"PATH": PATH, "TZ": "UTC"}
    done = subprocess.run(
        ["date", "-d", when, "+%s"], capture_output=True, text=True, env=environment, check=False
    )
    return float(done.stdout) if done.returncode == 0 else None


def date(system: System, call: Call) -> int | None:
    """Set the guest's clock, or report the clock's offset to this machine's."""
    wish = _setting(call.words)
    if wish is None:
        offset = round(system.offset_to_host())
        call.channel.send(f"={offset}\n")
        return None
    moment = _epoch(wish, system.offset_to_host())
    if moment is None:
        # The date stand-in shows no messages; the exit code is date's own.
        return 1
    system.life.check()
    system.guest.clock_shift += moment - system.now().timestamp()
    return 0


def timedatectl(system: System, call: Call) -> int:
    """Show the clock, or switch time synchronization (which nothing here answers)."""
    if call.words[:1] == ["set-time"]:
        moment = _epoch(" ".join(call.words[1:]), system.offset_to_host())
        if moment is None:
            call.err(f"Failed to parse time specification: {' '.join(call.words[1:])}")
            return 1
        system.guest.clock_shift += moment - system.now().timestamp()
        return 0
    if call.words[:1] in (["set-ntp"], ["set-timezone"], ["set-local-rtc"]):
        return 0
    shown = system.now().strftime("%a %Y-%m-%d %H:%M:%S UTC")
    call.out(f"      Local time: {shown}\n  Universal time: {shown}\n       Time zone: Etc/UTC")
    synchronized = "yes" if abs(system.shift) < 1 and system.egress else "no"
    call.out(f"System clock synchronized: {synchronized}")
    return 0


def hostnamectl(system: System, call: Call) -> int:
    """Show or set the host name."""
    words = [word for word in call.words if not word.startswith("--")]
    if words[:1] in (["set-hostname"], ["hostname"]) and len(words) > 1:
        system.set_hostname(words[1])
        # The job that set it may come after us: the caller's own namespace is set here and now.
        call.channel.send(f"h{words[1]}\n")
        return 0
    call.out(f"   Static hostname: {system.hostname()}")
    call.out("         Icon name: computer-vm\n           Chassis: vm\n    Virtualization: vmware")
    kernel = os.linesep.join(system.disk.text("/.guest/sysctl/kernel/osrelease").split())
    call.out(f"            Kernel: Linux {kernel}\n      Architecture: x86-64")
    return 0
