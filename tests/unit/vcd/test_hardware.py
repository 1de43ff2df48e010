"""What nodes are made of: policies found by name, and what contradicts them."""

from __future__ import annotations

from typing import Any

import pytest

from cse_client.errors import CseError, NotFound, Refused, WrongUsage
from cse_client.model import ClusterSpec, TemplateVm, Vdc, VmPolicy
from cse_client.model.hardware import NodeOptions
from cse_client.vcd.hardware import Settled, settle

VDC = Vdc("vdc1", "h")
SMALL = VmPolicy("small", "urn:1", "h", is_sizing=True, cpus=2, memory_mb=4096)
FREE = VmPolicy("free", "urn:2", "h", is_sizing=True)
ZONE = VmPolicy("zone", "urn:3", "h", is_sizing=False)
ALIKE = VmPolicy("small", "urn:4", "h", is_sizing=False)
SOURCE = TemplateVm("h", "vm", disks=(("2000", 16384), ("2001", 1024)))


def settled(
    source: TemplateVm | None = SOURCE,
    *,
    cpus: int | None = None,
    memory_mb: int | None = None,
    control_plane: bool = False,
    **chosen: Any,
) -> Settled:
    options = NodeOptions(**chosen)
    spec = ClusterSpec("a", "n", cpus=cpus, memory_mb=memory_mb, node_options=options)
    wanted = spec.hardware(control_plane=control_plane)
    return settle(wanted, VDC, (SMALL, FREE, ZONE, ALIKE), source)


def test_policies_are_found_among_their_kind() -> None:
    found = settled(sizing_policy="small", placement_policy="small")
    assert (found.hardware.sizing_policy, found.hardware.placement_policy) == (SMALL, ALIKE)
    assert (found.problems, found.hardware.known_cpus) == ([], 2)


@pytest.mark.parametrize(
    ("asked", "cpus", "memory_mb"),
    [
        ({"cpus": 2, "memory_mb": 4096, "sizing_policy": "small"}, None, None),
        ({"cpus": 3, "memory_mb": 4096, "sizing_policy": "free"}, 3, 4096),
        ({"cpus": 3, "control_plane_cpus": 4}, 4, None),
        ({"cpus": 3, "memory_mb": 1, "control_plane_sizing_policy": "free"}, None, None),
        (
            {"cpus": 3, "control_plane_sizing_policy": "free", "control_plane_memory_mb": 8},
            None,
            8,
        ),
    ],
)
def test_what_the_control_plane_is_asked_to_have(
    asked: dict[str, Any], cpus: int | None, memory_mb: int | None
) -> None:
    found = settled(control_plane=True, **asked)
    assert found.problems == []
    assert (found.hardware.cpus, found.hardware.memory_mb) == (cpus, memory_mb)


@pytest.mark.parametrize(
    ("asked", "kind", "message", "hint"),
    [
        (
            {"sizing_policy": "nope"},
            NotFound,
            "has no sizing policy 'nope'; available: small, free.",
            "Specify one of them with --sizing-policy,",
        ),
        (
            {"placement_policy": "free"},
            WrongUsage,
            "'free' is a sizing policy of VDC 'vdc1', not a placement policy.",
            "Specify it with --sizing-policy.",
        ),
        (
            {"sizing_policy": "small", "memory_mb": 2048},
            WrongUsage,
            "The sizing policy 'small' defines 4096 MB of memory, and --memory is 2048.",
            "Omit --memory, or choose another policy with --sizing-policy.",
        ),
        ({"disk_mb": 16383}, WrongUsage, "has 16384 MB, and --disk-size is 16383 MB", "16384M"),
        (
            {"disk_mb": 1, "source": TemplateVm("h", "vm")},
            Refused,
            "The size of the template's disk is not known",
            "Omit --disk-size",
        ),
    ],
)
def test_what_cannot_be_had(
    asked: dict[str, Any], kind: type[CseError], message: str, hint: str
) -> None:
    (problem,) = settled(**asked).problems
    assert type(problem) is kind
    assert message in problem.message
    assert hint in problem.hint


def test_a_disk_as_large_as_the_templates_asks_for_nothing() -> None:
    assert settled(disk_mb=16384).hardware.disk_mb is None
    assert settled(disk_mb=16385).hardware.disk_mb == 16385
