"""Looking at a template from inside, in one VM that lives for minutes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING
from uuid import uuid4

from cse_client import bounds
from cse_client.clock import Clock
from cse_client.engines.direct.lock import owner_of
from cse_client.engines.direct.node_templates.watch import BuildWatch, Built
from cse_client.engines.direct.operations.delete import delete_vapp
from cse_client.engines.direct.operations.failure import ROLLBACK_SECONDS
from cse_client.engines.direct.waiting import VAppView
from cse_client.errors import (
    CseError,
    GuestFailed,
    Interrupted,
    NotFound,
    TaskFailed,
    raise_all,
)
from cse_client.guest.template_script import CHECK_VM, check_script
from cse_client.model import (
    Event,
    EventKind,
    NewVm,
    Progress,
    RunOptions,
    Session,
    Template,
    Vdc,
)
from cse_client.model.templates import BootSpec, CheckResult, Level
from cse_client.vcd import preflight, tasks
from cse_client.vcd.findings import Findings

if TYPE_CHECKING:
    from cse_client.vcd.client import VcdClient

__all__ = ["BootCheck"]

#: Seconds after the customization that a VM without visible reports is left for them.
_UNSEEN_SECONDS = 60.0
_PARTS = 4


class BootCheck:
    """One run of `template check --boot`."""

    def __init__(
        self,
        vcd: VcdClient,
        session: Session,
        template: Template,
        spec: BootSpec,
        options: RunOptions,
        *,
        clock: Clock,
        progress: Progress,
    ) -> None:
        self._vcd = vcd
        self._owner = owner_of(session)
        self._template = template
        self._spec = spec
        self._clock = clock
        self._progress = progress
        self._deadline = clock.monotonic() + bounds.share(options.timeout)
        self._id = str(uuid4())
        self._name = f"cse-check-{self._id[:8]}"

    def run(self) -> Sequence[CheckResult]:
        """Make the VM, wait for its report, and delete it.

        Raises:
            CseError: the VM cannot be made, or not be deleted.
        """
        vdc = self._vcd.surroundings.vdc(self._spec.vdc, self._spec.org)
        findings = self._preflight(vdc)
        try:
            href = self._boot(vdc, findings)
            return list(self._results(self._watch(href)))
        except GuestFailed as failure:
            return [CheckResult(Level.ERROR, "First boot", failure.message, failure.hint)]
        except TaskFailed as failure:
            return [CheckResult(Level.ERROR, "First boot", failure.message)]
        except KeyboardInterrupt:
            raise Interrupted("Interrupted; the VM is deleted.") from None
        finally:
            self._remove(vdc)

    def _preflight(self, vdc: Vdc) -> Findings:
        findings = Findings()
        preflight.check_rights(self._vcd, vdc, findings)
        accept = self._spec.accept_eulas
        preflight.check_template(self._vcd, self._template, findings, accept_eulas=accept)
        preflight.find_network(self._vcd, self._spec.network, vdc, findings)
        profile = preflight.find_profile(self._vcd, self._spec.storage_profile, vdc, findings)
        if self._spec.storage_profile:
            findings.storage_profile = profile
        refused = f"Template '{self._template.item}' cannot be checked with a VM"
        raise_all(findings.problems, refused)
        return findings

    def _boot(self, vdc: Vdc, findings: Findings) -> str:
        network, source = findings.network, findings.template_vm
        assert network is not None and source is not None  # noqa: S101 - else it is a problem
        text = f"Start VM '{self._name}'"
        self._progress(Event(EventKind.STARTED, text))
        vm = NewVm(
            name=CHECK_VM,
            source=source,
            network=network.name,
            script=check_script(self._id, self._template.item, self._template.facts),
            storage_profile=findings.storage_profile,
        )
        description = f"check of template '{self._template.item}' [by {self._owner}]"
        try:
            href, task = tasks.change(
                self._vcd,
                lambda: self._vcd.compose(
                    vdc,
                    self._name,
                    description,
                    network,
                    add=[vm],
                    accept_eulas=self._spec.accept_eulas,
                ),
                deadline=self._deadline,
            )
            tasks.wait(self._vcd, task, deadline=self._deadline)
        except BaseException:
            self._progress(Event(EventKind.FAILED, text))
            raise
        self._progress(Event(EventKind.DONE, text))
        return href

    def _watch(self, href: str) -> Built:
        return BuildWatch(
            look=VAppView(self._vcd, href).look,
            progress=self._progress,
            clock=self._clock,
            deadline=self._deadline,
            identity=self._id,
            name=CHECK_VM,
            unseen=_UNSEEN_SECONDS,
            title="Checking in the VM",
        ).wait()

    def _results(self, built: Built) -> Sequence[CheckResult]:
        first = CheckResult(Level.OK, "First boot", "the VM was customized")
        if not built.verified:
            return [
                first,
                CheckResult(
                    Level.WARNING,
                    "Guest reports",
                    "not visible to you, so nothing is known of the inside",
                    "Ask for the right 'vApp: Allow All Extra Config'.",
                ),
            ]
        return [first, *(one for line in built.lines for one in _parsed(line))]

    def _remove(self, vdc: Vdc) -> None:
        """Delete the VM's vApp, whether or not its making was reported."""
        with bounds.afterwards(ROLLBACK_SECONDS):
            deadline = self._clock.monotonic() + ROLLBACK_SECONDS
            try:
                record = self._vcd.find_vapp(vdc, self._name)
                if record is not None:
                    delete_vapp(self._vcd, record.href, deadline=deadline)
            except NotFound:
                return
            except CseError as error:
                text = f"vApp '{self._name}' could not be deleted: {error.clause}"
                self._progress(Event(EventKind.WARNING, text))


def _parsed(line: str) -> Sequence[CheckResult]:
    """Read a line of scripts/check.sh; whoever is root in the VM writes what he likes."""
    parts = line.split("|")
    levels = {one.value: one for one in Level}
    if len(parts) != _PARTS or parts[0] not in levels:
        return ()
    return (CheckResult(levels[parts[0]], *parts[1:]),)
