"""The whole state of one simulated VCD, its lock, and the work that must not hold the lock."""

from __future__ import annotations

import sys
import threading
import traceback
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from cse_client.simulator.clock import Clock
from cse_client.simulator.outside import Outside
from cse_client.simulator.states import Pace
from cse_client.simulator.vcd.defined import DefinedEntities
from cse_client.simulator.vcd.entities import Catalog, CatalogItem, Org, Template, Vdc
from cse_client.simulator.vcd.errors import VcdError, bad_request, no_access
from cse_client.simulator.vcd.networks import EdgeGateway, OrgNetwork
from cse_client.simulator.vcd.people import ApiToken, Sessions, User
from cse_client.simulator.vcd.tasks import Task, TaskBoard
from cse_client.simulator.vcd.vapps import VApp, Vm
from cse_client.simulator.vcd.versions import RELEASES, Release

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cse_client.simulator.guest.system import Platform

__all__ = ["Cloud", "GuestOptions"]

_T = TypeVar("_T")
_SIDE_BY_SIDE = 16
_LEASE_CHECK = 0.25


@dataclass
class GuestOptions:
    """How guests are run: whether at all, and what `guest.GuestSettings` gets.

    `boot_delay` of None: as the cloud's pace has it. `platform` of None: an imitated Kubernetes.
    """

    enabled: bool = True
    speed: float = 1.0
    customization_timeout: float = 100.0
    boot_delay: float | None = None
    platform: Platform | None = None


