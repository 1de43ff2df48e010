"""The hardware of VMs and of templates' VMs: the section, its lists, CPUs and memory."""

from __future__ import annotations

from dataclasses import dataclass

from lxml import etree

from cse_client.simulator.http import Response
from cse_client.simulator.vcd.documents import hardware
from cse_client.simulator.vcd.documents.view import media
from cse_client.simulator.vcd.errors import not_implemented
from cse_client.simulator.vcd.handlers.vms import begin_update, editable
from cse_client.simulator.vcd.markup import document
from cse_client.simulator.vcd.people import Right
from cse_client.simulator.vcd.policies import refuse_other_sizes, sizing_policy
from cse_client.simulator.vcd.reading import children, text
from cse_client.simulator.vcd.resources import set_cpu_or_memory
from cse_client.simulator.vcd.routes import Call, route

_VM = "/api/vApp/vm-{vm}/virtualHardwareSection"
_TEMPLATE = "/api/vAppTemplate/vm-{template}/virtualHardwareSection"

_RESOURCE_TYPES = {
    "disks": ("5", "6", "17"),
    "networkCards": ("10",),
    "media": ("5", "14", "15"),
    "serialPorts": ("21",),
}


@dataclass(frozen=True)
class _Owner:
    """Whose hardware is asked for. Of a template it is only read."""

    href: str
    parts: hardware.HardwareOf
    edit: bool = False


def _owner(call: Call) -> _Owner:
    if "vm" in call.ids:
        _vapp, vm = call.cloud.vm(call.ids["vm"], call.user)
        edit = call.user.may(Right.EDIT)
        return _Owner(call.view.href(vm), hardware.HardwareOf.vm(vm), edit)
    _item, template = call.cloud.template(call.ids["template"])
    href = f"{call.view.api}/vAppTemplate/vm-{template.vm_id}"
    return _Owner(href, hardware.HardwareOf.template(template))


@route("GET", _VM, _TEMPLATE)
def _section(call: Call) -> Response:
    one = _owner(call)
    root = hardware.hardware(call.view, None, one.href, one.parts, edit=one.edit)
    return call.xml(root, "virtualHardwareSection")


@route("GET", f"{_VM}/{{part*}}", f"{_TEMPLATE}/{{part*}}")
def _part(call: Call) -> Response:
    """Answer with CPUs, memory, or the items of one kind."""
    part = call.ids["part"].rstrip("/")
    if part in ("cpu", "memory"):
        return call.xml(_item(call, _owner(call), part), "rasdItem")
    if part not in _RESOURCE_TYPES:
        raise not_implemented(f"the hardware list {part}")
    return call.xml(_items(call, _owner(call), part), "rasdItemsList")


def _item(call: Call, one: _Owner, part: str) -> etree._Element:
    href = f"{one.href}/virtualHardwareSection/{part}"
    return hardware.cpu_or_memory(call.view, None, "Item", one.parts, part, href, edit=one.edit)


def _items(call: Call, one: _Owner, part: str) -> etree._Element:
    section = hardware.hardware(call.view, None, one.href, one.parts, edit=False)
    place = f"{one.href}/virtualHardwareSection/{part}"
    root = document("RasdItemsList", {"href": place, "type": media("rasdItemsList")})
    for item in list(children(section, "Item")):
        if text(item, "ResourceType") in _RESOURCE_TYPES[part]:
            root.append(_as_rasd(item))
    return root


def _as_rasd(item: etree._Element) -> etree._Element:
    """Return an `ovf:Item` as the `Item` of vCloud's namespace that lists hold."""
    one = document("Item", {})
    for part in list(item):
        one.append(part)
    return one


@route("PUT", f"{_VM}/cpu", f"{_VM}/memory")
def _set_item(call: Call) -> Response:
    vapp, vm = editable(call)
    part = call.request.path.rstrip("/").rsplit("/", 1)[-1]
    body = call.body("Item", current=lambda _scope: _item(call, _owner(call), part))
    refuse_other_sizes(sizing_policy(vapp.vdc, vm), vm, body)
    return begin_update(call, vm, lambda _task: set_cpu_or_memory(vm, body))
