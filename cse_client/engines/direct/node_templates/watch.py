"""Waiting for the VM that a template is made of: for its report, or until it is off."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from cse_client.clock import Clock, polling
from cse_client.errors import GuestFailed, TimedOut
from cse_client.guest.template_script import TEMPLATE_VM
from cse_client.model import Event, EventKind, NodeReport, Progress, VApp, Vm
from cse_client.reports import GUESTINFO_PREFIX, parse_guestinfo

__all__ = ["BuildWatch", "Built", "has_finished"]

#: Seconds until the script has to report its beginning, and that it may stay in one phase.
_BOOT_LIMIT = 600.0
_PHASE_LIMIT = 1500.0

#: The phases after which the VM may be off.
_LAST_PHASES = ("seal", "done")
_CUSTOMIZED = "GC_COMPLETE"
_CUSTOMIZATION_FAILED = "GC_FAILED"
_REASON = re.compile(r"FAILED in phase \S+ \(rc \d+\): (.+)")
_VERSION = re.compile(r"1\.\d{1,3}\.\d{1,3}", re.ASCII)
_OS = re.compile(r"[a-z0-9._-]{1,40}", re.ASCII)
_CUSTOM_SCRIPTS = "vmware-toolbox-cmd config set deployPkg enable-custom-scripts true"

#: Why the script of a plain template does not start.
_SILENT_HINT = (
    "The template must run open-vm-tools, allow custom scripts"
    f" ({_CUSTOM_SCRIPTS}), and where it has cloud-init, leave the customization to it"
    " (disable_vmware_customization: false in /etc/cloud/cloud.cfg) and let it find VMware's"
    " datasource first (datasource_list: [ VMware, None ] in /etc/cloud/cloud.cfg.d)."
)

_LATE_HINT = "Run the same command again to resume; allow more time with --timeout."
_HIDDEN_HINT = (
    "The VM's reports are not visible to you (right 'vApp: Allow All Extra Config'), but it writes"
    " its phases, and why it failed, to its console."
)


@dataclass(frozen=True)
class Built:
    """What the VM has reported: versions and lines, as far as visible.

    `verified`: it reported that it is finished; else it only is off.
    """

    kubernetes: str = ""
    os: str = ""
    verified: bool = True
    lines: tuple[str, ...] = ()


@dataclass
class BuildWatch:
    """One wait for the build VM; `look` reads its vApp with the state of the customization.

    `identity` is the id that its reports begin with. `unseen`: seconds after the customization
    until a VM whose reports are not visible counts as done; None for one that shuts itself down.
    `title` is what progress calls it.
    """

    look: Callable[[], VApp]
    progress: Progress
    clock: Clock
    deadline: float
    identity: str = ""
    name: str = TEMPLATE_VM
    unseen: float | None = None
    title: str = "Installing in the VM"
    _phase: str = "boot"
    _since: float = 0.0
    _visible: bool = False
    _report: NodeReport | None = None
    _told: dict[str, str] = field(default_factory=dict)
    _last_text: str = ""

    def wait(self) -> Built:
        """Return once the VM has been sealed.

        Raises:
            GuestFailed: it reported a failure, stopped early, or makes no progress.
            TimedOut: the deadline passed.
        """
        self._since = self.clock.monotonic()
        for pause in polling(self.clock):
            vm = self._look()
            built = self._judge(vm)
            if built is not None:
                return built
            self._check_deadlines(vm)
            self._show(vm)
            self.clock.sleep(pause)
        raise AssertionError("unreachable")

    def _look(self) -> Vm:
        vms = self.look().vms
        vm = next((one for one in vms if one.name == self.name), None)
        if vm is None:
            raise self._failed("The VM has disappeared from the vApp.")
        if vm.guestinfo is not None:
            self._visible = True
            self._told.update(
                {k[len(GUESTINFO_PREFIX) :]: v for k, v in vm.guestinfo.items() if v.strip()}
            )
            report = parse_guestinfo(vm.name, vm.guestinfo)
            if report is not None:
                self._report = report
                self._enter(report.phase or report.status)
        if self._report is None and vm.customization:
            self._enter(f"customization ({vm.customization})")
        return vm

    def _enter(self, phase: str) -> None:
        if phase != self._phase:
            self._phase = phase
            self._since = self.clock.monotonic()

    def _judge(self, vm: Vm) -> Built | None:
        report = self._report
        if report is not None and report.status == "failed":
            raise self._failed(_failure_text(report))
        if report is not None and report.status == "ready":
            return self._built(verified=True)
        if vm.customization == _CUSTOMIZATION_FAILED:
            raise self._failed(
                "VCD reports that guest customization of the VM failed before the build could"
                " start.",
                hint=_SILENT_HINT,
            )
        if vm.is_off:
            if has_finished(vm, self.identity):
                return self._built(verified=True)
            if report is None and self._visible and vm.customization != _CUSTOMIZED:
                raise self._failed("The VM was powered off before the build began.")
            if report is not None and self._phase not in _LAST_PHASES:
                raise self._failed(f"The VM was powered off in phase '{self._phase}'.")
            return self._built(verified=report is not None)
        if (
            self.unseen is not None
            and not self._visible
            and vm.customization == _CUSTOMIZED
            and self.clock.monotonic() - self._since > self.unseen
        ):
            return self._built(verified=False)
        return None

    def _built(self, *, verified: bool) -> Built:
        def told(key: str, form: re.Pattern[str]) -> str:
            value = self._told.get(key, "").strip()
            return value if form.fullmatch(value) else ""

        lines = self._report.log if self._report is not None else ()
        return Built(told("kubernetes", _VERSION), told("os", _OS), verified, lines)

    def _check_deadlines(self, vm: Vm) -> None:
        now = self.clock.monotonic()
        waited = now - self._since
        if now >= self.deadline:
            raise TimedOut(
                f"The template was not built in time; last seen: phase '{self._phase}'.",
                hint=_LATE_HINT if self._visible else f"{_LATE_HINT} {_HIDDEN_HINT}",
            )
        # a customized VM whose reports cannot be seen may be working all the same
        working = vm.customization == _CUSTOMIZED and not self._visible
        if self._report is None and not working and waited > self._limit(_BOOT_LIMIT):
            raise self._failed(
                f"The build has not started {waited:.0f} s after the VM was powered on; last seen:"
                f" {self._phase}.",
                hint=_SILENT_HINT,
            )
        if self._report is not None and waited > self._limit(_PHASE_LIMIT):
            raise self._failed(
                f"The build made no progress for {waited:.0f} s; last seen: phase '{self._phase}'."
            )

    def _limit(self, seconds: float) -> float:
        left = self.deadline - self._since
        return min(seconds, left / 2)

    def _show(self, vm: Vm) -> None:
        text = f"{self.title} ({self._phase})"
        if self._report is None and not vm.is_on:
            text = "Starting the VM"
        if text != self._last_text:
            self._last_text = text
            self.progress(Event(EventKind.RUNNING, text))

    def _failed(self, text: str, hint: str = "") -> GuestFailed:
        report = self._report
        return GuestFailed(
            text,
            node=self.name,
            phase=report.phase if report is not None else self._phase,
            log=report.log if report is not None else (),
            hint=hint,
        )


def _failure_text(report: NodeReport) -> str:
    code = f" (exit code {report.exit_code})" if report.exit_code is not None else ""
    why = _REASON.search(report.log[-1]) if report.log else None
    end = f": {why.group(1).rstrip('.')}." if why is not None else "."
    return f"The build failed in phase '{report.phase or 'unknown'}'{code}{end}"


def has_finished(vm: Vm, identity: str) -> bool:
    """Return whether the VM of this build says that it is finished.

    It takes its report back at its end, see scripts/template.sh.
    """
    told = {key: value.strip() for key, value in (vm.guestinfo or {}).items()}
    ours = told.get(f"{GUESTINFO_PREFIX}id", "").startswith(f"{identity} ")
    return ours and told.get(f"{GUESTINFO_PREFIX}status", "").startswith(("ready", "-"))