@dataclass
class Cloud:
    """One VCD with one organization. Change it only while holding `lock`.

    `errands` are jobs that touch guests (starting, killing) and may take long or call back: they
    are run after the lock has been given up and before the answer leaves.
    """

    folder: Path
    clock: Clock
    pace: Pace
    release: Release = RELEASES["10.3"]
    org: Org = field(default_factory=lambda: Org("acme"))
    #: Where system administrators log in; it holds nothing.
    system_org: Org = field(default_factory=lambda: Org("System", full_name="System"))
    guest_options: GuestOptions = field(default_factory=GuestOptions)
    #: Whether a recompose that fails halfway leaves what it made; VCD's way is not documented.
    failed_recompose_keeps: bool = False
    #: Whether new VMs keep the template's CPUs and memory whatever hardware is requested. The
    #: schema's documentation allows to request it; that every release applies it was not verified.
    new_vms_keep_sizes: bool = False

    def __post_init__(self) -> None:
        """Make the empty shelves."""
        self.lock = threading.RLock()
        self.sessions = Sessions(self.clock)
        self.tasks = TaskBoard(self.clock, self.pace)
        self.users: dict[str, User] = {}
        self.providers: dict[str, User] = {}
        self.api_tokens: dict[str, ApiToken] = {}
        self.vdcs: dict[str, Vdc] = {}
        self.networks: dict[str, OrgNetwork] = {}
        self.edges: dict[str, EdgeGateway] = {}
        self.catalogs: dict[str, Catalog] = {}
        self.vapps: dict[str, VApp] = {}
        self.vms: dict[str, tuple[VApp, Vm]] = {}
        self.defined = DefinedEntities(self)
        #: What a deployment lease does to a vApp when it ends; `power` puts it in.
        self.stop_expired: Callable[[VApp], None] = lambda _vapp: None
        self.remove_expired: Callable[[VApp], None] = lambda _vapp: None
        #: Ends uploads that nobody has gone on with; `uploads` puts it in.
        self.end_uploads: Callable[[], None] = lambda: None
        #: Faults for guests that are yet to start: pattern of the VM's name, attributes.
        #: Expression over VM names, faults, and how many new guests get them (None: all).
        self.guest_faults: list[list[Any]] = []
        self.outside = Outside()
        self._errands: list[Callable[[], None]] = []
        self._serial = 0
        self._leases_checked = 0.0
        self._pool = ThreadPoolExecutor(_SIDE_BY_SIDE, thread_name_prefix="vcd-guests")

    # Looking up

    def org_of(self, user: User) -> Org:
        """Return the organization that a user logs in to."""
        return self.system_org if user.is_provider else self.org

    def vdc(self, identifier: str) -> Vdc:
        """Return a VDC or raise 403, as VCD does for unknown ids."""
        return _found(self.vdcs.get(identifier), "vdc", identifier)

    def network(self, identifier: str) -> OrgNetwork:
        """Return an org VDC network or raise 403."""
        return _found(self.networks.get(identifier), "network", identifier)

    def edge(self, identifier: str) -> EdgeGateway:
        """Return an edge gateway or raise 403."""
        return _found(self.edges.get(identifier), "gateway", identifier)

    def catalog(self, identifier: str) -> Catalog:
        """Return a catalog or raise 403."""
        return _found(self.catalogs.get(identifier), "catalog", identifier)

    def task(self, identifier: str) -> Task:
        """Return a task or raise 403."""
        return _found(self.tasks.all.get(identifier), "task", identifier)

    def items(self) -> Iterable[tuple[Catalog, CatalogItem]]:
        """Yield every catalog item with its catalog."""
        for catalog in self.catalogs.values():
            for item in catalog.items:
                yield catalog, item

    def item(self, identifier: str) -> tuple[Catalog, CatalogItem]:
        """Return a catalog item with its catalog or raise 403."""
        for catalog, item in self.items():
            if item.id == identifier:
                return catalog, item
        raise no_access("catalogitem", identifier)

    def template(self, identifier: str) -> tuple[CatalogItem, Template]:
        """Return a template by its own or its VM's id, with its item, or raise 403."""
        for _catalog, item in self.items():
            template = item.template
            if template is not None and identifier in (template.id, template.vm_id):
                return item, template
        raise no_access("vapptemplate", identifier)

    def owner_of(self, template: Template) -> User:
        """Return a template's owner."""
        return self.users.get(template.owner) or self.providers[template.owner]

    def vapp(self, identifier: str, user: User) -> VApp:
        """Return a vApp that the user may see or raise 403."""
        vapp = self.vapps.get(identifier)
        if vapp is None or not self.visible(vapp, user):
            raise no_access("vapp", identifier)
        return vapp

    def vm(self, identifier: str, user: User) -> tuple[VApp, Vm]:
        """Return a VM that the user may see, with its vApp, or raise 403."""
        found = self.vms.get(identifier)
        if found is None or not self.visible(found[0], user):
            raise no_access("vm", identifier)
        return found

    @staticmethod
    def visible(vapp: VApp, user: User) -> bool:
        """Return whether a user sees a vApp: his own, shared with him, or all of them."""
        return user.sees_all or vapp.owner is user or bool(vapp.everyone) or user.id in vapp.access

    def profile_of(self, vm: Vm, vdc: Vdc) -> str:
        """Return the name of a VM's storage profile."""
        for profile in vdc.storage:
            if profile.id == vm.storage_profile_id:
                return profile.name
        return vdc.default_profile.name

    # Changing

    def put_vm(self, vapp: VApp, vm: Vm) -> None:
        """Add a VM to a vApp."""
        vapp.vms.append(vm)
        vapp.started_empty = False
        self.vms[vm.id] = (vapp, vm)

    def take_vm(self, vapp: VApp, vm: Vm) -> None:
        """Remove a VM, its addresses and its guest."""
        if vm in vapp.vms:
            vapp.vms.remove(vm)
        self.vms.pop(vm.id, None)
        for rule in vapp.vdc.affinity_rules:
            if vm.id in rule.vms:
                rule.vms.remove(vm.id)
        for network in self.networks.values():
            network.release(vm.id)
        guest, vm.guest = vm.guest, None
        if guest is not None:
            self.errand(guest.destroy)

    def next_mac(self) -> str:
        """Return a fresh MAC address of VMware's range."""
        self._serial += 1
        number = self._serial
        return f"00:50:56:{number >> 16 & 255:02x}:{number >> 8 & 255:02x}:{number & 255:02x}"

    def refuse_if_unavailable(self, vapp: VApp) -> None:
        """Raise 400 for changes of an expired vApp."""
        if vapp.expired:
            raise bad_request(f'The vApp "{vapp.name}" has expired. Renew its lease first.')

    # Time and errands

    def errand(self, job: Callable[[], None]) -> None:
        """Leave a job for after the lock."""
        self._errands.append(job)

    def settle(self) -> None:
        """Let everything happen whose time has come. Call with the lock held."""
        self.tasks.settle()
        moment = self.clock.monotonic()
        if moment - self._leases_checked < _LEASE_CHECK:
            return
        self._leases_checked = moment
        now = self.clock.now()
        for vapp in list(self.vapps.values()):
            if vapp.deployment_lease or vapp.storage_lease:
                self._apply_leases(vapp, now)
        self.end_uploads()
        for _catalog, item in self.items():
            ends = item.template.storage_ends if item.template is not None else None
            if item.template is not None and ends is not None and ends <= now:
                item.template.expired = True

    def _apply_leases(self, vapp: VApp, now: datetime) -> None:
        ends = vapp.deployment_ends
        if ends is not None and ends <= now:
            self.stop_expired(vapp)
        ends = vapp.storage_ends
        if ends is not None and ends <= now and not vapp.expired:
            if self.org.expired_vapps_are_deleted:
                self.remove_expired(vapp)
            else:
                vapp.expired = True

    def transact(self, work: Callable[[], _T]) -> _T:
        """Do `work` under the lock, then the errands and the tasks that end with it."""
        with self.lock:
            self.settle()
            try:
                result = work()
            except VcdError:
                self._errands, jobs = [], self._errands
                self.run_errands(jobs)
                raise
            jobs, self._errands = self._errands, []
            fresh = self.tasks.take_fresh()
        # The guests are off before the task that switches them off can be seen to have ended.
        self.run_errands(jobs)
        with self.lock:
            self.tasks.answered(fresh)
            jobs, self._errands = self._errands, []
        self.run_errands(jobs)
        return result

    def tick(self) -> None:
        """Let time pass without a request."""
        with self.lock:
            self.settle()
            jobs, self._errands = self._errands, []
        self.run_errands(jobs)

    def run_errands(self, jobs: Sequence[Callable[[], None]]) -> None:
        """Run jobs side by side and wait for them; a failure is shown, and the rest goes on."""
        if len(jobs) == 1:
            _guarded(jobs[0])
        elif jobs:
            list(self._pool.map(_guarded, jobs))

    def close(self) -> None:
        """Power off every guest."""
        with self.lock:
            guests = [vm.guest for _vapp, vm in self.vms.values() if vm.guest is not None]
            for _vapp, vm in self.vms.values():
                vm.guest = None
        self.run_errands([guest.destroy for guest in guests])
        self._pool.shutdown(wait=True)


def _found(entity: _T | None, kind: str, identifier: str) -> _T:
    if entity is None:
        raise no_access(kind, identifier)
    return entity


def _guarded(job: Callable[[], None]) -> None:
    try:
        job()
    except Exception:  # noqa: BLE001  (a guest's defect must be seen, and must not stop the others)
        traceback.print_exc(file=sys.stderr)
