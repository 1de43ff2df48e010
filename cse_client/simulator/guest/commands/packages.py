"""apt-get, apt-mark, apt-cache, dpkg-query, dpkg and update-ca-certificates.

In an image that does not name its packages, archives are beyond the simulated network, and nothing
is installed.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from cse_client.simulator.guest.commands import apt, apt_install, apt_lists
from cse_client.simulator.guest.packages import database

if TYPE_CHECKING:
    from cse_client.simulator.guest.exchange import Call
    from cse_client.simulator.guest.system import System

__all__ = ["apt_cache", "apt_get", "apt_mark", "dpkg", "dpkg_query", "update_ca_certificates"]

_APT_SECONDS = 120
_APT_TAKING = ("-o", "--option", "-c", "--config-file", "-t", "--target-release")
_DPKG_TAKING = ("-f", "--showformat")


def _words(words: Sequence[str], taking: Sequence[str]) -> list[str]:
    """Return the words of a command line that are neither options nor their values."""
    found = []
    skip = False
    for word in words:
        if skip:
            skip = False
        elif word in taking:
            skip = True
        elif not word.startswith("-"):
            found.append(word)
    return found


def apt_get(system: System, call: Call) -> int:
    """Carry out update, install, remove and clean."""
    words = _words(call.words, _APT_TAKING)
    action = words[0] if words else ""
    if not system.image.packages:
        return _without_packages(system, call, action, words[1:])
    run = apt.Run(system, call)
    try:
        return _act(run, action, words[1:])
    except apt.AptError as error:
        call.err(str(error))
        return apt.FAILED


def _act(run: apt.Run, action: str, words: list[str]) -> int:
    if action == "update":
        return apt_lists.refresh(run)
    if action == "install":
        return apt_install.install(run, words)
    if action in ("remove", "purge", "autoremove"):
        return apt_install.remove(run, words)
    if action in ("upgrade", "dist-upgrade", "full-upgrade", "check"):
        apt.wait_for_lock(run)
        run.out("0 upgraded, 0 newly installed, 0 to remove and 0 not upgraded.")
        return 0
    if action in ("clean", "autoclean", "distclean"):
        _clean(run.system, lists=action == "distclean")
        return 0
    raise apt.AptError(f"E: Invalid operation {action}")


def _clean(system: System, *, lists: bool) -> None:
    with system.life.guard():
        for folder in ("/var/cache/apt/archives", *(["/var/lib/apt/lists"] if lists else [])):
            for name in system.disk.names(folder):
                system.disk.remove(f"{folder}/{name}")


def _without_packages(system: System, call: Call, action: str, words: list[str]) -> int:
    """Fail as without a network where there is no way out; else do nothing, successfully."""
    if action in ("update", "install", "upgrade", "dist-upgrade") and not system.egress:
        system.sleep_call(call, _APT_SECONDS)
        host = "archive.ubuntu.com"
        if action == "update":
            call.err(
                f"W: Failed to fetch http://{host}/ubuntu  Temporary failure resolving '{host}'"
            )
            return 0
        call.err(f"E: Failed to fetch http://{host}/ubuntu  Temporary failure resolving '{host}'")
        return apt.FAILED
    if action == "install":
        missing = [word for word in words if word.split("=")[0] in system.image.missing_commands]
        if missing:
            system.say(f"simulator: apt-get cannot really install {' '.join(missing)}")
            return apt.FAILED
    call.out("Reading package lists...\nBuilding dependency tree...\nReading state information...")
    return 0


def apt_cache(system: System, call: Call) -> int:
    """`apt-cache madison NAME...`: the versions that the fetched lists offer, newest first."""
    words = _words(call.words, _APT_TAKING)
    if words[:1] != ["madison"]:
        call.err(f"apt-cache {' '.join(words)}: not simulated")
        return apt.FAILED
    for line in apt_lists.madison(apt.Run(system, call), words[1:]):
        call.out(line)
    return 0


def apt_mark(system: System, call: Call) -> int:
    """Hold packages, or show which are held."""
    words = _words(call.words, _APT_TAKING)
    verb, names = (words[0] if words else ""), words[1:]
    if not system.image.packages:
        for word in call.words[1:]:
            call.out(f"{word} set on hold.")
        return 0
    present = database.installed(system.disk)
    if verb == "showhold":
        for name in sorted(name for name, one in present.items() if one.held):
            call.out(name)
        return 0
    if verb not in ("hold", "unhold", "manual", "auto"):
        call.err(f"E: Invalid operation {verb}")
        return apt.FAILED
    unknown = [name for name in names if name not in present]
    if unknown:
        for name in unknown:
            call.err(f"E: Unable to locate package {name}")
        call.err("E: No packages found")
        return apt.FAILED
    if verb in ("hold", "unhold"):
        with system.life.guard():
            database.record(system.disk, [], hold=dict.fromkeys(names, verb == "hold"))
        for name in names:
            call.out(f"{name} {'set on hold' if verb == 'hold' else '- canceled hold'}.")
    return 0


def dpkg_query(system: System, call: Call) -> int:
    """Answer -W with -f, -s, -l and -L as dpkg-query(1) says."""
    action = next(
        (word for word in call.words if re.fullmatch(r"-[WslL]|--(show|status|list\w*)", word)), ""
    )
    form = _format(call.words)
    patterns = _words(call.words, _DPKG_TAKING)
    present = database.installed(system.disk)
    code = 0
    for pattern in patterns:
        if not fnmatch.filter(present, pattern):
            what = (
                f"package '{pattern}' is not installed and no information is available"
                if action in ("-s", "--status")
                else f"no packages found matching {pattern}"
            )
            call.err(f"dpkg-query: {what}")
            code = 1
    for name in sorted(present):
        if not patterns or any(fnmatch.fnmatchcase(name, one) for one in patterns):
            _show(system, call, present[name], action, form)
    return code


def _format(words: list[str]) -> str:
    for index, word in enumerate(words):
        if word in _DPKG_TAKING and index + 1 < len(words):
            return words[index + 1]
        if word.startswith("--showformat="):
            return word.partition("=")[2]
        if word.startswith("-f") and len(word) > len("-f"):
            return word[2:].lstrip("=")
    return "${binary:Package}\\t${Version}\\n"


def _show(system: System, call: Call, one: database.Installed, action: str, form: str) -> None:
    if action in ("-s", "--status"):
        call.out("".join(f"{key}: {value}\n" for key, value in one.fields.items()))
    elif action in ("-L", "--listfiles"):
        call.out(system.disk.text(f"/var/lib/dpkg/info/{one.name}.list"), end="")
    elif action in ("-l", "--list"):
        call.out(f"{'hi' if one.held else 'ii'}  {one.name}  {one.version}  amd64")
    else:
        values = {
            **one.fields,
            "binary:Package": one.name,
            "db:Status-Abbrev": "hi " if one.held else "ii ",
            "db:Status-Status": "installed",
        }
        text = re.sub(r"\$\{([^}]+)\}", lambda hit: values.get(hit[1].partition(";")[0], ""), form)
        call.out(text.replace("\\n", "\n").replace("\\t", "\t"), end="")


def dpkg(system: System, call: Call) -> int:
    """Dpkg's queries, --print-architecture and --configure -a; it installs no archives."""
    words = call.words
    if words[:1] == ["--print-architecture"]:
        call.out("amd64")
        return 0
    if words[:1] == ["--configure"]:
        return 0
    if words[:1] and words[0] in ("-s", "-l", "-L", "--status", "--list", "--listfiles", "-W"):
        return dpkg_query(system, call)
    call.err(f"dpkg {' '.join(words)}: not simulated")
    return 2


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
