"""Is this an answer of VMware Cloud Director's? What is not is described, and never parsed on.

Between us and VCD stand proxies, load balancers, login pages and wrong host names, and all of them
answer with status 200. An answer counts as VCD's when it is XML of one of VCD's namespaces whose
root element is the one that the address stands for.
"""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from typing import Any

from lxml import etree

from cse_client import bounds
from cse_client.bounds import OutOfBounds

__all__ = ["NotVcd", "is_html", "read_json", "read_xml", "what_it_is"]

#: The namespaces of VCD's documents: its own, the provider's extension, the list of versions, and
#: OVF's for the sections of a VM (VCD's schemas: master.xsd, vmwextensions.xsd, versions.xsd).
_NAMESPACES = (
    "http://www.vmware.com/vcloud/v1.5",
    "http://www.vmware.com/vcloud/extension/v1.5",
    "http://www.vmware.com/vcloud/versions",
    "http://schemas.dmtf.org/ovf/envelope/1",
)
#: NSX answers for edge gateways through VCD without a namespace.
_BARE = ("nat",)
_HEAD = 64 * 1024
_BEGINNING = 2048
_MOST_TITLE = 80
_TITLE = re.compile(rb"<title[^>]{0,200}>(.{0,2000}?)</title", re.IGNORECASE | re.DOTALL)
_HTML = re.compile(rb"<(?:!doctype\s{1,20})?html[\s>]", re.IGNORECASE)
_DOCTYPE = re.compile(rb"<!DOCTYPE", re.IGNORECASE)


class NotVcd(ValueError):
    """Something else answered; the text says what: 'an HTML page titled "Sign in"'."""


def read_xml(content: bytes, expected: Sequence[str] = ()) -> etree._Element:
    """Return the root of an answer in XML.

    `expected` are the local names that the root may have; empty means any root of VCD's.

    Raises:
        NotVcd: it is something else.
        OutOfBounds: it has too many parts, or is nested too deeply.
    """
    start = content[:_HEAD]
    # VCD sends UTF-8 without a document type; entities and other encodings could hide anything
    if not content.lstrip()[:1] == b"<" or is_html(start) or _DOCTYPE.search(start):
        raise NotVcd(what_it_is(content))
    bounds.refuse_crowded(content, "<=")
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, encoding="utf-8"
    )
    try:
        root = etree.fromstring(content, parser)
    except etree.XMLSyntaxError as error:
        if "depth" in str(error):
            raise OutOfBounds(
                "is nested more than 256 levels deep, the most that is read"
            ) from None
        raise NotVcd("XML that is damaged") from None
    name = etree.QName(root)
    if (name.namespace or "") not in _NAMESPACES and name.localname not in _BARE:
        raise NotVcd(f"XML of another kind, <{name.localname[:_MOST_TITLE]}>")
    if expected and name.localname not in expected:
        raise NotVcd(f"<{name.localname[:_MOST_TITLE]}> where <{expected[0]}> is due")
    return root


def read_json(content: bytes) -> dict[str, Any]:
    """Return the object of an answer in JSON; VCD's documents are objects.

    Raises:
        NotVcd: it is something else.
        OutOfBounds: see `bounds.load_json`.
    """
    try:
        value = bounds.load_json(content)
    except OutOfBounds:
        raise
    except ValueError:
        raise NotVcd(what_it_is(content)) from None
    if not isinstance(value, dict):
        raise NotVcd("JSON that is not an object")
    return value


def is_html(content: bytes, content_type: str = "") -> bool:
    """Say whether it is an HTML page, whatever its type says."""
    return "html" in content_type.lower() or _HTML.search(content[:_BEGINNING]) is not None


def what_it_is(content: bytes, content_type: str = "") -> str:
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
