"""Uploads of OVF packages into catalogs: what VCD expects, what has come, what becomes of it.

VMware Cloud Director API Programming Guide 10.6, "Upload an OVF Package": a new template is
unresolved and offers one address, for the descriptor; when that is there, one for each file that
it references; when all bytes are there, the template is resolved. A descriptor that is not valid,
or a file that does not match the manifest, leaves the template with status -1 and a failed task.
"Upload URLs remain valid while a transfer session is in progress, and for a maximum of 60 minutes
of transfer session idle time" (vCloud API Programming Guide 5.5); then the task ends with TIMEDOUT
(terraform-provider-vcd issue 1429). Pieces must come in order: 416, "Request must begin at the
last byte stored" (issue 403). Canceling the task removes the item (go-vcloud-director:
govcd/catalog.go, removeCatalogItemOnError).

That the transfer needs the session, too, and that an item is busy meanwhile, are inferred.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from typing import Any

from cse_client.simulator.http import Request, Response
from cse_client.simulator.vcd import ovf
from cse_client.simulator.vcd.cloud import Cloud
from cse_client.simulator.vcd.entities import Catalog, CatalogItem, Template, fresh_id
from cse_client.simulator.vcd.errors import (
    VcdError,
    bad_request,
    duplicate_name,
    no_access,
    not_found,
    not_implemented,
)
from cse_client.simulator.vcd.people import Right, User
from cse_client.simulator.vcd.tasks import Task
from cse_client.simulator.vcd.vapps import Status

__all__ = ["DESCRIPTOR", "PLAIN", "Upload", "begin", "receive", "settle"]

#: The template whose disk stands for that of an uploaded image: the files are not looked into.
PLAIN = "ubuntu-24.04-server"

#: Ubuntu's cloud image does not have the flag that leaves customizations to cloud-init: VMware
#: Tools carry them out themselves. CSE's own templates were made of such images.
_CLOUD_IMAGE = {"customization_engine": "classic", "datasource": ""}

#: The name that VCD itself gives to the descriptor.
DESCRIPTOR = "descriptor.ovf"
_OPERATION = "vdcUploadOvfContents"
_IDLE_SECONDS = 3600.0
_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)", re.ASCII)
_OUT_OF_ORDER = "Content-Range not satisifiable: Request must begin at the last byte stored"


@dataclass
class TransferFile:
    """A file that VCD expects. A `size` of -1 is not known."""

    name: str
    size: int = -1
    received: int = 0
    digest: Any = field(default_factory=hashlib.sha256)

    @property
    def complete(self) -> bool:
        """Whether all of it has come."""
        return self.received == self.size


@dataclass
class Upload:
    """One upload that is under way; it hangs at its template."""

    item: CatalogItem
    template: Template
    task: Task
    used: float
    ticket: str = field(default_factory=fresh_id)
    files: list[TransferFile] = field(default_factory=lambda: [TransferFile(DESCRIPTOR)])
    package: ovf.Package | None = None

    @property
    def described(self) -> bool:
        """Whether the descriptor has come."""
        return self.package is not None


def begin(cloud: Cloud, user: User, catalog: Catalog, name: str, description: str) -> CatalogItem:
    """Make the catalog item of an upload, whose files are then expected."""
    user.require(Right.UPLOAD)
    if not name:
        raise bad_request("validation error on field 'name': String value has invalid length.")
    if not catalog.takes_from(user):
        raise no_access("catalog", catalog.id)
    if any(one.name == name for one in catalog.items):
        raise duplicate_name(name)
    now = cloud.clock.now()
    vdc = next(iter(cloud.vdcs.values()))
    template = Template(
        name,
        description=description,
        vdc_id=vdc.id,
        status=Status.UNRESOLVED,
        storage_lease=cloud.org.template_storage_lease,
        stored_since=now,
        created=now,
        owner=user.name,
    )
    item = CatalogItem(name, description=description, template=template, created=now)
    label = f"Virtual Application Template {name}({template.id})"
    task = cloud.tasks.begin_waiting(
        _OPERATION,
        (f"Importing {label}", f"Imported {label}"),
        template,
        user,
        lambda _task: _import(cloud, template),
        lambda: _fail(catalog, item, task),
        holds=[template, item],
    )
    template.upload = Upload(item, template, task, cloud.clock.monotonic())
    catalog.items.append(item)
    return item


def receive(cloud: Cloud, request: Request) -> Response:
    """Take a PUT below /transfer: the descriptor whole, other files whole or in pieces."""
    _slash, _transfer, ticket, name = [*request.path.split("/", 3), "", ""][:4]
    upload = _upload(cloud, ticket)
    wanted = next((one for one in upload.files if one.name == name), None) if upload else None
    if request.method != "PUT" or upload is None or wanted is None:
        raise not_found(request.path)
    upload.used = cloud.clock.monotonic()
    if name == DESCRIPTOR:
        _take_descriptor(cloud, upload, request.body)
        return Response(200)
    first, total = 0, len(request.body)
    header = request.headers.get("content-range", "")
    if header:
        said = _RANGE.fullmatch(header)
        if said is None or int(said[2]) - int(said[1]) + 1 != len(request.body):
            raise bad_request(f"Invalid Content-Range: {header}")
        first, total = int(said[1]), int(said[3])
    if first != wanted.received or (wanted.size >= 0 and total != wanted.size):
        raise VcdError(416, "REQUESTED_RANGE_NOT_SATISFIABLE", _OUT_OF_ORDER)
    wanted.size = total
    wanted.received += len(request.body)
    wanted.digest.update(request.body)
    if all(one.complete for one in upload.files):
        cloud.tasks.proceed(upload.task)
    return Response(200)


def settle(cloud: Cloud) -> None:
    """End the uploads that nobody has gone on with for an hour."""
    now = cloud.clock.monotonic()
    for _catalog, item in cloud.items():
        upload = item.template.upload if item.template is not None else None
        if upload is not None and upload.task.running and now - upload.used > _IDLE_SECONDS:
            cloud.tasks.fail(upload.task, VcdError(500, "TIMEDOUT", "Timed out."))


def _upload(cloud: Cloud, ticket: str) -> Upload | None:
    for _catalog, item in cloud.items():
        found: Upload | None = item.template.upload if item.template is not None else None
        if found is not None and found.ticket == ticket and found.task.running:
            return found
    return None


def _take_descriptor(cloud: Cloud, upload: Upload, body: bytes) -> None:
    (descriptor, *_rest) = upload.files
    descriptor.size = descriptor.received = len(body)
    try:
        package = ovf.read(body)
    except ovf.InvalidDescriptor as wrong:
        cloud.tasks.fail(upload.task, bad_request(f"Invalid OVF descriptor: {wrong}"))
        return
    if len(package.machines) != 1:
        raise not_implemented(f"an OVF package with {len(package.machines)} virtual machines")
    upload.package = package
    upload.files += [TransferFile(name, size) for name, size in package.files]
    if all(one.complete for one in upload.files):
        cloud.tasks.proceed(upload.task)


def _import(cloud: Cloud, template: Template) -> None:
    (machine,) = template.upload.package.machines
    template.vm_name = machine.name or template.name
    template.cpus, template.memory_mb = machine.cpus, machine.memory_mb
    template.disk_mb = machine.disk_mb
    template.has_nic = machine.nics > 0
    template.os_name, template.os_type = machine.os_name, machine.os_type
    template.eula = machine.eula
    plains = (item.template for _catalog, item in cloud.items() if item.name == PLAIN)
    plain = next((one for one in plains if one is not None), None)
    image = plain.image if plain is not None else {}
    template.image = {**image, **_CLOUD_IMAGE, "name": template.name}
    template.status = Status.OFF


def _fail(catalog: Catalog, item: CatalogItem, task: Task) -> None:
    if task.status == "canceled":
        catalog.items.remove(item)
    elif item.template is not None:
        item.template.status = Status.FAILED
