"""Looking at clusters: lists and details, each part as good as can be seen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from cse_client import suggest
from cse_client.engines.direct.api_servers import ApiServers, ask_api_servers
from cse_client.engines.direct.begun import is_being_made
from cse_client.engines.direct.credentials import PROBE_TIMEOUT, open_api
from cse_client.engines.direct.custody import contradictions, find_pki
from cse_client.engines.direct.drift import drift
from cse_client.engines.direct.existing import ExistingCluster
from cse_client.engines.direct.holders import damaged_claims, holders
from cse_client.engines.direct.metadata import unusable_metadata
from cse_client.engines.direct.pending import unfinished_work
from cse_client.engines.direct.pools import pool_of
from cse_client.engines.direct.summary import shown, summarize
from cse_client.engines.lookup import find_vapp
from cse_client.errors import ClusterUnreachable, CseError
from cse_client.kube.api import ClusterAPI
from cse_client.kube.kubeconfig.document import server_url
from cse_client.kube.serving import EXPIRED, ends_soon, show_end
from cse_client.model import (
    WORKER,
    Cluster,
    KubeNode,
    Node,
    Session,
    VApp,
    VAppRecord,
    Vdc,
    Vm,
    footprint,
    node_kind,
)
from cse_client.plurals import counted, noun
from cse_client.reports import parse_guestinfo

if TYPE_CHECKING:
    from cse_client.vcd.client import VcdClient

__all__ = [
    "Asked",
    "ask_kubernetes",
    "certificate_warning",
    "describe_cluster",
    "inspect_cluster",
    "list_nodes",
]


def list_nodes(vcd: VcdClient, session: Session, vdc: Vdc, name: str) -> tuple[Node, ...]:
    """Return a cluster's nodes; at most four requests with the one that opened the session.

    Raises:
        NotFound, Conflict: see `lookup.find_cluster`.
    """
    record, vapp = find_vapp(vcd, vdc, name)
    cluster = ExistingCluster(vcd, session, vdc, vapp, record.metadata)
    return ask_kubernetes(cluster).all_nodes(vapp)


def inspect_cluster(cluster: ExistingCluster) -> Cluster:
    """Describe a cluster after asking its own Kubernetes API, where that can be reached."""
    asked = ask_kubernetes(cluster, certificate=True)
    described = describe_cluster(cluster, kube=asked.kube, sources=(asked.source,))
    servers = _api_servers(cluster)
    # where several answer, each has a certificate of its own
    ending = (asked.certificate,) if asked.certificate and not servers.answering else ()
    problems = described.problems + contradictions(cluster) + ending
    return replace(
        described,
        holder=servers.holder,
        sources=described.sources + servers.sources,
        problems=problems + servers.problems,
    )


def _api_servers(cluster: ExistingCluster) -> ApiServers:
    if not cluster.virtual_address:
        return ApiServers()
    try:
        return ask_api_servers(cluster, find_pki(cluster))
    except CseError:
        # without keys nobody can be asked; the first source says so
        return ApiServers()


def describe_cluster(
    cluster: ExistingCluster,
    *,
    kube: Mapping[str, KubeNode] | None,
    sources: Sequence[str],
) -> Cluster:
    """Put together everything known of one cluster; what cannot be seen is named, not raised.

    `kube` holds the Node objects by name, or None where the cluster's API could not be asked.
    """
    vapp, metadata = cluster.vapp, cluster.metadata
    record = VAppRecord(
        name=vapp.name,
        href=vapp.href,
        status=vapp.status,
        vdc=cluster.vdc.name,
        owner=vapp.owner,
        metadata=metadata,
    )
    summary, nodes = summarize(record, cluster.org), _nodes(vapp, kube)
    problems = summary.problems + _problems(cluster, nodes)
    if is_being_made(vapp, metadata):
        # VCD takes no metadata before it has made the VMs, so nothing is missing
        summary, problems = replace(summary, phase=footprint.PHASE_CREATING, problems=()), ()
    return Cluster(
        summary=summary,
        network=cluster.spec.network or ", ".join(vapp.networks),
        endpoint=server_url(cluster.endpoint) if cluster.endpoint else "",
        os=shown(metadata, footprint.OS),
        cni=shown(metadata, footprint.CNI),
        cni_version=shown(metadata, footprint.CNI_VERSION),
        docker_version=shown(metadata, footprint.DOCKER_VERSION),
        created_by=_maker(metadata),
        created=vapp.created,
        lease=_lease(vapp),
        sealed=bool(metadata.get(footprint.SEALED)),
        virtual_address=cluster.virtual_address,
        settings=cluster.spec.settings,
        node_options=cluster.spec.node_options,
        pools=cluster.pools,
        nodes=nodes,
        sources=tuple(sources),
        problems=problems,
    )


def _order(vm: Vm) -> tuple[bool, str]:
    return (node_kind(vm.name) == WORKER, vm.name)


def _maker(metadata: Mapping[str, str]) -> str:
    ours = shown(metadata, footprint.CLIENT_VERSION)
    if ours:
        return f"cse-client {ours}"
    cse = shown(metadata, footprint.VERSION)
    return f"CSE {cse}" if cse else ""


def _lease(vapp: VApp) -> str:
    if vapp.lease_ends is not None:
        return f"stops at {vapp.lease_ends.astimezone(timezone.utc):%Y-%m-%d %H:%M} UTC"
    if vapp.deployment_lease_seconds == 0:
        return "never ends"
    if vapp.deployment_lease_seconds:
        days = vapp.deployment_lease_seconds / 86400
        return f"{days:g} {noun(days, 'day')} from each start"
    return ""


def _nodes(vapp: VApp, kube: Mapping[str, KubeNode] | None) -> tuple[Node, ...]:
    """Return the VMs as nodes, and what Kubernetes has beyond them."""
    found = [_node(vm, kube) for vm in sorted(vapp.vms, key=_order)]
    present = {vm.name for vm in vapp.vms}
    for name, seen in sorted((kube or {}).items()):
        if name not in present:
            found.append(
                Node(
                    name=name,
                    kind=node_kind(name) or WORKER,
                    vm_status="no VM",
                    kubernetes_status=_kubernetes_status(seen, asked=True),
                    kubelet_version=seen.kubelet_version,
                    pool=seen.pool,
                )
            )
    return tuple(found)


def _node(vm: Vm, kube: Mapping[str, KubeNode] | None) -> Node:
    report = parse_guestinfo(vm.name, vm.guestinfo) if vm.guestinfo else None
    seen = kube.get(vm.name) if kube is not None else None
    return Node(
        name=vm.name,
        kind=node_kind(vm.name) or "foreign VM",
        ip=vm.ip,
        cpus=vm.cpus,
        memory_mb=vm.memory_mb,
        vm_status=vm.status,
        kubernetes_status=_kubernetes_status(seen, asked=kube is not None),
        kubelet_version=seen.kubelet_version if seen is not None else "",
        bootstrap_phase="" if report is None else f"{report.status}: {report.phase}".strip(": "),
        pool=pool_of(vm) if node_kind(vm.name) == WORKER else "",
    )


def _kubernetes_status(seen: KubeNode | None, *, asked: bool) -> str:
    if seen is None:
        return "not in the cluster" if asked else ""
    words = {True: "Ready", False: "NotReady", None: "Unknown"}[seen.ready]
    return f"{words},SchedulingDisabled" if seen.unschedulable else words


def _unreadable(cluster: ExistingCluster) -> list[str]:
    """Name the metadata that cannot be read or used, whoever wrote it."""
    damaged = sorted((*cluster.journal.damaged, *damaged_claims(cluster.metadata)))
    unreadable = [f"metadata {key} cannot be read" for key in damaged]
    return [*unusable_metadata(cluster.metadata), *unreadable]


def _problems(cluster: ExistingCluster, nodes: tuple[Node, ...]) -> tuple[str, ...]:
    problems = _unreadable(cluster)
    if cluster.control_plane is None:
        problems.append("there is no control plane VM")
    heads, wanted = len(cluster.control_planes), cluster.desired_heads
    if heads and heads != wanted:
        problems.append(_other_number(heads, "control plane VM", wanted))
    unfinished = None if holders(cluster.metadata) else unfinished_work(cluster)
    if unfinished is not None:
        what, command = unfinished
        problems.append(f"unfinished: {what}; to resume it: {command}")
    problems.extend(_other_sizes(cluster))
    problems.extend(
        f"VM {node.name} is not part of the cluster" for node in nodes if not _ours(node)
    )
    problems.extend(drift(cluster.vapp, nodes))
    return tuple(problems)


def _other_number(there: int, thing: str, wanted: int) -> str:
    return f"{counted(there, thing)} where {wanted} {noun(wanted, 'was', 'were')} requested"


def _other_sizes(cluster: ExistingCluster) -> Iterator[str]:
    """Yield where there are more or fewer workers than requested, and workers of no pool."""
    workers, desired = len(cluster.workers), cluster.desired_workers
    if not cluster.records_pools:
        if desired is not None and workers != desired:
            yield _other_number(workers, "worker VM", desired)
        return
    for pool in cluster.pools:
        present = len(cluster.workers_of(pool.name))
        if present != pool.size:
            yield f"pool '{pool.name}' has {_other_number(present, 'worker VM', pool.size)}"
    known = {pool.name for pool in cluster.pools}
    for vm in cluster.workers:
        if pool_of(vm) not in known:
            yield f"VM {vm.name} is of the pool '{pool_of(vm)}', which the cluster does not have"


def _ours(node: Node) -> bool:
    return node.kind != "foreign VM"


@dataclass(frozen=True)
class Asked:
    """What the cluster's own API answered: Nodes by name, None where it could not be asked.

    `source` says in a sentence whether it answered. `silence` is why it did not. `certificate`
    is what there is to say of the API server's certificate, empty as long as it has time left.
    """

    kube: dict[str, KubeNode] | None
    source: str
    silence: CseError | None = None
    certificate: str = ""

    def all_nodes(self, vapp: VApp) -> tuple[Node, ...]:
        """Return the VMs as nodes, and what Kubernetes has beyond them."""
        return _nodes(vapp, self.kube)


def ask_kubernetes(cluster: ExistingCluster, *, certificate: bool = False) -> Asked:
    """Ask the cluster's API for its Nodes, and on request look at the certificate it presents."""
    if not cluster.endpoint:
        return Asked(None, "Kubernetes API: no address is known")
    try:
        with open_api(cluster, find_pki(cluster), timeout=PROBE_TIMEOUT) as api:
            nodes = {node.name: node for node in api.nodes()}
            soon = certificate_warning(api) if certificate else ""
    except ClusterUnreachable as silence:
        ended = f"{silence.clause}; {silence.hint}" if silence.reason == EXPIRED else ""
        source = f"Kubernetes API: did not answer ({silence.reason})"
        return Asked(None, source, silence, ended)
    except CseError as error:
        return Asked(None, f"Kubernetes API: not asked ({error.clause})", error)
    seen = datetime.now(timezone.utc)
    return Asked(
        nodes, f"Kubernetes API: answered at {seen:%Y-%m-%d %H:%M:%S} UTC", certificate=soon
    )


def certificate_warning(api: ClusterAPI) -> str:
    """Return when the API server's certificate ends and what to do, empty while there is time."""
    end = api.certificate_end()
    if end is None or not ends_soon(end):
        return ""
    renew = suggest.cse("cluster renew", suggest.cluster())
    return f"the API server's certificate ends on {show_end(end)}; renew it with `{renew}`"
