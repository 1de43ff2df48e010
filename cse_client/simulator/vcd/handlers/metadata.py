"""Metadata of every entity: asynchronous, locks its entity, a missing key is 403."""

from __future__ import annotations

import re
from collections.abc import Callable

from lxml import etree

from cse_client.simulator.http import Response
from cse_client.simulator.vcd.documents import common
from cse_client.simulator.vcd.entities import Metadata, Org
from cse_client.simulator.vcd.errors import bad_request, no_access, not_implemented
from cse_client.simulator.vcd.markup import name
from cse_client.simulator.vcd.people import Right
from cse_client.simulator.vcd.reading import child, children, text
from cse_client.simulator.vcd.routes import Call, route
from cse_client.simulator.vcd.tasks import Owner, Task

__all__ = ["Holder"]

_LONGEST_KEY = 256
_MOST_ENTRIES = 250
_TYPES = (
    "MetadataStringValue",
    "MetadataNumberValue",
    "MetadataBooleanValue",
    "MetadataDateTimeValue",
)

#: What the typed values of XML Schema may look like: MetadataNumberValue is a long (common.xsd).
_FORMS = {
    "MetadataNumberValue": r"[+-]?[0-9]{1,19}",
    "MetadataBooleanValue": r"true|false|0|1",
    "MetadataDateTimeValue": (
        r"-?[0-9]{4,}-(0[1-9]|1[0-2])-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9](\.[0-9]+)?"
        r"(Z|[+-][0-9]{2}:[0-9]{2})?"
    ),
}

Holder = tuple[Owner, str, Metadata]


_PLACES = (
    "/api/vApp/vapp-{vapp}/metadata",
    "/api/vApp/vm-{vm}/metadata",
    "/api/vAppTemplate/vappTemplate-{template}/metadata",
    "/api/vAppTemplate/vm-{vm_template}/metadata",
    "/api/catalog/{catalog}/metadata",
    "/api/catalogItem/{item}/metadata",
    "/api/network/{network}/metadata",
    "/api/vdc/{vdc}/metadata",
    "/api/vdcStorageProfile/{profile}/metadata",
    "/api/org/{org}/metadata",
)
_VALUES = tuple(f"{place}/{{key*}}" for place in _PLACES)


def _holder(call: Call) -> Holder:
    """Return the entity of a metadata path: itself, its address, its entries."""
    cloud, ids, view = call.cloud, call.ids, call.view
    kind, identifier = next((key, value) for key, value in ids.items() if key != "key")
    if kind == "vm_template":
        _item, template = cloud.template(identifier)
        return template, f"{view.api}/vAppTemplate/vm-{identifier}", {}
    if kind == "profile":
        for vdc in cloud.vdcs.values():
            for profile in vdc.storage:
                if profile.id == identifier:
                    return profile, view.href(profile), profile.metadata
        raise no_access("vdcstorageProfile", identifier)
    finders: dict[str, Callable[[], Owner]] = {
        "vapp": lambda: cloud.vapp(identifier, call.user),
        "vm": lambda: cloud.vm(identifier, call.user)[1],
        "template": lambda: cloud.template(identifier)[1],
        "catalog": lambda: cloud.catalog(identifier),
        "item": lambda: cloud.item(identifier)[1],
        "network": lambda: cloud.network(identifier),
        "vdc": lambda: cloud.vdc(identifier),
        "org": lambda: _org(call, identifier),
    }
    entity = finders[kind]()
    return entity, view.href(entity), entity.metadata  # type: ignore[attr-defined]


def _org(call: Call, identifier: str) -> Org:
    own = call.cloud.org_of(call.user)
    for one in (own, call.cloud.org):
        if one.id == identifier:
            return one
    raise no_access("org", identifier)


def _right(entity: Owner) -> str:
    return Right.EDIT if entity.kind in ("vapp", "vm") else Right.CATALOG_EDIT


@route("GET", *_PLACES)
def _read(call: Call) -> Response:
    entity, href, values = _holder(call)
    may_edit = call.user.may(_right(entity))
    return call.xml(common.metadata(call.view, href, values, may_edit=may_edit), "metadata")


def _key(call: Call) -> tuple[str, str]:
    """Return (domain, key) of a value's path: `SYSTEM/k`, `GENERAL/k` or plain `k`."""
    path = call.ids["key"]
    domain, slash, rest = path.partition("/")
    if slash and domain in ("SYSTEM", "GENERAL"):
        return domain, rest
    return "GENERAL", path


