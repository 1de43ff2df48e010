"""One user's session with one VCD: whose it is, where, and with which version of the API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from lxml import etree

from cse_client.errors import NotFound, Refused, SessionInvalid
from cse_client.model.hrefs import href_id
from cse_client.vcd import errors, reading
from cse_client.vcd.errors import Action
from cse_client.vcd.replies import Answer
from cse_client.vcd.rights import own_rights
from cse_client.vcd.transport import Transport
from cse_client.versions import version_key

__all__ = ["OpenSession"]

_SYSTEM = "system"
_ORG_TYPE = "application/vnd.vmware.vcloud.org+xml"

#: Which product release has which API version as its highest (published API references 33 to 39).
_RELEASES: Mapping[tuple[int, int], str] = {
    (33, 0): "10.0",
    (34, 0): "10.1",
    (35, 0): "10.2",
    (35, 2): "10.2.2",
    (36, 0): "10.3",
    (37, 0): "10.4",
    (37, 1): "10.4.1",
    (37, 2): "10.4.2",
    (38, 0): "10.5",
    (38, 1): "10.5.1",
    (39, 0): "10.6",
    (39, 1): "10.6.1",
}


class OpenSession:
    """The session behind a transport; its document is read when something needs it."""

    def __init__(self, transport: Transport, document: etree._Element | None = None) -> None:
        self._transport = transport
        self._known_document: etree._Element | None = None
        self._org_in_use = ""
        transport.as_administrator = transport.session.login_org.lower() == _SYSTEM
        if document is not None:
            self._learn(document)

    def identify(self) -> None:
        """Read the session's document, unless it is known already; see `VcdClient.open`."""
        if self._known_document is None:
            transport = self._transport
            action = Action("open the session")
            self._learn(transport.get(f"{transport.api}/session", action, "Session"))

    def _learn(self, document: etree._Element) -> None:
        self._known_document = document
        self._transport.as_administrator = self.is_system_administrator

    @property
    def _document(self) -> etree._Element:
        self.identify()
        assert self._known_document is not None  # noqa: S101 - for the type checker
        return self._known_document

    @property
    def org_name(self) -> str:
        """Return the name of the session's organization."""
        if self._known_document is None and self._transport.session.login_org:
            return self._transport.session.login_org
        return self._document.get("org") or self._transport.session.org

    @property
    def host(self) -> str:
        """Return VCD's host, which identifies this VCD: lower case, no port where it is 443.

        It is what the user logged in to: one VCD under two names counts as two.
        """
        parts = urlsplit(self._transport.origin)
        host = (parts.hostname or "").rstrip(".")
        host = f"[{host}]" if ":" in host else host
        return host if parts.port in (None, 443) else f"{host}:{parts.port}"

    def organization(self, org: str = "") -> str:
        """Return an organization's name as VCD spells it; by default that of the one in use.

        VCD takes the name in any case. At most one request, the first time: the session's
        document, or for a system administrator that of the organization in use.

        Raises:
            Refused: another organization was named by a tenant.
        """
        self.identify()
        foreign = self.foreign_org(org)
        if not foreign:
            return self.org_name
        session = self._transport.session
        if foreign.lower() != session.org.lower() or not session.org_href:
            return foreign
        if not self._org_in_use:
            root = self._transport.get(
                session.org_href, Action("read the organization"), "Org", "AdminOrg"
            )
            self._org_in_use = root.get("name") or foreign
        return self._org_in_use

    @property
    def org_href(self) -> str:
        """Return the address of the session's organization."""
        found = reading.link(self._document, "down", _ORG_TYPE)
        return found or self._transport.session.org_href

    @property
    def user_name(self) -> str:
        """Return the name of the session's user as VCD spells it."""
        return self._document.get("user") or self._transport.session.user

    @property
    def api_version(self) -> str:
        """Return the API version in use."""
        return self._transport.session.api_version

    @property
    def is_system_administrator(self) -> bool:
        """Return whether the session belongs to the provider's organization."""
        return self.org_name.lower() == _SYSTEM

    def foreign_org(self, org: str) -> str:
        """Return the organization to look into when it is not the session's own, else nothing.

        A system administrator may have chosen one with `vcd org use`.

        Raises:
            Refused: a tenant named another organization.
        """
        wanted = org or self._transport.session.org
        if wanted.lower() == self.org_name.lower():
            return ""
        if not self.is_system_administrator:
            raise Refused(
                f"You are logged in to '{self.org_name}' and cannot access '{wanted}'.",
                hint=f"Log in to it: {self._login_line(wanted)}",
            )
        return wanted

    def served_versions(self) -> list[str]:
        """Return the API versions that VCD serves, newest first, deprecated ones last."""
        return self._transport.served_versions()

    def server_time(self) -> str:
        """Return the HTTP date of VCD's last answer; empty where it had none."""
        return self._transport.server_time

    def rights(self) -> frozenset[str] | None:
        """Return the names of the user's rights; None where they are hidden."""
        return own_rights(self._transport)

    def longest_lease(self) -> int | None:
        """Return after how many seconds the organization's policy stops a running vApp at latest.

        0 where it never does, None where the policy is hidden; one request. API reference,
        AdminOrgType: Settings/VAppLeaseSettings.
        """
        action = Action("read the organization's leases")
        url = f"{self._transport.api}/admin/org/{href_id(self.org_href)}"
        try:
            root = self._transport.get(url, action, "AdminOrg")
        except SessionInvalid:
            raise
        except (NotFound, Refused):
            return None
        text = root.findtext("{*}Settings/{*}VAppLeaseSettings/{*}DeploymentLeaseSeconds") or ""
        return int(text) if text.isdecimal() else None

    def vcd_version(self) -> str:
        """Return the product's version as far as a tenant can tell, with the API it rests on.

        VCD tells its product version to system administrators only; the highest API version that
        it serves tells the release.
        """
        served = self._transport.served_versions()
        if not served:
            return f"unknown (API {self.api_version})"
        highest = max(served, key=version_key)
        key = version_key(highest)
        release = ""
        for first, name in _RELEASES.items():
            if first <= key and first[0] == key[0]:
                release = name
        return f"{release or 'unknown'} (API up to {highest})"

    def address(self, href: str) -> str:
        """Return an address that somebody else named, on this session's own host.

        The token goes nowhere else, and a server may know VCD by another name than we do.
        """
        return self._transport.origin + urlsplit(href).path

    def ask_json(
        self,
        method: str,
        path: str,
        doing: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        api_version: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send one JSON request to `path` ("/api/cse/...", "/cloudapi/..."), once.

        `doing` completes "cannot ...". Returns whatever answer came; a 401 is not raised either.

        Raises:
            CseError: only where there was no answer at all (`VcdFault.outcome_unknown` after a
                change).
        """
        action = Action(doing, changes=method != "GET")
        url = self._transport.origin + path
        return self._transport.ask_json(
            method, url, action, query=query, body=body, api_version=api_version, headers=headers
        )

    def _login_line(self, org: str) -> str:
        return errors.login_line(self._transport.session, org=org)
