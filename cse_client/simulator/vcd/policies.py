"""VM sizing and placement policies: which one a body names, and what it does to a VM.

A sizing policy may fix the CPUs and the memory of its VMs: "When a tenant assigns the VM sizing
policy to a VM, this count becomes the configured number of vCPUs for the VM" (VMware Cloud
Director Service Provider Admin Guide, "Attributes of VM Sizing Policies"); Terraform's provider
says that `cpus` and `memory` cannot override it (terraform-provider-vcd,
resource_vcd_vapp_vm.go). That VCD refuses another number with 400 is inferred from both, and so
are the texts.
"""

from __future__ import annotations

from dataclasses import dataclass

from lxml import etree

from cse_client.simulator.vcd.entities import ComputePolicy, Vdc
from cse_client.simulator.vcd.errors import bad_request
from cse_client.simulator.vcd.reading import child, children, last_part, text
from cse_client.simulator.vcd.vapps import Vm

__all__ = ["Policies", "refuse_other_sizes", "sizing_policy", "wanted_policies"]

_CPU, _MEMORY = "3", "4"


@dataclass(frozen=True)
class Policies:
    """The policies that an element names; None where it names none."""

    sizing: ComputePolicy | None = None
    placement: ComputePolicy | None = None

    def apply(self, vm: Vm) -> None:
        """Give a VM the policies, and the CPUs and memory that a sizing policy prescribes."""
        sizing = self.sizing
        if sizing is not None and sizing.id != vm.sizing_policy_id:
            vm.sizing_policy_id = sizing.id
            vm.cpus = sizing.cpus or vm.cpus
            vm.memory_mb = sizing.memory_mb or vm.memory_mb
            if vm.cpus % vm.cores_per_socket:
                vm.cores_per_socket = 1
        if self.placement is not None:
            vm.placement_policy_id = self.placement.id


def wanted_policies(vdc: Vdc, element: etree._Element) -> Policies:
    """Return the policies that an element names; 400 for what the VDC does not offer.

    Up to API 32 there is a VdcComputePolicy, from 33 on a ComputePolicy.
    """
    holder = child(element, "ComputePolicy")
    sizing = child(holder, "VmSizingPolicy") if holder is not None else None
    placement = child(holder, "VmPlacementPolicy") if holder is not None else None
    if sizing is None:
        sizing = child(element, "VdcComputePolicy")
    return Policies(
        _offered(vdc, sizing, placement=False), _offered(vdc, placement, placement=True)
    )


def _offered(
    vdc: Vdc, reference: etree._Element | None, *, placement: bool
) -> ComputePolicy | None:
    if reference is None:
        return None
    kind = "placement" if placement else "sizing"
    identifier = last_part(reference.get("href") or reference.get("id"))
    for policy in vdc.policies:
        if policy.id == identifier:
            if policy.placement != placement:
                raise bad_request(f'The compute policy "{policy.name}" is not a VM {kind} policy.')
            return policy
    raise bad_request(f"The VM {kind} policy {identifier} is not available in the VDC.")


def sizing_policy(vdc: Vdc, vm: Vm) -> ComputePolicy | None:
    """Return a VM's sizing policy."""
    return next((one for one in vdc.policies if one.id == vm.sizing_policy_id), None)


def refuse_other_sizes(policy: ComputePolicy | None, vm: Vm, section: etree._Element) -> None:
    """Raise 400 where a section asks for other CPUs or memory than the sizing policy defines.

    What the VM has is not asked for: clients send back what they have read.
    """
    if policy is None:
        return
    cpus, memory_mb = _sizes(section)
    for asked, fixed, present, what in (
        (cpus, policy.cpus, vm.cpus, "CPUs"),
        (memory_mb, policy.memory_mb, vm.memory_mb, "MB of memory"),
    ):
        if fixed and asked not in (None, str(fixed), str(present)):
            raise bad_request(
                f'The VM "{vm.name}" cannot have {asked} {what}: the VM sizing policy'
                f' "{policy.name}" defines {fixed}.'
            )


def _sizes(section: etree._Element) -> tuple[str | None, str | None]:
    if section.get("Modified", "true") in ("false", "0"):
        return None, None
    cpus = text(section, "NumCpus")
    memory = child(section, "MemoryResourceMb")
    memory_mb = text(memory, "Configured") if memory is not None else None
    for item in (section, *children(section, "Item")):
        kind = text(item, "ResourceType")
        if kind == _CPU:
            cpus = text(item, "VirtualQuantity")
        elif kind == _MEMORY:
            memory_mb = text(item, "VirtualQuantity")
    return cpus, memory_mb
