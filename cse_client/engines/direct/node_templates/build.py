"""Building a node template of a plain Ubuntu template, with a tenant's rights.

One VM is composed from the plain template; its customization script installs what nodes need, seals
the machine and shuts it down; the vApp is captured into a catalog and deleted. What makes a build
resumable is in VCD: the vApp's description says whose build it is, its metadata that the VM was
sealed and what is in it, the template's description which build has made it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from cse_client import bounds, suggest
from cse_client.clock import Clock
from cse_client.engines.direct.lock import ClusterLock
from cse_client.engines.direct.node_templates import marks
from cse_client.engines.direct.node_templates.request import BuildRequest
from cse_client.engines.direct.node_templates.state import BuildState
from cse_client.engines.direct.node_templates.watch import BuildWatch, Built
from cse_client.engines.direct.operations.delete import delete_vapp
from cse_client.engines.direct.operations.failure import (
    ROLLBACK_SECONDS,
    after_failure,
    remove_made,
)
from cse_client.engines.direct.operations.plan import Step, carry_out
from cse_client.engines.direct.requirements import CPUS, VM_MEMORY_MB
from cse_client.engines.direct.seen_machines import BROKEN
from cse_client.engines.direct.waiting import VAppView
from cse_client.errors import CseError, NotFinished, NotFound, SessionInvalid, VcdFault
from cse_client.guest.template_script import TEMPLATE_VM, Build, template_script
from cse_client.model import (
    Event,
    EventKind,
    NewVm,
    Progress,
    RunOptions,
    Session,
    TemplateFacts,
    VApp,
    footprint,
    silent,
)
from cse_client.model.templates import BuiltTemplate
from cse_client.vcd import catalogs, tasks
from cse_client.vcd.tasks import Task

if TYPE_CHECKING:
    from cse_client.vcd.client import VcdClient

__all__ = ["TemplateBuild"]

_BAD_REQUEST = 400
#: Memory that is suggested where a template's is too small for a control plane.
_ENOUGH_MB = 2048
#: Seconds that a sealed VM has for shutting down.
_SHUTDOWN_SECONDS = 180.0


class TemplateBuild:
    """One run of `template build`, new or resumed."""

    def __init__(
        self,
        vcd: VcdClient,
        request: BuildRequest,
        options: RunOptions,
        session: Session,
        *,
        clock: Clock,
        progress: Progress = silent,
    ) -> None:
        self._vcd = vcd
        self._request = request
        self._spec = request.spec
        self._options = options
        self._clock = clock
        self._progress = progress
        deadline = clock.monotonic() + bounds.share(options.timeout)
        self._state = BuildState(vcd, request, clock=clock, deadline=deadline)
        self._registered = False
        self._cleared = False
        self._deleted = False
        self._lock = ClusterLock(
            vcd,
            session,
            name=marks.vapp_name(self._spec.name),
            vdc_href=request.vdc.href,
            clock=clock,
            shown=f"template '{self._spec.name}'",
        )
        self.wrote_something = request.vapp is not None

    # The plan

    def steps(self) -> list[Step]:
        """Return the steps in order; a dry run prints their sentences."""
        spec, request = self._spec, self._request
        vapp = marks.vapp_name(spec.name)
        source = f"{spec.source_catalog}/{spec.source_item}"
        return [
            Step(
                "Create the VM",
                f"Create vApp '{vapp}' in VDC '{request.vdc.name}' with one VM from template"
                f" '{source}' on network '{spec.network}', and start it.",
                lambda: self._state.sealed or self._state.vm is not None,
                self._compose,
            ),
            Step(
                f"Install Kubernetes {spec.kubernetes} and {spec.cni.title}",
                f"Install containerd, Kubernetes {spec.kubernetes} from {spec.package_source} and"
                f" {spec.cni.title} in the VM, pull their images, and remove what belongs to this"
                " VM only.",
                lambda: self._state.sealed,
                self._install,
            ),
            Step(
                "Shut down the VM",
                "Shut down the VM.",
                lambda: self._state.is_off or self._state.is_captured,
                self._shut_down,
            ),
            Step(
                "Remove script, password and guest properties",
                "Remove script, password and guest properties from the VM in VCD.",
                lambda: self._cleared or self._state.is_captured,
                self._clear,
            ),
            Step(
                "Capture the template",
                f"Capture the vApp as template '{spec.name}' in catalog '{request.catalog.name}'.",
                lambda: self._state.is_captured,
                self._capture,
            ),
            Step(
                "Register the template",
                "Register the template for use as nodes.",
                lambda: self._registered,
                self._register,
            ),
            Step(
                "Delete the VM",
                f"Delete vApp '{vapp}'.",
                lambda: self._deleted,
                self._delete,
            ),
        ]

    def run(self) -> None:
        """Carry the plan out; on failure roll back, unless that is disabled.

        Raises what failed first; what the rollback could not remove is in its notes.
        """
        self._lock.acquire_local()
        try:
            self._begin_again_if_broken()
            carry_out(self.steps(), self._progress, self._state.refresh)
        except (NotFinished, KeyboardInterrupt, SessionInvalid):
            raise
        except CseError as error:
            self._after_failure(error)
            raise
        finally:
            self._lock.release_local()

    def outcome(self) -> BuiltTemplate:
        """Return what `run` has made."""
        assert self._state.template is not None  # noqa: S101 - `run` has made it
        try:
            details = self._vcd.templates.details(self._state.template)
        except CseError:
            return BuiltTemplate(self._state.template)
        vm = details.vm
        return BuiltTemplate(
            self._state.template,
            details.lease_ends,
            CPUS if vm is not None and 0 < vm.cpus < CPUS else None,
            _ENOUGH_MB if vm is not None and 0 < vm.memory_mb < VM_MEMORY_MB else None,
        )

    # The steps

    def _begin_again_if_broken(self) -> None:
        """Wait until VCD has ended what an earlier run began; remove what cannot be continued."""
        if self._state.vapp is None:
            return
        self._state.refresh()
        vm = self._state.vm
        if self._state.vapp is None or self._state.is_captured or self._state.sealed:
            return
        off_before_its_end = vm is not None and vm.is_off and not self._state.has_finished(vm)
        broken = self._state.vapp.status in BROKEN or vm is None or vm.status in BROKEN
        if broken or off_before_its_end:
            note = "The earlier VM cannot be continued; a new one is created."
            self._progress(Event(EventKind.NOTE, note))
            self._state.withdraw()

    def _compose(self) -> None:
        if self._state.vapp is not None:
            self._state.withdraw()
        self.wrote_something = True
        request, spec = self._request, self._spec
        script = template_script(
            Build(
                build_id=self._state.build_id,
                name=spec.name,
                kubernetes=spec.kubernetes,
                cni=spec.cni,
                package_source=spec.package_source,
                grow=bool(spec.disk_mb),
                settings=spec.settings,
            )
        )
        vm = NewVm(
            name=TEMPLATE_VM,
            source=request.source_vm,
            network=request.network.name,
            script=script,
            storage_profile=request.storage_profile,
            cpus=spec.cpus,
            memory_mb=spec.memory_mb,
            disk_mb=spec.disk_mb,
        )
        description = marks.describe_build(
            spec.name, self._state.build_id, self._lock.owner, request.options
        )
        href, task = tasks.change(
            self._vcd,
            lambda: self._vcd.compose(
                request.vdc,
                marks.vapp_name(spec.name),
                description,
                request.network,
                add=[vm],
                accept_eulas=spec.accept_eulas,
            ),
            deadline=self._state.deadline,
        )
        self._state.vapp = VApp(
            name=marks.vapp_name(spec.name),
            href=href,
            id="",
            status="UNRESOLVED",
            deployed=False,
            description=description,
        )
        tasks.wait(self._vcd, task, deadline=self._state.deadline)
        self._state.vapp = self._vcd.vapp(href)

    def _install(self) -> None:
        vm = self._state.vm
        if vm is not None and not vm.is_on and not self._state.has_finished(vm):
            # VCD has made it, but not started it
            self._done(lambda: self._vcd.deploy(self._state.href))
        built = BuildWatch(
            look=VAppView(self._vcd, self._state.href).look,
            progress=self._progress,
            clock=self._clock,
            deadline=self._state.deadline,
            identity=self._state.build_id,
        ).wait()
        if not built.verified:
            self._progress(
                Event(
                    EventKind.WARNING,
                    "The VM's reports are not visible to you (right 'vApp: Allow All Extra"
                    " Config'), and it has shut itself down as it does at its end; check the"
                    f" template: {self._check_line()}",
                )
            )
        values = {footprint.TEMPLATE: catalogs.facts_text(self._facts(built))}
        self._done(lambda: self._vcd.write_metadata(self._state.href, values))
        self._state.metadata = {**self._state.metadata, **values}
        self._state.vapp = self._vcd.vapp(self._state.href)

    def _check_line(self) -> str:
        item = f"{self._request.catalog.name}/{self._spec.name}"
        return suggest.cse("template check", item, boot=True, network=self._spec.network)

    def _facts(self, built: Built) -> TemplateFacts:
        spec = self._spec
        return TemplateFacts(
            os=built.os,
            kubernetes=built.kubernetes or spec.kubernetes,
            cni=spec.cni.name,
            cni_version=spec.cni.version,
            cni_manifest=spec.cni.path,
            keepalived=True,
            origin="built",
            source=f"{spec.source_catalog}/{spec.source_item}",
            built=datetime.now(timezone.utc).strftime("%Y-%m-%d"),
        )

    def _shut_down(self) -> None:
        vm = self._state.vm
        if vm is not None and not vm.is_off:
            try:
                self._done(lambda: self._vcd.undeploy(self._state.href, "shutdown"))
            except VcdFault as fault:
                if fault.outcome_unknown or fault.status not in (0, _BAD_REQUEST):
                    raise
                # it may have been off by then: it shuts itself down
                self._await_off(fault)
        self._state.vapp = self._vcd.vapp(self._state.href)
        if self._state.vapp.deployed or not self._state.is_off:
            self._done(lambda: self._vcd.undeploy(self._state.href))
            self._state.vapp = self._vcd.vapp(self._state.href)

    def _await_off(self, fault: VcdFault) -> None:
        end = min(self._state.deadline, self._clock.monotonic() + _SHUTDOWN_SECONDS)
        while True:
            self._state.vapp = self._vcd.vapp(self._state.href)
            vm = self._state.vm
            if vm is None or vm.is_off:
                return
            if self._clock.monotonic() >= end:
                raise fault
            self._clock.sleep(2.0)

    def _clear(self) -> None:
        vm = self._state.vm
        if vm is None:
            raise NotFound("The VM of the template has disappeared from its vApp.")
        self._done(lambda: self._vcd.templates.clear_customization(vm.href))
        task = tasks.change(
            self._vcd,
            lambda: self._vcd.templates.clear_properties(vm.href),
            deadline=self._state.deadline,
        )
        if task is not None:
            tasks.wait(self._vcd, task, deadline=self._state.deadline)
        self._cleared = True

    def _capture(self) -> None:
        facts = self._recorded_facts()
        parts = [f"Kubernetes {facts.kubernetes}", facts.os, self._spec.cni.title]
        text = ", ".join(part for part in parts if part)
        description = marks.describe_template(text, self._state.build_id)
        self._done(
            lambda: self._vcd.templates.capture(
                self._request.catalog, self._state.href, self._spec.name, description
            )
        )
        self._state.template = self._state.find_template()
        if self._state.template is None:
            raise CseError(
                f"VCD reported that template '{self._spec.name}' was captured, but does not show"
                f" it in catalog '{self._request.catalog.name}'."
            )

    def _recorded_facts(self) -> TemplateFacts:
        return catalogs.read_facts(self._state.metadata.get(footprint.TEMPLATE, ""))

    def _register(self) -> None:
        assert self._state.template is not None  # noqa: S101 - the step before
        facts = self._recorded_facts()
        if not self._state.template.registered or self._state.template.facts != facts:
            self._vcd.register_template(self._state.template.href, facts)
        self._state.template = replace(self._state.template, facts=facts, registered=True)
        self._registered = True

    def _delete(self) -> None:
        if self._state.vapp is not None:
            delete_vapp(self._vcd, self._state.vapp.href, deadline=self._state.deadline)
            self._state.vapp = None
        self._deleted = True

    def _done(self, call: Callable[[], Task]) -> None:
        tasks.done(self._vcd, call, deadline=self._state.deadline)

    # Failure

    def _after_failure(self, error: CseError) -> None:
        if not self.wrote_something:
            return
        remove = suggest.cse("template delete", self._spec.name)
        after_failure(
            error,
            all_ready=self._registered,
            rollback=self._options.rollback,
            resume=f"Run the same command again to resume, or remove what was made: {remove}",
            kept=f"Kept for inspection as requested; remove it with `{remove}`",
            keep=lambda: None,
            roll_back=lambda: self._roll_back(error, advice=f"Try `{remove}`."),
        )

    def _roll_back(self, error: CseError, *, advice: str) -> None:
        if remove_made(self._remove, error, self._progress, advice=advice):
            error.notes.append("Everything that this command had made was removed.")

    def _remove(self) -> None:
        self._state.deadline = self._clock.monotonic() + ROLLBACK_SECONDS
        if self._state.vapp is None or self._state.template is None:
            self._state.refresh()
        if self._state.template is not None:
            self._state.remove_template(self._state.template)
        if self._state.vapp is not None:
            delete_vapp(self._vcd, self._state.vapp.href, deadline=self._state.deadline)
