"""What today's clients ask of the newer API: sessions, API tokens, lists with filters."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from urllib.parse import quote, urlencode

import pytest

from cse_client.simulator import Simulator
from cse_client.simulator.vcd.people import Right
from tests.simulator.client import Answer, Tenant

JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"


def ask(tenant: Tenant, path: str, method: str = "GET", body: str = "") -> Answer:
    return tenant.send(method, f"/cloudapi/{path}", body, accept="application/json")


def oauth(tenant: Tenant, path: str, **form: str) -> Answer:
    kind = "application/x-www-form-urlencoded"
    return tenant.send("POST", f"/oauth/{path}/token", urlencode(form), kind)


def register(tenant: Tenant, name: str = "mine", path: str = "tenant/acme") -> Answer:
    body = json.dumps({"client_name": name})
    return tenant.send("POST", f"/oauth/{path}/register", body, "application/json")


@pytest.mark.parametrize("user", ["admin", "author", "viewer", "administrator"])
def test_everybody_reads_his_session(simulator: Simulator, user: str) -> None:
    caller = Tenant(simulator, user).login()
    answer = ask(caller, "1.0.0/sessions/current")
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "application/json;version=36.0"
    assert answer.json["user"]["name"] == user
    role = answer.json["roleRefs"][0]["id"]
    assert role != answer.json["org"]["id"].replace("org", "role")
    assert answer.json["roles"] == [answer.json["roleRefs"][0]["name"]]
    caller.close()


@pytest.mark.parametrize(
    ("user", "path"), [("author", "tenant/acme"), ("administrator", "provider")]
)
def test_the_life_of_an_api_token(simulator: Simulator, user: str, path: str) -> None:
    owner = Tenant(simulator, user, version="36.1").login()
    client = register(owner, path=path).json["client_id"]
    asked = {"grant_type": JWT_BEARER, "client_id": client, "assertion": owner.token}
    refresh = oauth(owner, path, **asked).json["refresh_token"]
    assert oauth(owner, path, **asked).status == 400, "it is given out once"

    program = Tenant(simulator, user, version="36.1")
    exchange = {"grant_type": "refresh_token", "refresh_token": refresh}
    answer = oauth(program, path, **exchange).json
    assert (answer["token_type"], answer["refresh_token"]) == ("Bearer", None)
    assert answer["expires_in"] > 0
    program.token = answer["access_token"]
    assert ask(program, "1.0.0/sessions/current").json["user"]["name"] == user
    assert register(program, "another", path).status == 403, "a token makes no token"

    (listed,) = ask(owner, "1.0.0/tokens?filter=" + quote("(name==mine;type==REFRESH)")).json[
        "values"
    ]
    assert listed["owner"]["name"] == user
    assert ask(owner, f"1.0.0/tokens/{listed['id']}").json == listed
    assert ask(owner, f"1.0.0/tokens/{listed['id']}", "DELETE").status == 204
    gone = oauth(program, path, **exchange)
    assert (gone.status, gone.json["minorErrorCode"]) == (400, "invalid_grant")
    owner.close()
    program.close()


def test_oauth_refuses_in_json(simulator: Simulator) -> None:
    client = Tenant(simulator)
    for path, form in (
        ("tenant/acme", {"grant_type": "refresh_token", "refresh_token": "täuschend"}),
        ("tenant/acme", {"grant_type": "password"}),
        ("tenant/other", {"grant_type": "refresh_token", "refresh_token": "x"}),
        ("provider", {"grant_type": "refresh_token", "refresh_token": "x"}),
    ):
        answer = oauth(client, path, **form)
        assert (answer.status, answer.headers["Content-Type"]) == (400, "application/json")
        assert answer.json["message"]
    client.close()


def test_api_tokens_take_a_right(simulator: Simulator) -> None:
    owner = Tenant(simulator, "author", version="36.1").login()
    client = register(owner).json["client_id"]
    asked = {"grant_type": JWT_BEARER, "client_id": client, "assertion": owner.token}
    refresh = oauth(owner, "tenant/acme", **asked).json["refresh_token"]
    owner.control("POST", "users/author", {"rights": {Right.API_TOKENS: False}})
    exchange = {"grant_type": "refresh_token", "refresh_token": refresh}
    for answer in (register(owner, "second"), oauth(owner, "tenant/acme", **exchange)):
        assert answer.status == 403
        assert Right.API_TOKENS in answer.json["message"]
    owner.close()


def test_administrators_read_the_rights_of_their_role(simulator: Simulator) -> None:
    caller = Tenant(simulator).login()
    role = ask(caller, "1.0.0/sessions/current").json["roleRefs"][0]["id"]
    path = f"1.0.0/roles/{role}/rights?page=1&pageSize=128"
    names = {one["name"] for one in ask(caller, path).json["values"]}
    assert names == simulator.cloud.users["admin"].rights
    caller.control("POST", "users/admin", {"rights": {Right.DELETE: False}})
    assert ask(caller, path).json["resultTotal"] == len(names) - 1
    author = Tenant(simulator, "author").login()
    assert ask(author, path).status == 403
    author.close()
    caller.close()


def test_the_current_session_is_ended(simulator: Simulator) -> None:
    caller = Tenant(simulator).login()
    assert ask(caller, "1.0.0/sessions/current", "DELETE").status == 204
    assert ask(caller, "1.0.0/sessions/current").status == 401
    caller.close()


def test_a_clock_may_be_wrong_without_ending_a_session(tenant: Tenant) -> None:
    tenant.control("POST", "clock", {"error": -86400})
    answer = ask(tenant, "1.0.0/sessions/current")
    assert answer.status == 200
    behind = datetime.now(timezone.utc) - parsedate_to_datetime(answer.headers["Date"])
    assert timedelta(hours=23) < behind < timedelta(hours=25)


def test_releases_before_10_3_have_no_api_tokens() -> None:
    with Simulator(guests=False, release="10.2") as simulator:
        client = Tenant(simulator, version="35.0").login()
        assert register(client).status == 404
        client.close()


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("1.0.0/orgVdcNetworks", "net2"),
        ("1.0.0/edgeGateways", "edge1"),
        ("1.0.0/vdcComputePolicies", "2core-4gb"),
        ("2.0.0/vdcComputePolicies", "2core-4gb"),
    ],
)
def test_lists_are_filtered(tenant: Tenant, path: str, name: str) -> None:
    found = ask(tenant, f"{path}?filter=name=={name}")
    assert found.headers["Content-Type"] == "application/json;version=36.0"
    assert [one["name"] for one in found.json["values"]] == [name]
    assert ask(tenant, f"{path}?filter=name==other").json["values"] == []
    identifier = found.json["values"][0]["id"]
    again = ask(tenant, f"{path}?filter=id=={quote(identifier)}").json["values"]
    assert again == found.json["values"]
    assert ask(tenant, f"{path}?filter=rubbish==1").status == 400
    assert ask(tenant, f"{path}?filter=_context==1").status == 501


def test_networks_of_a_vdc(tenant: Tenant) -> None:
    vdc = tenant.one("orgVdc", "vdc2")[-36:]
    path = "1.0.0/orgVdcNetworks?filter=" + quote(f"ownerRef.id==urn:vcloud:vdc:{vdc}")
    (found,) = ask(tenant, path).json["values"]
    assert (found["name"], found["backingNetworkType"]) == ("vdc2-net", "DV_PORTGROUP")


def test_what_clients_look_for_in_a_gateway(tenant: Tenant) -> None:
    (gateway,) = ask(tenant, "1.0.0/edgeGateways").json["values"]
    assert gateway["ownerRef"] == gateway["orgVdc"]
    assert gateway["usingIpSpace"] is False
    (subnet,) = gateway["edgeGatewayUplinks"][0]["subnets"]["values"]
    assert subnet["primaryIp"] and subnet["gateway"] and subnet["prefixLength"] == 24


def test_a_compute_policy_is_one_thing_in_every_vdc(tenant: Tenant) -> None:
    both = [
        {one.get("name"): one.get("id") for one in tenant.get(f"{vdc}/computePolicies")}
        for vdc in (tenant.one("orgVdc", "vdc1"), tenant.one("orgVdc", "vdc2"))
    ]
    assert both[0] == both[1]
    listed = ask(tenant, "2.0.0/vdcComputePolicies").json["values"]
    assert {one["name"]: one["id"] for one in listed} == both[0]
    assert {one["policyType"] for one in listed} == {"VdcVmPolicy"}
    assert [one["name"] for one in listed if one["isAutoGenerated"]] == ["System Default"]


@pytest.mark.parametrize(
    ("given", "repeated"),
    [("1-abc", "1-abc-"), ("x" * 200, "x" * 128 + "-"), ("with space", ""), ("", "")],
)
def test_the_client_s_request_id_comes_back(tenant: Tenant, given: str, repeated: str) -> None:
    headers = {"X-VMWARE-VCLOUD-CLIENT-REQUEST-ID": given} if given else {}
    answer = tenant.send("GET", "/api/session", headers=headers)
    found = answer.headers["X-VMWARE-VCLOUD-REQUEST-ID"]
    assert found[:-36] == repeated
