"""Stopping and starting a whole cluster in the right order."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from cse_client import bounds, suggest
from cse_client.clock import Clock
from cse_client.engines.direct.credentials import PROBE_TIMEOUT, open_api
from cse_client.engines.direct.custody import find_pki
from cse_client.engines.direct.evidence import Verdict
from cse_client.engines.direct.existing import ExistingCluster
from cse_client.engines.direct.operations.plan import Step, carry_out
from cse_client.engines.direct.waiting import await_nodes
from cse_client.errors import Interrupted, NotFound, Refused, TaskFailed
from cse_client.model import (
    CONTROL_PLANE,
    Event,
    EventKind,
    KubeNode,
    Progress,
    RunOptions,
    Vm,
    node_kind,
)
from cse_client.vcd import tasks
from cse_client.vcd.tasks import Task

if TYPE_CHECKING:
    from cse_client.guest.pki import ClusterPKI
    from cse_client.kube.api import ClusterAPI

__all__ = ["PowerChange", "heard_since", "keys_at_hand"]

#: Guests' clocks may differ by this much and still count as telling the same time.
_SKEW = timedelta(seconds=5)


class PowerChange:
    """One run of `cluster stop` or `cluster start`."""

    def __init__(
        self, cluster: ExistingCluster, options: RunOptions, *, clock: Clock, progress: Progress
    ) -> None:
        self._cluster = cluster
        self._options = options
        self._clock = clock
        self._progress = progress
        self._deadline = clock.monotonic() + bounds.share(options.timeout)
        self._began = clock.monotonic()
        self._verdict: Verdict | None = None
        self._started: set[str] = set()

    def stop(self) -> None:
        """Shut the workers down, then the control plane, and release the vApp's resources.

        A guest that cannot be shut down, because its VMware Tools are silent, is switched off.
        """
        self._carry_out(self._stopping())

    def plan_stop(self) -> list[str]:
        """Return what `stop` would do; nothing where all is off already."""
        return [step.sentence for step in self._stopping() if not step.done()]

    def _stopping(self) -> list[Step]:
        return [
            Step(
                "Shut the workers down",
                "Shut the workers down.",
                lambda: not self._deployed(workers=True),
                lambda: self._undeploy(self._deployed(workers=True)),
            ),
            Step(
                "Shut the control plane down",
                "Shut the control plane down and stop the vApp.",
                lambda: not self._cluster.vapp.deployed,
                self._undeploy_vapp,
            ),
        ]

    def start(self) -> None:
        """Start the control plane first, and wait until every node is heard of again.

        Nobody waits for the control plane before the others are started: their kubelets ask for it
        until it answers. Where the CA key is not available, as with clusters that a CSE server
        made, Kubernetes cannot be asked: the VMs are started, and no more is promised.

        Raises:
            NotFound: there is no control plane VM.
            GuestFailed, TimedOut: a node does not come back.
        """
        head = self._cluster.require_control_plane()
        self._started = {vm.name for vm in self._off()}
        steps = [
            Step(
                "Start the VMs",
                f"Start the control plane VM {head.name}, and all other VMs.",
                lambda: not self._off(),
                lambda: self._start(self._off()),
            ),
        ]
        pki = keys_at_hand(self._cluster, self._progress) if self._options.wait else None
        if pki is not None:
            steps.append(
                Step(
                    "Wait until all nodes are Ready",
                    "Wait until all nodes are Ready.",
                    lambda: self._verdict is not None,
                    partial(self._await_ready, pki),
                )
            )
        self._carry_out(steps)

    def _carry_out(self, steps: Sequence[Step]) -> None:
        try:
            carry_out(steps, self._progress, self._look)
        except KeyboardInterrupt:
            raise Interrupted(
                f"Interrupted; VCD may still be changing cluster '{self._cluster.name}'.",
                hint=suggest.RESUME,
            ) from None

    def _look(self) -> None:
        self._cluster = self._cluster.reread()

    def _deployed(self, *, workers: bool) -> list[Vm]:
        return [
            vm
            for vm in self._cluster.vapp.vms
            if vm.deployed and (node_kind(vm.name) != CONTROL_PLANE or not workers)
        ]

    def _off(self) -> list[Vm]:
        """Return what is to be started, the control plane first."""
        off = [vm for vm in self._cluster.vapp.vms if not vm.is_on]
        return sorted(off, key=lambda vm: node_kind(vm.name) != CONTROL_PLANE)

    def _undeploy(self, vms: Sequence[Vm]) -> None:
        vcd = self._cluster.vcd
        try:
            self._all([partial(vcd.undeploy, vm.href, "shutdown") for vm in vms])
        except TaskFailed as refused:
            self._switch_off(refused)
            self._look()
            left = [vm for vm in self._deployed(workers=True) if vm.name in {v.name for v in vms}]
            self._all([partial(vcd.undeploy, vm.href) for vm in left])

    def _undeploy_vapp(self) -> None:
        vcd, href = self._cluster.vcd, self._cluster.vapp.href
        try:
            self._all([partial(vcd.undeploy, href, "shutdown")])
        except TaskFailed as refused:
            self._switch_off(refused)
            self._look()
            if self._cluster.vapp.deployed:
                self._all([partial(vcd.undeploy, href)])

    def _switch_off(self, refused: TaskFailed) -> None:
        text = f"A guest could not be shut down and is powered off: {refused.message}"
        self._progress(Event(EventKind.WARNING, text))

    def _start(self, vms: Sequence[Vm]) -> None:
        vcd = self._cluster.vcd
        # a suspended VM is deployed already and resumes by being powered on
        self._all(
            [partial(vcd.power_on_vapp if vm.deployed else vcd.deploy, vm.href) for vm in vms]
        )

    def _all(self, calls: Sequence[Callable[[], Task]]) -> None:
        vcd = self._cluster.vcd
        begun = [tasks.change(vcd, call, deadline=self._deadline) for call in calls]
        tasks.wait_all(vcd, begun, deadline=self._deadline)

    def _await_ready(self, pki: ClusterPKI) -> None:
        self._look()
        with open_api(self._cluster, pki, timeout=PROBE_TIMEOUT) as api:
            self._verdict = await_nodes(
                self._cluster.vcd,
                self._cluster.vapp.href,
                [vm.name for vm in self._cluster.vapp.vms if node_kind(vm.name)],
                api=api,
                # an earlier run may have started them all
                kube_nodes=heard_since(api, self._began, self._clock, self._started or None),
                clock=self._clock,
                deadline=self._deadline,
                progress=self._progress,
                restarted=True,
            )


def keys_at_hand(cluster: ExistingCluster, progress: Progress) -> ClusterPKI | None:
    """Return the CA keys, or None with a warning where they are not available.

    Asked before VMs are touched: a missing key is not a failure of what can be done without it.
    """
    try:
        return find_pki(cluster)
    except (NotFound, Refused) as missing:
        reason = missing.message.rstrip(".")
        text = f"Not waiting for Ready nodes, because Kubernetes cannot be asked: {reason}."
        progress(Event(EventKind.WARNING, text))
        return None


def heard_since(
    api: ClusterAPI, began: float, clock: Clock, names: Collection[str] | None = None
) -> Callable[[], Sequence[KubeNode]]:
    """Return a reader of Nodes that believes only what was heard since `began` (monotonic).

    With `names` that is so for these nodes only: one that ran all the time may report its state
    again after five minutes only (the kubelet's nodeStatusReportFrequency).

    A Node of a cluster that was off stays Ready on paper for the first 40 seconds
    (kube-controller-manager's --node-monitor-grace-period). The API server's own clock tells when
    `began` was, so that this machine's clock may be wrong.
    """
    started: list[datetime] = []

    def read() -> Sequence[KubeNode]:
        nodes = api.nodes()
        if not started:
            now = api.now()
            started.append(now - timedelta(seconds=clock.monotonic() - began) - _SKEW)
        return [
            node
            if (names is not None and node.name not in names)
            or (node.heard is not None and node.heard >= started[0])
            else replace(node, ready=None, reason="no heartbeat since the start")
            for node in nodes
        ]

    return read
