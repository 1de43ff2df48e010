"""Looking at a vApp with one request a time."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from cse_client.engines.direct.waiting import VAppView
from cse_client.model import VApp, Vm


@dataclass
class Cloud:
    """A vApp whose document does not tell the customization; its records are behind in power."""

    states: dict[str, str]
    power: str = "POWERED_ON"
    asked: list[str] = field(default_factory=list)

    def vapp(self, href: str) -> VApp:
        self.asked.append("document")
        vms = tuple(Vm(name, href=name, status=self.power) for name in self.states)
        return VApp("demo", href, "id", "POWERED_ON", deployed=True, vms=vms)

    def vm_records(self, _href: str) -> list[Vm]:
        self.asked.append("records")
        return [
            Vm(name, href=name, status="UNRESOLVED", customization=state)
            for name, state in self.states.items()
        ]

    def vapp_in_motion(self, href: str) -> VApp:
        seen = self.vapp(href)
        states = {vm.href: vm.customization for vm in self.vm_records(href)}
        vms = tuple(replace(vm, customization=states[vm.href]) for vm in seen.vms)
        return replace(seen, vms=vms)


def test_document_and_records_are_read_in_turns_until_all_is_customized() -> None:
    cloud = Cloud({"mstr": "GC_PENDING", "node": "GC_PENDING"})
    view = VAppView(cloud, "h")  # type: ignore[arg-type]
    assert {vm.customization for vm in view.look().vms} == {"GC_PENDING"}
    cloud.states["mstr"] = "GC_COMPLETE"
    cloud.power = "POWERED_OFF"
    after_records = view.look()
    assert [vm.customization for vm in after_records.vms] == ["GC_COMPLETE", "GC_PENDING"]
    assert {vm.status for vm in after_records.vms} == {"POWERED_ON"}
    after_document = view.look()
    assert [vm.customization for vm in after_document.vms] == ["GC_COMPLETE", "GC_PENDING"]
    assert {vm.status for vm in after_document.vms} == {"POWERED_OFF"}
    cloud.states["node"] = "GC_COMPLETE"
    for _ in range(3):
        last = view.look()
    assert {vm.customization for vm in last.vms} == {"GC_COMPLETE"}
    assert cloud.asked == ["document", "records"] + ["records", "document"] * 2 + ["document"]


def test_a_vm_that_vanishes_or_comes_is_seen_in_the_document() -> None:
    cloud = Cloud({"mstr": "GC_COMPLETE"})
    view = VAppView(cloud, "h")  # type: ignore[arg-type]
    view.look()
    cloud.states = {"node": "GC_PENDING"}
    assert [(vm.name, vm.customization) for vm in view.look().vms] == [("node", "")]
