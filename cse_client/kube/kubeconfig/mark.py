"""The mark in an entry's `extensions`, by which an entry of ours is known."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from cse_client.model.identity import ClusterIdentity

__all__ = ["EXTENSION", "Mark"]

#: The name of the extension that holds the mark.
EXTENSION = "cse-client"


@dataclass(frozen=True)
class Mark:
    """Which cluster an entry belongs to.

    `name` is `<cluster>@<org>-<vdc>`; `host`, `org` and `vapp` are those of `ClusterIdentity`, and
    `ca` is the SHA-256 fingerprint of the cluster's CA certificate. Older marks have the first two
    only, and what is not known is empty. `cluster_id` decides nothing where the vApp is known:
    whoever may edit a vApp chooses it.
    """

    cluster_id: str
    name: str
    host: str = ""
    org: str = ""
    vapp: str = ""
    ca: str = ""

    @classmethod
    def of(cls, identity: ClusterIdentity, ca: str = "") -> Mark:
        """Return the mark for the entries of a cluster."""
        return cls(
            identity.cluster_id, identity.name, identity.host, identity.org, identity.vapp, ca
        )

    @property
    def identity(self) -> ClusterIdentity:
        """The cluster that the mark names."""
        return ClusterIdentity(self.host, self.org, self.vapp, self.name, self.cluster_id)

    def matches(self, other: Mark) -> bool:
        """Return whether both are known to mean one cluster.

        Where one of them does not say whose vApp it is (an older version wrote it), the name has
        to agree, which no copy of it can have, and besides it either
        the cluster's id, or host and organization.
        """
        mine, theirs = self.identity, other.identity
        if mine.bound and theirs.bound:
            return mine.key == theirs.key
        if not self.same_location(other) or not _agree(self.vapp, other.vapp):
            return False
        ids = self.cluster_id, other.cluster_id
        known = all(ids) or all((self.host, other.host, self.org, other.org))
        return known and _agree(*ids)

    def same_location(self, other: Mark) -> bool:
        """Return whether both have one name in one VDC: what has it now may be a newer one."""
        return (
            self.name == other.name
            and _agree(self.host, other.host)
            and _agree(self.org.casefold(), other.org.casefold())
        )

    def document(self) -> list[dict[str, Any]]:
        """Return what goes into an entry's `extensions`."""
        values = {
            _key(field.name): text for field in fields(self) if (text := getattr(self, field.name))
        }
        return [{"name": EXTENSION, "extension": values}]

    @classmethod
    def read(cls, values: dict[str, str]) -> Mark:
        """Undo `document`; what is missing is empty."""
        return cls(**{field.name: values.get(_key(field.name), "") for field in fields(cls)})


def _key(field: str) -> str:
    return field.replace("_", "-")


def _agree(one: str, other: str) -> bool:
    return not (one and other) or one == other
