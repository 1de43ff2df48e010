"""Query results: the list of queries, and how a page of hits looks."""

from __future__ import annotations

from urllib.parse import quote

from lxml import etree

from cse_client.simulator.vcd.documents.kinds import ELSEWHERE, KINDS, kinds_of, rows_for
from cse_client.simulator.vcd.documents.rows import Kind
from cse_client.simulator.vcd.documents.view import View, as_urn, media
from cse_client.simulator.vcd.errors import bad_request, not_implemented
from cse_client.simulator.vcd.markup import add, document
from cse_client.simulator.vcd.query import Query, Row
from cse_client.simulator.vcd.reading import last_part

__all__ = ["page", "query_list"]


def query_list(view: View) -> etree._Element:
    """Render the QueryList: one link per type and format."""
    root = document("QueryList", {"href": f"{view.api}/query", "type": media("query.queryList")})
    for kind in kinds_of(view):
        for form in ("references", "records", "idrecords"):
            href = f"{view.api}/query?type={kind}&format={form}"
            view.link(root, "down", href, f"query.{form}", kind)
    return root


def page(view: View, query: Query) -> etree._Element:
    """Render one page of a query's hits."""
    kind = KINDS.get(query.kind)
    if kind is None and query.kind in ELSEWHERE:
        raise not_implemented(f"the query type {query.kind}")
    if kind is None:
        raise bad_request(f"The query type {query.kind or '(none)'} is unknown.")
    rows = rows_for(view, query.kind)
    unknown = query.names - set(rows[0].attributes) - {"id", "org"} if rows else set()
    if unknown:
        raise bad_request(
            f"The filter of the query {query.kind} has unknown fields:"
            f" {', '.join(sorted(unknown))}."
        )
    found = query.select(rows)
    first = (query.page - 1) * query.page_size
    if query.page > 1 and first >= len(found):
        raise bad_request(f"The page {query.page} does not exist.")
    references = query.format == "references"
    root = document(
        f"{kind.reference}s" if references else "QueryResultRecords",
        {
            "total": str(len(found)),
            "pageSize": str(query.page_size),
            "page": str(query.page),
            "name": query.kind,
            "type": media(f"query.{query.format}"),
            "href": _address(view, query, query.page),
        },
    )
    _page_links(view, root, query, len(found))
    for row in found[first : first + query.page_size]:
        if references:
            _reference(root, kind, row)
        else:
            _record(root, kind, row, query)
    return root


def _reference(root: etree._Element, kind: Kind, row: Row) -> None:
    href = row.attributes["href"] or ""
    attributes = {
        "href": href,
        "name": row.attributes.get("name"),
        "id": f"urn:vcloud:{kind.urn}:{last_part(href)}",
    }
    add(root, kind.reference, None, attributes)


def _record(root: etree._Element, kind: Kind, row: Row, query: Query) -> None:
    attributes = dict(row.attributes)
    plain = [one for one in query.fields if not one.startswith("metadata")]
    if plain:
        # Metadata fields alone come on top of everything (the genuine CSE server 2.6.1 reads name,
        # vdc and status of such records).
        attributes = {key: value for key, value in attributes.items() if key in (*plain, "href")}
    if query.format == "idrecords":
        href = row.attributes["href"] or ""
        attributes = {key: as_urn(value) for key, value in attributes.items() if key != "href"}
        attributes["id"] = f"urn:vcloud:{kind.urn}:{last_part(href)}"
    record = add(root, kind.element, None, attributes)
    entries = [(key, row.metadata[key]) for key in query.metadata_keys() if key in row.metadata]
    if not entries:
        return
    holder = add(record, "Metadata")
    for (domain, key), (type_name, value) in entries:
        entry = add(holder, "MetadataEntry")
        if domain != "GENERAL":
            add(entry, "Domain", domain, {"visibility": "READONLY"})
        add(entry, "Key", key)
        typed = add(entry, "TypedValue", None, {"xsi:type": type_name})
        add(typed, "Value", value)


def _page_links(view: View, root: etree._Element, query: Query, total: int) -> None:
    last = max(1, -(-total // query.page_size))
    kind = f"query.{query.format}"
    if query.page > 1:
        view.link(root, "firstPage", _address(view, query, 1), kind)
        view.link(root, "previousPage", _address(view, query, query.page - 1), kind)
    if query.page < last:
        view.link(root, "nextPage", _address(view, query, query.page + 1), kind)
        view.link(root, "lastPage", _address(view, query, last), kind)


def _address(view: View, query: Query, page_number: int) -> str:
    parts = [
        f"{view.api}/query?type={query.kind}",
        f"page={page_number}",
        f"pageSize={query.page_size}",
        f"format={query.format}",
    ]
    if query.filter:
        if query.encoded:
            parts.append("filterEncoded=true")
        parts.append(f"filter={quote(query.filter)}")
    if query.fields:
        parts.append("fields=" + quote(",".join(query.fields), safe=",:@"))
    for name, descending in query.sort:
        parts.append(f"{'sortDesc' if descending else 'sortAsc'}={name}")
    return "&".join(parts)
