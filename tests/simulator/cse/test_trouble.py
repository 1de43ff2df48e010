"""A server that is absent, down, late or answers nonsense; and what is noted of its requests."""

from __future__ import annotations

import pytest

from cse_client.simulator import Simulator
from tests.simulator.client import Tenant
from tests.simulator.cse.client import DEMO, Client
from tests.support.waiting import until


def test_without_a_server_vcd_knows_no_such_path() -> None:
    with Simulator(guests=False) as running:
        tenant = Tenant(running).login()
        answer = tenant.send("GET", "/api/cse/system", accept="application/json")
        tenant.close()
    assert answer.status == 404
    assert answer.headers["Content-Type"].startswith("application/vnd.vmware.vcloud.error+xml")


def test_a_registered_server_that_does_not_run_times_out() -> None:
    with Simulator(guests=False, cse="down") as running:
        tenant = Tenant(running).login()
        client = Client(tenant)
        for path in ("/system", "/clusters"):
            answer = client.ask("GET", path)
            assert answer.status == 504
            assert answer.headers["Content-Type"].startswith("application/json")
            assert set(answer.json) == {"message", "majorErrorCode", "minorErrorCode"}
        tenant.close()


def test_nobody_gets_in_without_a_session(served: Simulator) -> None:
    nobody = Tenant(served)
    answer = nobody.send("GET", "/api/cse/system", accept="application/json")
    nobody.close()
    assert answer.status == 401


def test_vcd_still_checks_the_version(client: Client) -> None:
    client.tenant.version = "99.0"
    assert client.ask("GET", "/system").status == 406


def test_vcd_gives_up_while_the_server_goes_on(client: Client) -> None:
    client.tenant.control("POST", "cse", {"late": 0.5, "patience": 0.1})
    answer = client.create(num_workers=0)
    assert (answer.status, answer.json["majorErrorCode"]) == (504, 504)
    client.tenant.control("DELETE", "cse")
    until(lambda: [row["name"] for row in client.read("/clusters")] == ["demo"])


@pytest.mark.parametrize(
    ("wrong", "status", "kind", "start"),
    [
        ("html", 200, "text/html", b"<html>"),
        ("empty", 200, "", b""),
        ("broken", 500, "text/plain", b"Internal"),
        ("busy", 429, "application/json", b'{"CSE Server Busy"'),
        ("silent", 504, "application/json", b"{"),
    ],
)
def test_answers_are_spoilt_but_for_the_probe(
    client: Client, wrong: str, status: int, kind: str, start: bytes
) -> None:
    client.tenant.control("POST", "cse", {wrong: True})
    answer = client.ask("GET", "/clusters")
    assert (answer.status, answer.headers.get("Content-Type") or "") == (status, kind)
    assert answer.body.startswith(start)
    assert client.read("/system")["version"] == "2.6.1"
    client.tenant.control("POST", "cse", {wrong: True, "probe": True})
    assert client.ask("GET", "/system").status == status
    client.tenant.control("DELETE", "cse")
    assert client.read("/clusters") == []


def test_a_task_that_never_ends(client: Client) -> None:
    client.tenant.control("POST", "cse", {"stuck": True})
    href = client.create(num_workers=0).json["task_href"]
    until(lambda: client.read("/clusters"))
    until(lambda: client.read("/cluster/demo")["leader_endpoint"])
    assert client.tenant.get(href).get("status") == "running"


def test_a_task_that_a_test_wants_to_fail(client: Client) -> None:
    rule = {"kind": "task", "operation": "cluster operation", "message": "No."}
    client.tenant.control("POST", "faults", rule)
    assert client.failed(client.create()) == "No."


def test_the_journal_has_keys_and_no_values(client: Client) -> None:
    client.tenant.control("DELETE", "journal")
    client.done(client.create(num_workers=0, ssh_key="secret"))
    client.read("/cluster/demo?org_name=acme&ovdc_name=vdc1")
    entries = [
        one
        for one in client.tenant.control("GET", "journal")["requests"]
        if one["path"].startswith("/api/cse")
    ]
    assert [(one["method"], one["path"], one["query"]) for one in entries] == [
        ("POST", "/api/cse/clusters", ""),
        ("GET", "/api/cse/cluster/demo", "org_name=acme&ovdc_name=vdc1"),
    ]
    assert {one["accept"] for one in entries} == {"application/json;version=36.0"}
    assert set(entries[0]["keys"]) == {*DEMO, "ssh_key"}
    assert entries[1]["keys"] == []
    assert "secret" not in repr(entries)


def test_five_hundred_clusters_are_one_answer(client: Client) -> None:
    client.tenant.control("POST", "vapps", {"count": 500})
    rows = client.read("/clusters")
    assert len(rows) == 500
    assert {row["k8s_provider"] for row in rows} == {"native"}
