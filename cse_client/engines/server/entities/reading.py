"""Reading what CSE 3.x keeps as defined entities.

Entities are read from VCD's own API, as CSE's clients do: it answers without waiting for the
server. Addresses and filters: container-service-extension 3.1.4,
container_service_extension/rde/common/entity_service.py and client/de_cluster.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from cse_client import looked_at, suggest
from cse_client.bounds import OutOfBounds, Pages
from cse_client.engines.lookup import unknown_nodes
from cse_client.engines.server.detect import Detection
from cse_client.engines.server.documents import mapping
from cse_client.engines.server.entities import documents
from cse_client.engines.server.entities.dialects import DIALECTS, Dialect, dialect_of
from cse_client.engines.server.entities.documents import Found
from cse_client.engines.server.extension import Extension, quoted
from cse_client.engines.server.reads import read_kubeconfig, read_templates, read_upgrade_plan
from cse_client.engines.server.vdcs import rows_of_known_vdc
from cse_client.errors import Conflict, NotFound, VcdFault
from cse_client.model import ClusterRef, ClusterSummary, Node, Session, Template
from cse_client.model.server import ServedCluster, ServedNode, UpgradeTarget
from cse_client.vcd.client import VcdClient

__all__ = ["CLOUD_API", "SERVER_BASE", "URN", "EntityReader", "ambiguous", "filter_text"]

CLOUD_API = "/cloudapi/1.0.0"
SERVER_BASE = "/api/cse/3.0"
#: What every entity's id begins with; no cluster's name does.
URN = "urn:vcloud:entity:"

#: VCD's largest page.
_PAGE = 128
_INTERFACE = "/entities/interfaces/vmware/k8s/1.0.0"
#: What VCD's filters (FIQL) give a meaning to.
_SPECIAL = {"\\": "\\\\", "(": "\\(", ")": "\\)", ";": "\\;", ",": "\\,"}


class EntityReader:
    """Reads clusters, and holds what the other parts of the engine need for it.

    Where a method takes a cluster's name, it takes its id (`urn:vcloud:entity:...`) as well.
    `server` is the server's own interface for entities, `root` the one of all its releases,
    `cloudapi` VCD's.
    """

    def __init__(self, vcd: VcdClient, session: Session, detection: Detection) -> None:
        self.vcd = vcd
        self.session = session
        self.detection = detection
        self.dialect: Dialect = dialect_of(detection.version, detection.api_version)
        version = detection.api_version
        self.server = Extension(vcd, session, api_version=version, base=SERVER_BASE)
        self.root = Extension(vcd, session, api_version=version)
        self.cloudapi = Extension(vcd, session, api_version=version, base=CLOUD_API)

    def templates(self) -> Sequence[Template]:
        """List what the server offers; one request."""
        return read_templates(self.root)

    def clusters(self, *, vdc: str = "", org: str = "") -> Iterator[ClusterSummary]:
        """List clusters as they come in; one request for every 128.

        Raises:
            NotFound: the VDC does not exist.
        """
        return rows_of_known_vdc(self.vcd, self._rows(vdc, org), vdc, org)

    def _rows(self, vdc: str, org: str) -> Iterator[ClusterSummary]:
        conditions = self.dialect.filters(vdc=vdc, org=org or self.own_org())
        path, text = self.dialect.type_path, filter_text(conditions)
        if self.dialect.second_generation:
            path = _INTERFACE
            types = [f"entityType==urn:vcloud:type:cse:nativeCluster:{one}" for one in DIALECTS]
            text = ";".join(part for part in (text, f"({','.join(types)})") if part)
        for document in self.pages(self.cloudapi, path, "list the clusters", filter=text):
            yield documents.summary(documents.found(document, "the list of clusters"))

    def cluster(self, ref: ClusterRef) -> ServedCluster:
        """Return what VCD keeps of one cluster; one request."""
        return self.shown(self.find(ref))

    def node(self, ref: ClusterRef, name: str) -> ServedNode:
        """Return what a cluster's entity holds of one node."""
        for node in documents.cluster(self.find(ref)).nodes:
            if node.name == name and isinstance(node, ServedNode):
                return node
        raise unknown_nodes(ref.name, [name])

    def nodes(self, ref: ClusterRef) -> Sequence[Node]:
        """Return a cluster's nodes, as its entity lists them; one request."""
        return self.cluster(ref).nodes

    def kubeconfig(self, ref: ClusterRef) -> str:
        """Return the administrator's kubeconfig; see `read_kubeconfig`."""
        identity = self.id_of(ref)
        return read_kubeconfig(self.server, f"/cluster/{quoted(identity)}", ref.name)

    def upgrade_plan(self, ref: ClusterRef) -> Sequence[UpgradeTarget]:
        """List the templates that the server would upgrade the cluster to."""
        identity = self.id_of(ref)
        return read_upgrade_plan(self.server, f"/cluster/{quoted(identity)}", ref.name)

    def shown(self, entity: Found, *, task_href: str = "") -> ServedCluster:
        """Return what an entity holds of a cluster; `task_href` as in `ServedCluster`."""
        return documents.cluster(entity, server=self.detection.seen, task_href=task_href)

    def own_org(self) -> str:
        """Return the organization to look into; empty, which is all, for the provider's people."""
        return "" if self.session.org.lower() == "system" else self.session.org

    def site(self) -> str:
        """Return VCD's own name, which entities of the second generation must say."""
        host = self.session.host
        return urlsplit(host).netloc if "://" in host else host

    def id_of(self, ref: ClusterRef) -> str:
        """Return a cluster's id, which needs no request where the reference is an id."""
        return ref.name if ref.name.startswith(URN) else self.find(ref).id

    def find(self, ref: ClusterRef) -> Found:
        """Return the one cluster that is meant.

        Raises:
            NotFound: there is none.
            Conflict: there are several of that name.
            Replaced: the name was another cluster's when this command looked at it before.
        """
        if ref.name.startswith(URN):
            one = self.read(ref.name)
            # suggestions name it by its name, which counts where the cluster is
            suggest.aim_at(vdc=one.vdc, org=one.org)
            return one
        there = self.named(ref)
        if not there:
            raise NotFound(
                f"Cluster '{ref.name}' was not found{self.where(ref)}.",
                hint=f"`{suggest.cse('cluster list')}` lists the clusters that you can see.",
            )
        if len(there) > 1:
            raise ambiguous(ref.name, there)
        looked_at.check_cluster(ref.name, there[0].id, ref.vdc, ref.org)
        return there[0]

    def named(self, ref: ClusterRef) -> list[Found]:
        """Return the clusters of this name; one request for every 128."""
        where = self.dialect.filters(vdc=ref.vdc, org=ref.org or self.own_org())
        conditions = {"name": ref.name, **where}
        rows = self.pages(
            self.cloudapi,
            self.dialect.type_path,
            f"look for cluster '{ref.name}'",
            filter=filter_text(conditions),
        )
        return [documents.found(row, f"cluster '{ref.name}'") for row in rows]

    def read(self, identity: str) -> Found:
        """Return the cluster of this id; one request.

        Raises:
            NotFound: there is none that the user may see.
        """
        what = f"the cluster {identity}"
        document = self.cloudapi.get(f"/entities/{quoted(identity)}", f"read {what}", missing=what)
        return documents.found(document, what)

    def where(self, ref: ClusterRef) -> str:
        """Return the organization and VDC that are looked into, to follow a name in a message."""
        org = ref.org or self.own_org()
        said = [f"organization '{org}'"] if org else []
        said += [f"VDC '{ref.vdc}'"] if ref.vdc else []
        return f" in {', '.join(said)}" if said else ""

    def pages(
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
                raise VcdFault(f"Cannot {doing}: the list {error}.", lasting=True) from None
            query = {"filter": filter, "page": str(number), "pageSize": str(size)}
            if source is self.cloudapi:
                query["sortAsc"] = "name"
            page = mapping(source.get(path, doing, query=query), "a list")
            values = page.get("values")
            if not isinstance(values, list):
                raise VcdFault(f"Cannot {doing}: the answer is not a list.")
            if values and values == before:
                raise VcdFault(
                    f"Cannot {doing}: the server returned the same page twice.", lasting=True
                )
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
    """Return how many values there are in all; where that is not known, a full page means more."""
    total = page.get("resultTotal")
    if isinstance(total, int):
        return total
    values = page.get("values") or []
    return seen + 1 if len(values) >= size else seen


def ambiguous(name: str, there: Sequence[Found]) -> Conflict:
    """Make the error for a name that several clusters have, which entities allow."""
    lines = "; ".join(f"{one.id} ({one.scope}, {one.phase or 'no phase'})" for one in there)
    return Conflict(
        f"{len(there)} clusters are named '{name}': {lines}.",
        hint="Specify one with --id, or with --vdc and --org.",
    )
