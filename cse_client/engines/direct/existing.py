"""An existing cluster that is to be changed: what is there, and the way into its own API."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from cse_client import suggest
from cse_client.clock import Clock
from cse_client.engines.direct.credentials import (
    PROBE_LIFETIME,
    admin_kubeconfig,
    endpoint_host,
)
from cse_client.engines.direct.custody import find_pki
from cse_client.engines.direct.journal import Journal, read_journal, wanted_workers
from cse_client.engines.direct.lock import ClusterLock
from cse_client.engines.direct.lookup import noticing_deletion
from cse_client.engines.direct.operation import Operation
from cse_client.engines.lookup import find_cluster
from cse_client.errors import Conflict, NotFound
from cse_client.guest.pki import ClusterPKI
from cse_client.kube.api import ClusterAPI
from cse_client.model import CONTROL_PLANE, WORKER, Session, VApp, Vdc, Vm, footprint, node_kind

if TYPE_CHECKING:
    from cse_client.vcd.client import VcdClient

__all__ = ["Standing", "find_standing"]

_API_TIMEOUT = 10.0


@dataclass(frozen=True)
class Standing:
    """A cluster as it was found, locked against this user's other commands on this machine."""

    vcd: VcdClient
    session: Session
    vdc: Vdc
    vapp: VApp
    metadata: Mapping[str, str]
    lock: ClusterLock

    @property
    def name(self) -> str:
        """The cluster's name."""
        return self.vapp.name

    @property
    def workers(self) -> list[Vm]:
        """The VMs that are workers, in VCD's order."""
        return [vm for vm in self.vapp.vms if node_kind(vm.name) == WORKER]

    @property
    def adoption(self) -> dict[str, str]:
        """The metadata to write with the first change, for a creation that nobody waited for."""
        creating = self.metadata.get(footprint.PHASE) == footprint.PHASE_CREATING
        return {footprint.PHASE: footprint.PHASE_READY} if creating else {}

    @property
    def unfinished(self) -> Operation | None:
        """The operation that a command before this one began and did not end."""
        return self.journal.operation

    @property
    def journal(self) -> Journal:
        """What the records say of operations that began and ended."""
        return read_journal(self.metadata)

    @property
    def wanted_workers(self) -> int | None:
        """How many workers the cluster is to have, None where nobody can tell."""
        return wanted_workers(self.metadata)

    def again(self) -> Standing:
        """Return the cluster with its vApp read anew."""
        return replace(self, vapp=self.vcd.vapp(self.vapp.href))

    def noticing_deletion(self) -> AbstractContextManager[None]:
        """Tell failures that come of the cluster's deletion so, see `delete.noticing_deletion`."""
        return noticing_deletion(self.vcd, self.name, lambda: self.vapp.href)

    def pki(self) -> ClusterPKI:
        """Return the CA keys. Raises NotFound or Refused, see `custody.find_pki`."""
        return find_pki(self.vcd, self.vdc, self.vapp, self.metadata)

    def api(self, pki: ClusterPKI, *, timeout: float = _API_TIMEOUT) -> ClusterAPI:
        """Return the cluster's own API, seen as an administrator; close it afterwards.

        Raises:
            NotFound: no address of it is known.
        """
        host = endpoint_host(self.vapp, self.metadata)
        if not host:
            raise NotFound(
                f"Cluster '{self.name}' has no known API address.",
                hint=f"See what is there: {suggest.cse('cluster info', self.name)}",
            )
        kubeconfig = admin_kubeconfig(
            pki,
            cluster=self.name,
            host=host,
            user=self.session.user,
            org=self.session.org,
            vdc=self.vdc.name,
            lifetime=PROBE_LIFETIME,
        )
        return ClusterAPI(kubeconfig, timeout=timeout)

    def check_workers(self, names: Sequence[str]) -> None:
        """Refuse control plane VMs and VMs that are no nodes, all of them named.

        Raises:
            Conflict: some of the names are of such VMs.
        """
        heads = [name for name in names if node_kind(name) == CONTROL_PLANE]
        if heads:
            raise Conflict(
                f"{', '.join(heads)} is the control plane of cluster '{self.name}' and stays.",
                hint="To delete the whole cluster: " + suggest.cse("cluster delete", self.name),
            )
        foreign = [name for name in names if node_kind(name) != WORKER]
        if foreign:
            raise Conflict(
                f"{', '.join(foreign)} is no worker of cluster '{self.name}'.",
                hint=f"See its nodes: {suggest.cse('node list', self.name)}",
            )


def find_standing(
    vcd: VcdClient,
    session: Session,
    vdc: Vdc,
    name: str,
    *,
    clock: Clock,
    break_lock: bool = False,
) -> Standing:
    """Find a finished cluster and keep this user's other commands off it.

    Raises:
        NotFound, Conflict: see `lookup.find_cluster`; it is still being created; or somebody else
            is changing it.
    """
    lock = ClusterLock(vcd, session, name=name, vdc_href=vdc.href, clock=clock)
    lock.take_here()
    vapp, metadata = find_cluster(vcd, vdc, name)
    lock.refuse_if_held(metadata, break_lock=break_lock)
    standing = Standing(vcd, session, vdc, vapp, metadata, lock)
    if standing.journal.unclear and not break_lock:
        raise _unclear(standing)
    if footprint.CLUSTER_ID not in metadata or (standing.adoption and not _all_made(standing)):
        raise Conflict(
            f"Cluster '{name}' is not finished yet.",
            hint="Finish it with the command that created it, or: "
            + suggest.cse("cluster delete", name),
        )
    return standing


def _all_made(standing: Standing) -> bool:
    """Say whether a creation that was not waited for has made everything it was asked for."""
    wanted = standing.wanted_workers
    head = any(node_kind(vm.name) == CONTROL_PLANE for vm in standing.vapp.vms)
    return head and wanted is not None and len(standing.workers) >= wanted


def _unclear(standing: Standing) -> Conflict:
    damaged = ", ".join(standing.journal.damaged)
    return Conflict(
        f"What was begun on cluster '{standing.name}' is not known: its metadata {damaged} cannot"
        " be read.",
        hint="If no other command is changing it, add --break-lock: the entry is then erased.",
    )
