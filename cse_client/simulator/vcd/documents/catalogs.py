"""Catalog, catalog item, vApp template."""

from __future__ import annotations

from lxml import etree

from cse_client.simulator.vcd.capture import may_delete
from cse_client.simulator.vcd.documents import common, machines, sections
from cse_client.simulator.vcd.documents.view import View, media
from cse_client.simulator.vcd.entities import Catalog, CatalogItem, Template
from cse_client.simulator.vcd.errors import no_access
from cse_client.simulator.vcd.markup import add, boolean, document, moment, name
from cse_client.simulator.vcd.people import Right
from cse_client.simulator.vcd.uploads import Upload
from cse_client.simulator.vcd.vapps import Status

__all__ = ["catalog", "catalog_item", "template", "template_vm"]


def catalog(view: View, one: Catalog) -> etree._Element:
    """Render a catalog with references to its items."""
    href = view.href(one)
    root = document("Catalog", view.identity(one))
    view.link(root, "up", view.href(view.cloud.org), "org")
    view.link(root, "down", f"{href}/metadata", "metadata")
    view.link(
        root,
        "down",
        f"{view.api}/org/{view.cloud.org.id}/catalog/{one.id}/controlAccess/",
        "controlAccess",
    )
    if view.user.may(Right.CATALOG_ADD) and one.takes_from(view.user):
        view.link(root, "add", f"{href}/action/captureVApp", "captureVAppParams")
    if view.user.may(Right.UPLOAD) and one.takes_from(view.user):
        view.link(root, "add", f"{href}/action/upload", "uploadVAppTemplateParams")
    add(root, "Description", one.description)
    common.tasks_of(view, root, one)
    items = add(root, "CatalogItems")
    for item in one.items:
        view.reference(items, "CatalogItem", item)
    add(root, "IsPublished", boolean(one.published))
    if one.created is not None:
        add(root, "DateCreated", moment(one.created))
    add(root, "VersionNumber", "1")
    return root


def catalog_item(view: View, shelf: Catalog, one: CatalogItem) -> etree._Element:
    """Render a catalog item."""
    href = view.href(one)
    size = (one.template.disk_mb if one.template is not None else 0) * 1024 * 1024
    root = document("CatalogItem", {**view.identity(one), "size": str(size)})
    view.link(root, "up", view.href(shelf), "catalog")
    view.link(root, "down", f"{href}/metadata", "metadata")
    if may_delete(view.user, one):
        view.link(root, "remove", href)
    add(root, "Description", one.description)
    common.tasks_of(view, root, one)
    if one.template is not None:
        view.reference(root, "Entity", one.template)
    if one.created is not None:
        add(root, "DateCreated", moment(one.created))
    add(root, "VersionNumber", "1")
    return root


def template(view: View, item: CatalogItem, one: Template) -> etree._Element:
    """Render a vApp template with its VM."""
    href = view.href(one)
    root = document(
        "VAppTemplate",
        {
            "goldMaster": "false",
            "ovfDescriptorUploaded": boolean(one.upload is None or one.upload.described),
            "status": str(one.status),
            **view.identity(one),
        },
    )
    if may_delete(view.user, item) and one.status != Status.UNRESOLVED:
        view.link(root, "remove", href)
    view.link(root, "up", f"{view.api}/vdc/{one.vdc_id}", "vdc")
    view.link(root, "catalogItem", view.href(item), "catalogItem")
    view.link(root, "down", f"{href}/owner", "owner")
    view.link(root, "down", f"{href}/metadata", "metadata")
    view.link(root, "down", f"{href}/productSections/", "productSections")
    add(root, "Description", one.description)
    common.tasks_of(view, root, one)
    if one.upload is not None and one.status == Status.UNRESOLVED:
        _files(view, root, one.upload)
    owner = add(root, "Owner", None, {"type": media("owner")})
    view.user_reference(owner, view.cloud.owner_of(one))
    children = add(root, "Children")
    if one.upload is None or one.status == Status.OFF:
        machines.template_vm(view, children, one)
    _sections(view, root, one, href)
    add(root, "DefaultStorageProfile", "")
    if one.created is not None:
        add(root, "DateCreated", moment(one.created))
    return root


def template_vm(view: View, item: CatalogItem, one: Template) -> etree._Element:
    """Render the VM of a template: the child of the template's document."""
    vm = template(view, item, one).find(f"{name('Children')}/{name('Vm')}")
    if vm is None:
        raise no_access("vm", one.vm_id)
    return vm


def _files(view: View, root: etree._Element, upload: Upload) -> None:
    """Add the files that VCD expects, with the addresses to send them to (Programming Guide)."""
    files = add(root, "Files")
    for one in upload.files:
        values = {
            "size": str(one.size),
            "bytesTransferred": str(one.received),
            "name": one.name,
        }
        file = add(files, "File", None, dict(values))
        view.link(file, "upload:default", f"{view.origin}/transfer/{upload.ticket}/{one.name}")


def _sections(view: View, root: etree._Element, one: Template, href: str) -> None:
    section = add(root, "ovf:NetworkSection")
    add(section, "ovf:Info", "The list of logical networks")
    network = add(section, "ovf:Network", None, {"ovf:name": "VM Network"})
    add(network, "ovf:Description", "")
    sections.template_lease(view, root, one)
    custom = add(
        root,
        "CustomizationSection",
        None,
        {
            "goldMaster": "false",
            "ovf:required": "false",
            "href": f"{href}/customizationSection/",
            "type": media("customizationSection"),
        },
    )
    add(custom, "ovf:Info", "VApp template customization section")
    add(custom, "CustomizeOnInstantiate", boolean(one.customize_on_instantiate))
    if one.eula:
        eula = add(root, "ovf:EulaSection")
        add(eula, "ovf:Info", "Read the license agreement")
        add(eula, "ovf:License", one.eula)
