"""systemctl, journalctl and logger."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from cse_client.simulator.guest.units import unit_name

if TYPE_CHECKING:
    from cse_client.simulator.guest.exchange import Call
    from cse_client.simulator.guest.system import System

__all__ = ["detect_virt", "journalctl", "logger", "runlevel", "systemctl"]

_UNKNOWN = 5
_NOT_RUNNING = 3
_NO_SUCH_UNIT = 4
#: What Ubuntu's own services lock while they work.
_WORKS_ON = {"apt-daily.service": "lists", "apt-daily-upgrade.service": "packages"}


def systemctl(system: System, call: Call) -> int:
    """The service manager's front end."""
    options = [word for word in call.words if word.startswith("-")]
    words = [word for word in call.words if not word.startswith("-")]
    verb, names = (words[0] if words else "list-units"), [unit_name(w) for w in words[1:]]
    handler = _VERBS.get(verb)
    if handler is None:
        call.err(f"Unknown operation {verb}.")
        return 1
    return handler(system, call, names, options)


def _start(system: System, call: Call, names: list[str], options: list[str]) -> int:
    code = 0
    begun = []
    for name in names:
        if system.systemd.files.masked(name):
            call.err(f"Failed to start {name}: Unit {name} is masked.")
            code = 1
            continue
        unit = system.systemd.load(name)
        if unit is None:
            call.err(f"Failed to start {name}: Unit {name} not found.")
            code = _UNKNOWN
            continue
        problem = unit.file.problem(systemd=system.systemd.version)
        if problem:
            system.systemd.journal(name, f"{name}: {problem}")
            call.err(f"Failed to start {name}: Unit {name} has a bad unit file setting.")
            call.err(f"See system logs and 'systemctl status {name}' for details.")
            code = 1
            continue
        if unit.state == "failed":
            unit.starts.clear()
        system.systemd.begin(name)
        begun.append(unit)
    if "--no-block" in options:
        return code
    for unit in begun:
        while not unit.settled.wait(0.02):
            system.pause_call(call, 0)
        if unit.state == "failed" or unit.sub == "auto-restart":
            call.err(
                f"Job for {unit.name} failed because the control process exited with error code.\n"
                f'See "systemctl status {unit.name}" and "journalctl -xe" for details.'
            )
            code = 1
    return code


def _stop(system: System, call: Call, names: list[str], options: list[str]) -> int:
    code = 0
    for name in names:
        if system.systemd.load(name) is None:
            call.err(f"Failed to stop {name}: Unit {name} not loaded.")
            code = _UNKNOWN
        else:
            system.systemd.stop(name)
    return code


def _restart(system: System, call: Call, names: list[str], options: list[str]) -> int:
    for name in names:
        if system.systemd.load(name) is not None:
            system.systemd.stop(name)
    return _start(system, call, names, options)


def _enable(system: System, call: Call, names: list[str], options: list[str]) -> int:
    old = system.systemd.version < 230  # noqa: PLR2004
    for name in names:
        if system.systemd.files.find(name) is None:
            if old:
                call.err("Failed to execute operation: No such file or directory")
            else:
                call.err(f"Failed to enable unit: Unit file {name} does not exist.")
            return 1
        made = system.systemd.enable(name)
        if made is None:
            call.err("The unit files have no installation config (WantedBy=, RequiredBy=, ...).")
            continue
        for link, target in made:
            text = f"from {link} to {target}." if old else f"{link} → {target}."
            call.err(f"Created symlink {text}")
    return _start(system, call, names, options) if "--now" in options else 0


def _preset(system: System, call: Call, names: list[str], options: list[str]) -> int:
    """Enable units that are new, as Debian's presets (90-systemd.preset's last line) want it."""
    return _enable(system, call, names, [])


def _disable(system: System, call: Call, names: list[str], options: list[str]) -> int:
    for name in names:
        if system.systemd.files.find(name) is None:
            call.err(f"Failed to disable unit: Unit file {name} does not exist.")
            return 1
        for link in system.systemd.disable(name):
            call.err(f"Removed {link}.")
    return _stop(system, call, names, options) if "--now" in options else 0


