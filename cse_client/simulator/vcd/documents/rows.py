"""What each queryable type shows of its entities: one row per hit.

Attributes: QueryResult...RecordType of queryRecordView.xsd, and what newer releases added.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from cse_client.simulator.vcd.documents.view import View
from cse_client.simulator.vcd.entities import Catalog, Template
from cse_client.simulator.vcd.markup import boolean, moment
from cse_client.simulator.vcd.people import Right
from cse_client.simulator.vcd.query import Row
from cse_client.simulator.vcd.vapps import STATUS_NAMES, Status, VApp, Vm

__all__ = ["TENANT_KINDS", "Kind"]

#: 0 direct, 1 routed, 2 isolated (go-vcloud-director, QueryResultOrgVdcNetworkRecordType).
_LINK_TYPES = {"bridged": "0", "natRouted": "1", "isolated": "2"}


@dataclass(frozen=True)
class Kind:
    """A queryable type: its record's element, its rows, and the URN prefix of its ids."""

    element: str
    rows: Callable[[View], list[Row]]
    urn: str
    reference: str


def _vdcs(view: View) -> list[Row]:
    rows = []
    for one in view.cloud.vdcs.values():
        vapps = [vapp for vapp in view.cloud.vapps.values() if vapp.vdc is one]
        vms = [vm for vapp in vapps for vm in vapp.vms]
        rows.append(
            Row(
                {
                    "name": one.name,
                    "href": view.href(one),
                    "description": one.description,
                    "orgName": view.cloud.org.name,
                    "org": view.href(view.cloud.org),
                    "isEnabled": boolean(one.enabled),
                    "isBusy": "false",
                    "status": "READY",
                    "cpuLimitMhz": str(one.cpu_limit_mhz),
                    "cpuUsedMhz": str(sum(vm.cpus for vm in vms if vm.on) * one.vcpu_mhz),
                    "memoryLimitMB": str(one.memory_limit_mb),
                    "memoryUsedMB": str(sum(vm.memory_mb for vm in vms if vm.on)),
                    "storageLimitMB": str(sum(profile.limit_mb for profile in one.storage)),
                    "storageUsedMB": str(sum(vm.storage_mb for vm in vms)),
                    "numberOfVApps": str(len(vapps)),
                    "numberOfVMs": str(len(vms)),
                    "numberOfRunningVMs": str(sum(vm.on for vm in vms)),
                },
                one.metadata,
            )
        )
    return rows


def _vapps(view: View) -> list[Row]:
    cloud = view.cloud
    shown = [one for one in cloud.vapps.values() if cloud.visible(one, view.user)]
    return [_vapp_row(view, one) for one in shown]


def _vapp_row(view: View, vapp: VApp) -> Row:
    return Row(
        {
            "name": vapp.name,
            "href": view.href(vapp),
            "vdc": view.href(vapp.vdc),
            "vdcName": vapp.vdc.name,
            "ownerName": vapp.owner.name,
            "owner": f"{view.api}/admin/user/{vapp.owner.id}",
            "status": STATUS_NAMES[vapp.status],
            "creationDate": moment(vapp.created) if vapp.created else None,
            "isBusy": boolean(any(task.running for task in vapp.tasks)),
            "isDeployed": boolean(vapp.deployed),
            "isEnabled": "true",
            "isExpired": boolean(vapp.expired),
            "isInMaintenanceMode": boolean(vapp.maintenance),
            "isPublic": boolean(bool(vapp.everyone)),
            "isAutoNature": "false",
            "isVdcEnabled": boolean(vapp.vdc.enabled),
            "numberOfVMs": str(len(vapp.vms)),
            "numberOfCpus": str(sum(vm.cpus for vm in vapp.vms)),
            "storageKB": str(sum(vm.disk_mb for vm in vapp.vms) * 1024),
            "cpuAllocationInMhz": str(sum(vm.cpus for vm in vapp.vms) * vapp.vdc.vcpu_mhz),
            "memoryAllocationMB": str(sum(vm.memory_mb for vm in vapp.vms)),
            "lowestHardwareVersionInVApp": "19",
            "honorBootOrder": "false",
        },
        vapp.metadata,
    )


def _vms(view: View) -> list[Row]:
    cloud = view.cloud
    rows = [
        _vm_row(view, vapp, vm) for vapp, vm in cloud.vms.values() if cloud.visible(vapp, view.user)
    ]
    for catalog, item in cloud.items():
        template = item.template
        if template is None:
            continue
        rows.append(
            Row(
                {
                    "name": template.vm_name,
                    "href": f"{view.api}/vAppTemplate/vm-{template.vm_id}",
                    "containerName": template.name,
                    "container": view.href(template),
                    "catalogName": catalog.name,
                    "vdc": f"{view.api}/vdc/{template.vdc_id}",
                    "isVAppTemplate": "true",
                    "isDeleted": "false",
                    "guestOs": template.os_name,
                    "numberOfCpus": str(template.cpus),
                    "memoryMB": str(template.memory_mb),
                    "status": STATUS_NAMES[template.status],
                    "isBusy": boolean(any(task.running for task in template.tasks)),
                    "isDeployed": "false",
                    "isPublished": boolean(catalog.published),
                    "hardwareVersion": "19",
                }
            )
        )
    return rows


