"""Sections of VMs that are read, altered and written back whole: hardware and customization.

Customization scripts hold secrets: they stay in here, apart from the model, which is shown and
logged.
"""

from __future__ import annotations

from collections.abc import Sequence

from lxml import etree

from cse_client.errors import NotFound
from cse_client.model import VmChange
from cse_client.vcd import reading, writing
from cse_client.vcd.errors import Action
from cse_client.vcd.transport import Transport
from cse_client.vcd.writing import ChangedVm

__all__ = ["VmSections"]

_CUSTOMIZATION = "guestCustomizationSection"


class VmSections:
    """Reads VMs' sections, and remembers the scripts of the vApp that was read last."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._scripts: dict[str, str] = {}

    def remember_scripts(self, vapp: etree._Element) -> None:
        """Keep the customization scripts in a vApp's document, to save a request for each."""
        self._scripts = reading.customization_scripts(vapp)

    def script(self, vm_href: str) -> str:
        """Return a VM's customization script; one request, or none where it is remembered."""
        known = self._scripts.get(vm_href)
        if known is not None:
            return known
        return self._section(vm_href, _CUSTOMIZATION).findtext("{*}CustomizationScript", "")

    def with_script(self, vm_href: str, script: str) -> etree._Element:
        """Return a VM's customization section with another script, to be written; one request."""
        self._scripts.pop(vm_href, None)
        return writing.with_script(self._section(vm_href, _CUSTOMIZATION), script)

    def changed(self, vapp_href: str, changes: Sequence[VmChange]) -> list[ChangedVm]:
        """Return changes of VMs with the VMs' present sections, altered; one request for most.

        Raises:
            NotFound: the vApp holds no such VM.
        """
        action = Action("read the vApp", missing="the vApp")
        root = self._transport.get(vapp_href, action, "VApp")
        present = {vm.get("href"): vm for vm in reading.children(root, "Children/Vm")}
        result = []
        for change in changes:
            vm = present.get(change.href)
            if vm is None:
                raise NotFound(f"The vApp has no VM '{change.name}'.")
            self._scripts.pop(change.href, None)
            hardware = customization = None
            if (change.cpus, change.memory_mb, change.disk_mb) != (None, None, None):
                hardware = writing.with_hardware(
                    self._section_of(vm, "VirtualHardwareSection"),
                    cpus=change.cpus,
                    memory_mb=change.memory_mb,
                    disk_mb=change.disk_mb,
                )
            if change.script is not None:
                customization = writing.with_script(
                    self._section_of(vm, "GuestCustomizationSection"), change.script
                )
            result.append(ChangedVm(change, hardware, customization))
        return result

    def _section_of(self, vm: etree._Element, name: str) -> etree._Element:
        """Return a section of a VM, read by itself where the vApp's document leaves it out."""
        section = vm.find(f"{{*}}{name}")
        if section is not None:
            return section
        return self._section(vm.get("href") or "", name[0].lower() + name[1:])

    def _section(self, vm_href: str, name: str) -> etree._Element:
        action = Action(f"read the VM's {name}")
        return self._transport.get(f"{vm_href}/{name}/", action, name[0].upper() + name[1:])
