"""The guest's service manager: units, their states, and what happens when they end."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from cse_client.simulator.guest.disk import Disk
from cse_client.simulator.guest.jobs import Jobs, job_script
from cse_client.simulator.guest.life import Life, PowerLoss
from cse_client.simulator.guest.unit_files import UnitFiles
from cse_client.simulator.guest.unit_state import Native, Unit
from cse_client.simulator.guest.units import Command, seconds_of

__all__ = ["Systemd"]

_BY_SIGNAL = (129, 130, 141, 143)
_DEFAULT_RESTART_SECONDS = 0.1
_START_LIMIT = (5, 10.0)
# A kubelet waiting for its configuration crashes again and again: not a hundred times a second.
_LEAST_NATIVE_PAUSE = 0.5


class Systemd:
    """Runs the units of one guest between power-on and power-off.

    Args:
        disk: the guest's disk.
        life: ends with the power.
        jobs: starts processes in the guest.
        builtin: unit files of the image, by name.
        natives: services played by the simulator, by unit name.
        version: systemd's version, 229 on Ubuntu 16.04.
        hostname: returns the guest's host name.
        commands: names of all commands in the guest's /usr/bin.
    """

    def __init__(
        self,
        *,
        disk: Disk,
        life: Life,
        jobs: Jobs,
        builtin: dict[str, str],
        natives: dict[str, Native],
        version: int,
        hostname: Callable[[], str],
        commands: frozenset[str],
    ) -> None:
        self.disk = disk
        self.life = life
        self.version = version
        self._jobs = jobs
        self.files = UnitFiles(disk, life, builtin)
        self._natives = natives
        self._hostname = hostname
        self._commands = commands
        self._units: dict[str, Unit] = {}
        self._lock = threading.RLock()

    # Unit files

    def load(self, name: str) -> Unit | None:
        """Return a unit, read from its file unless it is loaded; None where there is none."""
        with self._lock:
            unit = self._units.get(name)
            if unit is not None:
                return unit
            file = self.files.read(name)
            if file is None:
                return None
            unit = Unit(name, file)
            self._units[name] = unit
            return unit

    def reload(self) -> None:
        """Read all unit files again; states stay (daemon-reload)."""
        with self._lock:
            for name, unit in list(self._units.items()):
                if unit.state == "inactive" and not unit.supervised:
                    del self._units[name]
                    continue
                file = self.files.read(name)
                if file is not None:
                    unit.file = file

    def enable(self, name: str) -> list[tuple[str, str]] | None:
        """Link a unit into its targets; returns the new (link, target), None for no [Install]."""
        made = self.files.enable(name)
        if made is not None:
            self.reload()
        return made

    def disable(self, name: str) -> list[str]:
        """Remove a unit's links from all targets; returns those removed."""
        removed = self.files.disable(name)
        self.reload()
        return removed

    # Running

    def boot(self) -> None:
        """Start what multi-user.target wants, each without waiting, in the order of After=."""
        names = self.disk.names("/etc/systemd/system/multi-user.target.wants")
        names += [
            name
            for name in self.disk.names("/etc/systemd/system/network-online.target.wants")
            if name not in names
        ]
        done: list[str] = []

        def visit(name: str, trail: tuple[str, ...]) -> None:
            unit = self.load(name)
            if unit is None or name in done or name in trail:
                return
            for earlier in unit.file.words("Unit", "After"):
                if earlier in names:
                    visit(earlier, (*trail, name))
            done.append(name)

        for name in names:
            visit(name, ())
        for name in done:
            if not self.files.masked(name):
                self.begin(name, booting=frozenset(done))

    def begin(self, name: str, *, booting: frozenset[str] = frozenset()) -> Unit | None:
        """Start a unit without waiting; None where there is no such unit."""
        unit = self.load(name)
        if unit is None:
            return None
        with self._lock:
            if unit.supervised and not (unit.state == "activating" and unit.sub == "auto-restart"):
                return unit
            if unit.supervised:
                unit.stopping = True
            before = [
                other
                for other in (self._units.get(n) for n in unit.file.words("Unit", "After"))
                if other is not None and other.name in booting
            ]
            wanted = unit.file.words("Unit", "Wants") + unit.file.words("Unit", "Requires")
        if name.endswith(".target"):
            unit.become("active", "active")
            return unit
        for other_name in wanted:
            if other_name != name and other_name not in booting:
                self.begin(other_name, booting=booting | {name})
        while unit.supervised:
            self.life.wait_real(0.005)
        unit.supervised = True
        unit.stopping = False
        unit.settled.clear()
        unit.state, unit.sub = "activating", "start"
        threading.Thread(
            target=self._supervise, args=(unit, before), name=f"unit-{name}", daemon=True
        ).start()
        return unit

    def stop(self, name: str) -> None:
        """Stop a unit and wait until it is gone."""
        unit = self._units.get(name)
        if unit is None:
            return
        if name in self._natives and unit.state in ("active", "activating", "failed"):
            unit.stopping = True
            self._natives[name].end()
        elif unit.supervised:
            unit.stopping = True
            if unit.job is not None:
                self._jobs.stop(unit.job)
        while unit.supervised:
            self.life.wait_real(0.005)
        if unit.state != "failed":
            unit.become("inactive", "dead")

    def journal(self, name: str, text: str) -> None:
        """Add to a unit's journal."""
        stamp = time.strftime("%b %d %H:%M:%S", time.gmtime())
        with self.life.guard():
            self.disk.append(f"/var/log/journal/{name}.log", f"{stamp} systemd[1]: {text}\n")

    def units(self) -> list[Unit]:
        """Return the loaded units."""
        return list(self._units.values())

    def _supervise(self, unit: Unit, before: list[Unit]) -> None:
        try:
            for other in before:
                while not other.settled.wait(0.05):
                    self.life.check()
            self._cycle(unit)
        except PowerLoss:
            return
        finally:
            unit.supervised = False
            unit.settled.set()

    def _cycle(self, unit: Unit) -> None:
        """Run a unit again and again as its Restart= says."""
        while True:
            unmet = self._unmet_condition(unit)
            if unmet:
                self.journal(
                    unit.name, f"Condition check resulted in {unit.name} being skipped: {unmet}"
                )
                unit.become("inactive", "dead")
                return
            unit.starts = [t for t in unit.starts if time.monotonic() - t < self._limit_span(unit)]
            unit.starts.append(time.monotonic())
            if self._starts_too_often(unit):
                unit.result = "start-limit-hit"
                self.journal(unit.name, f"{unit.name}: Start request repeated too quickly.")
                unit.become("failed", "failed")
                return
            code = self._run(unit)
            unit.job = None
            if unit.stopping:
                unit.result = "success"
                unit.become("inactive", "dead")
                return
            if code is None:
                return
            if not self._restarts(unit, code):
                return
            unit.become("activating", "auto-restart")
            unit.settled.set()
            pause = unit.file.get("Service", "RestartSec")
            span = (seconds_of(pause) if pause else _DEFAULT_RESTART_SECONDS) / self.life.speed
            if unit.name in self._natives:
                span = max(span, _LEAST_NATIVE_PAUSE)
            limit = time.monotonic() + span
            while time.monotonic() < limit:
                self.life.wait_real(min(0.02, max(limit - time.monotonic(), 0)))
                if unit.told_to_stop():
                    unit.become("inactive", "dead")
                    return
            unit.settled.clear()
            unit.state, unit.sub = "activating", "start"

    def _limit_span(self, unit: Unit) -> float:
        span = unit.file.get("Unit", "StartLimitIntervalSec") or unit.file.get(
            "Service", "StartLimitInterval"
        )
        return (seconds_of(span) if span else _START_LIMIT[1]) / self.life.speed

    def _starts_too_often(self, unit: Unit) -> bool:
        burst = unit.file.get("Unit", "StartLimitBurst") or unit.file.get(
            "Service", "StartLimitBurst"
        )
        return len(unit.starts) > (int(burst) if burst.isdigit() else _START_LIMIT[0])

    def _unmet_condition(self, unit: Unit) -> str:
        for key, test in (
            ("ConditionPathExists", self.disk.exists),
            ("ConditionPathIsDirectory", lambda path: self.disk.path(path).is_dir()),
            ("ConditionFileNotEmpty", lambda path: bool(self.disk.text(path))),
            ("ConditionDirectoryNotEmpty", lambda path: bool(self.disk.names(path))),
        ):
            for value in unit.file.all("Unit", key):
                negated = value.startswith("!")
                path = value.lstrip("!|")
                if test(path) == negated:
                    return f"{key}={value}"
        return ""

    def _run(self, unit: Unit) -> int | None:  # noqa: PLR0911
        """Run a unit once; returns its exit code, None when it stays active without a process."""
        native = self._natives.get(unit.name)
        if native is not None or unit.name in self.files.builtin:
            return self._run_native(unit, native)
        environment = self._environment(unit)
        if isinstance(environment, str):
            self.journal(unit.name, environment)
            return self._fail(unit, 1, "resources")
        for command in unit.file.commands("ExecStartPre", environment, self._hostname()):
            code = self._execute(unit, command, environment)
            if unit.stopping:
                return 0
            if code and not command.may_fail:
                return self._fail(unit, code, "exit-code")
        commands = unit.file.commands("ExecStart", environment, self._hostname())
        self.journal(unit.name, f"Starting {unit.file.get('Unit', 'Description', unit.name)}...")
        code = 0
        for command in commands:
            code = self._execute(unit, command, environment, active=unit.file.kind != "oneshot")
            if unit.stopping:
                return 0
            if code and not command.may_fail:
                break
            code = 0
        if unit.file.kind != "oneshot" and code in _BY_SIGNAL:
            code = 0
        if code:
            return self._fail(unit, code, "exit-code")
        unit.code, unit.result = 0, "success"
        if unit.file.kind == "oneshot":
            self.journal(unit.name, f"Started {unit.file.get('Unit', 'Description', unit.name)}.")
        if unit.file.get("Service", "RemainAfterExit") in ("yes", "true", "1", "on"):
            unit.become("active", "exited")
            return None
        unit.become("inactive", "dead")
        return 0

    def _run_native(self, unit: Unit, native: Native | None) -> int | None:
        try:
            if native is not None:
                native.begin()
        except OSError as error:
            self.journal(unit.name, str(error))
            return self._fail(unit, 255, "exit-code")
        unit.become("active", "running")
        unit.result = "success"
        return None

    def _fail(self, unit: Unit, code: int, result: str) -> int:
        unit.code, unit.result = code, result
        self.journal(
            unit.name, f"{unit.name}: Main process exited, code=exited, status={code}/FAILURE"
        )
        self.journal(unit.name, f"{unit.name}: Failed with result '{result}'.")
        unit.become("failed", "failed")
        return code

    def _environment(self, unit: Unit) -> dict[str, str] | str:
        """Return a unit's environment, or why it cannot be had."""
        found = unit.file.environment()
        for value in unit.file.all("Service", "EnvironmentFile"):
            optional, path = value.startswith("-"), value.lstrip("-")
            if not self.disk.exists(path):
                if optional:
                    continue
                return f"{unit.name}: Failed to load environment files: No such file or directory"
            for line in self.disk.text(path).splitlines():
                key, equals, content = line.strip().partition("=")
                if equals and not key.startswith("#"):
                    found[key] = content.strip("\"'")
        return found

    def _execute(
        self, unit: Unit, command: Command, environment: dict[str, str], *, active: bool = False
    ) -> int:
        """Run one command of a unit to its end."""
        program = command.words[0]
        if not program.startswith("/"):
            program = next(
                (
                    f"{folder}/{program}"
                    for folder in ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin")
                    if self._executable(f"{folder}/{program}")
                ),
                program,
            )
        if not self._executable(program):
            self.journal(unit.name, f"{unit.name}: Failed at step EXEC spawning {program}")
            return 203
        output = f"/var/log/journal/{unit.name}.log"
        wish = unit.file.get("Service", "StandardOutput", "journal")
        if wish.startswith(("file:", "append:")):
            output = wish.partition(":")[2]
        elif wish in ("null", "/dev/null"):
            output = "/dev/null"
        elif wish in ("tty", "journal+console", "syslog+console"):
            output = "/dev/console"
        folder = unit.file.get("Service", "WorkingDirectory", "/").lstrip("-") or "/"
        folder = "/root" if folder == "~" else folder
        unit.job = self._jobs.start(
            job_script(
                [program, *command.words[1:]],
                output=output,
                environment=environment,
                folder=folder,
            )
        )
        if active:
            unit.become("active", "running")
        code = self._jobs.wait(unit.job)
        return 255 if code is None else code

    def _executable(self, program: str) -> bool:
        """Return whether a file could be executed: there, with the bit set, a script or ELF."""
        if program.startswith(("/bin/", "/sbin/", "/usr/bin/", "/usr/sbin/")):
            name = program.rsplit("/", 1)[1]
            # a link of a package leads to what is bound into the running guest only
            link = self.disk.path(program, follow=False)
            if name in self._commands or str(link.resolve()).startswith("/.sim/"):
                return True
        path = self.disk.path(program)
        if not path.is_file() or not path.stat().st_mode & 0o111:
            return False
        return path.read_bytes()[:4].startswith((b"#!", b"\x7fELF"))

    def _restarts(self, unit: Unit, code: int) -> bool:
        policy = unit.file.get("Service", "Restart", "no")
        if str(code) in unit.file.words("Service", "RestartPreventExitStatus"):
            return False
        if code == 0:
            return policy in ("always", "on-success")
        return policy in ("always", "on-failure")
