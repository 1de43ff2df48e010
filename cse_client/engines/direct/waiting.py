"""Starting the wait for Ready nodes: credentials for the new cluster, and whom to ask."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from cse_client.clock import Clock
from cse_client.engines.direct.credentials import PROBE_TIMEOUT, admin_credentials
from cse_client.engines.direct.machines import Machines
from cse_client.engines.direct.readiness import Limits, ReadyWatch, Verdict, Witnesses
from cse_client.kube.api import ClusterAPI
from cse_client.model import KubeNode, Progress
from cse_client.reports import parse_guestinfo

if TYPE_CHECKING:
    from cse_client.vcd.client import VcdClient


__all__ = ["await_nodes", "await_ready"]


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
            vapp=lambda: vcd.vapp_in_motion(vapp_href),
            guest_report=parse_guestinfo,
        ),
        limits=Limits.within(now, max(1.0, deadline - now)),
        progress=progress,
        clock=clock,
        restarted=restarted,
    ).wait()