def _vm_row(view: View, vapp: VApp, vm: Vm) -> Row:
    nic = vm.primary
    network = vapp.network_named(nic.network) if nic is not None else None
    return Row(
        {
            "name": vm.name,
            "href": view.href(vm),
            "containerName": vapp.name,
            "container": view.href(vapp),
            "containerStatus": STATUS_NAMES[vapp.status],
            "ownerName": vapp.owner.name,
            "vdc": view.href(vapp.vdc),
            "vdcName": vapp.vdc.name,
            "isVAppTemplate": "false",
            "isDeleted": "false",
            "isVdcEnabled": boolean(vapp.vdc.enabled),
            "guestOs": vm.template.os_name,
            "numberOfCpus": str(vm.cpus),
            "memoryMB": str(vm.memory_mb),
            "totalStorageAllocatedMb": str(vm.disk_mb),
            "status": STATUS_NAMES[vm.status],
            "networkName": nic.network if nic is not None else None,
            "network": view.href(network) if network is not None else None,
            "ipAddress": (nic.address or None) if nic is not None else None,
            "isBusy": boolean(any(task.running for task in vm.tasks)),
            "isDeployed": boolean(vm.deployed),
            "isPublished": "false",
            "hardwareVersion": "19",
            "vmToolsStatus": "TOOLS_OK" if vm.tools_running else "TOOLS_NOT_RUNNING",
            "isInMaintenanceMode": "false",
            "isAutoNature": "false",
            "storageProfileName": view.cloud.profile_of(vm, vapp.vdc),
            "gcStatus": vm.gc_status,
            "dateCreated": moment(vm.created) if vm.created else None,
        },
        vm.metadata,
    )


def _catalogs(view: View) -> list[Row]:
    return [
        Row(
            {
                "name": one.name,
                "href": view.href(one),
                "description": one.description,
                "isPublished": boolean(one.published),
                "isShared": boolean(one.shared),
                "creationDate": moment(one.created) if one.created else None,
                "orgName": view.cloud.org.name,
                "ownerName": one.owner,
                "owner": f"{view.api}/admin/user/{view.cloud.users[one.owner].id}",
                "numberOfVAppTemplates": str(len(one.items)),
                "numberOfMedia": "0",
                "status": "READY",
                "version": "1",
            },
            one.metadata,
        )
        for one in view.cloud.catalogs.values()
    ]


def _items(view: View) -> list[Row]:
    rows = []
    for catalog, item in view.cloud.items():
        template = item.template
        if template is None:
            continue
        vdc = view.cloud.vdcs[template.vdc_id]
        rows.append(
            Row(
                {
                    "name": item.name,
                    "href": view.href(item),
                    "entity": view.href(template),
                    "entityName": template.name,
                    "entityType": "vapptemplate",
                    "catalog": view.href(catalog),
                    "catalogName": catalog.name,
                    "ownerName": catalog.owner,
                    "isPublished": boolean(catalog.published),
                    "vdc": view.href(vdc),
                    "vdcName": vdc.name,
                    "isVdcEnabled": boolean(vdc.enabled),
                    "creationDate": moment(item.created) if item.created else None,
                    "isExpired": boolean(template.expired),
                    "status": _template_status(template),
                },
                item.metadata,
            )
        )
    return rows


def _template_status(one: Template) -> str:
    """Return what records call the state of a template: a whole one is RESOLVED."""
    return "RESOLVED" if one.status == Status.OFF else STATUS_NAMES[one.status]


def _org_of(view: View, catalog: Catalog) -> str:
    return f"{view.api}/org/{catalog.org_id}" if catalog.org_id else view.href(view.cloud.org)


def _templates(view: View) -> list[Row]:
    rows = []
    for catalog, item in view.cloud.items():
        one = item.template
        if one is None:
            continue
        vdc = view.cloud.vdcs[one.vdc_id]
        rows.append(
            Row(
                {
                    "name": one.name,
                    "href": view.href(one),
                    "description": one.description,
                    "catalogName": catalog.name,
                    "catalogItem": view.href(item),
                    "ownerName": one.owner,
                    "isPublished": boolean(catalog.published),
                    "vdc": view.href(vdc),
                    "vdcName": vdc.name,
                    "org": _org_of(view, catalog),
                    "creationDate": moment(one.created) if one.created else None,
                    "isBusy": boolean(any(task.running for task in one.tasks)),
                    "isGoldMaster": "false",
                    "isEnabled": "true",
                    "status": _template_status(one),
                    "isDeployed": "false",
                    "isExpired": boolean(one.expired),
                    "numberOfVMs": "1",
                    "storageProfileName": vdc.default_profile.name,
                },
                one.metadata,
            )
        )
    return rows


