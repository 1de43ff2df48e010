"""Whether the bodies that we send are what VMware's published schemas want."""

from __future__ import annotations

import pytest
from lxml import etree

from tests.support import official_schemas


def complaints(element: etree._Element) -> list[str]:
    """Return what the schemas find wrong with a body, as it would travel."""
    if not official_schemas.present():
        pytest.skip(f"VMware's schemas are not in {official_schemas.FOLDER} (VCD_API_SCHEMAS)")
    schema = official_schemas.schema()
    try:
        schema.assertValid(etree.fromstring(etree.tostring(element)))
    except etree.DocumentInvalid as error:
        return str(error).splitlines()
    return []
