"""Which handler of a CSE server 3.x answers which path, at which API versions.

Source: container-service-extension 3.0.5:container_service_extension/request_processor.py and
3.1.4:container_service_extension/server/request_dispatcher.py. An unknown path is 404, a verb that
it lacks 405, another API version than the path's 406; `/system` takes any. 3.0.5 serves one
version, 3.1.4 also 35.0, where it translates entities; that is not done here but answered with 406.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlencode

from cse_client.simulator.cse.calls import Ask, VcdCalls
from cse_client.simulator.cse.entities.behaviors import BehaviorClusters
from cse_client.simulator.cse.entities.changes import Changes
from cse_client.simulator.cse.entities.clusters import EntityClusters
from cse_client.simulator.cse.entities.forms import Form, FormOne, FormTwo
from cse_client.simulator.cse.entities.plans import Plans
from cse_client.simulator.cse.entities.provider import EntityProvider
from cse_client.simulator.cse.entities.reading import EntityReader
from cse_client.simulator.cse.entities.sharing import access_entries, replace_access
from cse_client.simulator.cse.entities.steps import EntitySteps
from cse_client.simulator.cse.entities.types import entity_type
from cse_client.simulator.cse.errors import Refusal, reply
from cse_client.simulator.cse.legacy import Caller
from cse_client.simulator.cse.provider import Release, ServerState
from cse_client.simulator.http import Request, Response
from cse_client.simulator.vcd.cloud import Cloud
from cse_client.simulator.vcd.defined import FULL_CONTROL, RESOLVED
from cse_client.simulator.vcd.people import Session

__all__ = ["EntityDialect"]

_OK, _ACCEPTED, _NO_CONTENT = 200, 202, 204
_BAD_REQUEST, _NOT_FOUND, _NOT_ALLOWED, _NOT_ACCEPTABLE = 400, 404, 405, 406
_PAGE_SIZE = 25
_PLURALS = frozenset(("cluster", "node", "ovdc", "orgvdc", "template", "nativecluster"))


@dataclass(frozen=True)
class Asked:
    """A request taken apart."""

    caller: Caller
    place: Mapping[str, str]
    query: dict[str, str]
    body: Mapping[str, Any]
    url: str


@dataclass(frozen=True)
class _Route:
    verb: str
    path: str
    handler: Callable[[Asked], object]
    status: int = _OK
    any_version: bool = False


class EntityDialect:
    """The protocol by entities, of one release."""

    def __init__(self, cloud: Cloud, ask: Ask, kind: Release) -> None:
        self.cloud = cloud
        self.kind = kind
        self.state = ServerState()
        self.stopped = False
        self.provider = EntityProvider(cloud, self.state, kind)
        form: Form = FormTwo() if kind.served else FormOne()
        registered = entity_type(cloud, form.version)
        steps = EntitySteps(cloud, form, kind.version)
        self._reader = EntityReader(cloud, form, registered, steps)
        self._plans = Plans(cloud, form, steps)
        parts = (cloud, form, registered, self._reader, self._plans, steps)
        if kind.served:
            behaviors = BehaviorClusters(*parts, ask)
            self._routes = (*self._common(behaviors), *self._of_31(behaviors))
        else:
            clusters = EntityClusters(*parts)
            self._routes = (*self._common(clusters), *self._of_30(clusters))

    def answer(self, request: Request, session: Session, vcd: VcdCalls, *, stuck: bool) -> Response:
        """Answer a request; raises Refusal."""
        route, place = self._route(request)
        if not route.any_version:
            if not self.kind.served:
                self._refuse_disabled()
            self._refuse_version(request)
            self._refuse_disabled()
        asked = Asked(
            caller=Caller(session.user, vcd, stuck),
            place=place,
            query=dict(parse_qsl(request.query)),
            body=_body(request),
            url=f"https://{request.host}{request.path}",
        )
        try:
            said = route.handler(asked)
        except (KeyError, TypeError, ValueError) as error:
            raise Refusal(_BAD_REQUEST, str(error)) from error
        self.stopped = self.state.now == ServerState.STOPPING
        if route.status == _NO_CONTENT:
            return Response(_NO_CONTENT)
        return reply(said, route.status)

    def _refuse_disabled(self) -> None:
        if self.state.now != ServerState.RUNNING:
            raise Refusal(
                _BAD_REQUEST, "CSE service is disabled. Contact the System Administrator."
            )

    def _refuse_version(self, request: Request) -> None:
        version = request.headers.get("accept", "").partition("version=")[2].strip()
        if version != self.kind.api:
            expected = [self.kind.api] if self.kind.served else self.kind.api
            raise Refusal(
                _NOT_ACCEPTABLE,
                f"Invalid api version specified. Expected api version '{expected}'.",
            )

    def _route(self, request: Request) -> tuple[_Route, dict[str, str]]:
        parts = request.path.rstrip("/").split("/")[3:]
        known = False
        for route in self._routes:
            wanted = route.path.split("/")
            if len(wanted) != len(parts) or not all(map(_fits, wanted, parts)):
                continue
            known = True
            if route.verb == request.method:
                pairs = zip(wanted, parts)
                return route, {want[1:-1]: part for want, part in pairs if want[0] == "{"}
        if known:
            raise Refusal(_NOT_ALLOWED, "Method not allowed")
        raise Refusal(_NOT_FOUND, "Invalid url - not found")

    # Tables

    def _common(self, clusters: Changes) -> tuple[_Route, ...]:
        reader, provider = self._reader, self.provider
        cluster = "3.0/cluster/{id}"

        def filters(asked: Asked) -> dict[str, str]:
            return asked.query

        return (
            _Route("GET", "system", lambda a: provider.system_info(a.caller), any_version=True),
            _Route("PUT", "system", lambda a: provider.system_update(a.body), any_version=True),
            _Route("GET", "template", lambda _: provider.template_list()),
            _Route("GET", "3.0/cluster", lambda a: reader.listed(a.caller, filters(a))),
            _Route("POST", "3.0/cluster", lambda a: clusters.create(a.caller, a.body), _ACCEPTED),
            _Route("GET", cluster, lambda a: reader.info(a.caller, a.place["id"])),
            _Route(
                "PUT",
                cluster,
                lambda a: clusters.resize(a.caller, a.place["id"], a.body),
                _ACCEPTED,
            ),
            _Route(
                "DELETE", cluster, lambda a: clusters.delete(a.caller, a.place["id"]), _ACCEPTED
            ),
            _Route("GET", f"{cluster}/config", lambda a: reader.config(a.caller, a.place["id"])),
            _Route(
                "GET",
                f"{cluster}/upgrade-plan",
                self._upgrade_plan,
            ),
            _Route(
                "DELETE",
                f"{cluster}/nfs/{{node}}",
                lambda a: clusters.delete_nfs(a.caller, a.place["id"], a.place["node"]),
                _ACCEPTED,
            ),
            _Route("GET", "3.0/nativecluster", self._native_clusters),
            _Route("GET", "3.0/orgvdc", lambda a: _page(a, provider.ovdc_list())),
            _Route("GET", "3.0/ovdc/{id}", lambda a: provider.ovdc_info(a.place["id"])),
            _Route(
                "PUT",
                "3.0/ovdc/{id}",
                lambda a: provider.ovdc_update(a.caller, a.place["id"], a.body),
                _ACCEPTED,
            ),
        )

    def _of_30(self, clusters: EntityClusters) -> tuple[_Route, ...]:
        return (
            _Route("GET", "3.0/ovdc", lambda _: self.provider.ovdc_list()),
            _Route(
                "POST",
                "3.0/cluster/{id}/action/upgrade",
                lambda a: clusters.upgrade(a.caller, a.place["id"], a.body),
                _ACCEPTED,
            ),
        )

    def _of_31(self, clusters: BehaviorClusters) -> tuple[_Route, ...]:
        provider = self.provider
        return (
            _Route("GET", "system/config", lambda _: provider.system_config(), any_version=True),
            _Route("GET", "template/tkgm", lambda _: []),
            _Route(
                "POST",
                "template/action/reload",
                lambda a: provider.template_reload(a.caller),
                _ACCEPTED,
            ),
            _Route(
                "POST",
                "3.0/cluster/{id}/action/force-delete",
                lambda a: clusters.force_delete(a.caller, a.place["id"]),
                _ACCEPTED,
            ),
            _Route("GET", "3.0/cluster/{id}/acl", self._access),
            _Route("PUT", "3.0/cluster/{id}/acl", self._share, _NO_CONTENT),
        )

    # Handlers of their own

    def _native_clusters(self, asked: Asked) -> object:
        filters = {key: one for key, one in asked.query.items() if key not in ("page", "pageSize")}
        return _page(asked, self._reader.listed(asked.caller, filters), filters)

    def _upgrade_plan(self, asked: Asked) -> object:
        entity = self._reader.find(asked.caller, asked.place["id"])
        return [one.document() for one in self._plans.targets(entity)]

    def _access(self, asked: Asked) -> object:
        entity = self._reader.find(asked.caller, asked.place["id"])
        return _page(asked, access_entries(self.cloud, asked.caller.user, entity))

    def _share(self, asked: Asked) -> object:
        entity = self._reader.find(asked.caller, asked.place["id"], FULL_CONTROL)
        if entity.state != RESOLVED:
            raise Refusal(_BAD_REQUEST, f"{entity.id} is not resolved")
        replace_access(self.cloud, entity, asked.body["accessSetting"])
        return None


def _fits(want: str, part: str) -> bool:
    if want.startswith("{"):
        return True
    part = part.lower()
    return part == want or (want in _PLURALS and part == f"{want}s")


def _body(request: Request) -> Mapping[str, Any]:
    if not request.body:
        return {}
    body = json.loads(request.body)
    return body if isinstance(body, dict) else {}


def _page(
    asked: Asked, things: Sequence[object], filters: Mapping[str, str] | None = None
) -> dict[str, object]:
    """Return a page with the addresses of its neighbors."""
    number, size = int(asked.query.get("page", 1)), int(asked.query.get("pageSize", _PAGE_SIZE))
    start = (number - 1) * size
    count = -(-len(things) // size)

    def href(wanted: int) -> str:
        return f"{asked.url}?{urlencode({'page': wanted, 'pageSize': size, **(filters or {})})}"

    page: dict[str, object] = {
        "resultTotal": len(things),
        "pageCount": count,
        "page": number,
        "pageSize": size,
        "values": list(things[start : start + size]),
    }
    if number < count:
        page["nextPageUri"] = href(number + 1)
    if 1 < number <= count:
        page["previousPageUri"] = href(number - 1)
    return page
