"""What nodes are to be made of, compared with the policies of the org VDC and the template's VM."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from cse_client.errors import CseError, NotFound, Refused, WrongUsage
from cse_client.model import TemplateVm, Vdc, VmPolicy
from cse_client.model.hardware import Hardware, WantedHardware

__all__ = ["Settled", "settle"]


@dataclass
class Settled:
    """The hardware that VCD is asked for, and why it cannot be had."""

    hardware: Hardware = field(default_factory=Hardware)
    problems: list[CseError] = field(default_factory=list)


def settle(
    wanted: WantedHardware, vdc: Vdc, policies: Sequence[VmPolicy], source: TemplateVm | None
) -> Settled:
    """Find the policies by their names, and check that the sizes can be had.

    Args:
        wanted: what was asked for.
        vdc: the org VDC.
        policies: those that it offers; may be empty where none is asked for.
        source: the template's VM; None where that is a problem already.
    """
    settled = Settled()
    sizing = _find(wanted, vdc, policies, settled.problems, sizing=True)
    placement = _find(wanted, vdc, policies, settled.problems, sizing=False)
    if sizing is not None:
        settled.problems.extend(_contradictions(wanted, sizing))
    disk_mb = wanted.disk_mb
    if disk_mb is not None and source is not None:
        settled.problems.extend(_disk_problems(disk_mb, source))
        if source.disks and source.disks[0][1] == disk_mb:
            disk_mb = None
    settled.hardware = Hardware(
        cpus=None if sizing is not None and sizing.cpus else wanted.cpus,
        memory_mb=None if sizing is not None and sizing.memory_mb else wanted.memory_mb,
        disk_mb=disk_mb,
        sizing_policy=sizing,
        placement_policy=placement,
    )
    return settled


def _find(
    wanted: WantedHardware,
    vdc: Vdc,
    policies: Sequence[VmPolicy],
    problems: list[CseError],
    *,
    sizing: bool,
) -> VmPolicy | None:
    kind, other = ("sizing", "placement") if sizing else ("placement", "sizing")
    name = wanted.sizing_policy if sizing else wanted.placement_policy
    if not name:
        return None
    option = wanted.options[f"{kind}_policy"]
    named = [one for one in policies if one.name == name]
    for one in named:
        if one.is_sizing == sizing:
            return one
    if named:
        problems.append(
            WrongUsage(
                f"'{name}' is a {other} policy of VDC '{vdc.name}', not a {kind} policy.",
                hint=f"Specify it with {option.replace(kind, other)}.",
            )
        )
        return None
    listed = ", ".join(one.name for one in policies if one.is_sizing == sizing) or "none"
    problems.append(
        NotFound(
            f"VDC '{vdc.name}' has no {kind} policy '{name}'; available: {listed}.",
            hint=f"Specify one of them with {option}, or ask the provider to publish '{name}' to"
            " the VDC.",
        )
    )
    return None


def _contradictions(wanted: WantedHardware, policy: VmPolicy) -> Iterator[CseError]:
    for field_name, asked, defined, what in (
        ("cpus", wanted.cpus, policy.cpus, "CPUs"),
        ("memory_mb", wanted.memory_mb, policy.memory_mb, "MB of memory"),
    ):
        if asked and defined and asked != defined:
            option = wanted.options[field_name]
            yield WrongUsage(
                f"The sizing policy '{policy.name}' defines {defined} {what}, and {option} is"
                f" {asked}.",
                hint=f"Omit {option}, or choose another policy with"
                f" {wanted.options['sizing_policy']}.",
            )


def _disk_problems(disk_mb: int, source: TemplateVm) -> Iterator[CseError]:
    if not source.disks:
        yield Refused(
            "The size of the template's disk is not known, so it cannot be changed.",
            hint="Omit --disk-size, or choose another template.",
        )
    elif disk_mb < source.disks[0][1]:
        first = source.disks[0][1]
        yield WrongUsage(
            f"The disk of the template's VM has {first} MB, and --disk-size is {disk_mb} MB: a disk"
            " can only grow.",
            hint=f"Specify at least {first}M, or omit --disk-size.",
        )
