"""What is shown of a cluster."""

from __future__ import annotations

from dataclasses import replace

from cse_client.engines.direct.describe import describe_cluster
from cse_client.model import Vm
from cse_client.model.footprint import describe
from tests.support.direct import existing, vapp

ID = "6f0d7c5e-0000-4000-8000-000000000001"
BEGUN = replace(
    vapp(Vm("mstr-a1b2", "m", "UNRESOLVED"), Vm("node-c3d4", "n", "UNRESOLVED")),
    status="UNRESOLVED",
    deployed=False,
    description=describe("demo", ID, "0123456789ab", "digest"),
    running_tasks=("t",),
)


def test_a_cluster_whose_vms_vcd_is_making_has_no_problems() -> None:
    shown = describe_cluster(existing(BEGUN, {}), kube=None, sources=())
    assert (shown.summary.phase, shown.summary.problems, shown.problems) == ("creating", (), ())


def test_a_cluster_that_was_left_without_metadata_has_problems() -> None:
    left = replace(BEGUN, running_tasks=())
    shown = describe_cluster(existing(left, {}), kube=None, sources=())
    assert "metadata cse.version is missing" in shown.problems
