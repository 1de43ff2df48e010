"""Starting the wait for Ready nodes: credentials for the new cluster, and whom to ask."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from cse_client.clock import Clock
from cse_client.engines.direct.credentials import PROBE_TIMEOUT, admin_credentials
from cse_client.engines.direct.evidence import Limits, Verdict, Witnesses
from cse_client.engines.direct.machines import Machines
from cse_client.engines.direct.readiness import CUSTOMIZED, ReadyWatch
from cse_client.kube.api import ClusterAPI
from cse_client.model import KubeNode, Progress, VApp
from cse_client.reports import parse_guestinfo

if TYPE_CHECKING:
    from cse_client.vcd.client import VcdClient


__all__ = ["VAppView", "await_nodes", "await_ready"]


def await_ready(
    vcd: VcdClient,
    machines: Machines,
    *,
    progress: Progress,
    names: Sequence[str] | None = None,
) -> Verdict:
    """Wait until the named nodes are Ready, by default all; see `ReadyWatch.wait`."""
    host = machines.resolved.spec.endpoint or machines.control_plane_address()
    access = admin_credentials(machines.pki(), host, machines.session)
    with ClusterAPI(access, timeout=PROBE_TIMEOUT) as api:
        return await_nodes(
            vcd,
            machines.href,
            machines.names() if names is None else names,
            api=api,
            clock=machines.clock,
            deadline=machines.deadline,
            progress=progress,
        )


def await_nodes(
    vcd: VcdClient,
    vapp_href: str,
    names: Sequence[str],
    *,
    api: ClusterAPI,
    clock: Clock,
    deadline: float,
    progress: Progress,
    kube_nodes: Callable[[], Sequence[KubeNode]] | None = None,
    restarted: bool = False,
) -> Verdict:
    """Wait until the named nodes of a vApp are Ready; `kube_nodes` replaces how Nodes are read.

    `restarted`: their VMs were started again, see `ReadyWatch`.
    """
    now = clock.monotonic()
    return ReadyWatch(
        names=names,
        witnesses=Witnesses(
            kube_nodes=kube_nodes or api.nodes,
            kube_reports=api.bootstrap_reports,
            vapp=VAppView(vcd, vapp_href).look,
            guest_report=parse_guestinfo,
        ),
        limits=Limits.within(now, max(1.0, deadline - now)),
        progress=progress,
        clock=clock,
        restarted=restarted,
    ).wait()


class VAppView:
    """A vApp that is looked at again and again, with one request each time.

    The vApp's document and the query service are asked in turns until every VM is customized, which
    only the latter tells; then only the document. The first look asks both.
    """

    def __init__(self, vcd: VcdClient, href: str) -> None:
        self._vcd = vcd
        self._href = href
        self._states: dict[str, str] = {}
        self._seen: VApp | None = None
        self._records_next = True

    def look(self) -> VApp:
        """Return what is known of the vApp after one more request."""
        if self._seen is None:
            self._seen = self._vcd.vapp_in_motion(self._href)
            self._states = {vm.href: vm.customization for vm in self._seen.vms}
            return self._seen
        complete = all(state == CUSTOMIZED for state in self._states.values())
        if self._records_next and not complete:
            # its power states may be older than those of the document
            self._states = {vm.href: vm.customization for vm in self._vcd.vm_records(self._href)}
            self._records_next = False
        else:
            self._seen = self._vcd.vapp(self._href)
            # some releases tell it here, too
            told = {vm.href: vm.customization for vm in self._seen.vms if vm.customization}
            self._states.update(told)
            self._records_next = True
        vms = tuple(
            replace(vm, customization=self._states.get(vm.href, vm.customization))
            for vm in self._seen.vms
        )
        self._seen = replace(self._seen, vms=vms)
        return self._seen
