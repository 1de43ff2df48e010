"""VMware's published schemas of the XML API (level 30), which are not part of this project.

VCD_API_SCHEMAS names their folder, the one with `etc` in it; without it any folder
`*/reference/xsd` beside the project is taken. Tests that need them are skipped where they are not.
"""

from __future__ import annotations

import functools
import os
from pathlib import Path
from typing import Any

from lxml import etree

__all__ = ["FOLDER", "present", "schema"]

_BESIDE = sorted(Path(__file__).resolve().parents[2].glob("*/reference/xsd"))
FOLDER = Path(os.environ.get("VCD_API_SCHEMAS") or (_BESIDE[0] if _BESIDE else "schemas"))

_CIM = "http://schemas.dmtf.org/wbem/wscim/1"
_CATALOG = {
    "http://www.w3.org/2001/xml.xsd": "xml.xsd",
    "http://schemas.dmtf.org/ovf/envelope/1/dsp8023_1.1.0.xsd": "ovf1.1/dsp8023_1.1.0.xsd",
    f"{_CIM}/common.xsd": "ovf1.1/common.xsd",
    **{
        f"{_CIM}/cim-schema/2.22.0/CIM_{name}SettingData.xsd": f"ovf1.1/CIM_{name}SettingData.xsd"
        for name in ("VirtualSystem", "ResourceAllocation")
    },
    "http://schemas.dmtf.org/ovf/environment/1/dsp8027_1.1.0.xsd": "ovf1.1/dsp8027_1.1.0.xsd",
    "http://www.vmware.com/schema/ovf.xsd": "ovf1.1/ovf-vmware.xsd",
}


class _Local(etree.Resolver):
    def resolve(self, url: str, _public_id: str, context: Any) -> Any:  # type: ignore[override]
        if url in _CATALOG:
            path = FOLDER / "etc" / "schemas" / "external" / _CATALOG[url]
            return self.resolve_filename(str(path), context)  # type: ignore[attr-defined]
        return None


def present() -> bool:
    """Return whether the schemas are there."""
    return (FOLDER / "etc").is_dir()


@functools.cache
def schema(path: str = "1.5/schemas/master/all.xsd") -> etree.XMLSchema:
    """Return the schema of all documents, or the one at another path below `etc`."""
    parser = etree.XMLParser(no_network=True)
    parser.resolvers.add(_Local())
    return etree.XMLSchema(etree.parse(str(FOLDER.resolve() / "etc" / path), parser))
