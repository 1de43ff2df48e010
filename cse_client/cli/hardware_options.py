"""Options of `cluster create` for what the nodes are made of and where they run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import click

from cse_client.cli.options import (
    disk_size_option,
    placement_policy_option,
    sizing_policy_option,
    with_options,
)

if TYPE_CHECKING:
    from cse_client.errors import CseError
    from cse_client.model.hardware import NodeOptions

__all__ = ["HardwareOptions", "check_hardware", "hardware_options"]

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True)
class HardwareOptions:
    """The options of `hardware_options` as they were typed; empty or None: the default."""

    disk_size: int | None
    sizing_policy: str
    placement_policy: str
    control_plane_cpu: int | None
    control_plane_memory: int | None
    control_plane_sizing_policy: str
    control_plane_placement_policy: str


def hardware_options(function: F) -> F:
    """Add what the nodes of a new cluster are made of, besides --cpu and --memory."""
    options = [
        disk_size_option("Disk per node, for example 40G. Default: the template's."),
        sizing_policy_option("VM sizing policy of the nodes. Default: the VDC's."),
        placement_policy_option("VM placement policy of the nodes. Default: the VDC's."),
        click.option(
            "--control-plane-cpu",
            type=int,
            metavar="COUNT",
            help="Virtual CPUs of the control plane. Default: as for all nodes.",
        ),
        click.option(
            "--control-plane-memory",
            type=int,
            metavar="MB",
            help="Memory of the control plane. Default: as for all nodes.",
        ),
        click.option(
            "--control-plane-sizing-policy",
            default="",
            metavar="NAME",
            help="VM sizing policy of the control plane. Default: as for all nodes.",
        ),
        click.option(
            "--control-plane-placement-policy",
            default="",
            metavar="NAME",
            help="VM placement policy of the control plane. Default: as for all nodes.",
        ),
    ]
    return with_options(function, options)


def check_hardware(typed: HardwareOptions) -> tuple[NodeOptions, list[CseError]]:
    """Return the options that were typed, and every problem with them."""
    from cse_client.cli.validation import check_sizes
    from cse_client.model.hardware import NodeOptions

    problems = check_sizes(
        cpus=typed.control_plane_cpu,
        memory_mb=typed.control_plane_memory,
        option="--control-plane-memory",
    )
    options = NodeOptions(
        disk_mb=typed.disk_size,
        sizing_policy=typed.sizing_policy,
        placement_policy=typed.placement_policy,
        control_plane_cpus=typed.control_plane_cpu,
        control_plane_memory_mb=typed.control_plane_memory,
        control_plane_sizing_policy=typed.control_plane_sizing_policy,
        control_plane_placement_policy=typed.control_plane_placement_policy,
    )
    return options, problems
