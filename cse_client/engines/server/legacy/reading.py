"""Reading through the legacy protocol: what a CSE server 2.6.1 shows.

Paths and keys: container-service-extension 2.6.1, container_service_extension/request_processor.py
and request_handlers/.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cse_client.engines.kubeconfigs import refuse_signing
from cse_client.engines.server.detect import Detection
from cse_client.engines.server.extension import Extension, quoted
from cse_client.engines.server.legacy import documents
from cse_client.engines.server.served_engine import ServedEngine
from cse_client.model import ClusterRef, ClusterSummary, Node, Session, Template
from cse_client.model.grants import KubeconfigSpec
from cse_client.model.server import ServedCluster, ServedNode, UpgradeTarget
from cse_client.vcd.client import VcdClient

__all__ = ["LegacyReading"]


class LegacyReading(ServedEngine):
    """The reading half of `LegacyEngine`."""

    def __init__(
        self, vcd: VcdClient, session: Session, found: Detection, *, reason: str = ""
    ) -> None:
        super().__init__(vcd, session, found, reason=reason, spoken="legacy protocol")
        self._server = Extension(vcd, session, api_version=found.api_version)

    def templates(self) -> Sequence[Template]:
        """List what the server offers; one request."""
        rows = self._server.get("/templates", "list the templates")
        return [documents.template(row) for row in documents.mappings(rows, "the list")]

    def clusters(self, *, vdc: str = "", org: str = "") -> Iterator[ClusterSummary]:
        """List clusters, however many, with one request. Raises NotFound for the VDC."""
        return self._found_or_no_vdc(self._rows(vdc, org), vdc, org)

    def _rows(self, vdc: str, org: str) -> Iterator[ClusterSummary]:
        rows = self._server.get(
            "/clusters", "list the clusters", query=self._scope(ClusterRef("", vdc, org))
        )
        for row in documents.mappings(rows, "the list of clusters"):
            yield documents.summary(row)

    def cluster(self, ref: ClusterRef) -> ServedCluster:
        """Return what the server shows of one cluster; one request."""
        return self._read(ref)

    def node(self, ref: ClusterRef, name: str) -> ServedNode:
        """Return what the server shows of one node; one request."""
        document = self._server.get(
            f"/node/{quoted(name)}",
            f"show node '{name}'",
            query={"cluster_name": ref.name, **self._scope(ref)},
            missing=f"node '{name}' of cluster '{ref.name}'",
        )
        return documents.node(documents.mapping(document, f"node '{name}'"))

    def nodes(self, ref: ClusterRef) -> Sequence[Node]:
        """Return a cluster's nodes, as far as the cluster's own object tells; one request."""
        return self._read(ref).nodes

    def kubeconfig(self, ref: ClusterRef, *, spec: KubeconfigSpec | None = None) -> str:
        """Return the administrator's kubeconfig that the server fetches from the control plane.

        Raises:
            Refused: a user's was asked for: the CA key is not at hand. Or what came holds more than
                the way into the cluster.
        """
        if spec is not None:
            refuse_signing(ref.name, spec)
        document = self._server.get(
            f"/cluster/{quoted(ref.name)}/config",
            f"read the kubeconfig of cluster '{ref.name}'",
            query=self._scope(ref),
            missing=f"cluster '{ref.name}'",
        )
        return documents.kubeconfig(document, ref.name)

    def upgrade_plan(self, ref: ClusterRef) -> Sequence[UpgradeTarget]:
        """List the templates that the server would upgrade the cluster to."""
        rows = self._server.get(
            f"/cluster/{quoted(ref.name)}/upgrade-plan",
            f"plan the upgrade of cluster '{ref.name}'",
            query=self._scope(ref),
            missing=f"cluster '{ref.name}'",
        )
        return [documents.upgrade_target(row) for row in documents.mappings(rows, "the plan")]

    # ---- inner --------------------------------------------------------------------------------

    def _scope(self, ref: ClusterRef) -> dict[str, str]:
        """Return where the server looks for a cluster, as parts of a query or a body.

        It looks everywhere for an administrator who named no organization.
        """
        org = ref.org or self._session.org
        scope = {} if org.lower() == "system" and not ref.org else {"org_name": org}
        return {**scope, "ovdc_name": ref.vdc} if ref.vdc else scope

    def _read(self, ref: ClusterRef) -> ServedCluster:
        scope, what = self._scope(ref), f"cluster '{ref.name}'"
        document = self._server.get(
            f"/cluster/{quoted(ref.name)}", f"show {what}", query=scope, missing=what
        )
        found = documents.mapping(document, what)
        return documents.cluster(found, org=scope.get("org_name", ""), server=self._found.seen)
