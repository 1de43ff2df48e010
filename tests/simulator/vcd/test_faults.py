"""Faults on the way and inside (vcd-api 7.2, point 12), and the rest of the control endpoint."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from cse_client.simulator import Simulator
from tests.simulator.client import Tenant, metadata_body
from tests.support.waiting import until

TEMPLATE = "ubuntu-24.04_k8-1.33_antrea-2.3_rev1"


def names(tenant: Tenant) -> set[str]:
    return set(tenant.control("GET", "state")["vapps"])


def rule(tenant: Tenant, **values: Any) -> None:
    tenant.control("POST", "faults", values)


@pytest.mark.parametrize(("kind", "made"), [("reset_before", set()), ("reset_after", {"demo"})])
def test_the_connection_breaks_before_or_after_acting(tenant: Tenant, kind: str, made: Any) -> None:
    network = tenant.network()
    assert network
    rule(tenant, kind=kind, method="POST", path="composeVApp")
    with pytest.raises(OSError):
        tenant.compose("demo")
    assert names(tenant) == made
    assert [one["status"] for one in tenant.control("GET", "journal")["requests"]].count(0) == 1


def test_a_hanging_and_a_slow_answer(tenant: Tenant) -> None:
    rule(tenant, kind="hang", path="^/api/session", seconds=0.2)
    began = time.monotonic()
    with pytest.raises(OSError):
        tenant.send("GET", "/api/session")
    assert time.monotonic() - began >= 0.2
    rule(tenant, kind="slow", path="^/api/session", seconds=0.2)
    began = time.monotonic()
    tenant.get("/api/session")
    assert time.monotonic() - began >= 0.2


def test_a_proxys_html_page(tenant: Tenant) -> None:
    rule(tenant, kind="status", status=502, html=True, path="^/api/session")
    answer = tenant.send("GET", "/api/session")
    assert (answer.status, answer.headers["Content-Type"]) == (502, "text/html")
    assert b"<h1>502 Bad Gateway</h1>" in answer.body


def test_an_error_of_vcd_with_a_time_to_wait_after_having_acted(tenant: Tenant) -> None:
    rule(
        tenant,
        kind="status",
        status=503,
        retry_after=7,
        act=True,
        method="POST",
        path="composeVApp",
    )
    answer = tenant.compose("demo")
    assert (answer.status, answer.headers["Retry-After"]) == (503, "7")
    assert answer.code == "INTERNAL_SERVER_ERROR"
    assert names(tenant) == {"demo"}


def test_the_kth_request_is_hit_and_as_often_as_wished(tenant: Tenant) -> None:
    rule(tenant, kind="status", status=500, path="^/api/session", at=2, times=2)
    assert [tenant.send("GET", "/api/session").status for _ in range(5)] == [
        200, 500, 500, 200, 200,
    ]  # fmt: skip
    rule(tenant, kind="status", status=429, path="^/api/session", times=0)
    assert {tenant.send("GET", "/api/session").status for _ in range(4)} == {429}
    tenant.control("DELETE", "faults")
    tenant.get("/api/session")


def test_a_busy_entity_and_a_session_that_ends_in_between(tenant: Tenant) -> None:
    vapp = tenant.vapp("demo")
    rule(tenant, kind="busy", method="DELETE")
    assert tenant.send("DELETE", vapp).code == "BUSY_ENTITY"
    rule(tenant, kind="expire_session", method="DELETE")
    assert tenant.send("DELETE", vapp).status == 401
    assert tenant.send("GET", vapp).status == 401
    assert names(tenant) == {"demo"}


def test_rules_and_switches_that_mean_nothing_are_refused(tenant: Tenant) -> None:
    for path, values in [
        ("faults", {"kind": "earthquake"}),
        ("faults", {"kind": "slow", "colour": "red"}),
        ("faults", {"kind": "slow", "path": "("}),
        ("vdcs/vdc1", {"vmquota": 1}),
        ("networks/net1", {"dnss": []}),
        ("clock", {}),
        ("org", {"lease": 1}),
        (f"templates/{TEMPLATE}", {"image": {"toolz": True}}),
        (f"templates/{TEMPLATE}", {"image": {"missing_commands": "iptables"}}),
        (f"templates/{TEMPLATE}", {"image": {"missing_commands": [1]}}),
        (f"templates/{TEMPLATE}", {"image": {"tools": "no"}}),
        (f"templates/{TEMPLATE}", {"image": {"kubernetes": None}}),
        ("guests", {"faults": {"never_boots": True}}),
    ]:
        answer = tenant.send("POST", f"/simulator/{path}", _json(values))
        assert answer.status == 400, (path, values)
    for path in ("vdcs/vdc9", "networks/net9", "templates/x", "guests/x", "x"):
        assert tenant.send("POST", f"/simulator/{path}", "{}").status == 404, path


def test_a_copy_of_a_template_has_metadata_of_its_own(tenant: Tenant) -> None:
    tenant.control("POST", "templates/copy", {"like": TEMPLATE})
    entities = [
        tenant.query(f"type=vAppTemplate&filter=name=={name}")[0].get("href")
        for name in (TEMPLATE, "copy")
    ]
    tenant.done(tenant.post(f"{entities[1]}/metadata", metadata_body(only_copy="1"), "metadata"))
    found = [len(tenant.get(f"{one}/metadata").findall("{*}MetadataEntry")) for one in entities]
    assert found[1] == found[0] + 1


def _json(values: Any) -> str:
    import json

    return json.dumps(values)


def test_the_journal_counts_and_is_cleared(tenant: Tenant) -> None:
    tenant.control("DELETE", "journal")
    tenant.get("/api/session")
    tenant.compose("demo")
    journal = tenant.control("GET", "journal")
    assert journal["counts"]["POST"] == 1
    assert journal["requests"][0]["path"] == "/api/session"
    tenant.control("DELETE", "journal")
    assert tenant.control("GET", "journal")["total"] == 0


def test_a_template_can_vanish_and_lose_its_nic(tenant: Tenant) -> None:
    item = TEMPLATE
    tenant.control("POST", f"templates/{item}", {"has_nic": False, "customization_enabled": False})
    template = tenant.query(f"type=catalogItem&filter=name=={item}")[0].get("entity")
    root = tenant.get(template)
    assert root.find(".//{*}NetworkConnection") is None
    assert root.findtext(".//{*}GuestCustomizationSection/{*}Enabled") == "false"
    tenant.control("POST", f"templates/{item}", {"remove": True})
    assert tenant.query(f"type=catalogItem&filter=name=={item}") == []
    assert tenant.send("GET", template).status == 403


def test_a_network_can_lose_its_dns(tenant: Tenant) -> None:
    tenant.control("POST", "networks/net1", {"dns": []})
    scope = tenant.get(tenant.network()).find("{*}Configuration/{*}IpScopes/{*}IpScope")
    assert scope.find("{*}Dns1") is None


def test_requests_at_once_from_several_clients(simulator: Simulator, tenant: Tenant) -> None:
    from concurrent.futures import ThreadPoolExecutor

    def work(number: int) -> None:
        client = Tenant(simulator).login()
        client.done(client.add_vms(client.vapp(f"v{number}"), "a", "b", power_on=True))
        client.close()

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(work, range(6)))
    state = tenant.control("GET", "state")
    addresses = [vm["address"] for vapp in state["vapps"].values() for vm in vapp["vms"].values()]
    assert len(set(addresses)) == 12


def test_a_request_is_held_back_until_its_rule_is_removed(tenant: Tenant) -> None:
    held = tenant.control("POST", "faults", {"kind": "hold", "path": "^/api/session"})
    other = Tenant(tenant.simulator, tenant.user).login()
    began = time.monotonic()
    timer = threading.Timer(0.2, other.control, ("DELETE", f"faults/{held['id']}"))
    timer.start()
    tenant.get("/api/session")
    assert time.monotonic() - began >= 0.2
    timer.join()
    other.close()


def test_a_request_is_delivered_after_its_connection_was_cut(tenant: Tenant) -> None:
    tenant.network()
    rule = {"kind": "hold", "cut": True, "method": "POST", "path": "composeVApp"}
    held = tenant.control("POST", "faults", rule)
    with pytest.raises(OSError):
        tenant.compose("demo")
    assert names(tenant) == set()
    tenant.control("DELETE", f"faults/{held['id']}")
    until(lambda: names(tenant) == {"demo"}, lambda: f"there is {names(tenant)}")
