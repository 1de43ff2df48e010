"""What the handlers below /cloudapi share: bodies, pages, filters, answers.

Pages and filters: `page`, `pageSize` (25 unless given, 128 at most), `filter` in FIQL, `sortAsc`,
`sortDesc`; the answer counts `resultTotal` and `pageCount`, and a page too far is empty
(container-service-extension 3.1.4:container_service_extension/rde/common/entity_service.py, which
reads pages until an empty one).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from cse_client.simulator.http import Response
from cse_client.simulator.vcd.errors import VcdError, bad_request, not_implemented
from cse_client.simulator.vcd.query import Query, Row
from cse_client.simulator.vcd.routes import Call

__all__ = ["answer", "flatten", "page", "read_body", "since"]

_T = TypeVar("_T")


def since(call: Call, *version: int) -> None:
    """Raise 404 where the API version asked for did not have the address yet."""
    if call.version < version:
        raise VcdError(404, "NOT_FOUND", f"The requested resource {call.request.path} is unknown.")


def read_body(call: Call, supported: Iterable[str], current: Mapping[str, Any]) -> dict[str, Any]:
    """Return the JSON object of a request; raises 400 for anything else.

    `supported` are the properties that the handler carries out. Others are refused with 501, named,
    unless they are empty or as they stand in `current`: clients send back what they have read.
    """
    try:
        body = json.loads(call.request.body or b"{}")
    except ValueError as error:
        raise bad_request(f"The request body is not JSON: {error}") from error
    if not isinstance(body, dict):
        raise bad_request("The request body is not a JSON object.")
    known = set(supported)
    for name, value in body.items():
        if name not in known and value not in (None, "", [], {}) and value != current.get(name):
            where = f"{call.request.method} {call.request.path}"
            raise not_implemented(f"the property {name} in {where}")
    return body


def answer(
    call: Call, body: object, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """Answer with JSON."""
    content_type = f"application/json;version={call.version_text}"
    return Response(status, json.dumps(body).encode(), content_type, dict(headers or {}))


def page(
    call: Call,
    things: Sequence[_T],
    document: Callable[[_T], Mapping[str, Any]],
    firsts: Iterable[str],
) -> Response:
    """Answer with the wanted page of what passes the filter.

    `firsts` are the names that a filter may begin with; another is a 400, while an unknown name
    further inside merely finds nothing (entity_service.py, `list_entities_by_entity_type`).
    """
    query = Query(call.parameters)
    known = set(firsts)
    for name in query.names:
        if name == "_context":
            raise not_implemented("the filter _context")
        if name.partition(".")[0] not in known:
            raise bad_request(f"Invalid filter property: {name}.")
    pairs = [(_row(document(one)), one) for one in things]
    chosen = query.select([row for row, _ in pairs])
    place = {id(row): one for row, one in pairs}
    found = [place[id(row)] for row in chosen]
    start = (query.page - 1) * query.page_size
    body = {
        "resultTotal": len(found),
        "pageCount": -(-len(found) // query.page_size),
        "page": query.page,
        "pageSize": query.page_size,
        "associations": None,
        "values": [document(one) for one in found[start : start + query.page_size]],
    }
    return answer(call, body)


def _row(document: Mapping[str, Any]) -> Row:
    flat = dict(flatten(document))
    # The language of the query service calls an entity's id its address.
    flat["href"] = flat.get("id")
    return Row(flat)


def flatten(value: Any, prefix: str = "") -> Iterable[tuple[str, str | None]]:
    """Yield the leaves of a document under names like `entity.metadata.org_name`."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from flatten(inner, f"{prefix}.{key}" if prefix else str(key))
    elif isinstance(value, list):
        for inner in value:
            yield from flatten(inner, prefix)
    elif isinstance(value, bool):
        yield prefix, str(value).lower()
    elif value is not None:
        yield prefix, str(value)
