"""VMware's published schemas (API level 30), found by the variable CSE_CLIENT_XSD.

They are not part of this project; without them the tests that need them are skipped.
"""

from __future__ import annotations

import functools
import os
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

_ROOT = Path(__file__).parents[3]
_CATALOG = {
    "http://www.w3.org/2001/xml.xsd": "xml.xsd",
    "http://schemas.dmtf.org/ovf/envelope/1/dsp8023_1.1.0.xsd": "ovf1.1/dsp8023_1.1.0.xsd",
    "http://schemas.dmtf.org/wbem/wscim/1/common.xsd": "ovf1.1/common.xsd",
    "http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2.22.0/CIM_VirtualSystemSettingData.xsd": (
        "ovf1.1/CIM_VirtualSystemSettingData.xsd"
    ),
    (
        "http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2.22.0/"
        "CIM_ResourceAllocationSettingData.xsd"
    ): "ovf1.1/CIM_ResourceAllocationSettingData.xsd",
    "http://schemas.dmtf.org/ovf/environment/1/dsp8027_1.1.0.xsd": "ovf1.1/dsp8027_1.1.0.xsd",
    "http://www.vmware.com/schema/ovf.xsd": "ovf1.1/ovf-vmware.xsd",
}


class _Local(etree.Resolver):
    def __init__(self, external: Path) -> None:
        self._external = external

    def resolve(self, url: str, _public_id: str, context: Any) -> Any:
        if url in _CATALOG:
            return self.resolve_filename(str(self._external / _CATALOG[url]), context)
        return None


@functools.cache
def _schema(folder: Path) -> etree.XMLSchema:
    parser = etree.XMLParser(no_network=True)
    parser.resolvers.add(_Local(folder / "etc/schemas/external"))
    return etree.XMLSchema(etree.parse(str(folder / "etc/1.5/schemas/master/all.xsd"), parser))


def complaints(element: etree._Element) -> list[str]:
    """Return what the schemas find wrong with a body, as it would travel."""
    folder = Path(os.environ.get("CSE_CLIENT_XSD") or _ROOT.parent / "shared/reference/xsd")
    if not (folder / "etc/1.5/schemas/master/all.xsd").is_file():
        pytest.skip(f"VMware's schemas are not in {folder}; set CSE_CLIENT_XSD to check bodies")
    schema = _schema(folder.resolve())
    schema.validate(etree.fromstring(etree.tostring(element)))
    return [entry.message for entry in schema.error_log]
