"""Users and organizations as the query service lists them (queryRecordView.xsd).

Organization administrators look for users like this, and so do the clients that share things
(pyvcloud:pyvcloud/vcd/org.py, `list_users`). What others see is not documented: here, themselves.
"""

from __future__ import annotations

from cse_client.simulator.vcd.documents.rows import Kind
from cse_client.simulator.vcd.documents.view import View
from cse_client.simulator.vcd.query import Row

__all__ = ["ORGANIZATION", "USER"]


def _users(view: View) -> list[Row]:
    cloud = view.cloud
    rows = []
    everyone = [(one, cloud.org) for one in cloud.users.values()]
    if view.user.is_provider:
        everyone += [(one, cloud.system_org) for one in cloud.providers.values()]
    for one, org in everyone:
        if not (view.user.sees_all or one is view.user):
            continue
        vms = [vm for vapp in cloud.vapps.values() if vapp.owner is one for vm in vapp.vms]
        rows.append(
            Row(
                {
                    "name": one.name,
                    "href": f"{view.api}/admin/user/{one.id}",
                    "org": view.href(org),
                    "fullName": "",
                    "isEnabled": "true",
                    "numberOfDeployedVMs": str(sum(vm.deployed for vm in vms)),
                    "deployedVMQuota": "0",
                    "numberOfStoredVMs": str(len(vms)),
                }
            )
        )
    return rows


USER = Kind("UserRecord", _users, "user", "UserReference")


def _organizations(view: View) -> list[Row]:
    cloud = view.cloud
    both = (cloud.org, cloud.system_org) if view.user.is_provider else (cloud.org,)
    return [
        Row(
            {
                "name": one.name,
                "href": view.href(one),
                "displayName": one.full_name,
                "isEnabled": "true",
                "isReadOnly": "false",
            }
        )
        for one in both
    ]


ORGANIZATION = Kind("OrgRecord", _organizations, "org", "OrgReference")
