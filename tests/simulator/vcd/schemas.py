"""The official schemas of the XML API (level 30), and what newer servers may add to them."""

from __future__ import annotations

import copy
from typing import Any

from lxml import etree

from tests.support import official_schemas

#: Elements that came after level 30: (parent, child), removed before validation. A whole
#: document that is newer has an empty child.
NEWER_ELEMENTS = {
    ("IpScope", "SubnetPrefixLength"),  # 31: IPv6 and prefix lengths
    ("Vdc", "DefaultComputePolicy"),  # 31
    ("AdminVdc", "DefaultComputePolicy"),
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


def load() -> tuple[etree.XMLSchema, etree.XMLSchema]:
    """Return the schema of all documents, and that of /api/versions."""
    versions = official_schemas.schema("schemas/versioning/versions.xsd")
    return official_schemas.schema(), versions


def without_newer(root: Any) -> Any | None:
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


def _name(element: Any) -> str:
    return etree.QName(element).localname if isinstance(element.tag, str) else ""
