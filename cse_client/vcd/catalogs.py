"""VM templates that nodes can be made from, as a tenant can see them.

CSE keeps its templates' facts in metadata that only system administrators read, so they are taken
from the names, `{os}_k8-{x.y}_{cni}-{version}_rev{n}` (container-service-extension, "template
names"), or from `cse.client.template`, GENERAL metadata of the vApp template, which `template
register` writes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, fields
from typing import Any

from lxml import etree

from cse_client import bounds, suggest
from cse_client.errors import Conflict, NotFound
from cse_client.model import Template, TemplateFacts, footprint
from cse_client.model.hrefs import href_id
from cse_client.vcd import queries
from cse_client.vcd.errors import Action
from cse_client.vcd.transport import Transport

__all__ = [
    "FIELDS",
    "any_template",
    "facts_text",
    "find_item",
    "parse_name",
    "read_facts",
    "templates",
]


_NAME = re.compile(
    r"^(?P<os>[^_]+)_(?:k8|tkgp?)-v?(?P<kubernetes>\d+\.\d+[^_]*)_"
    r"(?P<cni>[A-Za-z]+)-v?(?P<cni_version>[^_]+?)$"
)
_REVISION = re.compile(r"^(?P<name>.+)_rev(?P<revision>\d+)$")
FIELDS = (
    "name",
    "catalogName",
    "description",
    "status",
    "isExpired",
    "org",
    f"metadata:{footprint.TEMPLATE}",
)


def parse_name(item: str) -> tuple[str, int, TemplateFacts | None]:
    """Split an item's name into template name, revision (0: none) and what its name tells.

    The facts are None for a name that does not follow CSE's convention.
    """
    found = _REVISION.match(item)
    name, revision = (found["name"], int(found["revision"])) if found else (item, 0)
    parts = _NAME.match(name)
    if parts is None:
        return name, revision, None
    return (
        name,
        revision,
        TemplateFacts(
            os=parts["os"],
            kubernetes=parts["kubernetes"],
            cni=parts["cni"],
            cni_version=parts["cni_version"],
        ),
    )


def facts_text(facts: TemplateFacts) -> str:
    """Render facts for the metadata entry: JSON, unknown ones left out."""
    known = {key: value for key, value in asdict(facts).items() if value}
    return json.dumps({"schema": 1, **known}, sort_keys=True)


def read_facts(text: str) -> TemplateFacts:
    """Read a metadata entry; what cannot be read is unknown, never an error."""
    try:
        document = bounds.load_json(text)
    except ValueError:
        return TemplateFacts()
    if not isinstance(document, dict):
        return TemplateFacts()
    kinds = {one.name: type(one.default) for one in fields(TemplateFacts)}
    known: dict[str, Any] = {
        key: value
        for key, value in document.items()
        if key in kinds and isinstance(value, kinds[key])
    }
    return TemplateFacts(**known)


def templates(transport: Transport, org_href: str) -> Iterator[Template]:
    """Yield the usable templates in all catalogs that this user can see; one query.

    `org_href` is the organization whose templates count as the user's own.
    """
    action = Action("list the templates", right="vApp Template / Media: View")
    for record in queries.records(transport, "vAppTemplate", action, fields=FIELDS):
        template = from_record(record, org_href)
        if template is not None:
            yield template


def find_item(transport: Transport, catalog: str, item: str, org_href: str) -> Template:
    """Return the vApp template behind a catalog item, whether registered or not.

    Of several catalogs of that name, the one of the organization at `org_href` counts.

    Raises:
        NotFound: no such catalog item, or it is not a vApp template.
        Conflict: several catalogs of that name have it, none or more than one of them ours.
    """
    action = Action(f"find '{item}' in catalog '{catalog}'")
    conditions = [("catalogName", catalog), ("name", item)]
    found = [
        _template(record, item, catalog, org_href)
        for record in queries.records(
            transport, "vAppTemplate", action, conditions=conditions, fields=FIELDS
        )
        if record.get("name") == item
    ]
    if found:
        return _only(found)
    # An item may have another name than its template.
    for record in queries.records(transport, "catalogItem", action, conditions=conditions):
        if (
            record.get("name") == item
            and "vapptemplate" in (record.get("entityType") or record.get("entity") or "").lower()
        ):
            name, revision, facts = parse_name(item)
            href = record.get("entity") or ""
            return Template(name, revision, catalog, item, href, facts=facts or TemplateFacts())
    raise NotFound(
        f"Catalog '{catalog}' has no template '{item}' that you can see.",
        hint=f"`{suggest.vcd('catalog list')}` lists the catalogs,"
        f" `{suggest.vcd('catalog list', catalog)}` the items of this one.",
    )


def _only(found: Sequence[Template]) -> Template:
    own = [one for one in found if one.is_own]
    for group in (found, own):
        if len(group) == 1:
            return group[0]
    first = found[0]
    raise Conflict(
        f"You can see {len(found)} templates '{first.item}' in catalogs named '{first.catalog}'.",
        hint="Rename one of the catalogs in VCD.",
    )


def from_record(record: etree._Element, org_href: str) -> Template | None:
    """Read a VAppTemplateRecord; None unless it is registered or named as CSE's are."""
    item = record.get("name") or ""
    if record.get("isExpired") == "true":
        return None
    registered = footprint.TEMPLATE in queries.record_metadata(record)
    if not registered and parse_name(item)[2] is None:
        return None
    return _template(record, item, record.get("catalogName") or "", org_href)


def any_template(record: etree._Element, org_href: str) -> Template | None:
    """Read a VAppTemplateRecord, whatever the template is; None for an expired one."""
    if record.get("isExpired") == "true":
        return None
    return _template(record, record.get("name") or "", record.get("catalogName") or "", org_href)


def _template(record: etree._Element, item: str, catalog: str, org_href: str) -> Template:
    metadata: Mapping[str, str] = queries.record_metadata(record)
    name, revision, named = parse_name(item)
    registered = footprint.TEMPLATE in metadata
    facts = named or TemplateFacts()
    if registered:
        facts = _merged(read_facts(metadata[footprint.TEMPLATE]), facts)
    return Template(
        name=name,
        revision=revision,
        catalog=catalog,
        item=item,
        href=record.get("href") or "",
        description=record.get("description") or "",
        facts=facts,
        registered=registered,
        is_own=href_id(record.get("org") or "") == href_id(org_href) != "",
    )


def _merged(first: TemplateFacts, second: TemplateFacts) -> TemplateFacts:
    """Fill what the first does not know from the second."""
    ours, theirs = asdict(first), asdict(second)
    return TemplateFacts(**{key: ours[key] or theirs[key] for key in ours})
