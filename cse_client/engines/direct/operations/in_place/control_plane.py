"""The only control plane of a cluster, as an upgrade in place finds and changes it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from cse_client import suggest
from cse_client.clock import Clock
from cse_client.engines.direct.control_plane_health import unhealthy
from cse_client.engines.direct.credentials import API_TIMEOUT, PROBE_TIMEOUT, open_api
from cse_client.engines.direct.existing import ExistingCluster
from cse_client.engines.direct.in_place_record import (
    BEGUN,
    FINAL,
    UpgradeRecord,
    no_record,
    read_record,
)
from cse_client.engines.direct.operations import upgrade_backup
from cse_client.errors import (
    ClusterUnreachable,
    CseError,
    Refused,
    TaskFailed,
    TimedOut,
    VcdFault,
)
from cse_client.guest import later
from cse_client.model import Event, EventKind, Progress, Vm
from cse_client.reports import parse_task
from cse_client.vcd import tasks

if TYPE_CHECKING:
    from cse_client.guest.pki import ClusterPKI
    from cse_client.model import NodeReport
    from cse_client.vcd.client import VcdClient

__all__ = ["LOOK_AGAIN", "OnlyControlPlane"]

#: Seconds between two looks at the control plane while it is waited for.
LOOK_AGAIN = 2.0
#: Seconds in which a control plane that has served in a version serves again.
_SETTLED_WITHIN = 60.0
#: How far this machine's idea of a span may be off.
_SKEW = timedelta(seconds=2)


class OnlyControlPlane:
    """Reads and changes the VM, its script and snapshot, and the record of the upgrade.

    `record` is the one in the cluster's metadata, None without one. `deadline` is the time of
    `clock` by which a change has to be done.
    """

    def __init__(
        self,
        cluster: ExistingCluster,
        pki: ClusterPKI,
        *,
        clock: Clock,
        progress: Progress,
        deadline: float,
    ) -> None:
        self.cluster = cluster
        self.clock = clock
        self.deadline = deadline
        self.progress = progress
        self.record = read_record(cluster.metadata)
        self._pki = pki

    @property
    def vcd(self) -> VcdClient:
        """The connection to VCD."""
        return self.cluster.vcd

    # What there is

    def vm(self) -> Vm:
        """Return the VM as the cluster's vApp listed it.

        Raises:
            Refused: there are several, or a virtual address.
        """
        vm = self.cluster.require_control_plane()
        if self.cluster.virtual_address or len(self.cluster.control_planes) > 1:
            raise Refused(
                f"Cluster '{self.cluster.name}' has a virtual address: its control planes are"
                " replaced, not upgraded in place."
            )
        return vm

    def running_version(self) -> str:
        """Return the version X.Y.Z that the API server reports.

        Raises:
            ClusterUnreachable: it does not answer.
        """
        try:
            with open_api(self.cluster, self._pki, timeout=API_TIMEOUT) as api:
                return api.version().removeprefix("v")
        except ClusterUnreachable as error:
            vm = self.vm()
            if not vm.is_on:
                start = suggest.cse("cluster start", self.cluster.name)
                error.hint = f"The VM {vm.name} is off. Start the cluster: {start}"
            raise

    def problem(self, record: UpgradeRecord, version: str) -> str:
        """Return why it does not serve in that version; empty if it does."""
        return unhealthy(self.cluster, self._pki, record.node, version)

    def serves(self, record: UpgradeRecord, version: str) -> bool:
        """Return whether it serves in that version."""
        return not self.problem(record, version)

    def is_final(self, record: UpgradeRecord) -> bool:
        """Return whether the new version is proven: recorded, and seen to serve.

        Anybody who may edit the vApp may have written the record, so an API server of another
        version, or none, is believed more. One of that version has a minute to be healthy.
        """
        if record.phase != FINAL:
            return False
        until = self.clock.monotonic() + _SETTLED_WITHIN
        while not self.serves(record, record.version):
            if not self._runs(record.version) or self.clock.monotonic() >= until:
                return False
            self.clock.sleep(LOOK_AGAIN)
        return True

    def _runs(self, version: str) -> bool:
        try:
            return self.running_version() == version
        except CseError:
            return False

    def is_out_of_reach(self) -> bool:
        """Return whether the API cannot be reached from here."""
        try:
            with open_api(self.cluster, self._pki, timeout=PROBE_TIMEOUT) as api:
                api.version()
        except ClusterUnreachable:
            return True
        except CseError:
            return False
        return False

    def look(self, record: UpgradeRecord) -> tuple[Vm | None, NodeReport | None]:
        """Return the VM, and the node's report by whichever way it can be read."""
        vm = None
        try:
            vm = self.vcd.vm(self.vm().href)
            report = parse_task(record.node, record.task, vm.guestinfo or {})
        except VcdFault as fault:
            if not (fault.unanswered or fault.repeatable):
                raise
            report = None
        except TimedOut:
            report = None
        if report is None:
            try:
                with open_api(self.cluster, self._pki, timeout=PROBE_TIMEOUT) as api:
                    report = api.task_report(record.node, record.task)
            except CseError:
                report = None
        return vm, report

    def has_failed(self, record: UpgradeRecord) -> bool:
        """Return whether the node reports that its task failed, where nobody goes back."""
        if record.snapshot or record.phase != BEGUN:
            return False
        _vm, report = self.look(record)
        return report is not None and report.status == "failed"

    def await_healthy(self, node: str, version: str, when: str, *, started: bool = False) -> None:
        """Wait until the control plane serves in a version; `started`: its VM was just now.

        Raises:
            TimedOut: it does not by the deadline.
        """
        began = self.clock.monotonic()
        since: datetime | None = None
        while True:
            try:
                if started and since is None:
                    since = self._api_time(self.clock.monotonic() - began)
                why = unhealthy(self.cluster, self._pki, node, version, since=since)
            except CseError as error:
                why = error.clause
            if not why:
                return
            if self.clock.monotonic() >= self.deadline:
                raise TimedOut(
                    f"Kubernetes {version} on {node} does not serve in time {when}: {why}.",
                    hint=suggest.RESUME,
                )
            self.clock.sleep(LOOK_AGAIN)

    def _api_time(self, seconds: float) -> datetime:
        """Return by the API server's clock when it was so many seconds ago."""
        with open_api(self.cluster, self._pki, timeout=PROBE_TIMEOUT) as api:
            return api.now() - timedelta(seconds=seconds) - _SKEW

    # What is changed

    def change(self, call: Callable[[], tasks.Task], *, idempotent: bool = False) -> None:
        """Make one change in VCD and wait for its task."""
        tasks.done(self.vcd, call, deadline=self.deadline, idempotent=idempotent)

    def write(self, record: UpgradeRecord | None) -> None:
        """Record how far the upgrade is; None: there is none."""
        values = no_record() if record is None else record.metadata()
        self.change(partial(self.vcd.write_metadata, self.cluster.vapp.href, values))
        self.record = record

    def show(self, text: str) -> None:
        """Report what is going on within the step."""
        self.progress(Event(EventKind.RUNNING, text))

    def warn(self, text: str) -> None:
        """Report what is not as it should be."""
        self.progress(Event(EventKind.WARNING, text))

    def shut_down(self, vm: Vm, action: str = "shutdown") -> None:
        """Shut the VM down, or power it off where its guest does not."""
        if not self.vcd.vm(vm.href).deployed:
            return
        self.show(f"{'Power off' if action == 'powerOff' else 'Shut down'} {vm.name}")
        try:
            self.change(partial(self.vcd.undeploy, vm.href, action))
        except TaskFailed as refused:
            self.warn(f"A guest could not be shut down and is powered off: {refused.message}")
            self.change(partial(self.vcd.undeploy, vm.href))

    def tidy(self, record: UpgradeRecord) -> None:
        """Remove what only a way back, or the upgrade itself, needs."""
        vm = self.vm()
        script = self.vcd.customization_script(vm.href)
        if later.task_of(script) == record.task:
            clean = later.without_task(script)
            self.change(partial(self.vcd.write_customization_script, vm.href, clean))
        if record.snapshot and self.vcd.snapshots.state(vm.href).created is not None:
            self.show(f"Remove the snapshot of {vm.name}")
            self.change(partial(self.vcd.snapshots.remove, vm.href), idempotent=True)
        self.write(None)
        upgrade_backup.discard(self.cluster)
