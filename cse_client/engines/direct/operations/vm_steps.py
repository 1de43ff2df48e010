"""The steps that make a new cluster's VMs: with the vApp, or in a vApp that is there."""

from __future__ import annotations

from cse_client.engines.direct.machines import Machines
from cse_client.engines.direct.operations.plan import Step
from cse_client.engines.direct.resolve import Resolved
from cse_client.model import ClusterSpec

__all__ = ["remaining_steps", "whole_sentence", "whole_title"]


def whole_title(spec: ClusterSpec) -> str:
    """Return the title of the step that makes the vApp with everything in it."""
    return f"Create the vApp and its {f'{spec.workers + 1} VMs' if spec.workers else 'VM'}"


def whole_sentence(resolved: Resolved) -> str:
    """Return what that step does."""
    spec = resolved.spec
    workers = f" and {_count(spec.workers)}" if spec.workers else ""
    sizes = f", with {_sizes(spec)}," if _sizes(spec) else ""
    return (
        f"Create vApp '{spec.name}' in VDC '{resolved.vdc.name}' on network '{spec.network}' with"
        f" 1 control plane VM{workers} from '{resolved.template.item}'{sizes} and start"
        f" {'them' if spec.workers else 'it'}; the control plane gets a free address of the"
        " network's static pool."
    )


def remaining_steps(machines: Machines, *, wait: bool, why_in_two: str) -> list[Step]:
    """Return the steps that make the VMs in a vApp, or those of them that are missing.

    Without `wait` the last one ends when VCD has accepted it. `why_in_two` is the reason why the
    control plane is made before the workers, a clause, or empty.
    """
    if _sizes(machines.resolved.spec):
        return _sized_steps(machines)
    return _plain_steps(machines, wait=wait, why_in_two=why_in_two)


def _plain_steps(machines: Machines, *, wait: bool, why_in_two: str) -> list[Step]:
    item = machines.resolved.template.item
    workers = _count(machines.resolved.spec.workers)
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
            f"Create 1 control plane VM and {_count(resolved.spec.workers)} from"
            f" '{resolved.template.item}', powered off.",
            machines.all_made,
            machines.make_all_powered_off,
        ),
        Step(
            "Size and start the VMs",
            f"Set {_sizes(resolved.spec)} on every VM and start them.",
            machines.all_on,
            machines.size_and_start,
        ),
    ]


def _count(workers: int) -> str:
    return f"{workers} worker VM{'' if workers == 1 else 's'}"


def _sizes(spec: ClusterSpec) -> str:
    parts = [f"{spec.cpus} CPUs"] if spec.cpus else []
    if spec.memory_mb:
        parts.append(f"{spec.memory_mb} MB memory")
    return " and ".join(parts)
