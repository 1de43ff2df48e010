"""Everything the engines ask of VCD, in model types; one method, one meaning, few requests.

A change returns its `Task` at once; `tasks.wait` waits for it. No method prints, asks, sleeps
(other than between tries of a read) or decides.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

from lxml import etree

from cse_client.clock import SYSTEM_CLOCK, Clock
from cse_client.errors import NotFound, Refused, SessionInvalid, VcdFault
from cse_client.model import (
    Network,
    NewVm,
    Session,
    TemplateFacts,
    VApp,
    VAppRecord,
    Vdc,
    Vm,
    VmChange,
    footprint,
)
from cse_client.model.hrefs import href_id
from cse_client.vcd import catalogs, queries, reading, recent, tasks, writing
from cse_client.vcd.errors import EDIT_RIGHT, Action
from cse_client.vcd.recent import RecentTask
from cse_client.vcd.sections import VmSections
from cse_client.vcd.session import OpenSession
from cse_client.vcd.surroundings import Surroundings
from cse_client.vcd.tasks import Task
from cse_client.vcd.transport import Transport

if TYPE_CHECKING:
    from cse_client.vcd.affinity import AffinityRules
    from cse_client.vcd.reservations import Reservations
    from cse_client.vcd.snapshots import Snapshots
    from cse_client.vcd.templates import Templates
    from cse_client.vcd.uploads import Uploads

__all__ = ["VcdClient"]

_CREATE = "vApp: Create / Reconfigure"
_POWER = "vApp: Power Operations"
_DELETE = "vApp: Delete"
_SMALL_CHANGE_SECONDS = 300.0


class VcdClient:
    """One VCD as one user sees it: `session`, `surroundings`, `templates`, here vApps and tasks.

    `clock` is what the waiters use. Everything that changes (vApps, VMs, tasks) is read anew each
    time.
    """

    def __init__(
        self, transport: Transport, session_document: etree._Element | None = None
    ) -> None:
        self.clock: Clock = transport.clock
        self.session = OpenSession(transport, session_document)
        self.surroundings = Surroundings(transport, self.session)
        self._transport = transport
        self._sections = VmSections(transport)

    @cached_property
    def templates(self) -> Templates:
        """Catalogs, and making and deleting the templates in them."""
        from cse_client.vcd.templates import Templates

        return Templates(self._transport, self.session)

    @cached_property
    def uploads(self) -> Uploads:
        """Uploading templates into catalogs."""
        from cse_client.vcd.uploads import Uploads

        return Uploads(self._transport)

    @cached_property
    def snapshots(self) -> Snapshots:
        """Snapshots of VMs."""
        from cse_client.vcd.snapshots import Snapshots

        return Snapshots(self._transport)

    @cached_property
    def reservations(self) -> Reservations:
        """Addresses that clusters have reserved."""
        from cse_client.vcd.reservations import Reservations

        return Reservations(self._transport, self.write_metadata)

    def affinity_rules(self, vdc: Vdc) -> AffinityRules:
        """Return the rules of a VDC that keep VMs apart; a request where it was not read yet."""
        from cse_client.vcd.affinity import AffinityRules

        return AffinityRules(self._transport, vdc, self.surroundings.vdc_document(vdc))

    @classmethod
    def open(cls, session: Session, *, clock: Clock = SYSTEM_CLOCK) -> VcdClient:
        """Check the stored session with one request and return the client.

        Raises:
            SessionInvalid: it has expired, or VCD no longer serves its API version; the hint is
                the login line to type.
            VcdFault: VCD cannot be reached, or its certificate cannot be verified.
        """
        vcd = cls.attach(session, clock=clock)
        vcd.session.identify()
        return vcd

    @classmethod
    def attach(cls, session: Session, *, clock: Clock = SYSTEM_CLOCK) -> VcdClient:
        """Return the client without a request: the session is read when something needs it."""
        return cls(Transport(session, clock))

    def close(self) -> None:
        """Let go of the connections; the session in VCD stays."""
        self._transport.close()

    @property
    def requests_sent(self) -> int:
        """Return how many requests went out so far."""
        return self._transport.requests_sent

    # Reading vApps

    def find_vapp(self, vdc: Vdc, name: str) -> VAppRecord | None:
        """Return the vApp of this name, cluster or not, with the cluster fields; one request."""
        conditions = [queries.equals("name", name), queries.equals("vdc", vdc.href)]
        for record in self._vapp_records(Action(f"find vApp '{name}'"), conditions, ()):
            if record.name == name:
                return record
        return None

    def cluster_records(
        self, vdc: Vdc | None = None, org: str = "", *, cluster_id: str = ""
    ) -> Iterator[VAppRecord]:
        """Yield the vApps that are clusters, in one VDC or in all; one request per 128.

        With `cluster_id` those with this id in their metadata.

        Raises:
            Refused: another organization was named by a tenant.
        """
        conditions = [queries.equals("vdc", vdc.href)] if vdc else []
        vdcs: set[str] | None = None
        if vdc is None and self.session.foreign_org(org):
            vdcs = {one.href for one in self.surroundings.vdcs(org)}
        terms = [f"metadata:{footprint.CLUSTER_ID}==STRING:*"]
        if re.fullmatch(r"[0-9A-Za-z-]+", cluster_id):  # anything else is compared here only
            terms = [f"metadata:{footprint.CLUSTER_ID}==STRING:{cluster_id}"]
        for record in self._vapp_records(Action("list the clusters"), conditions, terms):
            if cluster_id and record.metadata.get(footprint.CLUSTER_ID) != cluster_id:
                continue
            if vdcs is None or record.vdc_href in vdcs:
                yield record

    def vapp(self, href: str) -> VApp:
        """Read a vApp with its VMs; one request.

        Raises:
            NotFound: it is gone, or hidden.
        """
        action = Action("read the vApp", missing="the vApp")
        root = self._transport.get(href, action, "VApp")
        self._sections.remember_scripts(root)
        return reading.vapp(root)

    def vapp_in_motion(self, href: str) -> VApp:
        """Read a vApp and where the customization of its VMs stands; two requests.

        The vApp's own document does not tell the customization state (`Vm.customization`), the
        query service does not tell guestinfo: a waiter needs both.
        """
        vapp = self.vapp(href)
        states = {vm.href: vm.customization for vm in self.vm_records(href)}
        vms = tuple(
            replace(vm, customization=vm.customization or states.get(vm.href, ""))
            for vm in vapp.vms
        )
        return replace(vapp, vms=vms)

    def vapp_metadata(self, href: str) -> dict[str, str]:
        """Read the GENERAL metadata of a vApp (or of anything); one request."""
        action = Action("read the metadata", missing="the vApp")
        return reading.metadata(self._transport.get(f"{href}/metadata", action, "Metadata"))

    def gone(self, href: str) -> bool:
        """Return whether an entity that was there is no more (403 or 404 on a known address)."""
        try:
            self._transport.get(href, Action("look for it", missing="it"))
        except NotFound:
            return True
        return False

    def vm_records(self, vapp_href: str) -> list[Vm]:
        """Read the VMs of a vApp from the query service, for cheap polling; one request per 128.

        Status, addresses and `customization` (gcStatus) only: never ExtraConfig.
        """
        return [
            queries.vm_record(record)
            for record in queries.records(
                self._transport,
                "vm",
                Action("list the VMs"),
                conditions=[queries.equals("container", vapp_href)],
                raw=("isVAppTemplate==false",),
            )
        ]

    def vm(self, href: str) -> Vm:
        """Read one VM with its ExtraConfig, where this user may see it; one request."""
        action = Action("read the VM", missing="the VM")
        return reading.vm(self._transport.get(href, action, "Vm"))

    def task(self, href: str) -> Task:
        """Read a task once; the caller handles a VCD that does not answer."""
        action = Action("read the task", missing=f"the task {href_id(href)}")
        return reading.task(self._transport.get(href, action, "Task", patient=False))

    def vapp_href(self, uuid: str) -> str:
        """Return the address of a vApp by its UUID."""
        return f"{self._transport.api}/vApp/vapp-{uuid}"

    def recent_tasks(self, namespace: str) -> list[RecentTask]:
        """Return an extension service's tasks that this user sees, the newest first."""
        return recent.recent_tasks(self._transport, namespace)

    def console_picture(self, vm_href: str) -> bytes:
        """Return a picture of a running VM's console (API reference, GET-Thumbnail)."""
        action = Action("read the picture of the console")
        return self._transport.picture(f"{vm_href}/screen", action)

    def tasks_about(self, hrefs: Sequence[str]) -> list[RecentTask]:
        """Return the tasks about vApps and VMs that this user sees, the oldest first."""
        return recent.tasks_about(self._transport, hrefs)

    def task_href(self, task_id: str) -> str:
        """Return the address of a task by its id."""
        return f"{self._transport.api}/task/{task_id}"

    # Changing vApps

    def compose(
        self,
        vdc: Vdc,
        name: str,
        description: str,
        network: Network,
        *,
        add: Sequence[NewVm] = (),
        accept_eulas: bool = False,
    ) -> tuple[str, Task]:
        """Make a vApp connected to one network; return its href and the task at work.

        The task makes and starts the VMs in `add` too.

        Raises:
            Conflict: the name is taken.
            Refused: this user may not make vApps in this VDC.
        """
        url = self.surroundings.vdc_document(vdc).compose_href
        if not url:
            raise no_compose_right(vdc)
        action = Action(f"create vApp '{name}'", right=_CREATE, changes=True)
        body = writing.compose(name, description, network, add=add, accept_eulas=accept_eulas)
        reply = self._transport.post(url, body, writing.COMPOSE, action)
        if reply.root is None or etree.QName(reply.root).localname != "VApp":
            raise VcdFault(
                f"Cannot tell whether VCD did it ({action.doing}): it answered without a vApp.",
                status=reply.status,
                outcome_unknown=True,
            )
        href = reply.root.get("href") or reply.location
        task = reading.first_task(reply.root)
        return href, task or _done(href)

    def write_metadata(self, href: str, values: Mapping[str, str]) -> Task:
        """Merge entries into the GENERAL metadata of an entity, in one request."""
        action = Action("write the metadata", right=EDIT_RIGHT, changes=True)
        return self._post(f"{href}/metadata", writing.metadata(values), writing.METADATA, action)

    def recompose(
        self,
        vapp_href: str,
        *,
        add: Sequence[NewVm] = (),
        delete: Sequence[str] = (),
        change: Sequence[VmChange] = (),
        power_on: bool = False,
        accept_eulas: bool = False,
    ) -> Task:
        """Add, delete and change VMs of a vApp in one task.

        New VMs get an address of the network's pool, which is theirs when the task has ended.
        VMs to delete must be undeployed, VMs to change powered off. The sections that changes
        replace are read first, all with one request.
        """
        changed = self._sections.changed(vapp_href, change) if change else []
        body = writing.recompose(
            add=add,
            delete=delete,
            change=changed,
            power_on=power_on,
            accept_eulas=accept_eulas,
        )
        action = Action("change the vApp's VMs", right=_CREATE, changes=True)
        return self._post(f"{vapp_href}/action/recomposeVApp", body, writing.RECOMPOSE, action)

    def power_on_vapp(self, href: str) -> Task:
        """Power on a vApp (or a VM) with everything in it."""
        action = Action("power it on", right=_POWER, changes=True)
        return self._post(f"{href}/power/action/powerOn", None, "", action)

    def deploy(self, href: str, force_customization: bool = False) -> Task:
        """Deploy and power on a vApp or VM; forced customization runs the script again."""
        body = writing.deploy(power_on=True, force_customization=force_customization)
        action = Action("deploy it", right=_POWER, changes=True)
        return self._post(f"{href}/action/deploy", body, writing.DEPLOY, action)

    def undeploy(self, href: str, power_action: str = "powerOff") -> Task:
        """Stop a vApp or VM and release it, so that it can be deleted.

        `power_action` is VCD's: powerOff, shutdown, force, default.
        """
        body = writing.undeploy(power_action)
        action = Action("stop it", right=_POWER, changes=True)
        return self._post(f"{href}/action/undeploy", body, writing.UNDEPLOY, action)

    def delete_vapp(self, href: str, force: bool = True) -> Task:
        """Delete a vApp and its VMs; with force even a running one.

        Raises:
            Refused: this user may not, or it is gone already (`gone` tells them apart).
        """
        url = f"{href}?force={force}&recursive=False"
        action = Action("delete the vApp", right=_DELETE, changes=True)
        return self._transport.delete(url, action).task(action)

    def customization_script(self, vm_href: str) -> str:
        """Read a VM's customization script. It holds secrets: keep it out of logs and messages.

        One request, or none where the last document of its vApp had it.
        """
        return self._sections.script(vm_href)

    def write_customization_script(self, vm_href: str, script: str) -> Task:
        """Replace a VM's customization script; the rest of the section stays as it is."""
        section = self._sections.with_script(vm_href, script)
        action = Action("write the customization script", right=EDIT_RIGHT, changes=True)
        reply = self._transport.put(
            f"{vm_href}/guestCustomizationSection/",
            section,
            writing.CUSTOMIZATION,
            action,
        )
        return reply.task(action)

    def keep_for_ever(self, vapp_href: str) -> Task | None:
        """Ask VCD never to stop or delete the vApp by lease; None where that is not allowed.

        The organization's policy may cap the lease: what came of it is in `VApp.lease_ends`.
        """
        action = Action("set the lease", right=EDIT_RIGHT, changes=True)
        try:
            reply = self._transport.put(
                f"{vapp_href}/leaseSettingsSection/", writing.lease(0, 0), writing.LEASE, action
            )
        except SessionInvalid:
            raise
        except Refused:
            return None
        except VcdFault as fault:
            if fault.status == 400:  # noqa: PLR2004 - a lease that the policy does not allow
                return None
            raise
        return reply.task(action)

    def register_template(self, template_href: str, facts: TemplateFacts) -> None:
        """Mark a vApp template as usable, in metadata that every tenant user can read; waits.

        Raises:
            Refused: this user may not change the template.
        """
        values = {footprint.TEMPLATE: catalogs.facts_text(facts)}
        deadline = self.clock.monotonic() + _SMALL_CHANGE_SECONDS
        tasks.done(self, lambda: self.write_metadata(template_href, values), deadline=deadline)

    # Private

    def _vapp_records(
        self, action: Action, conditions: Sequence[tuple[str, str]], raw: Sequence[str]
    ) -> Iterator[VAppRecord]:
        fields = ["name", "status", "vdc", "vdcName", "ownerName", "isBusy"]
        fields += [f"metadata:{key}" for key in footprint.LISTED]
        for record in queries.records(
            self._transport, "vApp", action, conditions=conditions, raw=raw, fields=fields
        ):
            yield queries.vapp_record(record)

    def _post(self, url: str, body: etree._Element | None, media_type: str, action: Action) -> Task:
        return self._transport.post(url, body, media_type, action).task(action)


def no_compose_right(vdc: Vdc) -> Refused:
    """Make the error for a VDC in which this user may not make vApps."""
    return Refused(
        f"You may not create vApps in VDC '{vdc.name}'.",
        hint=f'The right "{_CREATE}" is required (role vApp Author or above); '
        "an organization administrator can grant it.",
    )


def _done(href: str) -> Task:
    """Stand for a change that VCD finished before it answered."""
    return Task(href=href, status="success")
