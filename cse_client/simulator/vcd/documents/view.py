"""For whom a document is rendered: addresses, API version, rights."""

from __future__ import annotations

import re
from dataclasses import dataclass

from lxml import etree

from cse_client.simulator.vcd.cloud import Cloud
from cse_client.simulator.vcd.markup import add
from cse_client.simulator.vcd.people import User
from cse_client.simulator.vcd.tasks import Owner

__all__ = ["MEDIA", "View", "as_urn", "media"]

MEDIA = "application/vnd.vmware.vcloud."
_JSON_SINCE = (32, 0)
_ADMIN_USER = "application/vnd.vmware.admin.user+xml"


#: Where each kind of entity lives below /api, and the media type of its document.
_PLACES = {
    "org": ("org/", "org"),
    "vdc": ("vdc/", "vdc"),
    "vdcstorageProfile": ("vdcStorageProfile/", "vdcStorageProfile"),
    "catalog": ("catalog/", "catalog"),
    "catalogitem": ("catalogItem/", "catalogItem"),
    "vapptemplate": ("vAppTemplate/vappTemplate-", "vAppTemplate"),
    "network": ("network/", "orgVdcNetwork"),
    "vapp": ("vApp/vapp-", "vApp"),
    "vm": ("vApp/vm-", "vm"),
    "vmAffinityRule": ("vmAffinityRule/", "vmaffinityrule"),
    "definedEntity": ("entity/", "entity"),
}
#: What an address holds before the id, to the kind that URNs call it by.
_URNS = {
    **{place: kind for kind, (place, _media) in _PLACES.items() if kind != "definedEntity"},
    "vAppTemplate/vm-": "vm",
    "user/": "user",
    "task/": "task",
    "edgeGateway/": "gateway",
}
_ADDRESS = re.compile(r"https://[^/]+/api/(?:admin/)?(\w+/(?:[A-Za-z]+-)?)([0-9a-f-]{36})")


def media(name: str) -> str:
    """Return the media type of a vCloud document: `vApp` gives `...vcloud.vApp+xml`."""
    return f"{MEDIA}{name}+xml"


def _is_urn(entity: Owner) -> bool:
    """Return whether an entity's id is whole, as those of runtime defined entities are."""
    return entity.id.startswith("urn:")


def as_urn(value: str | None) -> str | None:
    """Return the URN of the entity that an address leads to; any other value as it is."""
    match = _ADDRESS.fullmatch(value or "")
    kind = _URNS.get(match[1]) if match else None
    return f"urn:vcloud:{kind}:{match[2]}" if match and kind else value


@dataclass(frozen=True)
class View:
    """What rendering depends on besides the entity. `origin` is `https://host:port`."""

    cloud: Cloud
    user: User
    origin: str
    version: tuple[int, int]

    @property
    def api(self) -> str:
        """The address of the XML API."""
        return f"{self.origin}/api"

    @property
    def cloudapi(self) -> str:
        """The address of the JSON API."""
        return f"{self.origin}/cloudapi"

    def href(self, entity: Owner) -> str:
        """Return an entity's address."""
        return f"{self.api}/{_PLACES[entity.kind][0]}{entity.id}"

    def type_of(self, entity: Owner) -> str:
        """Return the media type of an entity's document."""
        return media(_PLACES[entity.kind][1])

    def identity(self, entity: Owner) -> dict[str, str | None]:
        """Return the attributes that every entity's document begins with."""
        return {
            "name": entity.name,
            "id": entity.id if _is_urn(entity) else f"urn:vcloud:{entity.kind}:{entity.id}",
            "href": self.href(entity),
            "type": self.type_of(entity),
        }

    def link(
        self,
        parent: etree._Element,
        rel: str,
        href: str,
        kind: str | None = None,
        name: str | None = None,
    ) -> None:
        """Add a Link; from API 32 on a typed one has a `+json` twin, as newer servers send it.

        `kind` is a whole media type or a vCloud name as in `media`.
        """
        if kind is not None and "/" not in kind:
            kind = media(kind)
        add(parent, "Link", None, {"rel": rel, "href": href, "type": kind, "name": name})
        if kind is not None and kind.endswith("+xml") and self.version >= _JSON_SINCE:
            twin = kind[: -len("xml")] + "json"
            add(parent, "Link", None, {"rel": rel, "href": href, "type": twin, "name": name})

    def reference(self, parent: etree._Element, tag: str, entity: Owner) -> etree._Element:
        """Add a reference to an entity."""
        return add(parent, tag, None, self.identity(entity))

    def user_reference(self, parent: etree._Element, user: User) -> None:
        """Add a User reference."""
        href = f"{self.api}/admin/user/{user.id}"
        attributes: dict[str, str | None] = {
            "href": href,
            "name": user.name,
            "type": _ADMIN_USER,
            "id": f"urn:vcloud:user:{user.id}" if self.version >= _JSON_SINCE else None,
        }
        add(parent, "User", None, attributes)
