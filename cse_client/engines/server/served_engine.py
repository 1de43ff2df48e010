"""What every engine in front of a CSE server has, whatever protocol it speaks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from cse_client import suggest
from cse_client.engines.identity import identify, is_gone
from cse_client.engines.kubeconfigs import refuse_signing
from cse_client.engines.server.detect import Detection
from cse_client.engines.servers import Provider
from cse_client.errors import CseError, WrongUsage
from cse_client.model import (
    ClusterRef,
    ClusterSpec,
    ClusterSummary,
    Node,
    Progress,
    RunOptions,
    Session,
    SystemInfo,
    Template,
)
from cse_client.model.grants import KubeconfigSpec
from cse_client.model.hardware import NODE_OPTIONS
from cse_client.model.identity import ClusterIdentity
from cse_client.model.nodes import NodesSpec, RemovalSpec
from cse_client.model.server import (
    ComputePolicy,
    OvdcState,
    ServedCluster,
    ServedNode,
    ServedSystem,
    UpgradeTarget,
)
from cse_client.model.settings import OPTIONS
from cse_client.vcd.client import VcdClient

__all__ = [
    "ServedEngine",
    "refuse_direct_options",
    "refuse_direct_scaling",
]


class Reader(Protocol):
    """The part of an engine that reads, in the server's protocol; see `engines.base.Engine`."""

    vcd: VcdClient
    session: Session
    detection: Detection

    def templates(self) -> Sequence[Template]:
        """List what the server offers."""

    def clusters(self, *, vdc: str = "", org: str = "") -> Iterator[ClusterSummary]:
        """List clusters."""

    def cluster(self, ref: ClusterRef) -> ServedCluster:
        """Return what is known of one cluster."""

    def nodes(self, ref: ClusterRef) -> Sequence[Node]:
        """Return a cluster's nodes."""

    def node(self, ref: ClusterRef, name: str) -> ServedNode:
        """Return what is known of one node."""

    def kubeconfig(self, ref: ClusterRef) -> str:
        """Return the administrator's kubeconfig."""

    def upgrade_plan(self, ref: ClusterRef) -> Sequence[UpgradeTarget]:
        """List the templates that a cluster can be upgraded to."""


