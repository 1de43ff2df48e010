"""Capturing a vApp as a template of a catalog: what the template takes along, and what refuses it.

Sources: vApp.xsd (CaptureVAppParamsType) and vAppTemplate.xsd (CustomizationSectionType);
go-vcloud-director (govcd/catalog.go, `CaptureVappTemplate`: the answer is a task whose owner is the
template); VMware's SDK for .NET (Catalog.CaptureVapp: 202 with a Task); the operation's name is one
of its BlockingTaskOperationType.
"""

from __future__ import annotations

import contextlib
import copy
import shutil
from pathlib import Path

from lxml import etree

from cse_client.simulator.vcd.cloud import Cloud
from cse_client.simulator.vcd.entities import Catalog, CatalogItem, Template
from cse_client.simulator.vcd.errors import bad_request, duplicate_name, forbidden, not_implemented
from cse_client.simulator.vcd.people import Right, User
from cse_client.simulator.vcd.power import Target
from cse_client.simulator.vcd.reading import child, last_part, text, truth
from cse_client.simulator.vcd.tasks import Task
from cse_client.simulator.vcd.vapps import Status, VApp, Vm

__all__ = ["capture", "delete_item", "may_delete", "refuse_deletion", "remove_item"]

_LONGEST_NAME = 128


def capture(cloud: Cloud, user: User, catalog: Catalog, body: etree._Element) -> Task:
    """Begin capturing a vApp into a catalog; the task's owner is the template.

    Raises VCD's errors: no right, no such vApp, a taken name, a busy or running vApp.
    """
    if not (user.may(Right.CATALOG_ADD) and catalog.takes_from(user)):
        raise forbidden(Right.CATALOG_ADD)
    source = child(body, "Source")
    vapp = cloud.vapp(last_part(source.get("href") if source is not None else ""), user)
    Target(vapp).refuse_if_busy(cloud)
    section = child(body, "CustomizationSection")
    customize = truth(section, "CustomizeOnInstantiate", False)
    vm = _only_vm(vapp, customize=customize)
    name = body.get("name") or ""
    if not name or len(name) > _LONGEST_NAME:
        raise bad_request("validation error on field 'name': String value has invalid length.")
    replaced = _replaced(cloud, catalog, child(body, "TargetCatalogItem"))
    if any(item.name == name and item is not replaced for item in catalog.items):
        raise duplicate_name(name)
    template = _template(cloud, user, vapp, vm, name, text(body, "Description") or "")
    template.customize_on_instantiate = customize
    return _begin(cloud, user, catalog, vapp, vm, template, replaced)


def _only_vm(vapp: VApp, *, customize: bool) -> Vm:
    if len(vapp.vms) != 1:
        raise not_implemented(f"capturing a vApp with {len(vapp.vms)} VMs instead of one")
    vm = vapp.vms[0]
    if vm.status not in (Status.OFF, Status.ON, Status.SUSPENDED):
        raise bad_request(f'The VM "{vm.name}" is not resolved: it cannot be captured.')
    if customize and vm.status != Status.OFF:
        # That it is refused: go-vcloud-director, types.CaptureVAppParamsCustomizationSection. The
        # text is not recorded.
        raise bad_request(
            f'The requested operation could not be executed on vApp "{vapp.name}". The vApp must be'
            " powered off to be captured for customization on instantiation."
        )
    return vm


def _replaced(
    cloud: Cloud, catalog: Catalog, reference: etree._Element | None
) -> CatalogItem | None:
    """Return the item that the capture overwrites."""
    if reference is None:
        return None
    home, item = cloud.item(last_part(reference.get("href")))
    if home is not catalog:
        raise bad_request(f'The catalog item "{item.name}" is not in the catalog.')
    if item.template is not None:
        cloud.tasks.refuse_if_busy(item.template)
    return item


