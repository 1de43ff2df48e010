"""Making and deleting vApp templates, and what their documents tell.

Calls and their answers: VMware Cloud Director API, `POST-CaptureVApp-catalog` (202, a Task whose
Owner is the new template), types CaptureVAppParamsType and VAppTemplateType.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from lxml import etree

from cse_client import suggest
from cse_client.errors import NotFound, Refused
from cse_client.model import Template
from cse_client.model.templates import TemplateDetails
from cse_client.model.tkg import tkg_facts
from cse_client.vcd import catalogs, queries, reading, template_documents
from cse_client.vcd.errors import EDIT_RIGHT, Action
from cse_client.vcd.session import OpenSession
from cse_client.vcd.tasks import Task
from cse_client.vcd.transport import Transport

__all__ = ["Catalog", "Templates"]

_ADD = "Catalog: Add vApp from My Cloud"
_DELETE = "vApp Template / Media: Edit"

_MEDIA = "application/vnd.vmware.vcloud."
_CAPTURE = _MEDIA + "captureVAppParams+xml"
_UPLOAD = _MEDIA + "uploadVAppTemplateParams+xml"
_CUSTOMIZATION = _MEDIA + "guestCustomizationSection+xml"
_PRODUCTS = _MEDIA + "productSections+xml"

#: What a provider's name for a template of TKG is likely to contain.
_HINT = re.compile(r"kube|k8s|tkg|tanzu", re.I)
_MOST_TKG = 32


@dataclass(frozen=True)
class Catalog:
    """A catalog; where this user may not add a template, the addresses for it are empty."""

    name: str
    href: str
    is_own: bool = False
    capture_href: str = ""
    upload_href: str = ""


class Templates:
    """The catalogs of one session, and the vApp templates in them."""

    def __init__(self, transport: Transport, session: OpenSession) -> None:
        self._transport = transport
        self._session = session

    # Catalogs

    def catalogs(self) -> Sequence[Catalog]:
        """List the catalogs that this user can see, the own organization's first; one request."""
        own = self._session.organization().lower()
        found = [
            Catalog(
                record.get("name") or "",
                record.get("href") or "",
                (record.get("orgName") or own).lower() == own,
            )
            for record in queries.records(self._transport, "catalog", Action("list the catalogs"))
        ]
        return sorted(found, key=lambda one: (not one.is_own, one.name))

    def catalog(self, name: str) -> Catalog:
        """Return a catalog, and whether this user may add to it; two requests.

        Of several of that name the own organization's counts.

        Raises:
            NotFound: there is none; the message lists those there are.
        """
        known = self.catalogs()
        found = next((one for one in known if one.name == name), None)
        if found is None:
            listed = ", ".join(one.name for one in known) or "none"
            raise NotFound(
                f"There is no catalog '{name}' that you can see; available: {listed}.",
                hint=f"To create one: {suggest.vcd('catalog create', name)}",
            )
        return self.opened(found)

    def opened(self, one: Catalog) -> Catalog:
        """Return a catalog with whether this user may add to it; one request."""
        action = Action(f"read catalog '{one.name}'", missing=f"catalog '{one.name}'")
        root = self._transport.get(one.href, action, "Catalog", "AdminCatalog")
        return Catalog(
            one.name,
            one.href,
            one.is_own,
            reading.link(root, "add", _CAPTURE),
            reading.link(root, "add", _UPLOAD),
        )

    # Templates

    def details(self, template: Template) -> TemplateDetails:
        """Read the document of a vApp template; one request.

        Raises:
            NotFound: it is not there any more.
        """
        missing = f"template '{template.item}' in catalog '{template.catalog}'"
        action = Action(f"read {missing}", missing=missing)
        root = self._transport.get(template.href, action, "VAppTemplate")
        return template_documents.details(root)

    def tkg(self, name: str = "") -> list[Template]:
        """List the templates of Tanzu Kubernetes Grid that this user can see, or those of a name.

        Their document proves what they are: one request each. Without a name only those are looked
        at whose name or description hints at Kubernetes.
        """
        action = Action("list the templates")
        conditions = [("name", name)] if name else []
        found: list[Template] = []
        for record in queries.records(
            self._transport, "vAppTemplate", action, conditions=conditions, fields=catalogs.FIELDS
        ):
            one = catalogs.any_template(record, self._session.org_href)
            if one is None or one.facts.kubernetes or len(found) >= _MOST_TKG:
                continue
            if not name and not _HINT.search(f"{one.name} {one.description}"):
                continue
            try:
                facts = tkg_facts(self.details(one).properties)
            except (NotFound, Refused):
                continue
            if facts is not None:
                found.append(replace(one, facts=facts))
        return found

    def capture(self, catalog: Catalog, vapp_href: str, name: str, description: str) -> Task:
        """Make a template of a powered-off vApp, whose VMs are customized when they are made.

        Raises:
            Conflict: the name is taken in the catalog.
            Refused: this user may not add to the catalog, or a quota is used up.
        """
        action = Action(
            f"add template '{name}' to catalog '{catalog.name}'", right=_ADD, changes=True
        )
        body = template_documents.capture(name, description, vapp_href)
        reply = self._transport.post(catalog.capture_href, body, _CAPTURE, action)
        if reply.root is not None and etree.QName(reply.root).localname == "Task":
            return reading.task(reply.root)
        found = reading.first_task(reply.root) if reply.root is not None else None
        return found or reply.task(action)

    def delete(self, template: Template) -> Task | None:
        """Delete a vApp template with its catalog item; None where VCD has done it already.

        Raises:
            Refused: this user may not.
        """
        action = Action(
            f"delete template '{template.item}' of catalog '{template.catalog}'",
            right=_DELETE,
            changes=True,
        )
        reply = self._transport.delete(template.href, action)
        if reply.root is None or etree.QName(reply.root).localname != "Task":
            return None
        return reading.task(reply.root)

    # The VM that becomes a template

    def clear_customization(self, vm_href: str) -> Task:
        """Take script and password out of a VM, which would be in the template for everybody."""
        url = f"{vm_href}/guestCustomizationSection/"
        section = self._transport.get(
            url, Action("read the VM's customization"), "GuestCustomizationSection"
        )
        action = Action("remove the customization script", right=EDIT_RIGHT, changes=True)
        body = template_documents.cleared_customization(section)
        return self._transport.put(url, body, _CUSTOMIZATION, action).task(action)

    def clear_properties(self, vm_href: str) -> Task | None:
        """Empty the guest properties that users set; None where there are none."""
        url = f"{vm_href}/productSections/"
        try:
            sections = self._transport.get(
                url,
                Action("read the VM's guest properties", missing="the guest properties"),
                "ProductSectionList",
            )
        except NotFound:
            return None
        body = template_documents.cleared_properties(sections)
        if body is None:
            return None
        action = Action("remove the guest properties", right=EDIT_RIGHT, changes=True)
        return self._transport.put(url, body, _PRODUCTS, action).task(action)
