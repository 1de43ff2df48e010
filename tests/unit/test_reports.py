from __future__ import annotations

import base64
from types import SimpleNamespace

from hypothesis import given
from hypothesis import strategies as st

from cse_client.model import NodeReport
from cse_client.reports import parse_configmap, parse_guestinfo, parse_lease, parse_task

LOG = base64.b64encode(b"one\ntwo \x1b[31mred\n").decode()


def test_guestinfo_of_a_failed_node() -> None:
    report = parse_guestinfo(
        "mstr-ab12",
        {
            "guestinfo.cse.status": "failed",
            "guestinfo.cse.phase": "images",
            "guestinfo.cse.rc": "1",
            "guestinfo.cse.error": LOG,
            "guestinfo.gc.status": "Successful",
        },
    )
    assert report == NodeReport(
        node="mstr-ab12",
        status="failed",
        phase="images",
        exit_code=1,
        log=("one", "two  [31mred"),
        source="guestinfo",
    )


def test_no_report_is_none() -> None:
    assert parse_guestinfo("n", {}) is None
    assert parse_guestinfo("n", {"guestinfo.cse.phase": "images"}) is None
    assert parse_guestinfo("n", {"guestinfo.cse.status": "splendid"}) is None
    assert parse_guestinfo("n", {"cse.status": "ready"}) is None


def test_the_configmaps_name_counts_and_not_what_it_says() -> None:
    obj = {
        "metadata": {"name": "cse-bootstrap-node-1"},
        "data": {"node": "node-2", "status": "ready", "phase": "done", "rc": "0", "error": ""},
    }
    expected = NodeReport("node-1", "ready", "done", 0, (), "configmap")
    assert parse_configmap(obj) == expected
    as_object = SimpleNamespace(
        metadata=SimpleNamespace(name="cse-bootstrap-node-1"), data=obj["data"]
    )
    assert parse_configmap(as_object) == expected


def test_other_configmaps_are_no_reports() -> None:
    data = {"status": "ready"}
    for name in ("kubeadm-config", "cse-bootstrap-", "", None, 7):
        assert parse_configmap({"metadata": {"name": name}, "data": data}) is None
    assert parse_configmap({"metadata": {"name": "cse-bootstrap-a"}}) is None
    assert parse_configmap({"metadata": {"name": "cse-bootstrap-a"}, "data": []}) is None


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
_KEYS = st.sampled_from(["status", "phase", "rc", "error", "node"])
_VALUES = _JSON | st.sampled_from(["failed", "ready", "running", "failed images rc=1"])


def _is_clean(report: NodeReport) -> bool:
    texts = (report.status, report.phase, *report.log)
    bounded = len(report.phase) <= 64 and len(report.log) <= 20
    short = all(len(line) <= 300 for line in report.log)
    return bounded and short and all(text.isprintable() for text in texts)


@given(st.dictionaries(_KEYS, _VALUES))
def test_guestinfo_of_any_kind_is_survived(values: dict[str, object]) -> None:
    report = parse_guestinfo("n", {f"guestinfo.cse.{k}": v for k, v in values.items()})  # type: ignore[misc]
    assert report is None or (report.node == "n" and _is_clean(report))


@given(_JSON, st.dictionaries(_KEYS, _VALUES) | _JSON)
def test_configmaps_of_any_kind_are_survived(metadata: object, data: object) -> None:
    for obj in ({"metadata": metadata, "data": data}, metadata, data):
        report = parse_configmap(obj)
        assert report is None or _is_clean(report)
    named = parse_configmap({"metadata": {"name": "cse-bootstrap-a"}, "data": data})
    assert named is None or (named.node == "a" and _is_clean(named))


@given(st.dictionaries(_KEYS, _VALUES))
def test_leases_of_any_kind_are_survived(values: dict[str, object]) -> None:
    annotations = {f"cse-client/{key}": value for key, value in values.items()}
    report = parse_lease({"metadata": {"name": "n", "annotations": annotations}})
    assert report is None or (report.node == "n" and _is_clean(report))


@given(st.binary(max_size=20000))
def test_logs_of_any_bytes_become_printable_lines(raw: bytes) -> None:
    report = parse_guestinfo(
        "n",
        {
            "guestinfo.cse.status": "failed",
            "guestinfo.cse.error": base64.b64encode(raw).decode(),
        },
    )
    assert report is not None
    assert _is_clean(report)


def test_the_report_on_a_task_is_not_that_of_the_bootstrap() -> None:
    values = {
        "guestinfo.cse.status": "ready",
        "guestinfo.cse.phase": "done",
        "guestinfo.cse.task-id": "upgrade-1 mstr-ab12",
        "guestinfo.cse.task-status": "failed",
        "guestinfo.cse.task-phase": "apply",
        "guestinfo.cse.task-rc": "1",
        "guestinfo.cse.task-error": LOG,
    }
    report = parse_task("mstr-ab12", "upgrade-1", values)
    assert report is not None
    assert (report.status, report.phase, report.exit_code) == ("failed", "apply", 1)
    assert report.log[0] == "one"
    bootstrap = parse_guestinfo("mstr-ab12", values)
    assert bootstrap is not None
    assert (bootstrap.status, bootstrap.phase) == ("ready", "done")
    # of another task, or of the machine that the template was captured from
    assert parse_task("mstr-ab12", "upgrade-2", values) is None
    assert parse_task("mstr-cd34", "upgrade-1", values) is None
    annotations = {
        "cse-client/task-id": "upgrade-1 n",
        "cse-client/task-status": "running",
        "cse-client/task-phase": "download",
    }
    report = parse_task("n", "upgrade-1", annotations)
    assert report is not None
    assert (report.source, report.phase) == ("lease", "download")
