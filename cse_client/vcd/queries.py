"""VCD's query service: addresses, pages and records.

The address is built here and not looked up in the query list, which saves a request. Escaping
follows pyvcloud:pyvcloud/vcd/client.py `_AbstractQuery`: up to API 34 values are encoded twice with
`filterEncoded`; from 35 on once, with a backslash before ( ) , ; inside values.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import quote

from lxml import etree

from cse_client.bounds import OutOfBounds, Pages
from cse_client.errors import VcdFault
from cse_client.model import StorageProfile, VAppRecord, Vm
from cse_client.vcd.errors import Action, out_of_bounds
from cse_client.vcd.reading import children, number, truth
from cse_client.vcd.transport import Transport
from cse_client.versions import version_key

__all__ = [
    "PAGE_SIZE",
    "any_of",
    "equals",
    "records",
    "storage_profile",
    "total",
    "vapp_record",
    "vm_record",
]

_RESULT = "QueryResultRecords"

#: VCD gives at most this many records a page, and 25 unless asked.
PAGE_SIZE = 128

#: A system administrator's own queries show all organizations; the tenants' show nothing there.
_ADMINISTRATORS: Mapping[str, str] = {
    "catalogItem": "adminCatalogItem",
    "orgVdc": "adminOrgVdc",
    "orgVdcStorageProfile": "adminOrgVdcStorageProfile",
    "task": "adminTask",
    "vApp": "adminVApp",
    "vAppTemplate": "adminVAppTemplate",
    "vm": "adminVM",
}

_ESCAPED_SINCE = (35, 0)
_SPECIAL = {"%28": "%5C%28", "%29": "%5C%29", "%2C": "%5C%2C", "%3B": "%5C%3B"}


def equals(name: str, value: str) -> tuple[str, str]:
    """Return a condition: the attribute `name` has exactly this value."""
    return name, value


def any_of(transport: Transport, name: str, values: Sequence[str]) -> str:
    """Return a term for `raw`: the attribute `name` has one of these values."""
    escaped = _escapes(transport)
    return "(" + ",".join(f"{name}=={_value(one, escaped=escaped)}" for one in values) + ")"


def _escapes(transport: Transport) -> bool:
    return version_key(transport.session.api_version) >= _ESCAPED_SINCE


def address(
    transport: Transport,
    kind: str,
    *,
    conditions: Sequence[tuple[str, str]] = (),
    raw: Sequence[str] = (),
    fields: Sequence[str] = (),
    page_size: int = PAGE_SIZE,
) -> str:
    """Build the address of a query's first page.

    `kind` is the tenant's name of the query. `conditions` are joined by and, their values escaped;
    `raw` are whole terms taken as they are.
    """
    escaped = _escapes(transport)
    terms = [f"{name}=={_value(value, escaped=escaped)}" for name, value in conditions]
    terms.extend(raw)
    if transport.as_administrator:
        kind = _ADMINISTRATORS.get(kind, kind)
    url = f"{transport.api}/query?type={kind}&format=records&page=1&pageSize={page_size}"
    if terms:
        joined = ";".join(terms)
        url += f"&filter={joined}" if escaped else f"&filterEncoded=true&filter={quote(joined)}"
    if fields:
        url += "&fields=" + ",".join(quote(field, safe=":@.") for field in fields)
    return url


def records(
    transport: Transport,
    kind: str,
    action: Action,
    *,
    conditions: Sequence[tuple[str, str]] = (),
    raw: Sequence[str] = (),
    fields: Sequence[str] = (),
) -> Iterator[etree._Element]:
    """Yield the records of a query, page by page; one request for every 128."""
    url = address(transport, kind, conditions=conditions, raw=raw, fields=fields)
    pages = Pages()
    while url:
        try:
            pages.visit(url)
        except OutOfBounds as error:
            raise out_of_bounds(error, action, transport.session) from None
        page = transport.get(url, action, _RESULT)
        url = ""
        for one in page.iterchildren("{*}*"):
            if etree.QName(one).localname != "Link":
                yield one
            elif one.get("rel") == "nextPage":
                url = one.get("href") or ""


def total(
    transport: Transport,
    kind: str,
    action: Action,
    *,
    conditions: Sequence[tuple[str, str]] = (),
) -> int:
    """Count the records of a query with one small request."""
    url = address(transport, kind, conditions=conditions, page_size=1)
    page = transport.get(url, action, _RESULT)
    count = number(page.get("total"))
    if count is None:
        raise VcdFault(f"Cannot {action.doing}: the answer has no total.")
    return count


def record_metadata(record: etree._Element) -> Mapping[str, str]:
    """Read the metadata fields that a record carries."""
    values: dict[str, str] = {}
    for entry in children(record, "Metadata/MetadataEntry"):
        key = (entry.findtext("{*}Key") or "").strip()
        value = entry.findtext("{*}TypedValue/{*}Value")
        if key and value is not None:
            values[key] = value
    return values


def vapp_record(record: etree._Element) -> VAppRecord:
    """Read a VAppRecord or AdminVAppRecord."""
    return VAppRecord(
        name=record.get("name") or "",
        href=record.get("href") or "",
        status=record.get("status") or "",
        vdc=record.get("vdcName") or "",
        vdc_href=record.get("vdc") or "",
        owner=record.get("ownerName") or "",
        busy=truth(record.get("isBusy")),
        metadata=record_metadata(record),
    )


def vm_record(record: etree._Element) -> Vm:
    """Read a VMRecord."""
    return Vm(
        name=record.get("name") or "",
        href=record.get("href") or "",
        status=record.get("status") or "",
        deployed=truth(record.get("isDeployed")),
        ip=record.get("ipAddress") or "",
        network=record.get("networkName") or "",
        cpus=number(record.get("numberOfCpus")),
        memory_mb=number(record.get("memoryMB")),
        customization=record.get("gcStatus") or "",
        busy=truth(record.get("isBusy")),
    )


def storage_profile(record: etree._Element) -> StorageProfile:
    """Read an OrgVdcStorageProfileRecord."""
    return StorageProfile(
        name=record.get("name") or "",
        href=record.get("href") or "",
        enabled=record.get("isEnabled") != "false",
        is_default=truth(record.get("isDefaultStorageProfile")),
        limit_mb=number(record.get("storageLimitMB")) or 0,
        used_mb=number(record.get("storageUsedMB")) or 0,
    )


def _value(value: str, *, escaped: bool) -> str:
    encoded = quote(value)
    if escaped:
        encoded = encoded.replace("%5C", "%5C%5C")
        for plain, special in _SPECIAL.items():
            encoded = encoded.replace(plain, special)
    return encoded
