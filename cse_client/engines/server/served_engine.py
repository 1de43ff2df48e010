"""What every engine in front of a CSE server has, whatever protocol it speaks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence

from cse_client import suggest
from cse_client.engines.identity import identify, is_gone
from cse_client.engines.server.detect import Detection
from cse_client.errors import CseError, NotFound, PreflightFailed, Refused, WrongUsage
from cse_client.model import (
    ClusterRef,
    ClusterSpec,
    ClusterSummary,
    Progress,
    Session,
    SystemInfo,
    Template,
    TemplateFacts,
)
from cse_client.model.identity import ClusterIdentity
from cse_client.model.nodes import NodesSpec, RemovalSpec
from cse_client.model.server import ServedCluster, ServedSystem
from cse_client.vcd.client import VcdClient

__all__ = [
    "ServedEngine",
    "direct_only",
    "raise_all",
    "refuse_direct_scaling",
    "refuse_direct_words",
]


class ServedEngine(ABC):
    """The server's own description, and what only the direct engine can do."""

    name = "server"

    def __init__(
        self, vcd: VcdClient, session: Session, found: Detection, *, reason: str, spoken: str
    ) -> None:
        self._vcd = vcd
        self._session = session
        self._found = found
        self._reason = f"{reason or found.seen}; {spoken}"

    def system_info(self) -> SystemInfo:
        """Show the server's own description, and how it is spoken to."""
        said = self._found.document
        return ServedSystem(
            product=str(said.get("product") or ""),
            version=self._found.version,
            description=str(said.get("description") or ""),
            engine=self.name,
            engine_reason=self._reason,
            host=self._session.host,
            vcd_version=self._vcd.vcd_version(),
            api_version=self._found.api_version,
            org=self._session.org,
            vdc=self._session.vdc,
            user=self._session.user,
            document=said,
        )

    def _found_or_no_vdc(
        self, rows: Iterator[ClusterSummary], vdc: str, org: str
    ) -> Iterator[ClusterSummary]:
        """Yield the rows of a list; of an empty one look whether there is such a VDC.

        A server says nothing of a VDC that it does not know. Raises NotFound; two requests at most.
        """
        none = True
        for row in rows:
            none = False
            yield row
        everywhere = not org and self._vcd.is_system_administrator
        if none and vdc and not everywhere:
            self._vcd.vdc(vdc, org)

    @abstractmethod
    def cluster(self, ref: ClusterRef) -> ServedCluster:
        """Return what is known of one cluster."""

    def identity(self, ref: ClusterRef) -> ClusterIdentity:
        """Return which cluster that is, as far as the server tells; two requests at most."""
        cluster = self.cluster(ref)
        spelled = self._vcd.organization(ref.org)
        found = cluster.summary.org
        # a system administrator's cluster may be any organization's
        owner = found if found and found.lower() != spelled.lower() else spelled
        return self._identify(cluster, ClusterRef(ref.name, ref.vdc, owner))

    def location(self, ref: ClusterRef) -> ClusterIdentity:
        """Return where a cluster of that name is or was."""
        org = self._vcd.organization(ref.org)
        return identify(self._vcd, cluster=ref.name, vdc=ref.vdc or self._session.vdc, org=org)

    def gone(self, identity: ClusterIdentity) -> bool:
        """Say whether a cluster is known to exist no more."""
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

    def _check_resources(
        self,
        network: str,
        profiles: Iterable[str],
        vdc: str,
        org: str,
        *,
        hints: tuple[str, str] = ("--network NAME", "--storage-profile NAME"),
    ) -> list[CseError]:
        """Look whether the VDC has a network and storage profiles.

        The server only notices after it has accepted, and its task then fails. Empty names are not
        looked for; a user who is shown no networks or profiles is not told of a missing one.
        `hints` say how others are named.
        """
        wanted = sorted({profile for profile in profiles if profile})
        if not network and not wanted:
            return []
        problems: list[CseError] = []
        try:
            where = self._vcd.vdc(vdc, org)
            networks = sorted(self._vcd.vdc_document(where).networks) if network else []
            known = self._vcd.storage_profiles(where) if wanted else []
        except NotFound as problem:
            return [problem]
        except Refused:
            return []
        if networks and network not in networks:
            problems.append(_lacks(where.name, f"network '{network}'", networks, hints[0]))
        shown = sorted(one.name for one in known)
        for profile in wanted:
            if shown and profile not in shown:
                noun = f"storage profile '{profile}'"
                problems.append(_lacks(where.name, noun, shown, hints[1]))
        return problems

    def register_template(self, catalog: str, item: str, facts: TemplateFacts) -> Template:
        """Refuse: a server's templates are its operator's. Raises WrongUsage."""
        raise direct_only("A CSE server takes templates from its own catalog only")

    def plan_create(self, spec: ClusterSpec, progress: Progress) -> Sequence[str]:
        """Refuse: the server tells no plan. Raises WrongUsage."""
        raise direct_only("A CSE server does not tell what it would do")

    def seal(self, ref: ClusterRef, progress: Progress, *, adopted: str = "") -> str:
        """Refuse: only clusters of the direct engine have a key to seal. Raises WrongUsage."""
        raise direct_only("A CSE server cannot seal a cluster")


def _lacks(vdc: str, noun: str, there: Sequence[str], hint: str) -> NotFound:
    listed = ", ".join(there)
    return NotFound(f"VDC '{vdc}' has no {noun}; there are: {listed}", hint=hint)


def refuse_direct_words(spec: ClusterSpec) -> None:
    """Refuse what only the direct engine can do. Raises WrongUsage."""
    for said, option in (
        (spec.seal, "--seal"),
        (spec.strict, "--strict"),
        (spec.accept_eulas, "--accept-eulas"),
        (spec.endpoint, "--endpoint"),
    ):
        if said:
            raise direct_only(f"A CSE server knows nothing of {option}")


def refuse_direct_scaling(spec: NodesSpec | RemovalSpec) -> None:
    """Refuse what only the direct engine can do with nodes. Raises WrongUsage."""
    words = [(spec.force, "--force"), (bool(spec.max_parallel), "--max-parallel")]
    if isinstance(spec, NodesSpec):
        words += [(spec.accept_eulas, "--accept-eulas"), (spec.keep_healthy, "--keep-healthy")]
    for said, option in words:
        if said:
            raise direct_only(f"A CSE server knows nothing of {option}")


def direct_only(sentence: str) -> CseError:
    """Make the error for what needs no server, with the way out."""
    line = suggest.without_server()
    return WrongUsage(f"{sentence}.", hint=f"without the server: {line}" if line else "")


def raise_all(problems: Sequence[CseError]) -> None:
    """Raise one problem as it is and several as `PreflightFailed`; do nothing for none."""
    if len(problems) == 1:
        raise problems[0]
    if problems:
        message = f"{len(problems)} problems were found; nothing was changed."
        raise PreflightFailed(message, problems)
