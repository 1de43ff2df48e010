"""apt-get and what packages bring along: package archives are beyond the simulated network."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cse_client.simulator.guest.exchange import Call
    from cse_client.simulator.guest.system import System

__all__ = ["apt_get", "apt_mark", "update_ca_certificates"]

_APT_SECONDS = 120


def apt_get(system: System, call: Call) -> int:
    """Fail as without a network where there is no way out; else do nothing, successfully."""
    words = [word for word in call.words if not word.startswith("-")]
    action = words[0] if words else ""
    if action in ("update", "install", "upgrade", "dist-upgrade") and not system.egress:
        system.sleep_call(call, _APT_SECONDS)
        host = "archive.ubuntu.com"
        if action == "update":
            call.err(
                f"W: Failed to fetch http://{host}/ubuntu  Temporary failure resolving '{host}'"
            )
            return 0
        call.err(f"E: Failed to fetch http://{host}/ubuntu  Temporary failure resolving '{host}'")
        return 100
    if action == "install":
        missing = [
            word for word in words[1:] if word.split("=")[0] in system.image.missing_commands
        ]
        if missing:
            system.say(f"simulator: apt-get cannot really install {' '.join(missing)}")
            return 100
    call.out("Reading package lists...\nBuilding dependency tree...\nReading state information...")
    return 0


def apt_mark(system: System, call: Call) -> int:
    """Hold packages."""
    for word in call.words[1:]:
        call.out(f"{word} set on hold.")
    return 0


def update_ca_certificates(system: System, call: Call) -> int:
    """Collect the CAs of the administrator; Debian's own are left out.

    Source: ca-certificates:sbin/update-ca-certificates, which takes files that end with .crt.
    """
    folder = "/usr/local/share/ca-certificates"
    names = [name for name in system.disk.names(folder) if name.endswith(".crt")]
    with system.life.guard():
        text = "".join(system.disk.text(f"{folder}/{name}") for name in names)
        system.disk.write("/etc/ssl/certs/ca-certificates.crt", text)
    call.out(f"{len(names)} added, 0 removed; done.")
    return 0
