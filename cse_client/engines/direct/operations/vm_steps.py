"""The steps that make a new cluster's VMs: with the vApp, or in a vApp that is there."""

from __future__ import annotations

from cse_client.engines.direct.machines import Machines
from cse_client.engines.direct.operations.plan import Step
from cse_client.engines.direct.pool_sources import PoolSource
from cse_client.engines.direct.resolved import Resolved
from cse_client.model import ClusterSpec
from cse_client.model.hardware import Hardware
from cse_client.plurals import counted, noun

__all__ = ["remaining_steps", "virtual_sentence", "whole_sentence", "whole_title"]


def whole_title(spec: ClusterSpec) -> str:
    """Return the title of the step that makes the vApp with everything in it."""
    return f"Create the vApp and its {counted(spec.nodes, 'VM') if spec.nodes > 1 else 'VM'}"


def whole_sentence(resolved: Resolved) -> str:
    """Return what that step does."""
    spec = resolved.spec
    workers = f" and {counted(spec.workers, 'worker VM')}" if spec.workers else ""
    made_of = _hardware(resolved, policies=True)
    sizes = f", with {made_of}," if made_of else ""
    return (
        f"Create vApp '{spec.name}' in VDC '{resolved.vdc.name}' on network '{spec.network}' with"
        f" {counted(spec.control_planes, 'control plane VM')}{workers} from"
        f" '{resolved.template.item}'{sizes} and start"
        f" {noun(spec.nodes, 'it', 'them')}; {_own_addresses(resolved)}{_pools(resolved)}"
        f"{virtual_sentence(resolved)}"
    )


def virtual_sentence(resolved: Resolved) -> str:
    """Return at which address the API will be, whichever machine serves it; or why at none."""
    virtual = resolved.virtual
    if virtual.address:
        return f" The API gets the virtual address {virtual.address}, held by keepalived."
    return f" The API has no virtual address: {virtual.why_not}." if virtual.why_not else ""


def remaining_steps(machines: Machines, *, wait: bool, why_in_two: str) -> list[Step]:
    """Return the steps that make the VMs in a vApp, or those of them that are missing.

    Without `wait` the last one ends when VCD has accepted it. `why_in_two` is the reason why the
    control plane is made before the workers, a clause, or empty.
    """
    if machines.resolved.is_sized:
        steps = _sized_steps(machines)
    else:
        steps = _plain_steps(machines, wait=wait, why_in_two=why_in_two)
    if machines.resolved.spec.control_planes == 1:
        return steps
    further = Step(
        "Create the other control plane VMs",
        "Create and start the control plane VMs that are missing.",
        lambda: machines.head is not None and machines.missing_heads() == 0,
        machines.make_further_heads,
    )
    return [*steps, further]


def _plain_steps(machines: Machines, *, wait: bool, why_in_two: str) -> list[Step]:
    item = machines.resolved.template.item
    workers = counted(machines.resolved.spec.workers, "worker VM")
    why = f", before the workers: {why_in_two}" if why_in_two else ""
    head = Step(
        "Create the control plane VM",
        f"Create and start 1 control plane VM from '{item}'{why}.",
        machines.head_is_on,
        machines.make_control_plane,
    )
    if not machines.resolved.spec.workers:
        return [head]
    return [
        head,
        Step(
            f"Create {workers}",
            f"Create and start {workers} from '{item}'.",
            machines.all_on,
            lambda: machines.make_workers(wait=wait),
        ),
    ]


def _sized_steps(machines: Machines) -> list[Step]:
    resolved = machines.resolved
    return [
        Step(
            "Create the VMs",
            f"Create 1 control plane VM and {counted(resolved.spec.workers, 'worker VM')} from"
            f" '{resolved.template.item}', powered off.",
            machines.all_made,
            machines.make_all_powered_off,
        ),
        Step(
            "Size and start the VMs",
            f"Set the sizes of the VMs ({_hardware(resolved)}) and start them.",
            machines.all_on,
            machines.size_and_start,
        ),
    ]


def _own_addresses(resolved: Resolved) -> str:
    if resolved.spec.control_planes > 1:
        return (
            "the control planes get free addresses of the network's static pool and join one after"
            " the other."
        )
    return "the control plane gets a free address of the network's static pool."


def _pools(resolved: Resolved) -> str:
    """Return a sentence for each pool of the workers, which may be made of something else."""
    return "".join(f" {_pool_sentence(resolved, one)}" for one in resolved.pools)


def _pool_sentence(resolved: Resolved, source: PoolSource) -> str:
    parts = []
    if source.template.id != resolved.template.id:
        parts.append(f"from '{source.template.item}'")
    made_of = _parts(source.hardware, policies=True)
    if made_of:
        parts.append(f"with {made_of}")
    if source.storage_profile is not None:
        parts.append(f"on storage profile '{source.storage_profile.name}'")
    what = f": {', '.join(parts)}" if parts else ""
    return f"Pool '{source.pool.name}' has {counted(source.pool.size, 'worker')}{what}."


def _hardware(resolved: Resolved, *, policies: bool = False) -> str:
    """Return what the VMs are made of, as far as it is not the template's; may be empty."""
    head = _parts(resolved.head, policies=policies)
    if resolved.pools:
        return head
    workers = _parts(resolved.worker, policies=policies)
    if not resolved.spec.workers or head == workers:
        return head
    return f"{workers or 'the size of the template'}, the control plane {head or 'that'}"


def _parts(hardware: Hardware, *, policies: bool) -> str:
    parts = [
        f"{hardware.cpus} CPUs" if hardware.cpus else "",
        f"{hardware.memory_mb} MB memory" if hardware.memory_mb else "",
        f"a disk of {hardware.disk_mb} MB" if hardware.disk_mb else "",
    ]
    for policy in (hardware.sizing_policy, hardware.placement_policy) if policies else ():
        if policy is not None:
            kind = "sizing" if policy.is_sizing else "placement"
            parts.append(f"{kind} policy '{policy.name}'")
    found = [part for part in parts if part]
    return " and ".join([", ".join(found[:-1]), found[-1]] if len(found) > 1 else found)