def _template(
    cloud: Cloud, user: User, vapp: VApp, vm: Vm, name: str, description: str
) -> Template:
    """Return a template with everything that the VM takes along: its script and properties, too."""
    source = vm.template
    now = cloud.clock.now()
    return Template(
        name,
        description=description,
        vdc_id=vapp.vdc.id,
        vm_name=vm.name,
        cpus=vm.cpus,
        cores_per_socket=vm.cores_per_socket,
        memory_mb=vm.memory_mb,
        disk_mb=vm.disk_mb,
        os_name=source.os_name,
        os_type=source.os_type,
        image={**source.image, "name": name},
        has_nic=bool(vm.nics),
        customization=copy.copy(vm.customization),
        properties=copy.deepcopy(vm.properties),
        product_info=vm.product_info,
        extra_config=dict(vm.extra_config),
        disk=source.disk,
        status=Status.UNRESOLVED,
        storage_lease=cloud.org.template_storage_lease,
        stored_since=now,
        created=now,
        owner=user.name,
    )


def _begin(
    cloud: Cloud,
    user: User,
    catalog: Catalog,
    vapp: VApp,
    vm: Vm,
    template: Template,
    replaced: CatalogItem | None,
) -> Task:
    """Put the template into the catalog, unresolved, and start its task."""
    before = replaced.template if replaced is not None else None
    if replaced is not None:
        # What refers to the item keeps its address.
        replaced.template = template
    else:
        catalog.items.append(
            CatalogItem(
                template.name,
                description=template.description,
                template=template,
                created=template.created,
            )
        )

    def effect(_task: Task) -> None:
        template.status = Status.OFF
        if replaced is not None:
            replaced.name, replaced.description = template.name, template.description

    def regret() -> None:
        template.status = Status.FAILED
        if replaced is not None:
            replaced.template = before

    label = f"Virtual Application Template {template.name}({template.id})"
    task = cloud.tasks.start(
        "vdcCaptureTemplate",
        (f"Capturing {label}", f"Captured {label}"),
        template,
        user,
        effect,
        holds=[template, *Target(vapp).holds()],
        regret=regret,
        lasts_as="vdcInstantiateVapp",
    )
    guest = vm.guest
    if task.doom is None and hasattr(guest, "save_disk"):
        disk = template.disk = cloud.folder / "templates" / template.id
        cloud.errand(lambda: guest.save_disk(disk))
    return task


def delete_item(cloud: Cloud, user: User, catalog: Catalog, item: CatalogItem) -> None:
    """Delete a catalog item with its template; VMs that were made of it stay."""
    refuse_deletion(cloud, user, item)
    remove_item(cloud, catalog, item)


def refuse_deletion(cloud: Cloud, user: User, item: CatalogItem) -> None:
    """Raise VCD's error for an item that a user may not delete, or not now."""
    if not may_delete(user, item):
        raise forbidden(Right.CATALOG_EDIT)
    if item.template is not None:
        cloud.tasks.refuse_if_busy(item.template)


def remove_item(cloud: Cloud, catalog: Catalog, item: CatalogItem) -> None:
    """Take an item and its template's disk away."""
    if item in catalog.items:
        catalog.items.remove(item)
    disk = item.template.disk if item.template is not None else None
    if disk is not None and not _is_needed(cloud, disk):
        cloud.errand(lambda: _remove(disk))


def may_delete(user: User, item: CatalogItem) -> bool:
    """Return whether a user may delete an item: an administrator, or the template's owner."""
    own = item.template is not None and item.template.owner == user.name
    return user.may(Right.CATALOG_EDIT) or own


def _is_needed(cloud: Cloud, disk: Path) -> bool:
    """Return whether a VM that was never powered on, or another template, is made of a disk."""
    waiting = (vm.template.disk for _vapp, vm in cloud.vms.values() if vm.guest is None)
    others = (item.template.disk for _home, item in cloud.items() if item.template is not None)
    return any(one == disk for one in (*waiting, *others))


def _remove(disk: Path) -> None:
    with contextlib.suppress(OSError):
        shutil.rmtree(disk)
