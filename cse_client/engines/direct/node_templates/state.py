"""What VCD shows of a build: its vApp with the one VM, and the template that was captured of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING
from uuid import uuid4

from cse_client.clock import Clock
from cse_client.engines.direct.node_templates import marks
from cse_client.engines.direct.node_templates.request import BuildRequest
from cse_client.engines.direct.node_templates.watch import has_finished
from cse_client.engines.direct.operations.delete import delete_vapp
from cse_client.engines.direct.quiet import quiet_vapp
from cse_client.errors import NotFound
from cse_client.guest.template_script import TEMPLATE_VM
from cse_client.model import Template, Vm, footprint
from cse_client.vcd import tasks

if TYPE_CHECKING:
    from cse_client.vcd.client import VcdClient

__all__ = ["BuildState"]

#: States of a vApp template that can be used.
_USABLE = ("POWERED_OFF", "RESOLVED")


class BuildState:
    """A build as it was last seen: `vapp`, its `metadata` and the `template`, None where absent.

    `deadline` is a moment of the clock: until then others are waited for.
    """

    def __init__(
        self, vcd: VcdClient, request: BuildRequest, *, clock: Clock, deadline: float
    ) -> None:
        self._vcd = vcd
        self._request = request
        self._clock = clock
        self.deadline = deadline
        self.build_id = request.build_id or str(uuid4())
        self.vapp = request.vapp
        self.metadata: Mapping[str, str] = request.metadata
        self.template = request.captured

    @property
    def vm(self) -> Vm | None:
        """The VM, if there is one."""
        vms = self.vapp.vms if self.vapp is not None else ()
        return next((one for one in vms if one.name == TEMPLATE_VM), None)

    def has_finished(self, vm: Vm) -> bool:
        """Return whether the VM says that it is finished."""
        return has_finished(vm, self.build_id)

    @property
    def sealed(self) -> bool:
        """Whether the VM is finished: recorded in the vApp before anything else is done to it."""
        return footprint.TEMPLATE in self.metadata

    @property
    def is_off(self) -> bool:
        """Whether the VM is off and released."""
        vm = self.vm
        return vm is not None and vm.is_off and not vm.deployed

    @property
    def is_captured(self) -> bool:
        """Whether the template is there."""
        return self.template is not None

    @property
    def href(self) -> str:
        """The vApp's href.

        Raises:
            NotFound: there is no vApp.
        """
        if self.vapp is None:
            raise NotFound(
                f"The vApp in which '{self._request.spec.name}' is built has disappeared."
            )
        return self.vapp.href

    def refresh(self) -> None:
        """Look at the vApp and at the template again, once nothing is changing them any more."""
        record = self._vcd.find_vapp(self._request.vdc, marks.vapp_name(self._request.spec.name))
        self.vapp = None
        if record is not None:
            vapp = quiet_vapp(self._vcd, record.href, deadline=self.deadline)
            if footprint.build_in_description(vapp.description) == self.build_id:
                self.vapp = vapp
                self.metadata = self._vcd.vapp_metadata(vapp.href)
        self.template = self.find_template()

    def find_template(self) -> Template | None:
        """Return the template that this build has made, None where there is none that is whole."""
        try:
            found = self._vcd.surroundings.find_item(
                self._request.catalog.name, self._request.spec.name
            )
        except NotFound:
            return None
        if footprint.build_in_description(found.description) != self.build_id:
            return None
        details = self._vcd.templates.details(found)
        while details.is_changing and self._clock.monotonic() < self.deadline:
            self._clock.sleep(1.0)
            details = self._vcd.templates.details(found)
        if details.status in _USABLE:
            return found
        self.remove_template(found)
        return None

    def withdraw(self) -> None:
        """Delete the vApp, so that the build begins again under another id."""
        delete_vapp(self._vcd, self.href, deadline=self.deadline)
        self.vapp, self.metadata = None, {}
        self.build_id = str(uuid4())

    def remove_template(self, template: Template) -> None:
        """Delete a template and wait."""
        task = tasks.change(
            self._vcd, lambda: self._vcd.templates.delete(template), deadline=self.deadline
        )
        if task is not None:
            tasks.wait(self._vcd, task, deadline=self.deadline)
