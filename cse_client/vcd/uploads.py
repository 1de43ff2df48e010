"""Uploading an OVF package: the item, the files that VCD then expects, and their pieces.

VMware Cloud Director API Programming Guide 10.6, "Upload an OVF Package to Create a vApp Template";
go-vcloud-director:govcd/catalog.go, upload.go. `upload_ovf` of pyvcloud is not used: it unpacks the
archive into the current folder and prints tracebacks (pyvcloud:pyvcloud/vcd/org.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lxml import etree

from cse_client.errors import Refused, VcdFault
from cse_client.vcd import reading
from cse_client.vcd.errors import Action
from cse_client.vcd.reading import children, link, number
from cse_client.vcd.tasks import Task
from cse_client.vcd.templates import Catalog
from cse_client.vcd.transport import Transport
from cse_client.vcd.writing import checked

__all__ = ["ExpectedFile", "UnfinishedTemplate", "Uploads"]

_RIGHT = "vApp Template / Media: Create / Upload"
_UPLOAD = "application/vnd.vmware.vcloud.uploadVAppTemplateParams+xml"
_VCLOUD = "http://www.vmware.com/vcloud/v1.5"
_NSMAP: Any = {None: _VCLOUD}


@dataclass(frozen=True)
class ExpectedFile:
    """A file that VCD expects: where to send it, and how many bytes have arrived."""

    name: str
    href: str
    received: int


@dataclass(frozen=True)
class UnfinishedTemplate:
    """A template whose files are being uploaded; `status` as in `reading.STATUS_NAMES`."""

    status: str
    description: str
    files: tuple[ExpectedFile, ...]
    task: Task | None

    @property
    def received(self) -> int:
        """Bytes of all files that VCD has."""
        return sum(one.received for one in self.files)


class Uploads:
    """The requests of an upload; each one is sent once."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def begin(self, catalog: Catalog, name: str, description: str) -> str:
        """Make the catalog item of an upload; return the address of its template.

        Raises:
            Refused: this user may not upload to the catalog.
            Conflict: the name is taken.
        """
        if not catalog.upload_href:
            raise Refused(
                f"You may not upload templates to catalog '{catalog.name}'.",
                hint=f'The right "{_RIGHT}" is required, and the catalog must be your own, or be'
                " shared with you with the access level Change.",
            )
        action = Action(
            f"upload template '{name}' to catalog '{catalog.name}'", right=_RIGHT, changes=True
        )
        body = etree.Element(f"{{{_VCLOUD}}}UploadVAppTemplateParams", nsmap=_NSMAP)
        body.set("name", checked(name, "the name"))
        text = etree.SubElement(body, f"{{{_VCLOUD}}}Description")
        text.text = checked(description, "the description")
        reply = self._transport.post(catalog.upload_href, body, _UPLOAD, action)
        entity = reply.root.find("{*}Entity") if reply.root is not None else None
        href = entity.get("href") if entity is not None else None
        if not href:
            raise VcdFault(
                f"Cannot tell whether VCD did it ({action.doing}): it answered without an item.",
                status=reply.status,
                outcome_unknown=True,
            )
        return href

    def unfinished(self, template_href: str) -> UnfinishedTemplate:
        """Read a template that is being uploaded; one request.

        Raises:
            NotFound: it is gone.
        """
        action = Action("read the template", missing="the template")
        root = self._transport.get(template_href, action, "VAppTemplate")
        return UnfinishedTemplate(
            status=reading.status_name(root),
            description=reading.text(root, "Description"),
            files=tuple(_expected(one) for one in children(root, "Files/File")),
            task=reading.first_task(root),
        )

    def send_descriptor(self, href: str, content: bytes) -> None:
        """Send the OVF descriptor."""
        action = Action("upload the OVF descriptor", right=_RIGHT, changes=True)
        self._transport.put_bytes(href, content, {"Content-Type": "text/xml"}, action)

    def send_piece(self, href: str, name: str, piece: bytes, first: int, total: int) -> None:
        """Send one piece of a file; it begins where the last one has ended."""
        action = Action(f"upload '{name}'", right=_RIGHT, changes=True)
        place = f"bytes {first}-{first + len(piece) - 1}/{total}"
        self._transport.put_bytes(href, piece, {"Content-Range": place}, action)

    def cancel(self, task: Task) -> None:
        """Cancel the task of an upload, with which its item goes."""
        action = Action("cancel the upload", changes=True)
        self._transport.post(f"{task.href}/action/cancel", None, "", action)


def _expected(element: etree._Element) -> ExpectedFile:
    return ExpectedFile(
        name=element.get("name") or "",
        href=link(element, "upload:default"),
        received=number(element.get("bytesTransferred")) or 0,
    )
