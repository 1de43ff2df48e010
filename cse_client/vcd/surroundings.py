"""What a tenant user sees around the vApps: session, org VDCs, networks, storage, templates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from lxml import etree

from cse_client import suggest
from cse_client.clock import SYSTEM_CLOCK, Clock
from cse_client.content import capitalized
from cse_client.errors import Conflict, NotFound, Refused
from cse_client.model import (
    Capacity,
    Network,
    Session,
    StorageProfile,
    Template,
    TemplateVm,
    Vdc,
)
from cse_client.vcd import catalogs, networks, queries, reading
from cse_client.vcd.errors import Action
from cse_client.vcd.reading import VdcDocument
from cse_client.vcd.transport import Transport
from cse_client.versions import version_key

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["Tenancy"]

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


class Tenancy:
    """One user's session with one VCD, and what it shows besides vApps.

    `clock` is what the waiters use. Documents of org VDCs are read once and kept, because a
    command is short; everything that changes (vApps, VMs, tasks) is read anew each time.
    """

    def __init__(
        self, transport: Transport, session_document: etree._Element | None = None
    ) -> None:
        self.clock: Clock = transport.clock
        self._transport = transport
        self._known_session: etree._Element | None = None
        self._vdc_documents: dict[str, VdcDocument] = {}
        self._org_in_use = ""
        transport.as_administrator = transport.session.login_org.lower() == _SYSTEM
        if session_document is not None:
            self._learn(session_document)

    @classmethod
    def open(cls, session: Session, *, clock: Clock = SYSTEM_CLOCK) -> Self:
        """Check the stored session with one request and return the client.

        Raises:
            SessionInvalid: it has expired, or VCD no longer serves its API version; the hint is
                the login line to type.
            VcdFault: VCD cannot be reached, or its certificate cannot be verified.
        """
        vcd = cls.attach(session, clock=clock)
        vcd.identify()
        return vcd

    @classmethod
    def attach(cls, session: Session, *, clock: Clock = SYSTEM_CLOCK) -> Self:
        """Return the client without a request: the session is read when something needs it."""
        return cls(Transport(session, clock))

    def identify(self) -> None:
        """Read the session's document, unless it is known already; see `open`."""
        if self._known_session is None:
            transport = self._transport
            action = Action("open the session")
            self._learn(transport.get(f"{transport.api}/session", action, "Session"))

    def _learn(self, session_document: etree._Element) -> None:
        self._known_session = session_document
        self._transport.as_administrator = self.is_system_administrator

    @property
    def _session_document(self) -> etree._Element:
        self.identify()
        assert self._known_session is not None  # noqa: S101 - for the type checker
        return self._known_session

    def close(self) -> None:
        """Let go of the connections; the session in VCD stays."""
        self._transport.close()

    # Who and where

    @property
    def org_name(self) -> str:
        """Return the name of the session's organization."""
        if self._known_session is None and self._transport.session.login_org:
            return self._transport.session.login_org
        return self._session_document.get("org") or self._transport.session.org

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
        foreign = self._foreign_org(org)
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
        found = reading.link(self._session_document, "down", _ORG_TYPE)
        return found or self._transport.session.org_href

    @property
    def api_version(self) -> str:
        """Return the API version in use."""
        return self._transport.session.api_version

    @property
    def is_system_administrator(self) -> bool:
        """Return whether the session belongs to the provider's organization."""
        return self.org_name.lower() == _SYSTEM

    @property
    def requests_sent(self) -> int:
        """Return how many requests went out so far."""
        return self._transport.requests_sent

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

    # Org VDCs

    def vdcs(self, org: str = "") -> list[Vdc]:
        """List the org VDCs that this user can see, of one organization.

        Raises:
            Refused: another organization was named by a tenant.
        """
        foreign = self._foreign_org(org)
        conditions = [queries.equals("orgName", foreign)] if foreign else []
        action = Action("list the org VDCs", right="Organization vDC: View")
        found = []
        for record in queries.records(self._transport, "orgVdc", action, conditions=conditions):
            owner = record.get("orgName") or self.org_name
            found.append(Vdc(record.get("name") or "", record.get("href") or "", owner))
        return sorted(found, key=lambda vdc: vdc.name)

    def vdc(self, name: str = "", org: str = "") -> Vdc:
        """Return an org VDC; without a name the one that the session uses.

        Raises:
            NotFound: there is none of that name; the message lists those there are.
            Refused: see `vdcs`.
        """
        session = self._transport.session
        in_use = org.lower() in ("", session.org.lower())
        if in_use and session.vdc_href and name in ("", session.vdc):
            return Vdc(session.vdc, session.vdc_href, session.org)
        found = self.vdcs(org)
        wanted = name or session.vdc
        for vdc in found:
            if vdc.name == wanted:
                return vdc
        listed = ", ".join(vdc.name for vdc in found) or "none"
        if not wanted:
            raise NotFound(
                f"No VDC is chosen; there are: {listed}.",
                hint=f"choose one: {suggest.vcd('vdc use', 'NAME')}, or --vdc NAME",
            )
        raise NotFound(
            f"Organization '{org or session.org}' has no VDC '{wanted}'; there are: {listed}."
        )

    def vdc_document(self, vdc: Vdc) -> VdcDocument:
        """Read an org VDC's links, networks and limits; one request, the first time only."""
        known = self._vdc_documents.get(vdc.href)
        if known is None:
            missing = f"VDC '{vdc.name}'"
            action = Action(f"read {missing}", missing=missing)
            root = self._transport.get(vdc.href, action, "Vdc", "AdminVdc")
            known = reading.vdc(root)
            self._vdc_documents[vdc.href] = known
        return known

    def networks(self, vdc: Vdc) -> list[Network]:
        """List the networks that vApps of this VDC can use, sorted by name."""
        return networks.networks(self._transport, vdc, self.vdc_document(vdc))

    def network_details(self, network: Network) -> Network:
        """Return the network with what its own document tells (fence, DNS, free addresses)."""
        return networks.details(self._transport, network)

    def egress(self, network: Network) -> Network:
        """Return whether the network has a visible way to the Internet, see `Network.egress`."""
        return networks.egress(self._transport, network)

    def storage_profiles(self, vdc: Vdc) -> list[StorageProfile]:
        """List the storage profiles of an org VDC; one request."""
        action = Action(f"list the storage profiles of VDC '{vdc.name}'")
        conditions = [queries.equals("vdc", vdc.href)]
        return [
            queries.storage_profile(record)
            for record in queries.records(
                self._transport, "orgVdcStorageProfile", action, conditions=conditions
            )
        ]

    def capacity(self, vdc: Vdc) -> Capacity:
        """Return what an org VDC has left; counts its VMs only where it has a VM quota."""
        document = self.vdc_document(vdc)
        known = document.capacity
        if not document.vm_quota:
            return known
        conditions = [queries.equals("vdc", vdc.href)]
        count = queries.total(
            self._transport,
            "vm",
            Action(f"count the VMs of VDC '{vdc.name}'"),
            conditions=conditions,
        )
        return Capacity(
            vms_left=max(0, document.vm_quota - count),
            cpu_mhz_left=known.cpu_mhz_left,
            memory_mb_left=known.memory_mb_left,
        )

    # Templates

    def templates(self) -> list[Template]:
        """List the templates that nodes can be made from; one request for every 128 templates."""
        return list(catalogs.templates(self._transport, self.org_href))

    def find_item(self, catalog: str, item: str) -> Template:
        """Return the vApp template behind a catalog item.

        Raises:
            NotFound: there is none that this user can see.
        """
        return catalogs.find_item(self._transport, catalog, item, self.org_href)

    def template_vm(self, template: Template) -> TemplateVm:
        """Read the VM that nodes are cloned from; one request.

        Raises:
            NotFound: the template is gone, or holds no VM.
            Conflict: the template is still being uploaded or copied.
        """
        missing = f"template '{template.item}' in catalog '{template.catalog}'"
        action = Action(f"read {missing}", missing=missing)
        root = self._transport.get(template.href, action, "VAppTemplate")
        reason = reading.template_problem(root, template)
        if reason:
            raise Conflict(reason)
        source = reading.template_vm(root)
        if source is None:
            raise NotFound(f"{capitalized(missing)} holds no VM that you can see.")
        return source

    def _foreign_org(self, org: str) -> str:
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
                f"You are logged in to '{self.org_name}' and cannot look into '{wanted}'.",
                hint=f"log in to it: {self._login_line(wanted)}",
            )
        return wanted

    def _login_line(self, org: str) -> str:
        session = self._transport.session
        return suggest.vcd("login", session.host, org, session.user)
