"""Catalogs, their items, templates."""

from __future__ import annotations

from cse_client.simulator.http import Response
from cse_client.simulator.vcd.documents import catalogs, common, sections
from cse_client.simulator.vcd.people import Right
from cse_client.simulator.vcd.routes import Call, route


@route("GET", "/api/catalog/{catalog}")
def _catalog(call: Call) -> Response:
    catalog = call.cloud.catalog(call.ids["catalog"])
    return call.xml(catalogs.catalog(call.view, catalog), "catalog")


@route("GET", "/api/catalogItem/{item}")
def _item(call: Call) -> Response:
    catalog, item = call.cloud.item(call.ids["item"])
    return call.xml(catalogs.catalog_item(call.view, catalog, item), "catalogItem")


@route("DELETE", "/api/catalogItem/{item}")
def _delete_item(call: Call) -> Response:
    catalog, item = call.cloud.item(call.ids["item"])
    call.user.require(Right.CATALOG_EDIT)
    catalog.items.remove(item)
    return Response(204)


@route("GET", "/api/vAppTemplate/vappTemplate-{template}")
def _template(call: Call) -> Response:
    item, template = call.cloud.template(call.ids["template"])
    return call.xml(catalogs.template(call.view, item, template), "vAppTemplate")


@route("GET", "/api/vAppTemplate/vm-{template}")
def _template_vm(call: Call) -> Response:
    item, template = call.cloud.template(call.ids["template"])
    return call.xml(catalogs.template_vm(call.view, item, template), "vm")


@route("GET", "/api/vAppTemplate/vappTemplate-{template}/owner")
def _owner(call: Call) -> Response:
    _, template = call.cloud.template(call.ids["template"])
    owner = call.cloud.users["admin"]
    return call.xml(common.owner(call.view, call.view.href(template), owner), "owner")


@route("GET", "/api/vAppTemplate/vappTemplate-{template}/productSections")
def _product_sections(call: Call) -> Response:
    _, template = call.cloud.template(call.ids["template"])
    href = call.view.href(template)
    root = sections.product_list(call.view, None, href, edit=False)
    return call.xml(root, "productSections")
