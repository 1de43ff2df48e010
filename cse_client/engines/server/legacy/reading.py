"""Reading through the legacy protocol: what a CSE server 2.6.1 shows.

Paths and keys: container-service-extension 2.6.1, container_service_extension/request_processor.py
and request_handlers/.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cse_client import looked_at
from cse_client.engines.server.detect import Detection
from cse_client.engines.server.documents import mapping, mappings
from cse_client.engines.server.extension import Extension, quoted
from cse_client.engines.server.legacy import documents
from cse_client.engines.server.reads import read_kubeconfig, read_templates, read_upgrade_plan
from cse_client.engines.server.vdcs import rows_of_known_vdc
from cse_client.model import ClusterRef, ClusterSummary, Node, Session, Template
from cse_client.model.server import ServedCluster, ServedNode, UpgradeTarget
from cse_client.vcd.client import VcdClient

__all__ = ["LegacyReader"]


class LegacyReader:
    """Reads clusters, and holds what the other parts of the engine need for it."""

    def __init__(self, vcd: VcdClient, session: Session, detection: Detection) -> None:
        self.vcd = vcd
        self.session = session
        self.detection = detection
        self.server = Extension(vcd, session, api_version=detection.api_version)

    def templates(self) -> Sequence[Template]:
        """List what the server offers; one request."""
        return read_templates(self.server)

    def clusters(self, *, vdc: str = "", org: str = "") -> Iterator[ClusterSummary]:
        """List clusters, however many, with one request.

        Raises:
            NotFound: the VDC does not exist.
        """
        return rows_of_known_vdc(self.vcd, self._rows(vdc, org), vdc, org)

    def _rows(self, vdc: str, org: str) -> Iterator[ClusterSummary]:
        rows = self.server.get(
            "/clusters", "list the clusters", query=self.scope(ClusterRef("", vdc, org))
        )
        for row in mappings(rows, "the list of clusters"):
            yield documents.summary(row)

    def cluster(self, ref: ClusterRef) -> ServedCluster:
        """Return what the server shows of one cluster; one request."""
        return self.read(ref)

    def node(self, ref: ClusterRef, name: str) -> ServedNode:
        """Return what the server shows of one node; one request."""
        document = self.server.get(
            f"/node/{quoted(name)}",
            f"show node '{name}'",
            query={"cluster_name": ref.name, **self.scope(ref)},
            missing=f"node '{name}' of cluster '{ref.name}'",
        )
        return documents.node(mapping(document, f"node '{name}'"))

    def nodes(self, ref: ClusterRef) -> Sequence[Node]:
        """Return a cluster's nodes, as the cluster's own object lists them; one request."""
        return self.read(ref).nodes

    def kubeconfig(self, ref: ClusterRef) -> str:
        """Return the administrator's kubeconfig; see `read_kubeconfig`."""
        path = f"/cluster/{quoted(ref.name)}"
        return read_kubeconfig(self.server, path, ref.name, self.scope(ref))

    def upgrade_plan(self, ref: ClusterRef) -> Sequence[UpgradeTarget]:
        """List the templates that the server can upgrade the cluster to."""
        path = f"/cluster/{quoted(ref.name)}"
        return read_upgrade_plan(self.server, path, ref.name, self.scope(ref))

    def scope(self, ref: ClusterRef) -> dict[str, str]:
        """Return where the server looks for a cluster, as parts of a query or a body.

        It looks everywhere for an administrator who named no organization.
        """
        org = ref.org or self.session.org
        scope = {} if org.lower() == "system" and not ref.org else {"org_name": org}
        return {**scope, "ovdc_name": ref.vdc} if ref.vdc else scope

    def target(self, ref: ClusterRef) -> ServedCluster:
        """Return the cluster that is to be changed; one request.

        Raises:
            NotFound: there is no such cluster.
            Replaced: the name was another cluster's when this command looked at it before.
        """
        found = self.read(ref)
        looked_at.check_cluster(ref.name, found.summary.cluster_id, ref.vdc, ref.org)
        return found

    def read(self, ref: ClusterRef) -> ServedCluster:
        """Return what the server shows of one cluster; one request.

        Raises:
            NotFound: there is no such cluster.
        """
        scope, what = self.scope(ref), f"cluster '{ref.name}'"
        document = self.server.get(
            f"/cluster/{quoted(ref.name)}", f"show {what}", query=scope, missing=what
        )
        found = mapping(document, what)
        return documents.cluster(found, org=scope.get("org_name", ""), server=self.detection.seen)
