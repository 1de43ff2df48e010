"""Catalogs, their items, templates."""

from __future__ import annotations

from cse_client.simulator.http import Response
from cse_client.simulator.vcd import capture, uploads
from cse_client.simulator.vcd.documents import catalogs, common, sections
from cse_client.simulator.vcd.errors import forbidden
from cse_client.simulator.vcd.handlers.vapps import capped_lease
from cse_client.simulator.vcd.people import Right
from cse_client.simulator.vcd.reading import text
from cse_client.simulator.vcd.routes import Call, route
from cse_client.simulator.vcd.tasks import Task


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
    capture.delete_item(call.cloud, call.user, catalog, item)
    return Response(204)


@route("POST", "/api/catalog/{catalog}/action/captureVApp")
def _capture(call: Call) -> Response:
    catalog = call.cloud.catalog(call.ids["catalog"])
    body = call.body("CaptureVAppParams")
    return call.accepted(capture.capture(call.cloud, call.user, catalog, body))


@route("POST", "/api/catalog/{catalog}/action/upload")
def _upload(call: Call) -> Response:
    """Begin the upload of an OVF package; VCD fetching one by itself is not imitated."""
    catalog = call.cloud.catalog(call.ids["catalog"])
    body = call.body("UploadVAppTemplateParams")
    name, description = body.get("name") or "", text(body, "Description") or ""
    item = uploads.begin(call.cloud, call.user, catalog, name, description)
    document = catalogs.catalog_item(call.view, catalog, item)
    return call.created(document, "catalogItem", call.view.href(item))


@route("GET", "/api/vAppTemplate/vappTemplate-{template}")
def _template(call: Call) -> Response:
    item, template = call.cloud.template(call.ids["template"])
    return call.xml(catalogs.template(call.view, item, template), "vAppTemplate")


@route("DELETE", "/api/vAppTemplate/vappTemplate-{template}")
def _delete_template(call: Call) -> Response:
    """Delete a template with its catalog item."""
    item, template = call.cloud.template(call.ids["template"])
    catalog, _item = call.cloud.item(item.id)
    capture.refuse_deletion(call.cloud, call.user, item)
    label = f"Virtual Application Template ({template.id})"
    task = call.cloud.tasks.start(
        "vdcDeleteTemplate",
        (f"Deleting {label}", f"Deleted {label}"),
        template,
        call.user,
        lambda _task: capture.remove_item(call.cloud, catalog, item),
        holds=[template],
        owner_name="",
    )
    return call.accepted(task)


@route("GET", "/api/vAppTemplate/vm-{template}")
def _template_vm(call: Call) -> Response:
    item, template = call.cloud.template(call.ids["template"])
    return call.xml(catalogs.template_vm(call.view, item, template), "vm")


@route("GET", "/api/vAppTemplate/vappTemplate-{template}/owner")
def _owner(call: Call) -> Response:
    _, template = call.cloud.template(call.ids["template"])
    owner = call.cloud.owner_of(template)
    return call.xml(common.owner(call.view, call.view.href(template), owner), "owner")


@route("GET", "/api/vAppTemplate/vappTemplate-{template}/productSections")
def _product_sections(call: Call) -> Response:
    _, template = call.cloud.template(call.ids["template"])
    href = call.view.href(template)
    root = sections.product_list(call.view, None, href, edit=False)
    return call.xml(root, "productSections")


@route("GET", "/api/vAppTemplate/vm-{template}/productSections")
def _vm_product_sections(call: Call) -> Response:
    _, template = call.cloud.template(call.ids["template"])
    href = f"{call.view.api}/vAppTemplate/vm-{template.vm_id}"
    root = sections.product_list(call.view, template, href, edit=False)
    return call.xml(root, "productSections")


@route("GET", "/api/vAppTemplate/vm-{template}/guestCustomizationSection")
def _vm_customization(call: Call) -> Response:
    _, template = call.cloud.template(call.ids["template"])
    href = f"{call.view.api}/vAppTemplate/vm-{template.vm_id}"
    settings = template.vm_customization()
    root = sections.customization(call.view, None, settings, template.vm_id, href, edit=False)
    return call.xml(root, "guestCustomizationSection")


@route("GET", "/api/vAppTemplate/vappTemplate-{template}/leaseSettingsSection")
def _lease(call: Call) -> Response:
    _, template = call.cloud.template(call.ids["template"])
    root = sections.template_lease(call.view, None, template)
    return call.xml(root, "leaseSettingsSection")


@route("PUT", "/api/vAppTemplate/vappTemplate-{template}/leaseSettingsSection")
def _set_lease(call: Call) -> Response:
    """Set a template's storage lease, which the organization's limit caps."""
    item, template = call.cloud.template(call.ids["template"])
    if not capture.may_delete(call.user, item):
        raise forbidden(Right.CATALOG_EDIT)
    call.cloud.tasks.refuse_if_busy(template)
    body = call.body(
        "LeaseSettingsSection",
        current=lambda _scope: sections.template_lease(call.view, None, template),
    )
    longest = call.cloud.org.longest_template_storage_lease
    seconds = capped_lease(text(body, "StorageLeaseInSeconds"), longest)

    def effect(_task: Task) -> None:
        if seconds is not None:
            template.storage_lease = seconds
            template.stored_since = call.cloud.clock.now()
        template.expired = False

    label = f"Virtual Application Template {template.name}({template.id})"
    texts = (f"Updating {label}", f"Updated {label}")
    task = call.cloud.tasks.start(
        "vdcUpdateTemplate", texts, template, call.user, effect, holds=[template]
    )
    return call.accepted(task)
