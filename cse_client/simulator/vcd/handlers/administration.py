"""What is read below /api/admin, and the resolver of entities' URNs."""

from __future__ import annotations

from collections.abc import Callable

from lxml import etree

from cse_client.simulator.http import Response
from cse_client.simulator.vcd.documents import administration, catalogs, organization
from cse_client.simulator.vcd.documents.view import media
from cse_client.simulator.vcd.entities import Org
from cse_client.simulator.vcd.errors import forbidden, no_access, not_implemented
from cse_client.simulator.vcd.markup import document
from cse_client.simulator.vcd.people import ROLES, Right, role_id
from cse_client.simulator.vcd.routes import Call, route
from cse_client.simulator.vcd.tasks import Owner

_ADMIN = "application/vnd.vmware.admin."


def _answer(call: Call, root: etree._Element, kind: str) -> Response:
    response = call.xml(root, kind)
    response.content_type = f"{_ADMIN}{kind.lower()}+xml;version={call.version_text}"
    return response


def _org(call: Call, identifier: str) -> Org:
    """Return an organization: a tenant's own, either for system administrators."""
    both = [call.cloud.org, call.cloud.system_org] if call.user.is_provider else [call.cloud.org]
    for one in both:
        if one.id == identifier:
            return one
    raise no_access("org", identifier)


@route("GET", "/api/admin")
def _vcloud(call: Call) -> Response:
    """Answer every user: clients learn the release from it (go-vcloud-director, GetVcdVersion)."""
    return _answer(call, administration.vcloud(call.view), "vcloud")


@route("GET", "/api/admin/org/{org}")
def _admin_org(call: Call) -> Response:
    call.user.require(Right.ADMIN_QUERIES)
    return _answer(call, administration.org(call.view, _org(call, call.ids["org"])), "organization")


@route("GET", "/api/admin/vdc/{vdc}")
def _admin_vdc(call: Call) -> Response:
    call.user.require(Right.ADMIN_QUERIES)
    vdc = call.cloud.vdc(call.ids["vdc"])
    root = organization.vdc(call.view, vdc)
    place = f"vdc/{vdc.id}"
    administration.as_admin(call.view, root, "AdminVdc", place, call.cloud.org)
    return _answer(call, root, "vdc")


@route("GET", "/api/admin/catalog/{catalog}")
def _admin_catalog(call: Call) -> Response:
    call.user.require(Right.ADMIN_QUERIES)
    catalog = call.cloud.catalog(call.ids["catalog"])
    root = catalogs.catalog(call.view, catalog)
    place = f"catalog/{catalog.id}"
    administration.as_admin(call.view, root, "AdminCatalog", place, call.cloud.org)
    return _answer(call, root, "catalog")


@route("GET", "/api/admin/user/{user}")
def _user(call: Call) -> Response:
    """Show a user to administrators of his organization; others see none, not even themselves."""
    known = list(call.cloud.users.values())
    if call.user.is_provider:
        known += call.cloud.providers.values()
    if Right.USER_VIEW in call.user.rights:
        for one in known:
            if one.id == call.ids["user"]:
                return _answer(call, administration.user(call.view, one), "user")
    raise no_access("user", call.ids["user"])


@route("GET", "/api/admin/role/{role}")
def _role(call: Call) -> Response:
    if Right.USER_VIEW not in call.user.rights:
        raise forbidden(Right.USER_VIEW)
    for name in ROLES:
        if role_id(name) == call.ids["role"]:
            return _answer(call, administration.role(call.view, name), "role")
    raise no_access("role", call.ids["role"])


@route("GET", "/api/admin/edgeGateway/{edge}")
def _edge_gateway(call: Call) -> Response:
    call.user.require(Right.GATEWAY_VIEW)
    edge = call.cloud.edge(call.ids["edge"])
    return _answer(call, administration.edge_gateway(call.view, edge), "edgeGateway")


@route("GET", "/api/entity/urn:vcloud:{kind*}:{id}")
def _resolve(call: Call) -> Response:
    """Return where an entity is of which only the URN is known (API reference, "GET entity/ID")."""
    kind, identifier = call.ids["kind"], call.ids["id"]
    cloud = call.cloud
    finders: dict[str, Callable[[], Owner]] = {
        "org": lambda: _org(call, identifier),
        "vdc": lambda: cloud.vdc(identifier),
        "catalog": lambda: cloud.catalog(identifier),
        "catalogitem": lambda: cloud.item(identifier)[1],
        "vapptemplate": lambda: cloud.template(identifier)[1],
        "network": lambda: cloud.network(identifier),
        "vapp": lambda: cloud.vapp(identifier, call.user),
        "vm": lambda: cloud.vm(identifier, call.user)[1],
    }
    if kind not in finders:
        raise not_implemented(f"resolving an entity of the kind {kind}")
    entity = finders[kind]()
    urn = f"urn:vcloud:{kind}:{identifier}"
    attributes = {"name": entity.name, "id": urn, "href": f"{call.view.api}/entity/{urn}"}
    root = document("Entity", {**attributes, "type": media("entity")})
    call.view.link(root, "alternate", call.view.href(entity), call.view.type_of(entity))
    return call.xml(root, "entity")
