"""What a tenant user sees around the vApps: org VDCs, networks, storage, templates, users."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cse_client import suggest
from cse_client.content import capitalized
from cse_client.errors import Conflict, NotFound
from cse_client.model import (
    Capacity,
    Network,
    StorageProfile,
    Template,
    TemplateVm,
    Vdc,
    VmPolicy,
)
from cse_client.vcd import catalogs, networks, queries, reading, users
from cse_client.vcd.errors import Action
from cse_client.vcd.reading import VdcDocument
from cse_client.vcd.session import OpenSession
from cse_client.vcd.transport import Transport

if TYPE_CHECKING:
    from cse_client.model.addons import AddressPlan

__all__ = ["Surroundings"]


class Surroundings:
    """The org VDCs of one session, and what vApps in them can use.

    Documents of org VDCs are read once and kept, because a command is short.
    """

    def __init__(self, transport: Transport, session: OpenSession) -> None:
        self._transport = transport
        self._session = session
        self._vdc_documents: dict[str, VdcDocument] = {}

    # Org VDCs

    def vdcs(self, org: str = "") -> list[Vdc]:
        """List the org VDCs that this user can see, of one organization.

        Raises:
            Refused: another organization was named by a tenant.
        """
        foreign = self._session.foreign_org(org)
        conditions = [queries.equals("orgName", foreign)] if foreign else []
        action = Action("list the org VDCs", right="Organization vDC: View")
        found = []
        for record in queries.records(self._transport, "orgVdc", action, conditions=conditions):
            owner = record.get("orgName") or self._session.org_name
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
                f"No VDC is in use; available: {listed}.",
                hint=f"Use --vdc NAME, or: {suggest.vcd('vdc use', 'NAME')}",
            )
        raise NotFound(
            f"Organization '{org or session.org}' has no VDC '{wanted}'; available: {listed}."
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

    def addresses_in_use(self, network: Network) -> list[tuple[str, str]] | None:
        """Return the addresses in use, each with who has it; None if hidden; one request.

        `network` has the details of `network_details`. Several may have the same address.
        """
        from cse_client.vcd import addresses

        return addresses.in_use(self._transport, network.name, network.addresses_href)

    def address_plan(self, network: Network) -> AddressPlan:
        """Return what VCD knows of a network's addresses; up to three requests."""
        from cse_client.vcd import addresses

        return addresses.plan(self._transport, network)

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

    def vm_policies(self, vdc: Vdc) -> list[VmPolicy]:
        """List the VM sizing and placement policies of an org VDC, see `policies`."""
        from cse_client.vcd import policies

        return policies.vm_policies(self._transport, vdc)

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
        return list(catalogs.templates(self._transport, self._session.org_href))

    def find_item(self, catalog: str, item: str) -> Template:
        """Return the vApp template behind a catalog item.

        Raises:
            NotFound: there is none that this user can see.
        """
        return catalogs.find_item(self._transport, catalog, item, self._session.org_href)

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
            raise NotFound(f"{capitalized(missing)} has no VM that you can see.")
        return source

    # Users

    def user_urns(self, names: Sequence[str], org: str = "") -> dict[str, str]:
        """Return the ids of an organization's users, by name. Raises NotFound, see `users`."""
        return users.user_urns(self._transport, names, self._session.foreign_org(org))
