"""The whole state as plain values, for tests that compare before and after.

Passwords and scripts are left out; of a script only its length is shown.
"""

from __future__ import annotations

from typing import Any

from cse_client.simulator.vcd.cloud import Cloud
from cse_client.simulator.vcd.entities import Metadata, Template
from cse_client.simulator.vcd.uploads import Upload
from cse_client.simulator.vcd.vapps import STATUS_NAMES, VApp, Vm

__all__ = ["state"]


def state(cloud: Cloud) -> dict[str, Any]:
    """Return everything that a client can have changed. Call with the lock held."""
    return {
        "vapps": {vapp.name: _vapp(vapp) for vapp in cloud.vapps.values()},
        "networks": {
            network.name: {
                "fence": network.fence,
                "cidr": network.cidr,
                "pool": list(network.pool),
                "free": network.free,
                "allocated": {
                    address: ", ".join(_owner(cloud, holder) for holder in holders)
                    for address, holders in sorted(network.allocated.items())
                },
                "metadata": _metadata(network.metadata),
            }
            for network in cloud.networks.values()
        },
        "catalogs": {
            catalog.name: {
                "metadata": _metadata(catalog.metadata),
                "items": {
                    item.name: {
                        "item": _metadata(item.metadata),
                        "template": _metadata(item.template.metadata) if item.template else {},
                        **(_template(item.template) if item.template else {}),
                    }
                    for item in catalog.items
                },
            }
            for catalog in cloud.catalogs.values()
        },
        "affinity_rules": {
            rule.name: {
                "polarity": rule.polarity,
                "mandatory": rule.mandatory,
                "vms": sorted(_owner(cloud, one) for one in rule.vms),
            }
            for vdc in cloud.vdcs.values()
            for rule in vdc.affinity_rules
        },
        "tasks": {
            "running": [task.operation_name for task in cloud.tasks.running],
            "all": [
                {
                    "name": task.operation_name,
                    "status": task.status,
                    "operation": task.operation,
                    "error": task.error.message if task.error else None,
                    "started": task.started.isoformat(),
                    "ended": task.ended.isoformat() if task.ended else None,
                }
                for task in cloud.tasks.all.values()
            ],
        },
    }


def _owner(cloud: Cloud, holder: str) -> str:
    found = cloud.vms.get(holder)
    return found[1].name if found is not None else holder


def _metadata(values: Metadata) -> dict[str, str]:
    return {f"{domain}:{key}": value for (domain, key), (_kind, value) in values.items()}


def _vapp(vapp: VApp) -> dict[str, Any]:
    return {
        "id": vapp.id,
        "vdc": vapp.vdc.name,
        "owner": vapp.owner.name,
        "description": vapp.description,
        "status": STATUS_NAMES[vapp.status],
        "deployed": vapp.deployed,
        "expired": vapp.expired,
        "networks": [network.name for network in vapp.networks],
        "deployment_lease": vapp.deployment_lease,
        "storage_lease": vapp.storage_lease,
        "metadata": _metadata(vapp.metadata),
        "vms": {vm.name: {**_vm(vm), **_policies(vapp, vm)} for vm in vapp.vms},
    }


def _template(template: Template) -> dict[str, Any]:
    """Show a template's state and what its VM took along."""
    settings = template.vm_customization()
    return {
        "status": STATUS_NAMES[template.status],
        "owner": template.owner,
        "description": template.description,
        "storage_lease": template.storage_lease,
        "customize_on_instantiate": template.customize_on_instantiate,
        "computer_name": settings.computer_name,
        "script_bytes": len((settings.script or "").encode()),
        "password": bool(settings.password),
        "properties": {key: one.value for key, one in template.properties.items()},
        "guestinfo": dict(template.extra_config),
        **_uploaded(template.upload),
    }


def _uploaded(upload: Upload | None) -> dict[str, Any]:
    """Show the checksums of what was uploaded."""
    if upload is None:
        return {}
    return {"uploaded": {one.name: one.digest.hexdigest() for one in upload.files}}


def _vm(vm: Vm) -> dict[str, Any]:
    nic = vm.primary
    return {
        "id": vm.id,
        "status": STATUS_NAMES[vm.status],
        "deployed": vm.deployed,
        "cpus": vm.cpus,
        "memory_mb": vm.memory_mb,
        "disk_mb": vm.disk_mb,
        "network": nic.network if nic else None,
        "address": nic.address if nic else None,
        "customization": vm.gc_status,
        "needs_customization": vm.needs_customization,
        "computer_name": vm.customization.computer_name,
        "script_bytes": len((vm.customization.script or "").encode()),
        "snapshot": vm.snapshot is not None,
        "guestinfo": dict(vm.extra_config),
        "tools_running": vm.tools_running,
        "storage_profile": vm.storage_profile_id,
    }


def _policies(vapp: VApp, vm: Vm) -> dict[str, str | None]:
    names = {one.id: one.name for one in vapp.vdc.policies}
    return {
        "sizing_policy": names.get(vm.sizing_policy_id),
        "placement_policy": names.get(vm.placement_policy_id),
    }
