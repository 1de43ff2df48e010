"""Documents that every entity has: errors, tasks, metadata, owner, access."""

from __future__ import annotations

from lxml import etree

from cse_client.simulator.vcd.documents.view import View, media
from cse_client.simulator.vcd.entities import Metadata
from cse_client.simulator.vcd.errors import VcdError
from cse_client.simulator.vcd.markup import add, boolean, document, moment
from cse_client.simulator.vcd.people import Right, User
from cse_client.simulator.vcd.tasks import Owner, Task
from cse_client.simulator.vcd.vapps import VApp

__all__ = [
    "control_access",
    "error",
    "metadata",
    "metadata_entries",
    "metadata_value",
    "owner",
    "task",
    "tasks_of",
]


def error(refusal: VcdError) -> etree._Element:
    """Render an Error document."""
    return document("Error", _error_attributes(refusal))


def _error_attributes(refusal: VcdError) -> dict[str, str | None]:
    return {
        "majorErrorCode": str(refusal.status),
        "minorErrorCode": refusal.minor,
        "message": refusal.message,
    }


def task(view: View, one: Task, parent: etree._Element | None = None) -> etree._Element:
    """Render a Task, as a document or inside an entity's `Tasks`."""
    attributes: dict[str, str | None] = {
        "cancelRequested": boolean(one.cancel_requested),
        "expiryTime": moment(one.expires),
        "operation": one.operation,
        "operationName": one.operation_name,
        "serviceNamespace": one.namespace,
        "startTime": moment(one.started),
        "endTime": moment(one.ended) if one.ended else None,
        "status": one.status,
        "name": "task",
        "id": f"urn:vcloud:task:{one.id}",
        "href": f"{view.api}/task/{one.id}",
        "type": media("task"),
    }
    root = document("Task", attributes) if parent is None else add(parent, "Task", None, attributes)
    if one.running and one.cancelable:
        view.link(root, "task:cancel", f"{view.api}/task/{one.id}/action/cancel")
    identity = view.identity(one.owner)
    add(root, "Owner", None, {**identity, "name": one.owner_name})
    if one.error is not None:
        add(root, "Error", None, _error_attributes(one.error))
    view.user_reference(root, one.user)
    view.reference(root, "Organization", view.cloud.org)
    if not one.foreign:
        add(root, "Progress", str(one.progress))
    # Two leading blanks before the text of a failure [recorded: vcloud-rest].
    add(root, "Details", f"  {one.error.message}" if one.error is not None else "")
    return root


def tasks_of(view: View, root: etree._Element, entity: Owner) -> None:
    """Add the entity's `Tasks`: the running ones, and those that failed."""
    if not entity.tasks:
        return
    holder = add(root, "Tasks")
    for one in entity.tasks:
        task(view, one, holder)


def metadata(view: View, href: str, values: Metadata, *, may_edit: bool) -> etree._Element:
    """Render an entity's Metadata."""
    root = document("Metadata", {"href": f"{href}/metadata", "type": media("metadata")})
    if may_edit:
        view.link(root, "add", f"{href}/metadata", "metadata")
    view.link(root, "up", href)
    metadata_entries(view, root, href, values, may_edit=may_edit)
    return root


def metadata_entries(
    view: View, root: etree._Element, href: str, values: Metadata, *, may_edit: bool
) -> None:
    """Add MetadataEntry elements."""
    for (domain, key), (kind, value) in values.items():
        place = f"{href}/metadata/" + (f"SYSTEM/{key}" if domain == "SYSTEM" else key)
        entry = add(root, "MetadataEntry", None, {"href": place, "type": media("metadata.value")})
        view.link(entry, "up", f"{href}/metadata", "metadata")
        if may_edit and domain == "GENERAL":
            view.link(entry, "edit", place, "metadata.value")
            view.link(entry, "remove", place)
        if domain != "GENERAL":
            add(entry, "Domain", domain, {"visibility": "READONLY"})
        add(entry, "Key", key)
        _typed(entry, kind, value)


def _typed(parent: etree._Element, kind: str, value: str) -> None:
    typed = add(parent, "TypedValue", None, {"xsi:type": kind})
    add(typed, "Value", value)


def metadata_value(
    view: View, href: str, domain: str, key: str, entry: tuple[str, str], *, may_edit: bool
) -> etree._Element:
    """Render one MetadataValue."""
    place = f"{href}/metadata/" + (f"SYSTEM/{key}" if domain == "SYSTEM" else key)
    root = document("MetadataValue", {"href": place, "type": media("metadata.value")})
    view.link(root, "up", f"{href}/metadata", "metadata")
    if may_edit and domain == "GENERAL":
        view.link(root, "edit", place, "metadata.value")
        view.link(root, "remove", place)
    if domain != "GENERAL":
        add(root, "Domain", domain, {"visibility": "READONLY"})
    _typed(root, *entry)
    return root


def owner(view: View, href: str, user: User) -> etree._Element:
    """Render an Owner document."""
    root = document("Owner", {"href": f"{href}/owner", "type": media("owner")})
    view.link(root, "up", href)
    view.user_reference(root, user)
    return root


def control_access(view: View, vapp: VApp) -> etree._Element:
    """Render a vApp's ControlAccessParams: with whom it is shared."""
    root = document("ControlAccessParams", {})
    add(root, "IsSharedToEveryone", boolean(bool(vapp.everyone)))
    if vapp.everyone:
        add(root, "EveryoneAccessLevel", vapp.everyone)
    users = {user.id: user for user in view.cloud.users.values()}
    settings = [(users[one], level) for one, level in vapp.access.items() if one in users]
    if settings and (view.user is vapp.owner or view.user.may(Right.SHARE)):
        holder = add(root, "AccessSettings")
        for user, level in settings:
            setting = add(holder, "AccessSetting")
            href = f"{view.api}/admin/user/{user.id}"
            kind = "application/vnd.vmware.admin.user+xml"
            add(setting, "Subject", None, {"href": href, "name": user.name, "type": kind})
            add(setting, "AccessLevel", level)
    return root
