"""The documents as they are now of what a request body changes (see `supported`)."""

from __future__ import annotations

from lxml import etree

from cse_client.simulator.vcd.documents import catalogs, machines, vapps
from cse_client.simulator.vcd.markup import local
from cse_client.simulator.vcd.reading import child, last_part
from cse_client.simulator.vcd.routes import Call
from cse_client.simulator.vcd.supported import Current
from cse_client.simulator.vcd.vapps import VApp, Vm

__all__ = ["of_composition", "of_vm"]


def of_vm(call: Call, vapp: VApp, vm: Vm) -> Current:
    """Compare with a VM's document."""
    return lambda _scope: machines.vm(call.view, vapp, vm)


def of_composition(call: Call, vapp: VApp | None) -> Current:
    """Compare with a vApp that is changed (None: made), and with what its new VMs are made of."""

    def current(scope: etree._Element) -> etree._Element | None:
        if local(scope) == "SourcedItem":
            source = child(scope, "Source")
            return _source(call, source) if source is not None else None
        if local(scope) == "ReconfigureItem":
            return _member(call, vapp, scope)
        return vapps.vapp(call.view, vapp) if vapp is not None else None

    return current


def _source(call: Call, source: etree._Element) -> etree._Element | None:
    identifier = last_part(source.get("href"))
    for _catalog, item in call.cloud.items():
        template = item.template
        if template is not None and identifier in (template.id, template.vm_id):
            return catalogs.template_vm(call.view, item, template)
    return None


def _member(call: Call, vapp: VApp | None, reference: etree._Element) -> etree._Element | None:
    identifier = last_part(reference.get("href"))
    if vapp is None:
        return None
    found = (machines.vm(call.view, vapp, vm) for vm in vapp.vms if vm.id == identifier)
    return next(found, None)
