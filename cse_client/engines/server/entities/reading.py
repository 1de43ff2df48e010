"""Reading what CSE 3.x keeps as defined entities.

Entities are read from VCD's own API, as CSE's clients do: it answers without waiting for the
server. Addresses and filters: container-service-extension 3.1.4,
container_service_extension/rde/common/entity_service.py and client/de_cluster.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cse_client import suggest
from cse_client.bounds import OutOfBounds, Pages
from cse_client.engines.kubeconfigs import refuse_signing
from cse_client.engines.server.detect import Detection
from cse_client.engines.server.entities import documents
from cse_client.engines.server.entities.dialects import DIALECTS, Dialect, dialect_of
from cse_client.engines.server.entities.documents import Found
from cse_client.engines.server.extension import Extension, quoted
from cse_client.engines.server.legacy import documents as legacy_documents
from cse_client.engines.server.served_engine import ServedEngine
from cse_client.errors import Conflict, NotFound, VcdFault
from cse_client.model import ClusterRef, ClusterSummary, Node, Session, Template
from cse_client.model.grants import KubeconfigSpec
from cse_client.model.server import ServedCluster, ServedNode, UpgradeTarget
from cse_client.vcd.client import VcdClient

__all__ = ["CLOUD_API", "SERVER_BASE", "URN", "EntityReading", "ambiguous", "filter_text"]

CLOUD_API = "/cloudapi/1.0.0"
SERVER_BASE = "/api/cse/3.0"
#: What every entity's id begins with; no cluster's name does.
URN = "urn:vcloud:entity:"

#: VCD's largest page.
_PAGE = 128
_INTERFACE = "/entities/interfaces/vmware/k8s/1.0.0"
#: What VCD's filters (FIQL) give a meaning to.
_SPECIAL = {"\\": "\\\\", "(": "\\(", ")": "\\)", ";": "\\;", ",": "\\,"}


class EntityReading(ServedEngine):
    """The reading half of `EntityEngine`.

    Where a method takes a cluster's name, it takes its id (`urn:vcloud:entity:...`) as well.
    """

    def __init__(
        self, vcd: VcdClient, session: Session, found: Detection, *, reason: str = ""
    ) -> None:
        self._dialect: Dialect = dialect_of(found.version, found.api_version)
        self.entity_type = self._dialect.version
        spoken = f"entities of type {self.entity_type}"
        super().__init__(vcd, session, found, reason=reason, spoken=spoken)
        version = found.api_version
        self._server = Extension(vcd, session, api_version=version, base=SERVER_BASE)
        self._root = Extension(vcd, session, api_version=version)
        self._cloudapi = Extension(vcd, session, api_version=version, base=CLOUD_API)

    def templates(self) -> Sequence[Template]:
        """List what the server offers; one request."""
        rows = self._root.get("/templates", "list the templates")
        found = legacy_documents.mappings(rows, "the list")
        return [legacy_documents.template(row) for row in found]

    def clusters(self, *, vdc: str = "", org: str = "") -> Iterator[ClusterSummary]:
        """List clusters as they come in; one request for every 128. Raises NotFound for the VDC."""
        return self._found_or_no_vdc(self._rows(vdc, org), vdc, org)

    def _rows(self, vdc: str, org: str) -> Iterator[ClusterSummary]:
        conditions = self._dialect.filters(vdc=vdc, org=org or self._own_org())
        path, text = self._dialect.type_path, filter_text(conditions)
        if self._dialect.second_generation:
            path = _INTERFACE
            types = [f"entityType==urn:vcloud:type:cse:nativeCluster:{one}" for one in DIALECTS]
            text = ";".join(part for part in (text, f"({','.join(types)})") if part)
        for document in self._pages(self._cloudapi, path, "list the clusters", filter=text):
            yield documents.summary(documents.found(document, "the list of clusters"))

    def cluster(self, ref: ClusterRef) -> ServedCluster:
        """Return what VCD keeps of one cluster; one request."""
        return documents.cluster(self._find(ref), server=self._found.seen)

    def node(self, ref: ClusterRef, name: str) -> ServedNode:
        """Return what a cluster's entity tells of one node."""
        for node in documents.cluster(self._find(ref)).nodes:
            if node.name == name and isinstance(node, ServedNode):
                return node
        raise NotFound(
            f"cluster '{ref.name}' has no node {name}",
            hint=f"see which there are: {suggest.cse('node list', ref.name)}",
        )

    def nodes(self, ref: ClusterRef) -> Sequence[Node]:
        """Return a cluster's nodes, as far as its entity tells; one request."""
        return self.cluster(ref).nodes

    def kubeconfig(self, ref: ClusterRef, *, spec: KubeconfigSpec | None = None) -> str:
        """Return the administrator's kubeconfig that the server fetches from the control plane.

        Raises:
            Refused: a user's was asked for: the CA key is not at hand. Or what came holds more than
                the way into the cluster.
        """
        if spec is not None:
            refuse_signing(ref.name, spec)
        identity = self._identity(ref)
        document = self._server.get(
            f"/cluster/{quoted(identity)}/config",
            f"read the kubeconfig of cluster '{ref.name}'",
            missing=f"cluster '{ref.name}'",
        )
        return legacy_documents.kubeconfig(document, ref.name)

    def upgrade_plan(self, ref: ClusterRef) -> Sequence[UpgradeTarget]:
        """List the templates that the server would upgrade the cluster to."""
        identity = self._identity(ref)
        rows = self._server.get(
            f"/cluster/{quoted(identity)}/upgrade-plan",
            f"plan the upgrade of cluster '{ref.name}'",
            missing=f"cluster '{ref.name}'",
        )
        found = legacy_documents.mappings(rows, "the plan")
        return [legacy_documents.upgrade_target(row) for row in found]

    # ---- inner --------------------------------------------------------------------------------

    def _own_org(self) -> str:
        """Return the organization to look into; empty, which is all, for the provider's people."""
        return "" if self._session.org.lower() == "system" else self._session.org

    def _identity(self, ref: ClusterRef) -> str:
        """Return a cluster's id, which needs no request where that was said itself."""
        return ref.name if ref.name.startswith(URN) else self._find(ref).id

    def _find(self, ref: ClusterRef) -> Found:
        """Return the one cluster that is meant.

        Raises:
            NotFound: there is none.
            Conflict: there are several of that name.
        """
        if ref.name.startswith(URN):
            one = self._read(ref.name)
            # suggestions name it by its name, which counts where the cluster is
            suggest.aim_at(vdc=one.vdc, org=one.org)
            return one
        there = self._named(ref)
        if not there:
            raise NotFound(
                f"cluster '{ref.name}' was not found{self._where(ref)}",
                hint=f"`{suggest.cse('cluster list')}` shows those that you can see",
            )
        if len(there) > 1:
            raise ambiguous(ref.name, there)
        return there[0]

    def _named(self, ref: ClusterRef) -> list[Found]:
        where = self._dialect.filters(vdc=ref.vdc, org=ref.org or self._own_org())
        conditions = {"name": ref.name, **where}
        rows = self._pages(
            self._cloudapi,
            self._dialect.type_path,
            f"look for cluster '{ref.name}'",
            filter=filter_text(conditions),
        )
        return [documents.found(row, f"cluster '{ref.name}'") for row in rows]

    def _read(self, identity: str) -> Found:
        what = f"the cluster {identity}"
        document = self._cloudapi.get(f"/entities/{quoted(identity)}", f"read {what}", missing=what)
        return documents.found(document, what)

    def _where(self, ref: ClusterRef) -> str:
        org = ref.org or self._own_org()
        said = [f"organization '{org}'"] if org else []
        said += [f"VDC '{ref.vdc}'"] if ref.vdc else []
        return f" in {', '.join(said)}" if said else ""

    def _pages(
        self, source: Extension, path: str, doing: str, *, filter: str = "", size: int = _PAGE
    ) -> Iterator[Any]:
        """Yield the values of a paged list; no page is asked for that must be empty.

        `resultTotal` tells how many there are (container-service-extension's clients read on
        until a page is empty).
        """
        seen, number = 0, 0
        before: list[Any] = []
        pages = Pages()
        while True:
            number += 1
            try:
                pages.visit(str(number))
            except OutOfBounds as error:
                raise VcdFault(f"cannot {doing}: the list {error}", lasting=True) from None
            query = {"filter": filter, "page": str(number), "pageSize": str(size)}
            if source is self._cloudapi:
                query["sortAsc"] = "name"
            page = legacy_documents.mapping(source.get(path, doing, query=query), "a list")
            values = page.get("values")
            if not isinstance(values, list):
                raise VcdFault(f"cannot {doing}: the list that came is none")
            if values and values == before:
                raise VcdFault(f"cannot {doing}: the list gives the same page again", lasting=True)
            before = values
            yield from values
            seen += len(values)
            if not values or seen >= _total(page, seen, size):
                return


def filter_text(conditions: Mapping[str, str]) -> str:
    """Return conditions that must all hold, as VCD's own API reads them."""
    return ";".join(f"{key}=={_escaped(value)}" for key, value in conditions.items())


def _escaped(value: str) -> str:
    return "".join(_SPECIAL.get(character, character) for character in value)


def _total(page: Mapping[str, Any], seen: int, size: int) -> int:
    """Return how many values there are in all; where that is not told, a full page means more."""
    total = page.get("resultTotal")
    if isinstance(total, int):
        return total
    values = page.get("values") or []
    return seen + 1 if len(values) >= size else seen


def ambiguous(name: str, there: Sequence[Found]) -> Conflict:
    """Make the error for a name that several clusters have, which entities allow."""
    lines = "; ".join(f"{one.id} ({one.scope}, {one.phase or 'no phase'})" for one in there)
    return Conflict(
        f"there are {len(there)} clusters called '{name}': {lines}",
        hint="say which one: --id, or --vdc and --org",
    )