def _mask(system: System, call: Call, names: list[str], options: list[str]) -> int:
    for name in names:
        with system.life.guard():
            system.disk.link(f"/etc/systemd/system/{name}", "/dev/null")
        call.err(f"Created symlink /etc/systemd/system/{name} → /dev/null.")
    return 0


def _unmask(system: System, call: Call, names: list[str], options: list[str]) -> int:
    for name in names:
        if system.systemd.files.masked(name):
            with system.life.guard():
                system.disk.remove(f"/etc/systemd/system/{name}")
    return 0


def _reload(system: System, call: Call, names: list[str], options: list[str]) -> int:
    system.systemd.reload()
    return 0


def _is_active(system: System, call: Call, names: list[str], options: list[str]) -> int:
    code = _NOT_RUNNING
    for name in names:
        unit = system.systemd.load(name)
        state = unit.state if unit is not None else "inactive"
        if unit is None and system.systemd.version < 230:  # noqa: PLR2004
            state = "unknown"
        # a service of type oneshot is being activated for as long as it works
        if system.locked(_WORKS_ON.get(name, "")):
            state = "activating"
        if "--quiet" not in options and "-q" not in options:
            call.out(state)
        if state == "active":
            code = 0
    return code


def _is_failed(system: System, call: Call, names: list[str], options: list[str]) -> int:
    code = 1
    for name in names:
        unit = system.systemd.load(name)
        state = unit.state if unit is not None else "inactive"
        call.out(state)
        code = 0 if state == "failed" else code
    return code


def _is_enabled(system: System, call: Call, names: list[str], options: list[str]) -> int:
    code = 1
    for name in names:
        quiet = "--quiet" in options or "-q" in options
        found = system.systemd.files.find(name)
        if system.systemd.files.masked(name):
            state = "masked"
        elif found is None:
            call.err(f"Failed to get unit file state for {name}: No such file or directory")
            return 1
        elif system.systemd.files.enabled(name):
            state, code = "enabled", 0
        elif "[Install]" in found[1]:
            state = "disabled"
        else:
            state, code = "static", 0
        if not quiet:
            call.out(state)
    return code


def _status(system: System, call: Call, names: list[str], options: list[str]) -> int:
    for name in names:
        unit = system.systemd.load(name)
        if unit is None:
            call.err(f"Unit {name} could not be found.")
            return _NO_SUCH_UNIT
        found = system.systemd.files.find(name)
        enabled = "enabled" if system.systemd.files.enabled(name) else "disabled"
        since = time.strftime("%a %Y-%m-%d %H:%M:%S UTC", time.gmtime(unit.since or time.time()))
        call.out(
            f"● {name} - {unit.file.get('Unit', 'Description', name)}\n"
            f"   Loaded: loaded ({found[0] if found else ''}; {enabled}; vendor preset: enabled)\n"
            f"   Active: {unit.state} ({unit.sub}) since {since}"
        )
        if unit.code:
            call.out(f"  Process: (code=exited, status={unit.code}/FAILURE)")
        journal = system.disk.text(f"/var/log/journal/{name}.log").splitlines()[-10:]
        if journal:
            call.out("\n" + "\n".join(journal))
        return 0 if unit.state in ("active", "activating") else _NOT_RUNNING
    return 0


def _cat(system: System, call: Call, names: list[str], options: list[str]) -> int:
    for name in names:
        found = system.systemd.files.find(name)
        if found is None:
            call.err(f"No files found for {name}.")
            return 1
        call.out(f"# {found[0]}\n{found[1]}", end="")
    return 0


