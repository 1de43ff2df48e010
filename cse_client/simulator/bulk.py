"""What tests put there at once: vApps as of clusters made long ago, copies of templates."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import uuid4

from cse_client.simulator.vcd.cloud import Cloud
from cse_client.simulator.vcd.entities import Catalog, fresh_id
from cse_client.simulator.vcd.vapps import Customization, Nic, Status, VApp, Vm

__all__ = ["copy_template", "make_vapps"]


def copy_template(
    cloud: Cloud, source: str, name: str, *, catalog: str = "", foreign: bool = False
) -> None:
    """Add a copy of a template under another name; ValueError without a source.

    It goes into the same catalog, or into a new one called `catalog`, which may have the name of
    another and, where `foreign`, is shared by another organization.

    The caller holds the cloud's lock.
    """
    for home, item in list(cloud.items()):
        if item.name == source and item.template is not None:
            image = {**item.template.image, "name": name}
            # Every mutable part is the copy's own.
            template = replace(
                item.template,
                id=fresh_id(),
                name=name,
                vm_id=fresh_id(),
                image=image,
                tasks=[],
                metadata=dict(item.template.metadata),
            )
            fresh = replace(
                item,
                id=fresh_id(),
                name=name,
                template=template,
                tasks=[],
                metadata=dict(item.metadata),
            )
            target = home
            if catalog:
                org_id = fresh_id() if foreign else ""
                target = Catalog(catalog, created=item.created, org_id=org_id)
                cloud.catalogs[target.id] = target
            target.items.append(fresh)
            return
    raise ValueError(f"no template {source}")


def make_vapps(
    cloud: Cloud,
    *,
    count: int,
    prefix: str = "cluster",
    vdc: str = "vdc1",
    network: str = "net1",
    workers: int = 0,
    owner: str = "admin",
    metadata: dict[str, str] | None = None,
    address: str = "",
    running: bool = True,
) -> dict[str, Any]:
    """Add `count` running cluster-like vApps with one control plane VM and `workers` workers each.

    They have no guests, and no addresses but the control planes' `address`, which is assigned by
    hand. `metadata` is added to the keys that CSE 2.6 writes.
    """
    home = next(one for one in cloud.vdcs.values() if one.name == vdc)
    net = next(one for one in cloud.networks.values() if one.name == network)
    item = next(item for _catalog, item in cloud.items() if item.template is not None)
    template = item.template
    if template is None:
        raise ValueError("the catalog has no template")
    names = []
    with cloud.lock:
        for number in range(1, count + 1):
            vapp = VApp(
                name=f"{prefix}-{number:05d}",
                vdc=home,
                owner=cloud.users[owner],
                networks=[net],
                state=None,
                created=cloud.clock.now(),
            )
            values = {
                "cse.cluster.id": str(uuid4()),
                "cse.version": "2.6.1",
                "cse.template.name": template.name.rpartition("_rev")[0],
                "cse.template.revision": template.name.rpartition("_rev")[2],
                "cse.master.ip": "127.20.0.1",
                **(metadata or {}),
            }
            for key, value in values.items():
                vapp.metadata[("GENERAL", key)] = ("MetadataStringValue", value)
            cloud.vapps[vapp.id] = vapp
            for position in range(workers + 1):
                kind = "node" if position else "mstr"
                name = f"{kind}-{uuid4().hex[:4]}"
                vm = Vm(
                    name=name,
                    template=template,
                    status=Status.ON if running else Status.OFF,
                    deployed=running,
                    cpus=template.cpus,
                    memory_mb=template.memory_mb,
                    nics=[Nic(0, net.name, "POOL", cloud.next_mac())],
                    customization=Customization(computer_name=name),
                    gc_status="GC_COMPLETE",
                    storage_profile_id=home.default_profile.id,
                    created=vapp.created,
                    tools_running=True,
                )
                if address and not position:
                    vm.nics[0].mode, vm.nics[0].address = "MANUAL", address
                    net.reserve(address, vm.id)
                cloud.put_vm(vapp, vm)
            names.append(vapp.name)
    return {"made": len(names)}
