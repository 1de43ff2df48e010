"""The sections of vApps, VMs and templates, each read at its own address.

Imported after the handlers of sections that can also be changed: what those know is theirs.
"""

from __future__ import annotations

from lxml import etree

from cse_client.simulator.http import Response
from cse_client.simulator.vcd.documents import catalogs, machines, vapps
from cse_client.simulator.vcd.documents.view import MEDIA
from cse_client.simulator.vcd.errors import not_implemented
from cse_client.simulator.vcd.markup import name
from cse_client.simulator.vcd.routes import Call, route


def _section(call: Call, document: etree._Element) -> Response:
    """Answer with the part of a document that has the address asked for."""
    place = f"https://{call.request.host}{call.request.path}".rstrip("/")
    for element in document:
        href = element.get("href") or element.get(name("vcloud:href")) or ""
        if href.rstrip("/") == place and element.tag != name("Link"):
            kind = element.get("type") or element.get(name("vcloud:type")) or ""
            return call.xml(element, kind[len(MEDIA) : -len("+xml")])
    raise not_implemented(f"{call.request.method} {call.request.path}")


@route("GET", "/api/vApp/vapp-{vapp}/{part*}")
def _of_vapp(call: Call) -> Response:
    return _section(call, vapps.vapp(call.view, call.cloud.vapp(call.ids["vapp"], call.user)))


@route("GET", "/api/vApp/vm-{vm}/{part*}")
def _of_vm(call: Call) -> Response:
    vapp, vm = call.cloud.vm(call.ids["vm"], call.user)
    return _section(call, machines.vm(call.view, vapp, vm))


@route("GET", "/api/vAppTemplate/vappTemplate-{template}/{part*}")
def _of_template(call: Call) -> Response:
    item, template = call.cloud.template(call.ids["template"])
    return _section(call, catalogs.template(call.view, item, template))


@route("GET", "/api/vAppTemplate/vm-{template}/{part*}")
def _of_template_vm(call: Call) -> Response:
    item, template = call.cloud.template(call.ids["template"])
    return _section(call, catalogs.template_vm(call.view, item, template))
