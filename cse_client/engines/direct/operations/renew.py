"""Renewing the certificates of control planes, which kubeadm issues for a year.

A node is changed through the one channel that works whatever its certificates say: its VM is
restarted with a forced customization, whose script runs `kubeadm certs renew all`. One control
plane follows the other. Killed in between, the script in VCD holds a task that runs once; the next
run replaces it.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from functools import partial
from typing import TYPE_CHECKING

from cse_client import bounds, suggest
from cse_client.clock import Clock
from cse_client.engines.direct.credentials import PROBE_TIMEOUT, admin_credentials
from cse_client.engines.direct.existing import ExistingCluster
from cse_client.engines.direct.operations.plan import Step, carry_out
from cse_client.errors import CseError, Interrupted, NotFound, Refused, TaskFailed, TimedOut
from cse_client.guest import later
from cse_client.kube.api import ClusterAPI
from cse_client.kube.serving import CURE, show_end
from cse_client.model import Event, EventKind, Progress, RunOptions, Vm
from cse_client.vcd import tasks

if TYPE_CHECKING:
    from cse_client.guest.pki import ClusterPKI

__all__ = ["Renewal"]

_LOOK_AGAIN = 2.0
#: kubeadm issues certificates for a year; a new one has nearly that left.
_NEW = timedelta(days=360)
#: Seconds for a VM to boot, and for its control plane to come up.
_PATIENCE = 900.0


class Renewal:
    """One run of `cluster renew`."""

    def __init__(
        self,
        cluster: ExistingCluster,
        pki: ClusterPKI,
        options: RunOptions,
        *,
        clock: Clock,
        progress: Progress,
    ) -> None:
        self._cluster = cluster
        self._pki = pki
        self._clock = clock
        self._progress = progress
        self._deadline = clock.monotonic() + bounds.share(options.timeout)
        self._ends: dict[str, datetime] = {}

    def check(self) -> None:
        """Refuse what cannot be renewed in this way; nothing was changed."""
        for vm in self._planes():
            self._script(vm)

    def run(self) -> datetime:
        """Renew them, and return when the first of the new certificates ends."""
        try:
            carry_out(self._steps(), self._progress, lambda: None)
        except KeyboardInterrupt:
            raise Interrupted(
                f"Interrupted; the certificates of cluster '{self._cluster.name}' may not be"
                " renewed.",
                hint=suggest.RESUME,
            ) from None
        return min(self._ends.values())

    def plan(self) -> list[str]:
        """Return what `run` does, one sentence each."""
        return [step.sentence for step in self._steps()]

    def _steps(self) -> list[Step]:
        return [
            Step(
                f"Renew the certificates of {vm.name}",
                f"Renew the certificates of {vm.name}, which restarts its VM."
                if vm.deployed
                else f"Start {vm.name}, which is off, and renew its certificates. It stays on.",
                partial(self._ends.__contains__, vm.name),
                partial(self._renew, vm),
            )
            for vm in self._planes()
        ]

    def _planes(self) -> list[Vm]:
        planes = self._cluster.control_planes
        if not planes:
            self._cluster.require_control_plane()
        return planes

    def _script(self, vm: Vm) -> tuple[str, str]:
        """Return the VM's script without and with the task."""
        script = self._cluster.vcd.customization_script(vm.href)
        task = later.with_task(script, later.renewal())
        if task is None:
            raise Refused(
                f"The customization script of {vm.name} is not this client's, or too long, so its"
                " certificates cannot be renewed from here.",
                hint=f"Renew them {CURE}.",
            )
        return later.without_task(script), task

    def _renew(self, vm: Vm) -> None:
        vcd = self._cluster.vcd
        before, script = self._script(vm)
        present = vcd.vm(vm.href)
        if present.deployed:
            self._shut_down(vm)
        self._change(partial(vcd.write_customization_script, vm.href, script))
        self._change(partial(vcd.deploy, vm.href, True))
        if not present.deployed:
            others = suggest.cse("cluster start", self._cluster.name)
            text = f"The VM {vm.name} was off, and stays on. To start the whole cluster: {others}"
            self._progress(Event(EventKind.WARNING, text))
        end = self._await_renewed(vm)
        self._change(partial(vcd.write_customization_script, vm.href, before))
        self._ends[vm.name] = end

    def _shut_down(self, vm: Vm) -> None:
        vcd = self._cluster.vcd
        try:
            self._change(partial(vcd.undeploy, vm.href, "shutdown"))
        except TaskFailed as refused:
            text = f"A guest could not be shut down and is powered off: {refused.message}"
            self._progress(Event(EventKind.WARNING, text))
            self._change(partial(vcd.undeploy, vm.href))

    def _await_renewed(self, vm: Vm) -> datetime:
        """Wait until the API server of a control plane answers with a new certificate."""
        # behind a virtual address another one answers; then each is asked at its own
        several = len(self._planes()) > 1
        host = vm.ip if several else self._cluster.endpoint
        if not host:
            raise NotFound(f"The address of {vm.name} is not known.")
        until = min(self._deadline, self._clock.monotonic() + _PATIENCE)
        access = admin_credentials(self._pki, host, self._cluster.session)
        why = "it has not answered"
        while True:
            try:
                with ClusterAPI(access, timeout=PROBE_TIMEOUT) as api:
                    end = api.certificate_end()
                    if end is not None and end - datetime.now(timezone.utc) >= _NEW:
                        api.version()
                        return end
                    if end is not None:
                        why = f"it ends on {show_end(end)}"
            except CseError as error:
                why = error.clause
            if self._clock.monotonic() >= until:
                raise TimedOut(
                    f"The API server of {vm.name} has no new certificate in time: {why}.",
                    hint="The VM's console and /var/log/cse-bootstrap.log on it show why; by hand,"
                    f" renew them {CURE}.",
                )
            self._clock.sleep(_LOOK_AGAIN)

    def _change(self, call: partial[tasks.Task]) -> None:
        tasks.done(self._cluster.vcd, call, deadline=self._deadline)
