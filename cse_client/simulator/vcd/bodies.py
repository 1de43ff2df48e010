"""Reading request bodies, checked as VCD's schema validation checks them.

The official schemas are not part of this project; the order of elements of the bodies that are
accepted is written down here, after vApp.xsd, common.xsd and dsp8023 of API level 30 with the
additions of newer levels (ComputePolicy, SubnetPrefixLength, ...). A wrong order is answered
with Xerces' text, as real servers do (vcd-cli issue 508, pyvcloud issues 207 and 635).
"""

from __future__ import annotations

from collections.abc import Sequence

from lxml import etree

from cse_client.simulator.http import Request
from cse_client.simulator.vcd import shapes
from cse_client.simulator.vcd.errors import VcdError, bad_request
from cse_client.simulator.vcd.markup import local

__all__ = ["read"]


def read(request: Request, kinds: Sequence[str]) -> etree._Element:
    """Return the body's root, valid by its shape.

    Raises:
        VcdError: 415 for a content type that no accepted document has; 400 for anything that is
            not XML, another document, or elements out of order.
    """
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    accepted = {shapes.MEDIA_TYPES[kind].lower() for kind in kinds}
    # Clients share vApps without naming the body's type, and are served.
    untyped = not content_type and tuple(kinds) == ("ControlAccessParams",)
    if content_type not in accepted and not untyped:
        raise VcdError(
            415, "UNSUPPORTED_MEDIA_TYPE", f"The media type {content_type!r} is not supported here."
        )
    try:
        root = etree.fromstring(request.body, _parser())
    except etree.XMLSyntaxError as error:
        raise bad_request(f"Bad request: {error}") from error
    if local(root) not in kinds:
        raise bad_request(
            "Bad request - Unexpected JAXB exception - cvc-elt.1: Cannot find the declaration of"
            f" element '{local(root)}'."
        )
    shapes.check(root)
    return root


def _parser() -> etree.XMLParser:
    return etree.XMLParser(resolve_entities=False, no_network=True)
