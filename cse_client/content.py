"""What comes from strangers, for messages: their texts in one line, answers that were not due."""

from __future__ import annotations

import html
import re

__all__ = ["capitalized", "describe", "is_html", "plain"]

_HEAD = 64 * 1024
_BEGINNING = 2048
_MOST_TITLE = 80
_TITLE = re.compile(rb"<title[^>]{0,200}>(.{0,2000}?)</title", re.IGNORECASE | re.DOTALL)
_HTML = re.compile(rb"<(?:!doctype\s{1,20})?html[\s>]", re.IGNORECASE)
_DOCTYPE = re.compile(rb"<!DOCTYPE", re.IGNORECASE)


def plain(text: str, most: int | None = None) -> str:
    """Return at most `most` characters of a foreign text; `?` for what a terminal would obey."""
    return "".join(one if one.isprintable() else "?" for one in text[:most])


def capitalized(text: str) -> str:
    """Return a text of ours with a capital letter at its start, for the head of a sentence."""
    return text[:1].upper() + text[1:]


def is_html(content: bytes, content_type: str = "") -> bool:
    """Return whether it is an HTML page, whatever its type says."""
    return "html" in content_type.lower() or _HTML.search(content[:_BEGINNING]) is not None


def describe(content: bytes, content_type: str = "") -> str:
    """Describe an answer that is not VCD's, for "(... )" after a host's name."""
    start = content[:_HEAD].strip()
    if not start:
        return "an empty body"
    if is_html(start, content_type):
        found = _TITLE.search(start)
        title = (
            " ".join(html.unescape(found[1].decode("utf-8", "replace")).split()) if found else ""
        )
        title = "".join(one for one in title if one.isprintable())[:_MOST_TITLE]
        return f'an HTML page titled "{title}"' if title else "an HTML page without a title"
    if start[:1] in (b"{", b"["):
        return "JSON"
    if start[:1] == b"<":
        return "XML with a document type" if _DOCTYPE.search(start) else "XML that is damaged"
    kind = content_type.partition(";")[0].strip()
    return kind if kind.isprintable() and kind else "plain text"
