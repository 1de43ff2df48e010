"""The official schemas of the XML API (level 30), and what newer servers may add to them.

The schemas are not part of the project: VCD_API_SCHEMAS names their folder (its SOURCE.txt says
where they come from); the default is ../shared/reference/xsd beside the project.
"""

from __future__ import annotations

import copy
import os
from pathlib import Path

from lxml import etree

ROOT = Path(__file__).resolve().parents[3]
FOLDER = Path(os.environ.get("VCD_API_SCHEMAS") or ROOT.parent / "shared" / "reference" / "xsd")

_EXTERNAL = {
    "http://www.w3.org/2001/xml.xsd": "xml.xsd",
    "http://schemas.dmtf.org/ovf/envelope/1/dsp8023_1.1.0.xsd": "ovf1.1/dsp8023_1.1.0.xsd",
    "http://schemas.dmtf.org/wbem/wscim/1/common.xsd": "ovf1.1/common.xsd",
    "http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2.22.0/CIM_VirtualSystemSettingData.xsd": (
        "ovf1.1/CIM_VirtualSystemSettingData.xsd"
    ),
    "http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2.22.0/"
    "CIM_ResourceAllocationSettingData.xsd": "ovf1.1/CIM_ResourceAllocationSettingData.xsd",
    "http://schemas.dmtf.org/ovf/environment/1/dsp8027_1.1.0.xsd": "ovf1.1/dsp8027_1.1.0.xsd",
    "http://www.vmware.com/schema/ovf.xsd": "ovf1.1/ovf-vmware.xsd",
}

#: Elements that came after level 30: (parent, child), removed before validation. A whole
#: document that is newer has an empty child.
NEWER_ELEMENTS = {
    ("IpScope", "SubnetPrefixLength"),  # 31: IPv6 and prefix lengths
    ("Vdc", "DefaultComputePolicy"),  # 31
    ("Vm", "ComputePolicy"),  # 33
    ("VdcComputePolicyReferences", ""),  # 31
    ("VersionInfo", "ProviderLoginUrl"),  # 33
    ("SupportedVersions", "AlphaVersion"),  # 31
}
#: Attributes of records that came after level 30, or that only newer servers show to tenants.
NEWER_ATTRIBUTES = {
    "OrgVdcRecord": {"org"},
    "VAppRecord": {
        "owner",
        "isVdcEnabled",
        "numberOfVMs",
        "numberOfCpus",
        "storageKB",
        "cpuAllocationInMhz",
        "memoryAllocationMB",
        "lowestHardwareVersionInVApp",
        "honorBootOrder",
    },
    "VMRecord": {
        "containerStatus",
        "vdcName",
        "isVdcEnabled",
        "totalStorageAllocatedMb",
        "dateCreated",
    },
    "VAppTemplateRecord": {"catalogItem", "numberOfVMs"},
    "EdgeGatewayRecord": {"edgeGatewayType"},
}


class _Local(etree.Resolver):
    def resolve(self, url, pubid, context):
        if url in _EXTERNAL:
            path = FOLDER / "etc" / "schemas" / "external" / _EXTERNAL[url]
            return self.resolve_filename(str(path), context)
        return None


def load() -> tuple[etree.XMLSchema, etree.XMLSchema]:
    """Return the schema of all documents, and that of /api/versions."""
    parser = etree.XMLParser(no_network=True)
    parser.resolvers.add(_Local())
    everything = FOLDER / "etc" / "1.5" / "schemas" / "master" / "all.xsd"
    versions = FOLDER / "etc" / "schemas" / "versioning" / "versions.xsd"
    return (
        etree.XMLSchema(etree.parse(str(everything), parser)),
        etree.XMLSchema(etree.parse(str(versions), parser)),
    )


def without_newer(root: etree._Element) -> etree._Element | None:
    """Return a copy without what came after level 30; None for a document that is newer."""
    if (_name(root), "") in NEWER_ELEMENTS:
        return None
    root = copy.deepcopy(root)
    for element in list(root.iter()):
        parent = element.getparent()
        if parent is not None and (_name(parent), _name(element)) in NEWER_ELEMENTS:
            parent.remove(element)
            continue
        for attribute in NEWER_ATTRIBUTES.get(_name(element), ()):
            element.attrib.pop(attribute, None)
    return root


def _name(element: etree._Element) -> str:
    return etree.QName(element).localname if isinstance(element.tag, str) else ""
