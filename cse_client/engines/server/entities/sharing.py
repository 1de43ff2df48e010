"""Who else may see and use a cluster: the access control of its entity (CSE 3.1 at API 36).

container-service-extension 3.1.4, container_service_extension/client/de_cluster_native.py
`share_cluster`, `unshare_cluster`, `list_share_entries`.
"""

from __future__ import annotations

from collections.abc import Sequence

from cse_client import suggest
from cse_client.engines.server.documents import mapping, text
from cse_client.engines.server.entities.reading import EntityReader
from cse_client.engines.server.extension import quoted
from cse_client.engines.server.waiting import change_or_effect
from cse_client.errors import NotFound, Refused, WrongUsage
from cse_client.model import ClusterRef
from cse_client.model.server import ACCESS_LEVELS, Share

__all__ = ["EntitySharing"]

_LEVEL = "urn:vcloud:accessLevel:"
_CHANGE_SECONDS = 120.0
#: The largest page that a server takes from VCD in one request.
_PAGE = 25


class EntitySharing:
    """Shares clusters with users of their organization."""

    def __init__(self, reader: EntityReader) -> None:
        self._reader = reader
        self._vcd = reader.vcd

    def shares(self, ref: ClusterRef) -> Sequence[Share]:
        """List the users a cluster is shared with, and their access levels."""
        self._need_sharing()
        return self._shares(self._reader.id_of(ref))

    def share(self, ref: ClusterRef, users: Sequence[str], level: str) -> Sequence[Share]:
        """Share a cluster with users; return all users it is then shared with.

        `level` is one of `ACCESS_LEVELS`. Raises Refused where a user has more already: that is
        taken away by `unshare` only.
        """
        self._need_sharing()
        name, identity = ref.name, self._reader.id_of(ref)
        wanted = list(dict.fromkeys(users))
        known = self._vcd.surroundings.user_urns(wanted, ref.org)
        there = self._shares(identity)
        for one in there:
            if one.username in wanted and _rank(one.level) > _rank(level):
                raise Refused(
                    f"User '{one.username}' already has {one.level} access to cluster '{name}',"
                    f" which is more than {level}.",
                    hint=f"Stop sharing first: {_unshare(one.username, name)}",
                )
        kept = [one for one in there if one.username not in wanted]
        added = [Share(user, known[user], level) for user in wanted]
        self._write(identity, name, [*added, *kept])
        return [*added, *kept]

    def unshare(self, ref: ClusterRef, users: Sequence[str]) -> Sequence[Share]:
        """Stop sharing a cluster with users; return the users it is still shared with."""
        self._need_sharing()
        name, identity = ref.name, self._reader.id_of(ref)
        there = self._shares(identity)
        unknown = [user for user in users if user not in {one.username for one in there}]
        if unknown:
            listed = ", ".join(f"'{user}'" for user in unknown)
            raise NotFound(
                f"Cluster '{name}' is not shared with {listed}.",
                hint=suggest.cse("cluster share-list", name=name),
            )
        kept = [one for one in there if one.username not in users]
        self._write(identity, name, kept)
        return kept

    # Private

    def _shares(self, identity: str) -> list[Share]:
        path = f"/cluster/{quoted(identity)}/acl"
        rows = self._reader.pages(
            self._reader.server, path, "list who a cluster is shared with", size=_PAGE
        )
        found = []
        for row in rows:
            said = mapping(row, "who it is shared with")
            level = text(said, "accessLevelId").rpartition(":")[2]
            found.append(Share(text(said, "username"), text(said, "memberId"), level))
        return found

    def _write(self, identity: str, name: str, shares: Sequence[Share]) -> None:
        """Replace the whole list, which is all that the server offers."""
        settings = [
            {
                "memberId": one.member_id,
                "username": one.username,
                "accessLevelId": _LEVEL + one.level,
            }
            for one in shares
        ]
        deadline = self._vcd.clock.monotonic() + _CHANGE_SECONDS
        wanted = {(one.username, one.level) for one in shares}
        change_or_effect(
            self._vcd,
            lambda: self._reader.server.change(
                "PUT",
                f"/cluster/{quoted(identity)}/acl",
                f"change who cluster '{name}' is shared with",
                deadline=deadline,
                body={"accessSetting": settings},
                missing=f"cluster '{name}'",
            ),
            lambda: {(one.username, one.level) for one in self._shares(identity)} == wanted,
            what=f"change of who cluster '{name}' is shared with",
            deadline=deadline,
            look=suggest.cse("cluster share-list", name=name),
        )

    def _need_sharing(self) -> None:
        if not self._reader.dialect.second_generation:
            raise WrongUsage(
                f"{self._reader.detection.release} cannot share clusters: sharing came with CSE 3.1"
                " at API 36.",
                hint=f"`{suggest.cse('cluster grant', help=True)}` shows how to grant users"
                " roles in the cluster's Kubernetes.",
            )


def _rank(level: str) -> int:
    return ACCESS_LEVELS.index(level) if level in ACCESS_LEVELS else -1


def _unshare(user: str, name: str) -> str:
    return suggest.cse("cluster unshare", user, name=name)
