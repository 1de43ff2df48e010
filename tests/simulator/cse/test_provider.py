"""Org VDCs, compute policies and the server itself: what administrators do, and tenants may not."""

from __future__ import annotations

from typing import Any

import pytest

from cse_client.simulator import Simulator
from tests.simulator.client import V
from tests.simulator.cse.client import Client

ABOUT = {
    "product": "CSE",
    "description": "Container Service Extension for VMware vCloud Director",
    "version": "2.6.1",
}
SYSTEM = "/system"


def vdc_id(served: Simulator, name: str = "vdc1") -> str:
    return next(one.id for one in served.cloud.vdcs.values() if one.name == name)


def act(client: Client, action: str) -> Any:
    return client.ask("PUT", SYSTEM, {"server_action": action})


def test_administrators_are_told_more_of_the_server(client: Client, provider: Client) -> None:
    assert client.read(SYSTEM) == ABOUT
    more = provider.read(SYSTEM)
    assert more.items() > ABOUT.items()
    assert set(more) - set(ABOUT) == {
        "python",
        "consumer_threads",
        "all_threads",
        "requests_in_progress",
        "config_file",
        "status",
    }
    assert (more["status"], more["requests_in_progress"]) == ("Running", 0)


@pytest.mark.parametrize("action", ["enable", "disable", "stop"])
def test_tenants_do_not_change_the_server(client: Client, action: str) -> None:
    body = {"server_action": action}
    assert client.refusal("PUT", SYSTEM, body) == (401, -1, "Unauthorized to update CSE")
    assert client.refusal("PUT", SYSTEM, {}) == (
        400,
        4028,
        "Missing required keys in request payload: [<RequestKey.SERVER_ACTION: 'server_action'>]",
    )


def test_the_server_is_disabled_enabled_and_stopped(client: Client, provider: Client) -> None:
    def refused(action: str) -> Any:
        return provider.refusal("PUT", SYSTEM, {"server_action": action})

    first = "Cannot stop CSE while it is enabled. Disable the service first"
    assert refused("enable") == (400, -1, "CSE is already enabled and running.")
    assert refused("stop") == (400, -1, first)
    assert refused("restart")[0] == 500

    assert act(provider, "disable").json == {"message": "CSE has been disabled."}
    assert refused("disable") == (400, -1, "CSE is already disabled.")
    assert provider.read(SYSTEM)["status"] == "Disabled"
    assert client.read(SYSTEM) == ABOUT
    off = (400, -1, "CSE service is disabled. Contact the System Administrator.")
    for path in ("/clusters", "/cluster/demo", "/templates", "/ovdcs"):
        assert client.refusal("GET", path) == off
    assert client.refusal("GET", "/nonsense")[0] == 404

    assert act(provider, "enable").json == {"message": "CSE has been enabled and is running."}
    assert client.read("/clusters") == []

    act(provider, "disable")
    assert act(provider, "stop").json == {"message": "CSE graceful shutdown started."}
    assert client.ask("GET", SYSTEM).status == 504


def test_org_vdcs_are_enabled_and_disabled(
    client: Client, provider: Client, served: Simulator
) -> None:
    one = vdc_id(served)
    body = {"ovdc_id": one, "ovdc_name": "vdc1", "org_name": "acme", "k8s_provider": "native"}
    for who in (client, provider):
        assert who.read("/ovdcs") == [
            {"name": "vdc1", "org": "acme", "k8s provider": "none"},
            {"name": "vdc2", "org": "acme", "k8s provider": "none"},
        ]
    provider.done(provider.ask("PUT", f"/ovdc/{one}", body))
    assert provider.read(f"/ovdc/{one}") == {"k8s_provider": "native"}
    assert [row["k8s provider"] for row in client.read("/ovdcs")] == ["native", "none"]
    # the metadata is the provider's own
    assert served.cloud.vdcs[one].metadata[("SYSTEM", "k8s_provider")][1] == "native"
    provider.done(provider.ask("PUT", f"/ovdc/{one}", {**body, "k8s_provider": "none"}))
    assert provider.read(f"/ovdc/{one}") == {"k8s_provider": "none"}