def _show(system: System, call: Call, names: list[str], options: list[str]) -> int:
    for name in names:
        unit = system.systemd.load(name)
        values = {
            "Id": name,
            "LoadState": "loaded" if unit else "not-found",
            "ActiveState": unit.state if unit else "inactive",
            "SubState": unit.sub if unit else "dead",
            "Result": unit.result if unit else "success",
            "ExecMainStatus": str(unit.code) if unit else "0",
            "NRestarts": str(max(len(unit.starts) - 1, 0)) if unit else "0",
        }
        wanted = [
            key
            for option in options
            if option.startswith(("-p", "--property="))
            for key in option.replace("--property=", "").replace("-p", "", 1).split(",")
            if key
        ]
        for key, value in values.items():
            if not wanted or key in wanted:
                call.out(value if "--value" in options else f"{key}={value}")
    return 0


def _reset_failed(system: System, call: Call, names: list[str], options: list[str]) -> int:
    for unit in system.systemd.units():
        if unit.state == "failed" and (not names or unit.name in names):
            unit.become("inactive", "dead")
            unit.starts.clear()
    return 0


def _list(system: System, call: Call, names: list[str], options: list[str]) -> int:
    for unit in system.systemd.units():
        description = unit.file.get("Unit", "Description", unit.name)
        call.out(f"{unit.name:<40} loaded {unit.state:<10} {unit.sub:<12} {description}")
    return 0


def _running(system: System, call: Call, names: list[str], options: list[str]) -> int:
    failed = any(unit.state == "failed" for unit in system.systemd.units())
    call.out("degraded" if failed else "running")
    return 1 if failed else 0


def _reboot(system: System, call: Call, names: list[str], options: list[str]) -> int:
    system.guest.halt(system, again=True)
    return 0


def _poweroff(system: System, call: Call, names: list[str], options: list[str]) -> int:
    system.guest.halt(system, again=False)
    return 0


_VERBS: dict[str, Callable[[System, Call, list[str], list[str]], int]] = {
    "cat": _cat,
    "daemon-reload": _reload,
    "daemon-reexec": _reload,
    "disable": _disable,
    "enable": _enable,
    "is-active": _is_active,
    "is-enabled": _is_enabled,
    "is-failed": _is_failed,
    "is-system-running": _running,
    "list-units": _list,
    "mask": _mask,
    "poweroff": _poweroff,
    "preset": _preset,
    "reboot": _reboot,
    "reload": _restart,
    "reload-or-restart": _restart,
    "reset-failed": _reset_failed,
    "restart": _restart,
    "show": _show,
    "start": _start,
    "status": _status,
    "stop": _stop,
    "try-restart": _restart,
    "unmask": _unmask,
}


def _option(words: list[str], *names: str) -> str | None:
    for index, word in enumerate(words):
        if word in names and index + 1 < len(words):
            return words[index + 1]
        for name in names:
            if name.startswith("--") and word.startswith(name + "="):
                return word.partition("=")[2]
            if not name.startswith("--") and word.startswith(name) and len(word) > len(name):
                return word[len(name) :]
    return None


def journalctl(system: System, call: Call) -> int:
    """Show a unit's journal, or all journals."""
    unit = _option(call.words, "-u", "--unit")
    count = _option(call.words, "-n", "--lines")
    folder = "/var/log/journal"
    names = [f"{unit_name(unit)}.log"] if unit else system.disk.names(folder)
    lines = [line for name in names for line in system.disk.text(f"{folder}/{name}").splitlines()]
    if count and count.isdigit():
        lines = lines[-int(count) :]
    call.out("\n".join(lines) if lines else "-- No entries --")
    return 0


def logger(system: System, call: Call) -> int:
    """Put a line into the journal."""
    text = " ".join(word for word in call.words if not word.startswith("-"))
    with system.life.guard():
        system.disk.append("/var/log/journal/syslog.log", text + "\n")
    return 0


def detect_virt(system: System, call: Call) -> int:
    """Name the hypervisor."""
    call.out("vmware")
    return 0


def runlevel(system: System, call: Call) -> int:
    """Name the run level that graphical.target stands for; invoke-rc.d asks for it."""
    call.out("N 5")
    return 0
