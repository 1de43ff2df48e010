"""Users of an organization, and the ids by which VCD's access control names them.

pyvcloud:pyvcloud/vcd/org.py `list_users` (queries `user`, `adminUser` with the organization's
href); container-service-extension 3.1.4, container_service_extension/client/utils.py
`create_user_name_to_id_dict` (the id is a URN made of the uuid in the user's href).
"""

from __future__ import annotations

from collections.abc import Sequence

from cse_client import suggest
from cse_client.errors import NotFound
from cse_client.model.hrefs import href_id
from cse_client.vcd import queries
from cse_client.vcd.errors import Action
from cse_client.vcd.transport import Transport

__all__ = ["user_urns"]

_PREFIX = "urn:vcloud:user:"
_RIGHT = "General: Administrator View"


def user_urns(transport: Transport, names: Sequence[str], foreign_org: str) -> dict[str, str]:
    """Return the ids of users by their names; one request for every 128 users.

    `foreign_org` is the organization that a system administrator looks into.

    Raises:
        NotFound: some are not there, or hidden from this user.
    """
    conditions = []
    if foreign_org:
        conditions.append(queries.equals("org", _org_href(transport, foreign_org)))
    kind = "adminUser" if foreign_org else "user"
    urns: dict[str, str] = {}
    action = Action("look for the users", right=_RIGHT)
    for record in queries.records(transport, kind, action, conditions=conditions):
        name = record.get("name") or ""
        if name in names:
            urns[name] = _PREFIX + href_id(record.get("href") or "")
        if len(urns) == len(set(names)):
            break
    missing = [name for name in names if name not in urns]
    if missing:
        listed = ", ".join(f"'{name}'" for name in missing)
        raise NotFound(
            f"The organization has no user {listed}, or hides them from you.",
            hint=f"`{suggest.vcd('user list')}` lists the users that you can see.",
        )
    return urns


def _org_href(transport: Transport, name: str) -> str:
    action = Action(f"look for organization '{name}'")
    conditions = [queries.equals("name", name)]
    for record in queries.records(transport, "organization", action, conditions=conditions):
        return record.get("href") or ""
    raise NotFound(f"There is no organization '{name}', or it is hidden from you.")
