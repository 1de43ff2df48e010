"""A vApp with one VM, and what bodies about them are made of."""

from __future__ import annotations

from dataclasses import dataclass

from tests.simulator.client import NAMESPACES, Tenant, V


@dataclass
class Place:
    """Addresses: the vApp, its VM, and what they are made of."""

    tenant: Tenant
    vapp: str
    vm: str
    network: str
    vdc: str
    source: str


def make_place(tenant: Tenant) -> Place:
    """Make the vApp `demo` with the VM `one`, powered off."""
    vapp = tenant.vapp("demo")
    tenant.done(tenant.add_vms(vapp, "one"))
    vm = tenant.get(vapp).find(f"{V}Children/{V}Vm").get("href")
    vdc = tenant.one("orgVdc", "vdc1")
    return Place(tenant, vapp, vm, tenant.network(), vdc, tenant.template_vm())


def vm_body(inner: str = "") -> str:
    """Make the body of reconfigureVm."""
    return f'<Vm {NAMESPACES} name="one">{inner}</Vm>'
