"""Which types can be queried, and by whom."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from cse_client.simulator.vcd.documents.rows import TENANT_KINDS, Kind
from cse_client.simulator.vcd.documents.user_rows import ORGANIZATION, USER
from cse_client.simulator.vcd.documents.view import View
from cse_client.simulator.vcd.errors import forbidden
from cse_client.simulator.vcd.query import Row

__all__ = ["ELSEWHERE", "KINDS", "kinds_of", "rows_for"]

#: What system administrators query instead, with their records (queryRecordView.xsd). Their own
#: organization holds nothing, so that the tenants' types show them nothing.
_PROVIDERS: Mapping[str, tuple[str, str]] = {
    "adminOrgVdc": ("orgVdc", "AdminVdcRecord"),
    "adminVApp": ("vApp", "AdminVAppRecord"),
    "adminVM": ("vm", "AdminVMRecord"),
    "adminCatalog": ("catalog", "AdminCatalogRecord"),
    "adminCatalogItem": ("catalogItem", "AdminCatalogItemRecord"),
    "adminVAppTemplate": ("vAppTemplate", "AdminVAppTemplateRecord"),
    "adminOrgVdcStorageProfile": ("orgVdcStorageProfile", "AdminOrgVdcStorageProfileRecord"),
    "adminTask": ("task", "AdminTaskRecord"),
    "adminUser": ("user", "AdminUserRecord"),
}

_TENANTS: Mapping[str, Kind] = {
    **TENANT_KINDS,
    "user": USER,
    "organization": ORGANIZATION,
}
#: Types of both, with the same records.
_SHARED = ("organization", "orgVdcNetwork", "edgeGateway")

KINDS: Mapping[str, Kind] = {
    **_TENANTS,
    **{name: replace(_TENANTS[of], element=element) for name, (of, element) in _PROVIDERS.items()},
}


#: Types that VCD knows and the simulator does not (API reference, "Query types"; records of
#: queryRecordView.xsd).
ELSEWHERE = frozenset(
    (
        *("aclRule", "adminAllocatedExternalAddress", "adminApiDefinition", "adminDisk"),
        *("adminEvent", "adminEventCBM", "adminFileDescriptor", "adminGroup", "adminMedia"),
        *("adminOrgNetwork", "adminOrgVdcTemplate", "adminRole", "adminService", "adminShadowVM"),
        *("adminVAppNetwork", "adminVMDiskRelation", "adminVmDiskRelation", "apiDefinition"),
        *("allocatedExternalAddress", "apiFilter", "blockingTask", "cell", "condition"),
        *("datastore", "datastoreProviderVdcRelation", "disk", "dvSwitch", "event"),
        *("externalLocalization", "externalNetwork", "fileDescriptor", "fromCloudTunnel"),
        *("group", "host", "licensingManagedServer", "licensingReport"),
        *("licensingReportSample", "licensingVirtualMachine", "media", "networkPool"),
        *("nsxTManager", "orgAssociation", "orgNetwork", "orgVdcResourcePoolRelation"),
        *("orgVdcTemplate", "portgroup", "providerVdc", "providerVdcResourcePoolRelation"),
        *("providerVdcStorageProfile", "resourceClass", "resourceClassAction", "resourcePool"),
        *("resourcePoolVmList", "right", "role", "service", "serviceLink", "serviceResource"),
        *("siteAssociation", "strandedItem", "strandedUser", "toCloudTunnel", "vAppNetwork"),
        *("vAppOrgNetworkRelation", "vAppOrgVdcNetworkRelation", "vappOrgVdcNetworkRelation"),
        *("virtualCenter", "vmDiskRelation", "vmGroups", "vmGroupVms"),
    )
)


def kinds_of(view: View) -> list[str]:
    """Return the types that the query list offers a user."""
    return [kind for kind in KINDS if view.user.is_provider or kind not in _PROVIDERS]


def rows_for(view: View, kind: str) -> list[Row]:
    """Return the rows of a type that the user sees; raises 403 for what is a provider's.

    Everything can be filtered by its organization, also what does not show it.
    """
    if kind in _PROVIDERS and not view.user.is_provider:
        raise forbidden("System Administrator")
    if kind in _PROVIDERS or kind in _SHARED or not view.user.is_provider:
        org = {"org": view.href(view.cloud.org)}
        return [replace(row, unseen=org) for row in KINDS[kind].rows(view)]
    return []
