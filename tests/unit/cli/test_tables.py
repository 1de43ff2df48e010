from __future__ import annotations

import json
from datetime import datetime, timezone

import pytest

from cse_client.cli.tables import (
    CLUSTER_COLUMNS,
    TEMPLATE_COLUMNS,
    cluster_object,
    cluster_properties,
    cluster_row,
    deletion_sentence,
    node_row,
    plain,
    size_sentence,
    template_row,
)
from cse_client.model import (
    CONTROL_PLANE,
    WORKER,
    Cluster,
    ClusterSummary,
    Deletion,
    Event,
    EventKind,
    Node,
    Template,
    TemplateFacts,
)

SUMMARY = ClusterSummary(
    name="demo",
    vdc="vdc1",
    org="org1",
    owner="ann",
    kubernetes="upstream",
    kubernetes_version="1.18.6",
    status="POWERED_ON",
    phase="ready",
    cluster_id="id-1",
    template="t",
    template_revision="2",
)


def test_a_template_row() -> None:
    template = Template(
        name="t",
        revision=2,
        catalog="c",
        item="t_rev2",
        href="h",
        description="d",
        facts=TemplateFacts(os="ubuntu-16.04", kubernetes="1.18", cni="weave", cni_version="2.6.5"),
        is_default=True,
    )
    row = template_row(template)
    assert tuple(row) == (*TEMPLATE_COLUMNS, "Template ID")  # for JSON
    assert list(row.values()) == [
        "t",
        2,
        "Yes",
        "c",
        "t_rev2",
        "d",
        "ubuntu-16.04",
        "1.18",
        "weave 2.6.5",
        "CSE",
        "2021-06-18",
        "h",
    ]


def test_a_cluster_row() -> None:
    row = cluster_row(SUMMARY)
    assert [row[column] for column in CLUSTER_COLUMNS] == [
        "demo",
        "ann",
        "vdc1",
        "org1",
        "native",
        "1.18.6",
        "POWERED_ON",
        "native",
    ]
    assert row["Cluster Id"] == "id-1"


@pytest.mark.parametrize(
    ("summary", "status"),
    [
        (ClusterSummary("x"), "N/A"),
        (ClusterSummary("x", status="POWERED_ON", phase="creating"), "POWERED_ON (creating)"),
        (ClusterSummary("x", status="FAILED", problems=("no id",)), "FAILED (damaged)"),
        (ClusterSummary("x", phase="failed", problems=("no id",)), "N/A (failed, damaged)"),
    ],
)
def test_what_is_absent_or_wrong(summary: ClusterSummary, status: str) -> None:
    row = cluster_row(summary)
    assert row["Owner"] == "N/A"
    assert row["Status"] == status


def test_properties_leave_out_what_is_empty() -> None:
    cluster = Cluster(
        summary=SUMMARY,
        created=datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc),
        sealed=True,
        problems=("a VM is missing",),
    )
    assert cluster_properties(cluster) == [
        ("Name", "demo"),
        ("Status", "POWERED_ON"),
        ("Kubernetes", "upstream 1.18.6"),
        ("Template", "t (revision 2)"),
        ("Org", "org1"),
        ("VDC", "vdc1"),
        ("Owner", "ann"),
        ("Created", "2026-01-02 03:04:05 UTC"),
        ("CA key", "sealed: not in VCD"),
        ("Cluster id", "id-1"),
        ("Problems", ("a VM is missing",)),
    ]


def test_a_cluster_as_json() -> None:
    cluster = Cluster(
        summary=SUMMARY,
        created=datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc),
        nodes=(Node("mstr-1", CONTROL_PLANE, ip="10.0.0.2"),),
        problems=("a", "b"),
    )
    value = json.loads(json.dumps(cluster_object(cluster)))
    assert value["name"] == "demo"
    assert value["created"] == "2026-01-02T03:04:05+00:00"
    assert value["problems"] == ["a", "b"]
    assert value["nodes"][0]["kind"] == "control plane"
    assert "summary" not in value


def test_a_node_that_is_not_ready_shows_its_phase() -> None:
    row = node_row(Node("node-1", WORKER, kubernetes_status="NotReady", bootstrap_phase="join"))
    assert row["Kubernetes"] == "NotReady (bootstrap: join)"
    row = node_row(Node("node-1", WORKER, bootstrap_phase="join"))
    assert row["Kubernetes"] == "(bootstrap: join)"
    row = node_row(Node("node-1", WORKER, kubernetes_status="Ready", bootstrap_phase="done"))
    assert row["Kubernetes"] == "Ready"


def test_sizes_in_words() -> None:
    one = Node("mstr-1", CONTROL_PLANE)
    assert size_sentence([one]) == "1 control plane and 0 workers"
    assert size_sentence([one, Node("node-1", WORKER)]) == "1 control plane and 1 worker"


def test_deletions_in_words() -> None:
    gone = Deletion("demo", "demo", ("a", "b"), verified_gone=True)
    assert deletion_sentence(gone) == (
        "Cluster demo is deleted: its vApp and 2 virtual machines no longer exist."
    )
    assert deletion_sentence(Deletion("demo", "demo")) == "Cluster demo is being deleted: its vApp."


def test_plain_values() -> None:
    assert plain(Event(EventKind.DONE, "x", node="n")).items() >= {
        ("kind", "done"),
        ("text", "x"),
        ("step", 0),
        ("node", "n"),
        ("share", None),
    }
    assert plain({"a": (1, None)}) == {"a": [1, None]}
