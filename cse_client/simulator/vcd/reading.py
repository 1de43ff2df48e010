"""Reading VCD's XML: children and texts by local name, identifiers out of addresses."""

from __future__ import annotations

from collections.abc import Iterator

from lxml import etree

from cse_client.simulator.vcd.markup import local

__all__ = ["child", "children", "last_part", "text", "truth"]


def child(element: etree._Element, tag: str) -> etree._Element | None:
    """Return the first child of this local name."""
    return next((one for one in element if local(one) == tag), None)


def children(element: etree._Element | None, tag: str) -> Iterator[etree._Element]:
    """Yield the children of this local name."""
    if element is not None:
        yield from (one for one in element if local(one) == tag)


def text(element: etree._Element | None, tag: str) -> str | None:
    """Return a child's text, stripped; None where the child is missing, "" where it is empty."""
    found = child(element, tag) if element is not None else None
    return None if found is None else (found.text or "").strip()


def truth(element: etree._Element | None, tag: str, default: bool) -> bool:
    """Return a child's boolean, or the default where it is missing."""
    value = text(element, tag)
    return default if value is None else value in ("true", "1")


def last_part(href: str | None) -> str:
    """Return the identifier at the end of an href: of `.../vApp/vm-ID` the ID."""
    tail = (href or "").rstrip("/").rsplit("/", 1)[-1]
    for prefix in ("vappTemplate-", "vapp-", "vm-"):
        if tail.startswith(prefix):
            return tail[len(prefix) :]
    return tail.rsplit(":", 1)[-1]
