"""Is this an answer of VMware Cloud Director's? What is not is described, and never parsed on.

Between us and VCD stand proxies, load balancers, login pages and wrong host names, and all of them
answer with status 200. An answer counts as VCD's when it is XML of one of VCD's namespaces whose
root element is the one that the address stands for.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from lxml import etree

from cse_client import bounds
from cse_client.bounds import OutOfBounds
from cse_client.content import describe, is_html

__all__ = ["NotVcd", "read_json", "read_xml"]

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
_MOST_NAME = 80
_DOCTYPE = re.compile(rb"<!DOCTYPE", re.IGNORECASE)
_MOST_DOCTYPE = re.compile(rb"<!DOCTYPE", re.IGNORECASE)


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
        raise NotVcd(describe(content))
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
        raise NotVcd(f"XML of another kind, <{name.localname[:_MOST_NAME]}>")
    if expected and name.localname not in expected:
        raise NotVcd(f"<{name.localname[:_MOST_NAME]}> where <{expected[0]}> is due")
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
        raise NotVcd(describe(content)) from None
    if not isinstance(value, dict):
        raise NotVcd("JSON that is not an object")
    return value