class ServedEngine:
    """An engine in front of a CSE server: its reader and provider speak the server's protocol.

    It adds the server's own description and the identities of its clusters.
    """

    name = "server"
    has_server = True

    def __init__(self, reader: Reader, provider: Provider, *, reason: str, protocol: str) -> None:
        self._reader = reader
        self._provider = provider
        self._vcd = reader.vcd
        self._session = reader.session
        self._detection = reader.detection
        self._reason = f"{reason or reader.detection.seen}; {protocol}"

    def system_info(self) -> SystemInfo:
        """Show the server's own description, and which protocol is used with it."""
        document = self._detection.document
        return ServedSystem(
            product=str(document.get("product") or ""),
            version=self._detection.version,
            description=str(document.get("description") or ""),
            engine=self.name,
            engine_reason=self._reason,
            host=self._session.host,
            vcd_version=self._vcd.session.vcd_version(),
            api_version=self._detection.api_version,
            org=self._session.org,
            vdc=self._session.vdc,
            user=self._session.user,
            document=document,
        )

    # Reading

    def templates(self) -> Sequence[Template]:
        """List what the server offers."""
        return self._reader.templates()

    def clusters(self, *, vdc: str = "", org: str = "") -> Iterator[ClusterSummary]:
        """List clusters as they arrive.

        Raises:
            NotFound: the VDC does not exist.
        """
        return self._reader.clusters(vdc=vdc, org=org)

    def cluster(self, ref: ClusterRef) -> ServedCluster:
        """Return what is known of one cluster."""
        return self._reader.cluster(ref)

    def nodes(self, ref: ClusterRef) -> Sequence[Node]:
        """Return a cluster's nodes."""
        return self._reader.nodes(ref)

    def node(self, ref: ClusterRef, name: str) -> ServedNode:
        """Return what is known of one node."""
        return self._reader.node(ref, name)

    def kubeconfig(self, ref: ClusterRef, *, spec: KubeconfigSpec | None = None) -> str:
        """Return the administrator's kubeconfig that the server fetches from the control plane.

        Raises:
            Refused: a user's kubeconfig was requested, and the CA key is not available. Or the
                answer holds more than the credentials.
        """
        if spec is not None:
            refuse_signing(ref.name, spec)
        return self._reader.kubeconfig(ref)

    def upgrade_plan(self, ref: ClusterRef) -> Sequence[UpgradeTarget]:
        """List the templates that the server can upgrade the cluster to."""
        return self._reader.upgrade_plan(ref)

    def identity(self, ref: ClusterRef) -> ClusterIdentity:
        """Return the identity of a cluster, as far as the server shows it; two requests at most."""
        cluster = self.cluster(ref)
        spelled = self._vcd.session.organization(ref.org)
        found = cluster.summary.org
        # a system administrator's cluster may be any organization's
        owner = found if found and found.lower() != spelled.lower() else spelled
        return self._identify(cluster, ClusterRef(ref.name, ref.vdc, owner))

    def location(self, ref: ClusterRef) -> ClusterIdentity:
        """Return where a cluster of that name is or was."""
        org = self._vcd.session.organization(ref.org)
        return identify(self._vcd, cluster=ref.name, vdc=ref.vdc or self._session.vdc, org=org)

    def gone(self, identity: ClusterIdentity) -> bool:
        """Return whether a cluster is known to be deleted."""
        return is_gone(self._vcd, identity)

    def _identify(self, cluster: ServedCluster | None, ref: ClusterRef) -> ClusterIdentity:
        """Return the identity of what the server showed, or of what it could not show; no request.

        The organization is as it was typed, which is enough to recognize the cluster.
        """
        vdc = ref.vdc or self._session.vdc
        org = ref.org or self._session.org
        if cluster is None:
            return identify(self._vcd, cluster=ref.name, vdc=vdc, org=org)
        return identify(
            self._vcd,
            cluster=cluster.summary.name or ref.name,
            vdc=cluster.summary.vdc or vdc,
            org=ref.org or cluster.summary.org or org,
            vapp=cluster.vapp,
            cluster_id=cluster.summary.cluster_id,
        )

    # Administration

    def check_control(self, action: str) -> None:
        """Refuse what `control` would refuse."""
        self._provider.check_control(action)

    def control(self, action: str) -> str:
        """Enable, disable or stop the server; return its sentence."""
        return self._provider.control(action)

    def ovdcs(self) -> Sequence[OvdcState]:
        """List the org VDCs and what they may be used for."""
        return self._provider.ovdcs()

    def ovdc(self, name: str, *, org: str = "") -> OvdcState:
        """Return what one org VDC may be used for."""
        return self._provider.ovdc(name, org=org)

    def enable_ovdc(
        self,
        name: str,
        options: RunOptions,
        progress: Progress,
        *,
        org: str = "",
        runtimes: Sequence[str] = ("native",),
    ) -> str:
        """Enable cluster creation in an org VDC; return the href of the task."""
        return self._provider.enable_ovdc(name, options, progress, org=org, runtimes=runtimes)

    def disable_ovdc(
        self,
        name: str,
        options: RunOptions,
        progress: Progress,
        *,
        org: str = "",
        runtimes: Sequence[str] = ("native",),
        force: bool = False,
    ) -> str:
        """Disable cluster creation in an org VDC; return the href of the task."""
        return self._provider.disable_ovdc(
            name, options, progress, org=org, runtimes=runtimes, force=force
        )

    def compute_policies(self, vdc: str, org: str) -> Sequence[ComputePolicy]:
        """List the compute policies of an org VDC."""
        return self._provider.compute_policies(vdc, org)

    def add_compute_policy(self, policy: str, vdc: str, org: str) -> str:
        """Add a compute policy to an org VDC; return the server's sentence."""
        return self._provider.add_compute_policy(policy, vdc, org)

    def remove_compute_policy(
        self,
        policy: str,
        vdc: str,
        org: str,
        options: RunOptions,
        progress: Progress,
        *,
        force: bool = False,
    ) -> str:
        """Remove a compute policy from an org VDC; return the href of the task."""
        return self._provider.remove_compute_policy(
            policy, vdc, org, options, progress, force=force
        )


def refuse_direct_options(spec: ClusterSpec, known: Sequence[str] = ()) -> None:
    """Refuse what only the direct engine can do.

    `known` are the fields of `NodeOptions` that the server's protocol can say.

    Raises:
        WrongUsage: it is requested.
    """
    chosen = spec.node_options.given().items()
    for said, option in (
        (spec.seal, "--seal"),
        (spec.strict, "--strict"),
        (spec.accept_eulas, "--accept-eulas"),
        (spec.endpoint, "--endpoint"),
        *((value, NODE_OPTIONS[name]) for name, value in chosen if name not in known),
        (spec.vip, "--vip"),
        (spec.control_planes > 1, "--control-planes"),
        *((value, OPTIONS[name]) for name, value in spec.settings.given().items()),
    ):
        if said:
            raise _direct_only(option)


def refuse_direct_scaling(spec: NodesSpec | RemovalSpec) -> None:
    """Refuse what only the direct engine can do with nodes.

    Raises:
        WrongUsage: it is requested.
    """
    words = [(spec.force, "--force"), (bool(spec.max_parallel), "--max-parallel")]
    if isinstance(spec, NodesSpec):
        words += [(spec.accept_eulas, "--accept-eulas"), (spec.keep_healthy, "--keep-healthy")]
        words += [
            (bool(spec.disk_mb), "--disk-size"),
            (bool(spec.sizing_policy), "--sizing-policy"),
            (bool(spec.placement_policy), "--placement-policy"),
        ]
    for said, option in words:
        if said:
            raise _direct_only(option)


def _direct_only(option: str) -> CseError:
    line = suggest.without_server()
    return WrongUsage(
        f"{option} is not supported with a CSE server.",
        hint=f"Without the server: {line}" if line else "",
    )