@route("GET", *_VALUES)
def _read_value(call: Call) -> Response:
    entity, href, values = _holder(call)
    domain, key = _key(call)
    entry = values.get((domain, key))
    if entry is None:
        raise no_access("metadata", key)
    may_edit = call.user.may(_right(entity))
    root = common.metadata_value(call.view, href, domain, key, entry, may_edit=may_edit)
    return call.xml(root, "metadata.value")


def _writable(call: Call) -> Holder:
    entity, href, values = _holder(call)
    call.user.require(_right(entity))
    call.cloud.tasks.refuse_if_busy(entity)
    return entity, href, values


def _entry(element: etree._Element) -> tuple[str, str]:
    """Read a value: TypedValue with its type, or the old untyped Value."""
    typed = child(element, "TypedValue")
    if typed is None:
        return "MetadataStringValue", text(element, "Value") or ""
    kind = (typed.get(name("xsi:type")) or "").rpartition(":")[2]
    if kind not in _TYPES:
        raise bad_request(f"The metadata value type {kind!r} is unknown.")
    given = child(typed, "Value")
    value = (given.text or "") if given is not None else ""
    pattern = _FORMS.get(kind)
    if pattern is not None and not re.fullmatch(pattern, value.strip()):
        raise bad_request(
            f"Bad request - cvc-datatype-valid.1.2.1: '{value}' is not a valid value for"
            f" '{kind.replace('Metadata', '').replace('Value', '')}'."
        )
    return kind, value


def _check_domain(call: Call, domain: str, visibility: str | None) -> None:
    """Refuse domains that the user may not write; of SYSTEM's visibilities READONLY is known.

    Guide "Metadata": GENERAL is READWRITE for everybody, SYSTEM is written by system
    administrators, whose tenants may read it (READONLY) or not even see it (PRIVATE).
    """
    if domain not in ("GENERAL", "SYSTEM"):
        raise bad_request(f"The metadata domain {domain} is unknown.")
    if domain == "SYSTEM" and not call.user.is_provider:
        raise bad_request("Only a system administrator may write metadata of the SYSTEM domain.")
    known = {"GENERAL": "READWRITE", "SYSTEM": "READONLY"}[domain]
    if visibility not in (None, known):
        raise not_implemented(f"the metadata visibility {visibility} in the domain {domain}")


def _visibility(element: etree._Element) -> str | None:
    domain = child(element, "Domain")
    return domain.get("visibility") if domain is not None else None


def _start(call: Call, entity: Owner, effect: Callable[[Task], None]) -> Response:
    label = f"{entity.name}({entity.id})"
    task = call.cloud.tasks.start(
        "metadataUpdate",
        (f"Updating metadata for {label}", f"Updated metadata for {label}"),
        entity,
        call.user,
        effect,
        holds=[entity],
    )
    return call.accepted(task)


@route("POST", *_PLACES)
def _merge(call: Call) -> Response:
    """Merge entries into what is there."""
    entity, _href, values = _writable(call)
    body = call.body("Metadata")
    fresh: Metadata = {}
    for element in children(body, "MetadataEntry"):
        domain = text(element, "Domain") or "GENERAL"
        _check_domain(call, domain, _visibility(element))
        key = text(element, "Key") or ""
        if not 0 < len(key) <= _LONGEST_KEY:
            raise bad_request("A metadata key is 1 to 256 characters long.")
        fresh[(domain, key)] = _entry(element)
    if len({**values, **fresh}) > _MOST_ENTRIES:
        raise bad_request(f"An entity has at most {_MOST_ENTRIES} metadata entries.")
    return _start(call, entity, lambda _task: values.update(fresh))


@route("PUT", *_VALUES)
def _write_value(call: Call) -> Response:
    entity, _href, values = _writable(call)
    domain, key = _key(call)
    body = call.body("MetadataValue")
    _check_domain(call, domain, _visibility(body))
    if (text(body, "Domain") or domain) != domain:
        raise bad_request(f"The metadata's domain is not that of its address, {domain}.")
    entry = _entry(body)
    return _start(call, entity, lambda _task: values.update({(domain, key): entry}))


@route("DELETE", *_VALUES)
def _delete_value(call: Call) -> Response:
    entity, _href, values = _writable(call)
    domain, key = _key(call)
    _check_domain(call, domain, None)
    if (domain, key) not in values:
        raise no_access("metadata", key)

    def effect(_task: Task) -> None:
        values.pop((domain, key), None)

    return _start(call, entity, effect)
