"""Reading through the legacy protocol: what a CSE server 2.6.1 shows.

Paths and keys: container-service-extension 2.6.1, container_service_extension/request_processor.py
and request_handlers/.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from cse_client.engines.kubeconfigs import refuse_signing
from cse_client.engines.server.detect import Detection
from cse_client.engines.server.extension import Extension, quoted
from cse_client.engines.server.legacy import documents
from cse_client.engines.server.served_engine import ServedEngine
from cse_client.model import ClusterSummary, Node, Session, Template
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
        rows = self._server.get("/clusters", "list the clusters", query=self._place(vdc, org))
        for row in documents.mappings(rows, "the list of clusters"):
            yield documents.summary(row)

    def cluster(self, name: str, *, vdc: str = "", org: str = "") -> ServedCluster:
        """Return what the server shows of one cluster; one request."""
        return self._read(name, self._place(vdc, org))

    def node(self, cluster: str, name: str, *, vdc: str = "", org: str = "") -> ServedNode:
        """Return what the server shows of one node; one request."""
        document = self._server.get(
            f"/node/{quoted(name)}",
            f"show node '{name}'",
            query={"cluster_name": cluster, **self._place(vdc, org)},
            missing=f"node '{name}' of cluster '{cluster}'",
        )
        return documents.node(documents.mapping(document, f"node '{name}'"))

    def nodes(self, name: str, *, vdc: str = "", org: str = "") -> Sequence[Node]:
        """Return a cluster's nodes, as far as the cluster's own object tells; one request."""
        return self._read(name, self._place(vdc, org)).nodes

    def kubeconfig(
        self, name: str, *, vdc: str = "", org: str = "", spec: KubeconfigSpec | None = None
    ) -> str:
        """Return the administrator's kubeconfig that the server fetches from the control plane.

        Raises:
            Refused: a user's was asked for: the CA key is not at hand. Or what came holds more than
                the way into the cluster.
        """
        if spec is not None:
            refuse_signing(name, spec)
        document = self._server.get(
            f"/cluster/{quoted(name)}/config",
            f"read the kubeconfig of cluster '{name}'",
            query=self._place(vdc, org),
            missing=f"cluster '{name}'",
        )
        return documents.kubeconfig(document, name)

    def upgrade_plan(self, name: str, *, vdc: str = "", org: str = "") -> Sequence[UpgradeTarget]:
        """List the templates that the server would upgrade the cluster to."""
        rows = self._server.get(
            f"/cluster/{quoted(name)}/upgrade-plan",
            f"plan the upgrade of cluster '{name}'",
            query=self._place(vdc, org),
            missing=f"cluster '{name}'",
        )
        return [documents.upgrade_target(row) for row in documents.mappings(rows, "the plan")]

    # ---- inner --------------------------------------------------------------------------------

    def _place(self, vdc: str, org: str) -> dict[str, str]:
        """Return where to look. An administrator who named no organization looks everywhere."""
        chosen = org or self._session.org
        place = {} if chosen.lower() == "system" and not org else {"org_name": chosen}
        return {**place, "ovdc_name": vdc} if vdc else place

    def _read(self, name: str, place: Mapping[str, str]) -> ServedCluster:
        document = self._server.get(
            f"/cluster/{quoted(name)}",
            f"show cluster '{name}'",
            query=place,
            missing=f"cluster '{name}'",
        )
        found = documents.mapping(document, f"cluster '{name}'")
        return documents.cluster(found, org=place.get("org_name", ""), server=self._found.seen)
