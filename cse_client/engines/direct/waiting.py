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
from cse_client.errors import ClusterUnreachable, CseError
from cse_client.kube.api import ClusterAPI
from cse_client.kube.kubeconfig.document import server_url
from cse_client.model import KubeNode, Progress, VApp
from cse_client.reports import parse_guestinfo

if TYPE_CHECKING:
    from cse_client.kube.credentials import Credentials
    from cse_client.vcd.client import VcdClient


__all__ = ["AddressProbe", "VAppView", "await_nodes", "await_ready"]

#: How long an address is silent while the control plane's own one answers, until that is an error.
_BLOCKED_SECONDS = 60.0


def await_ready(
    vcd: VcdClient,
    machines: Machines,
    *,
    progress: Progress,
    names: Sequence[str] | None = None,
) -> Verdict:
    """Wait until the named nodes are Ready, by default all; see `ReadyWatch.wait`."""
    host = machines.resolved.spec.endpoint or machines.api_address()
    access = admin_credentials(machines.pki(), host, machines.session)
    is_virtual = host == machines.resolved.virtual.address
    own = machines.control_plane_address() if is_virtual else host
    probe = AddressProbe(access, host, own, machines.clock)
    with ClusterAPI(access, timeout=PROBE_TIMEOUT) as api:
        return await_nodes(
            vcd,
            machines.href,
            machines.names() if names is None else names,
            api=api,
            clock=machines.clock,
            deadline=machines.deadline,
            progress=progress,
            kube_nodes=lambda: probe.nodes(api),
        )


class AddressProbe:
    """Nodes through a cluster's virtual address, and whether only the control plane's own answers.

    A network may let the latter pass and not an address that belongs to no machine. Without a
    virtual address both are the same.
    """

    def __init__(self, access: Credentials, host: str, own: str, clock: Clock) -> None:
        self._access = access
        self._host = host
        self._own = own
        self._clock = clock
        self._since: float | None = None

    def nodes(self, api: ClusterAPI) -> Sequence[KubeNode]:
        """Return the nodes.

        Raises:
            ClusterUnreachable: nobody answers.
            CseError: the network has blocked the address for `_BLOCKED_SECONDS`.
        """
        try:
            found = api.nodes()
        except ClusterUnreachable:
            if self._host != self._own:
                self._look()
            raise
        self._since = None
        return found

    def _look(self) -> None:
        try:
            own = replace(self._access, server=server_url(self._own))
            with ClusterAPI(own, timeout=PROBE_TIMEOUT) as api:
                api.version()
        except ClusterUnreachable:
            self._since = None
            return
        now = self._clock.monotonic()
        self._since = now if self._since is None else self._since
        if now - self._since >= _BLOCKED_SECONDS:
            raise CseError(
                f"The API answers at the control plane's own address {self._own}, but not at the"
                f" virtual address {self._host}.",
                hint="The network blocks it (SpoofGuard), or another machine has it: use another"
                " --vip, or --vip none.",
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
