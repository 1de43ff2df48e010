"""A walk from the session through every document that can be reached.

Each href is read, except those of actions, whose calls have to be known.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from cse_client.simulator.vcd import routes
from tests.simulator.client import Tenant, V

#: How a link's action is called; what is not here is read.
METHODS = {"remove": "DELETE", "edit": "PUT", "add": "POST", "recompose": "POST"}


def references(document: Any) -> Iterator[tuple[str, str, str]]:
    """Yield each address of a document: relation (empty for plain references), href, type."""
    for element in document.iter("*"):
        for key, value in element.attrib.items():
            name = str(key).rpartition("}")[2]
            if value.startswith("https://") and name != "schemaLocation":
                kind = element.get("type") or element.get(f"{V}type") or ""
                yield element.get("rel") or "", value, kind


def method_of(rel: str, href: str) -> str:
    if "/action/" in href:
        return "POST"
    return METHODS.get(rel, "GET")


def plain(text: str) -> str:
    return re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "ID", text)


def walk(tenant: Tenant) -> dict[str, str]:
    """Return what leads nowhere: the call, and the document that offers it."""
    lost: dict[str, str] = {}
    seen: set[tuple[str, str]] = set()
    waiting = [("GET", "/api/session", "the login")]
    while waiting:
        method, href, source = waiting.pop()
        parts = urlsplit(href)
        if (method, href) in seen:
            continue
        seen.add((method, href))
        if method != "GET":
            if routes.find(method, parts.path) is None and parts.path != "/api/session":
                lost[plain(f"{method} {parts.path}")] = plain(source)
            continue
        json = parts.path.startswith("/cloudapi")
        accept = "application/json" if json else "application/*+xml"
        answer = tenant.send("GET", href, accept=accept)
        if answer.status != 200:
            call = f"GET {parts.path}?{parts.query}".rstrip("?")
            lost[plain(call)] = plain(f"{answer.status}, {source}")
        if answer.body.startswith(b"<?xml"):
            for rel, found, kind in references(answer.xml):
                if not kind.endswith("+json"):
                    waiting.append((method_of(rel, found), found, f"{rel} of {parts.path}"))
    return lost
