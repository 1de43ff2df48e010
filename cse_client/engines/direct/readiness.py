"""Starting the wait for Ready nodes: credentials for the new cluster, and whom to ask."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cse_client.engines.direct.access import PROBE_LIFETIME, admin_kubeconfig, endpoint_host
from cse_client.engines.direct.machines import Machines
from cse_client.engines.direct.watch import Limits, ReadyWatch, Verdict, Witnesses
from cse_client.guest.report import parse_guestinfo
from cse_client.kube.nodes import ClusterAPI
from cse_client.model import Progress, Session

if TYPE_CHECKING:
    from cse_client.vcd.gateway import Gateway

_API_TIMEOUT = 3.0


def await_ready(
    gateway: Gateway, machines: Machines, *, session: Session, progress: Progress
) -> Verdict:
    """Wait until all of the cluster's nodes are Ready; see `watch.ReadyWatch.wait`."""
    spec, clock = machines.found.spec, machines.clock
    host = spec.endpoint or (endpoint_host(machines.vapp, {}) if machines.vapp else "")
    kubeconfig = admin_kubeconfig(
        machines.pki(),
        cluster=spec.name,
        host=host,
        user=session.user,
        org=session.org,
        vdc=machines.found.vdc.name,
        lifetime=PROBE_LIFETIME,
    )
    now = clock.monotonic()
    with ClusterAPI(kubeconfig, timeout=_API_TIMEOUT) as api:
        return ReadyWatch(
            names=machines.names(),
            witnesses=Witnesses(
                kube_nodes=api.nodes,
                kube_reports=api.bootstrap_reports,
                vapp=lambda: gateway.vapp_in_motion(machines.href),
                guest_report=parse_guestinfo,
            ),
            limits=Limits.within(now, max(1.0, machines.deadline - now)),
            progress=progress,
            monotonic=clock.monotonic,
            sleep=clock.sleep,
        ).wait()