def _networks(view: View) -> list[Row]:
    rows = []
    for one in view.cloud.networks.values():
        for vdc_id in sorted(one.shared_in):
            vdc = view.cloud.vdcs[vdc_id]
            dns = [*one.dns, "", ""]
            rows.append(
                Row(
                    {
                        "name": one.name,
                        "href": f"{view.api}/admin/network/{one.id}",
                        "defaultGateway": one.gateway,
                        "netmask": str(one.network.netmask),
                        "dns1": dns[0],
                        "dns2": dns[1],
                        "dnsSuffix": "",
                        "linkType": _LINK_TYPES[one.fence],
                        "connectedTo": one.edge.name if one.edge is not None else "",
                        "vdc": view.href(vdc),
                        "vdcName": vdc.name,
                        "isBusy": "false",
                        "isShared": boolean(len(one.shared_in) > 1),
                        "isIpScopeInherited": "false",
                        "usedIpCount": str(one.size - one.free),
                        "totalIpCount": str(one.size),
                    },
                    one.metadata,
                )
            )
    return rows


def _profiles(view: View) -> list[Row]:
    rows = []
    for vdc in view.cloud.vdcs.values():
        for one in vdc.storage:
            used = sum(
                vm.storage_mb
                for _v, vm in view.cloud.vms.values()
                if vm.storage_profile_id == one.id
            )
            rows.append(
                Row(
                    {
                        "name": one.name,
                        "href": view.href(one),
                        "isEnabled": boolean(one.enabled),
                        "isDefaultStorageProfile": boolean(one.is_default),
                        "storageUsedMB": str(used),
                        "storageLimitMB": str(one.limit_mb),
                        "numberOfConditions": "0",
                        "vdc": view.href(vdc),
                        "vdcName": vdc.name,
                        "isVdcBusy": "false",
                    },
                    one.metadata,
                )
            )
    return rows


def _tasks(view: View) -> list[Row]:
    rows = []
    for one in reversed(view.cloud.tasks.all.values()):
        if not (view.user.sees_all or one.user is view.user):
            continue
        rows.append(
            Row(
                {
                    "name": one.operation_name,
                    "href": f"{view.api}/task/{one.id}",
                    "status": one.status,
                    "progress": str(one.progress),
                    "startDate": moment(one.started),
                    "endDate": moment(one.ended) if one.ended else None,
                    "org": view.href(view.cloud.org),
                    "orgName": view.cloud.org.name,
                    "ownerName": one.user.name,
                    "object": view.href(one.owner),
                    "objectName": one.owner_name,
                    "objectType": one.owner.kind,
                    "serviceNamespace": one.namespace,
                }
            )
        )
    return rows


def _gateways(view: View) -> list[Row]:
    view.user.require(Right.GATEWAY_VIEW)
    rows = []
    for edge in view.cloud.edges.values():
        networks = edge.networks(view.cloud.networks.values())
        vdc = edge.vdc_in(view.cloud.networks.values(), view.cloud.vdcs)
        rows.append(
            Row(
                {
                    "name": edge.name,
                    "href": f"{view.api}/admin/edgeGateway/{edge.id}",
                    "vdc": view.href(vdc),
                    "orgVdcName": vdc.name,
                    "numberOfExtNetworks": "1",
                    "numberOfOrgNetworks": str(len(networks)),
                    "isBusy": "false",
                    "gatewayStatus": "READY",
                    "haStatus": "DISABLED",
                    "edgeGatewayType": f"{edge.backing}_BACKED",
                }
            )
        )
    return rows


TENANT_KINDS: Mapping[str, Kind] = {
    "orgVdc": Kind("OrgVdcRecord", _vdcs, "vdc", "OrgVdcReference"),
    "vApp": Kind("VAppRecord", _vapps, "vapp", "VAppReference"),
    "vm": Kind("VMRecord", _vms, "vm", "VMReference"),
    "catalog": Kind("CatalogRecord", _catalogs, "catalog", "CatalogReference"),
    "catalogItem": Kind("CatalogItemRecord", _items, "catalogitem", "CatalogItemReference"),
    "vAppTemplate": Kind("VAppTemplateRecord", _templates, "vapptemplate", "VAppTemplateReference"),
    "orgVdcNetwork": Kind("OrgVdcNetworkRecord", _networks, "network", "OrgVdcNetworkReference"),
    "orgVdcStorageProfile": Kind(
        "OrgVdcStorageProfileRecord",
        _profiles,
        "vdcstorageProfile",
        "OrgVdcStorageProfileReference",
    ),
    "task": Kind("TaskRecord", _tasks, "task", "TaskReference"),
    "edgeGateway": Kind("EdgeGatewayRecord", _gateways, "gateway", "EdgeGatewayReference"),
}
