"""Sharing clusters of CSE 3.1: the entity's access controls and the vApp's, kept alike.

Source: container-service-extension 3.1.4:container_service_extension/rde/acl_service.py and
rde/backend/cluster_service_2_x.py (`get_cluster_acl_info`, `update_cluster_acl`): only users are
listed, those of the provider under one general name; what is put replaces everything; a vApp says
`Change` for `ReadWrite`. That the owner is among the entries is inferred from that code.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cse_client.simulator.cse.entities.steps import vapp_of
from cse_client.simulator.cse.errors import Refusal, failed
from cse_client.simulator.vcd.cloud import Cloud
from cse_client.simulator.vcd.defined import FULL_CONTROL, READ_ONLY, READ_WRITE, DefinedEntity
from cse_client.simulator.vcd.people import User

__all__ = ["access_entries", "replace_access"]

_BAD_REQUEST = 400
_SYSTEM_USER = "system user"
_URN = "urn:vcloud:user:"
_VAPP_LEVELS = {READ_ONLY: "ReadOnly", READ_WRITE: "Change", FULL_CONTROL: "FullControl"}


def access_entries(cloud: Cloud, user: User, entity: DefinedEntity) -> list[dict[str, str]]:
    """Return who has which access, by names as far as the asking user may know them."""
    with cloud.lock:
        known = [*cloud.users.values()]
        if user.is_provider:
            known += cloud.providers.values()
        names = {f"{_URN}{one.id}": one.name for one in known}
        return [
            {
                "memberId": one.member,
                "username": names.get(one.member, _SYSTEM_USER),
                "accessLevelId": one.level,
            }
            for one in entity.access
            if one.member.startswith(_URN)
        ]


def replace_access(
    cloud: Cloud, entity: DefinedEntity, wanted: Sequence[Mapping[str, Any]]
) -> None:
    """Share with exactly these users of the organization.

    Raises:
        Refusal: an entry lacks a key, or names an unknown level.
    """
    levels = {}
    for one in wanted:
        if not isinstance(one, Mapping) or "memberId" not in one:
            raise Refusal(_BAD_REQUEST, "'memberId'")
        if one.get("accessLevelId") not in _VAPP_LEVELS:
            raise failed(f"Unknown access level {one.get('accessLevelId')}.")
        levels[str(one["memberId"])] = str(one["accessLevelId"])
    with cloud.lock:
        tenants = {f"{_URN}{user.id}": user for user in cloud.users.values()}
        for member, level in levels.items():
            if member in tenants:
                entity.share(member, level)
        before = {one.member for one in entity.access}
        entity.access = [one for one in entity.access if one.member in levels]
        vapp = vapp_of(cloud, entity)
        if vapp is None:
            return
        # Entries that only the vApp has are kept.
        kept = {user: level for user, level in vapp.access.items() if _URN + user not in before}
        shared = {
            member[len(_URN) :]: _VAPP_LEVELS[level]
            for member, level in levels.items()
            if member in tenants
        }
        vapp.access = {**kept, **shared}
