"""VMware Tools: vmtoolsd --cmd, vmware-rpctool and vmware-toolbox-cmd."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cse_client.simulator.guest.exchange import Call
    from cse_client.simulator.guest.system import System

__all__ = ["rpctool", "toolbox_cmd", "vmtoolsd"]


def _command(system: System, call: Call, text: str) -> int:
    """Answer one RPC to the hypervisor.

    "info-set KEY VALUE" and "info-get KEY": the key ends at the first space, the rest is the
    value as it is. Newlines do not survive (open-vm-tools takes one line).
    """
    verb, _, rest = text.partition(" ")
    if verb == "info-set":
        key, space, value = rest.partition(" ")
        if not space or not key:
            call.err("Invalid arguments")
            return 1
        system.life.check()
        system.guestinfo[key] = value
        if key.startswith("guestinfo."):
            system.guest.hooks.guestinfo_changed(key, value)
        call.out("")
        return 0
    if verb == "info-get":
        found = system.guestinfo.get(rest.strip())
        if found is None:
            call.err("No value found")
            return 1
        call.out(found)
        return 0
    call.err("Unknown command")
    return 1


def vmtoolsd(system: System, call: Call) -> int:
    """`vmtoolsd --cmd TEXT`."""
    words = call.words
    for index, word in enumerate(words):
        if word == "--cmd" and index + 1 < len(words):
            return _command(system, call, words[index + 1])
        if word.startswith("--cmd="):
            return _command(system, call, word.partition("=")[2])
    if words[:1] in (["-v"], ["--version"]):
        call.out("VMware Tools daemon, version 11.0.5.17716 (build-15389592)")
        return 0
    call.err("vmtoolsd: the daemon runs already")
    return 1


def rpctool(system: System, call: Call) -> int:
    """`vmware-rpctool TEXT`."""
    if not call.words:
        call.err("Usage: vmware-rpctool <text>")
        return 1
    return _command(system, call, " ".join(call.words))


def toolbox_cmd(system: System, call: Call) -> int:
    """`vmware-toolbox-cmd config get|set SECTION KEY [VALUE]`."""
    words = call.words
    if words[:1] == ["-v"]:
        call.out("11.0.5.17716 (build-15389592)")
        return 0
    if words[:2] == ["config", "get"] and len(words) > 3:  # noqa: PLR2004
        for line in system.disk.text("/etc/vmware-tools/tools.conf").splitlines():
            key, equals, value = line.partition("=")
            if equals and key.strip() == words[3]:
                call.out(f"[{words[2]}] {words[3]} = {value.strip()}")
                return 0
        call.out(f"[{words[2]}] {words[3]} UNSET")
        return 0
    if words[:2] == ["config", "set"] and len(words) > 4:  # noqa: PLR2004
        with system.life.guard():
            system.disk.append(
                "/etc/vmware-tools/tools.conf", f"[{words[2]}]\n{words[3]}={words[4]}\n"
            )
        return 0
    call.err("vmware-toolbox-cmd: Missing command")
    return 64
