"""The rights of whoever is logged in.

VMware Cloud Director OpenAPI, "Sessions" (sessions/current, whose `roleRefs` name the roles) and
"Roles" (roles/{id}/rights; go-vcloud-director:govcd/roles.go `GetRights`). Reading roles takes a
right itself, which tenants often lack.
"""

from __future__ import annotations

from urllib.parse import quote

from cse_client.bounds import Pages
from cse_client.errors import NotFound, Refused, SessionInvalid
from cse_client.vcd.errors import Action
from cse_client.vcd.transport import Transport

__all__ = ["own_rights"]

_PAGE_SIZE = 128


def own_rights(transport: Transport) -> frozenset[str] | None:
    """Return the names of the user's rights; None where they are hidden. One request a page."""
    try:
        action = Action("read your roles")
        session = transport.get_json(f"{transport.cloudapi}/1.0.0/sessions/current", action)
        roles = [one.get("id") for one in _objects(session.get("roleRefs"))]
        found: set[str] = set()
        for role in roles:
            found |= _rights_of(transport, str(role))
    except SessionInvalid:
        raise
    except (NotFound, Refused):
        return None
    return frozenset(found) if roles else None


def _rights_of(transport: Transport, role: str) -> set[str]:
    found: set[str] = set()
    pages = Pages()
    page = 0
    while True:
        page += 1
        url = (
            f"{transport.cloudapi}/1.0.0/roles/{quote(role)}/rights"
            f"?page={page}&pageSize={_PAGE_SIZE}"
        )
        pages.visit(url)
        answer = transport.get_json(url, Action("read your rights"))
        names = {str(one.get("name") or "") for one in _objects(answer.get("values"))}
        found |= names
        count = answer.get("pageCount")
        if not names or not isinstance(count, int) or page >= count:
            return found


def _objects(value: object) -> list[dict[str, object]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
