"""What the direct engine reads: clusters, templates and kubeconfigs, with a tenant's rights.

Each method imports what it needs: a list is not to wait for what creates clusters.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from cse_client import DESCRIPTION, PRODUCT, __version__, suggest
from cse_client.clock import SYSTEM_CLOCK, Clock
from cse_client.errors import CseError, NotFound
from cse_client.model import (
    Cluster,
    ClusterRef,
    ClusterSummary,
    Node,
    Session,
    SystemInfo,
    Template,
)
from cse_client.model.grants import KubeconfigSpec
from cse_client.vcd.client import VcdClient

if TYPE_CHECKING:
    from cse_client.engines.direct.existing import ExistingCluster
    from cse_client.model.declared import Declared
    from cse_client.model.diagnosis import Diagnosis
    from cse_client.model.events import ClusterEvent
    from cse_client.model.identity import ClusterIdentity
    from cse_client.model.pools import Pool, PoolState

__all__ = ["DirectReader"]

#: Names the default template where the guide's is not wanted.
DEFAULT_TEMPLATE_VARIABLE = "CSE_DEFAULT_TEMPLATE"


class DirectReader:
    """Reads clusters; `DirectEngine` changes them as well."""

    name = "direct"
    has_server = False

    def __init__(
        self,
        vcd: VcdClient,
        session: Session,
        *,
        clock: Clock = SYSTEM_CLOCK,
        reason: Callable[[], str] = str,
    ) -> None:
        self._vcd = vcd
        self._session = session
        self._clock = clock
        self._reason = reason

    def system_info(self) -> SystemInfo:
        """Return which product, engine and cloud are in use, and whether a CSE server is there."""
        return SystemInfo(
            product=PRODUCT,
            version=__version__,
            description=DESCRIPTION,
            engine=self.name,
            engine_reason=self._reason(),
            host=self._session.host,
            vcd_version=self._vcd.session.vcd_version(),
            api_version=self._vcd.session.api_version,
            org=self._session.org,
            vdc=self._session.vdc,
            user=self._session.user,
        )

    def templates(self) -> Sequence[Template]:
        """List the templates in every catalog this user can see, the default one marked."""
        from cse_client.engines.direct.templates import with_default

        return with_default(
            list(self._vcd.surroundings.templates()), os.environ.get(DEFAULT_TEMPLATE_VARIABLE, "")
        )

    def clusters(self, *, vdc: str = "", org: str = "") -> Iterator[ClusterSummary]:
        """List clusters; those of one VDC too are compared with all, to find copies elsewhere."""
        from cse_client.engines.direct.summary import summarize
        from cse_client.engines.identity import with_same_ids

        wanted = self._vcd.surroundings.vdc(vdc, org) if vdc else None
        records = list(self._vcd.cluster_records(None, org))
        summaries = with_same_ids(summarize(one, org or self._session.org) for one in records)
        for record, summary in zip(records, summaries):
            if wanted is None or record.vdc_href == wanted.href:
                yield summary

    def cluster(self, ref: ClusterRef) -> Cluster:
        """Return everything known of one cluster.

        Raises:
            NotFound, Conflict: see `lookup.find_cluster`.
        """
        from cse_client.engines.direct.custody import same_id_vapps
        from cse_client.engines.direct.describe import inspect_cluster
        from cse_client.engines.identity import named

        cluster = self._existing(ref)
        found = inspect_cluster(cluster)
        others = same_id_vapps(cluster)
        same_id = tuple(named(other.name, other.vdc) for other in others)
        return replace(found, summary=replace(found.summary, same_id=same_id))

    def kubeconfig(self, ref: ClusterRef, *, spec: KubeconfigSpec | None = None) -> str:
        """Mint and return a kubeconfig.

        Raises:
            NotFound: there is no such cluster, or it has no API address yet.
            Refused: its CA key is not available, or the user name is reserved.
            WrongUsage: the lifetime is not allowed.
        """
        from cse_client.engines.direct.credentials import administrator_name, mint_kubeconfig
        from cse_client.engines.direct.custody import find_pki, identity_of
        from cse_client.guest.pki import fingerprint
        from cse_client.kube.kubeconfig.mark import Mark

        cluster = self._existing(ref)
        pki = find_pki(cluster)
        if not cluster.endpoint:
            raise NotFound(
                f"Cluster '{ref.name}' has no known API address yet.",
                hint=f"Show its state: {suggest.cse('cluster info', ref.name)}",
            )
        org = self._vcd.session.organization(ref.org)
        identity = identity_of(replace(cluster, vdc=replace(cluster.vdc, org=org)))
        return mint_kubeconfig(
            pki,
            spec or KubeconfigSpec(),
            mark=Mark.of(identity, fingerprint(pki.ca_cert)),
            host=cluster.endpoint,
            administrator=administrator_name(self._session.user, org),
        )

    def identity(self, ref: ClusterRef) -> ClusterIdentity:
        """Return which cluster that is.

        Raises:
            NotFound, Conflict: see `lookup.find_cluster`.
        """
        from cse_client.engines.direct.custody import identity_of

        cluster = self._existing(ref)
        org = self._vcd.session.organization(ref.org)
        return identity_of(replace(cluster, vdc=replace(cluster.vdc, org=org)))

    def location(self, ref: ClusterRef) -> ClusterIdentity:
        """Return where a cluster of that name is or was."""
        from cse_client.engines.identity import identify

        vdc = self._vcd.surroundings.vdc(ref.vdc, ref.org)
        org = self._vcd.session.organization(ref.org)
        return identify(self._vcd, cluster=ref.name, vdc=vdc.name, org=org)

    def gone(self, identity: ClusterIdentity) -> bool:
        """Return whether a cluster is known to be deleted; one request."""
        from cse_client.engines.identity import is_gone

        return is_gone(self._vcd, identity)

    def nodes(self, ref: ClusterRef) -> Sequence[Node]:
        """Return a cluster's nodes, in fewer requests than everything known of it takes."""
        from cse_client.engines.direct.describe import list_nodes

        vdc = self._vcd.surroundings.vdc(ref.vdc, ref.org)
        return list_nodes(self._vcd, self._session, vdc, ref.name)

    def pools(self, ref: ClusterRef) -> Sequence[PoolState]:
        """Return the worker pools of a cluster, and how many workers each has."""
        from cse_client.engines.direct.pool_changes import pool_states

        return pool_states(self._existing(ref))

    def room_problems(
        self, ref: ClusterRef, pools: Sequence[Pool], heads: int
    ) -> Sequence[CseError]:
        """Return why there is no room for the growth of several pools and control planes."""
        from cse_client.engines.direct.pool_sources import growth_problems

        return growth_problems(self._existing(ref), pools, heads, self.templates())

    def declared(self, ref: ClusterRef, *, required: bool = False) -> Declared | None:
        """Return what an existing cluster is to be, from its record; None if there is none.

        Raises:
            Conflict: the name is that of a vApp which is not a cluster.
            NotFound: the cluster is `required` and there is none.
        """
        from cse_client.engines.direct.declared import declared_of, find_settled

        vdc = self._vcd.surroundings.vdc(ref.vdc, ref.org)
        try:
            cluster = find_settled(self._vcd, self._session, vdc, ref.name)
        except NotFound:
            if required:
                raise
            return None
        return declared_of(cluster, self.templates)

    def events(self, ref: ClusterRef, *, all_: bool = False) -> Sequence[ClusterEvent]:
        """Return what happened to a cluster, from the tasks that VCD keeps."""
        from cse_client.engines.direct.history import events_of

        return events_of(self._existing(ref), all_=all_)

    def diagnose(self, ref: ClusterRef, failure: Mapping[str, Any] | None) -> Diagnosis:
        """Find out why a cluster does not work; of one that is gone, why it was not made."""
        from cse_client.engines.direct.diagnosis import diagnose, of_failure
        from cse_client.model.diagnosis import Diagnosis

        try:
            cluster = self._existing(ref)
        except NotFound:
            if failure is None:
                raise
            facts = {"last failure": dict(failure)}
            return Diagnosis(ref.name, tuple(of_failure(failure)), facts, ("There is no cluster.",))
        return diagnose(cluster, failure)

    def _existing(self, ref: ClusterRef) -> ExistingCluster:
        from cse_client.engines.direct.existing import find_existing

        return find_existing(
            self._vcd, self._session, self._vcd.surroundings.vdc(ref.vdc, ref.org), ref.name
        )