def test_pks_is_not_there(client: Client, provider: Client, served: Simulator) -> None:
    one = vdc_id(served)
    body = {"ovdc_id": one, "ovdc_name": "vdc1", "org_name": "acme", "k8s_provider": "ent-pks"}
    assert provider.refusal("PUT", f"/ovdc/{one}", body) == (
        500,
        -1,
        "CSE is not configured to work with PKS.",
    )
    plans = "/ovdcs?list_pks_plans=True"
    assert client.refusal("GET", plans) == (
        401,
        -1,
        "Operation Denied. Plans available only for System Administrator.",
    )
    assert provider.read(plans)[0] == {
        "name": "vdc1",
        "org": "acme",
        "k8s provider": "none",
        "pks api server": "",
        "available pks plans": "",
    }


def test_compute_policies_come_and_go(provider: Client, served: Simulator) -> None:
    path = f"/ovdc/{vdc_id(served, 'vdc2')}/compute-policies"

    def names() -> set[str]:
        return {one["name"] for one in provider.read(path)}

    def change(action: str, name: str) -> dict[str, str]:
        return {"ovdc_id": "x", "action": action, "compute_policy_name": name}

    before = names()
    assert "System Default" in before
    assert "8core-16gb" not in before
    answer = provider.ask("PUT", path, change("add", "8core-16gb"))
    assert answer.status == 200
    assert answer.json["message"].startswith("Added compute policy '8core-16gb' (urn:vcloud:")
    assert names() == before | {"8core-16gb"}
    provider.ask("PUT", path, change("add", "2core-4gb"))
    assert len(provider.read(path)) == len(before) + 1
    for name in ("8core-16gb", "2core-4gb"):
        provider.done(provider.ask("PUT", path, change("remove", name)))
    assert names() == before - {"2core-4gb"}
    assert provider.refusal("PUT", path, change("add", "huge")) == (
        400,
        -1,
        "Compute policy 'huge' not found.",
    )
    assert provider.refusal("PUT", path, change("swap", "2core-4gb")) == (
        400,
        -1,
        "Unsupported compute policy action",
    )


def test_tenants_see_no_compute_policies(client: Client, served: Simulator) -> None:
    path = f"/ovdc/{vdc_id(served)}/compute-policies"
    text = "Only Sys admin clients should be used to initialize ComputePolicyManager."
    assert client.refusal("GET", path) == (500, -1, text)
    body = {"action": "add", "compute_policy_name": "2core-4gb"}
    assert client.refusal("PUT", path, body) == (500, -1, text)


def test_an_unknown_vdc_is_forbidden(provider: Client) -> None:
    status, code, text = provider.refusal("GET", "/ovdc/1234")
    assert (status, code) == (500, -1)
    assert text.startswith("Status code: 403/")


def test_templates(client: Client) -> None:
    old, new = (
        {
            "name": name,
            "revision": revision,
            "is_default": default,
            "catalog": "cse",
            "catalog_item": f"{name}_rev{revision}",
        }
        for name, revision, default in (
            ("ubuntu-16.04_k8-1.18_weave-2.6.5", "2", "Yes"),
            ("ubuntu-24.04_k8-1.33_antrea-2.3", "1", "No"),
        )
    )
    rows = client.read("/templates")
    assert all(row.pop("description").startswith("Ubuntu") for row in rows)
    assert rows == [new, old]


def test_administrators_act_in_the_tenants_organization(client: Client, provider: Client) -> None:
    """Provider and tenant see the same clusters; the provider may name the organization."""
    client.done(client.create(num_workers=0))
    for path in ("/clusters", "/clusters?org_name=acme", "/clusters?org_name=System"):
        assert [row["name"] for row in provider.read(path)] == ["demo"]
    assert provider.refusal("GET", "/clusters?org_name=other") == (
        500,
        -1,
        "org 'other' not found",
    )
    assert client.read("/clusters?org_name=other") == client.read("/clusters")
    assert provider.done(provider.ask("DELETE", "/cluster/demo")) == "Deleted cluster 'demo'"


def test_a_provider_finds_a_tenants_vdcs_through_its_organization(
    served: Simulator, provider: Client
) -> None:
    tenant = provider.tenant
    org = tenant.get(f"/api/org/{served.cloud.org.id}")
    hrefs = [link.get("href") for link in org.iterfind(f"{V}Link") if "xml" in link.get("type")]
    (href,) = (one for one in hrefs if "OrgVdc&" in one)
    records = [one for one in tenant.get(href) if one.tag != f"{V}Link"]
    assert {one.get("name") for one in records} == {"vdc1", "vdc2"}
    shown = tenant.get(f"/api/admin/vdc/{vdc_id(served)}")
    assert (shown.tag, shown.get("name")) == (f"{V}AdminVdc", "vdc1")
