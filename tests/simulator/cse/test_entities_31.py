"""The simulated CSE server 3.1.4: entities of RDE 2.1.0 at API 36, and legacy mode."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from cse_client.simulator import Simulator
from tests.simulator.cse.entities import Caller, newer_template, spec_2

ENTITY = "/cloudapi/1.0.0/entities/"


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    with Simulator(guests=False, cse="3.1.4") as running:
        yield running


@pytest.fixture
def caller(simulator: Simulator) -> Iterator[Caller]:
    with Caller.of(simulator, "36.0") as one:
        yield one


@pytest.fixture
def author(simulator: Simulator) -> Iterator[Caller]:
    with Caller.of(simulator, "36.0", "author") as one:
        yield one


def made(caller: Caller, **values: Any) -> str:
    entity = caller.cse("POST", "clusters", spec_2(**values), 202)
    assert caller.wait(entity)[0] == "success"
    return str(entity["id"])


def test_what_the_system_says(caller: Caller) -> None:
    said = caller.ask("GET", "/api/cse/system").json
    assert said["cse_server_supported_api_versions"] == ["35.0", "36.0"]
    assert said["cse_server_running_in_legacy_mode"] is False
    assert caller.ask("GET", "/api/cse/templates", version="34.0").status == 406
    rows = caller.ask("GET", "/api/cse/templates").json
    assert {one["is_default"] for one in rows} == {"No"}


def test_a_cluster_lives_and_dies(simulator: Simulator, caller: Caller) -> None:
    answer = caller.cse("POST", "clusters", spec_2(workers=1, nfs=1), 202)
    assert answer["entityType"] == "urn:vcloud:type:cse:nativeCluster:2.1.0"
    href = answer["entity"]["status"]["taskHref"]
    assert caller.wait(answer) == ("success", f"Created cluster 'one' ({answer['id']})")
    owner = caller.tenant.get(href).find("{*}Owner")
    assert owner is not None
    assert owner.get("id") == answer["id"]

    shown = caller.cse("GET", f"cluster/{answer['id']}")
    status = shown["entity"]["status"]
    assert (shown["state"], status["phase"]) == ("RESOLVED", "CREATE:SUCCEEDED")
    assert status["uid"] == answer["id"]
    assert status["cloudProperties"]["ovdcNetworkName"] == "net1"
    (vapp,) = simulator.cloud.vapps.values()
    assert vapp.owner.name == "admin"
    assert status["nodes"]["controlPlane"]["cpu"] == vapp.vms[0].cpus
    assert status["nodes"]["nfs"][0]["exports"] == ["/home", "/data"]

    wanted = shown["entity"]
    wanted["spec"]["topology"]["workers"]["count"] = 2
    resized = caller.cse("PUT", f"cluster/{answer['id']}", wanted, 202)
    assert caller.wait(resized)[0] == "success"
    # The entity is there before the task has ended.
    seen = caller.ask("GET", f"{ENTITY}{answer['id']}").json["entity"]["status"]
    assert (seen["phase"], len(seen["nodes"]["workers"])) == ("UPDATE:SUCCEEDED", 2)
    name = seen["nodes"]["nfs"][0]["name"]
    gone = caller.cse("DELETE", f"cluster/{answer['id']}/nfs/{name}", None, 202)
    assert caller.wait(gone)[0] == "success"
    assert vapp.vm_named(name) is None

    deleted = caller.cse("DELETE", f"cluster/{answer['id']}", None, 202)
    assert caller.wait(deleted) == ("success", "Deleted cluster 'one'")
    assert caller.ask("GET", f"{ENTITY}{answer['id']}").status == 403
    assert not simulator.cloud.vapps


def test_an_entity_made_through_vcd_becomes_a_cluster(simulator: Simulator, caller: Caller) -> None:
    body = {"name": "one", "entity": spec_2()}
    path = "/cloudapi/1.0.0/entityTypes/urn:vcloud:type:cse:nativeCluster:2.1.0"
    answer = caller.ask("POST", path, body)
    assert answer.status == 202
    assert caller.follow(answer.headers["Location"])[0] == "success"
    identifier = answer.json["id"]
    assert [one.name for one in simulator.cloud.vapps.values()] == ["one"]
    found = caller.ask("GET", ENTITY + identifier)
    entity = found.json["entity"]
    entity["spec"]["topology"]["workers"]["count"] = 0
    change = {"name": "one", "entity": entity, "externalId": found.json["externalId"]}
    put = caller.ask("PUT", f"{ENTITY}{identifier}?invokeHooks=true", change)
    assert put.status == 200
    assert caller.follow(put.headers["X-VMWARE-VCLOUD-TASK-LOCATION"])[0] == "success"
    removed = caller.ask("DELETE", f"{ENTITY}{identifier}?invokeHooks=true")
    assert removed.status == 202
    assert caller.follow(removed.headers["Location"])[0] == "success"
    assert not simulator.cloud.vapps


def test_only_the_payload_is_refused_at_once(simulator: Simulator, caller: Caller) -> None:
    old = {**spec_2(), "apiVersion": "cse.vmware.com/v9"}
    assert caller.refused("POST", "clusters", old) == (
        400,
        "Unsupported payload version: cse.vmware.com/v9",
    )
    lacking = spec_2()
    del lacking["metadata"]["site"]
    assert caller.refused("POST", "clusters", lacking)[0] == 400
    _status, said = caller.refused("POST", "clusters", spec_2("de\x07mo"))
    assert "The name contains characters that are not allowed." in said
    # Anything else is accepted, and fails in its task.
    accepted = caller.cse("POST", "clusters", spec_2("1bad"), 202)
    assert caller.wait(accepted) == ("error", "Invalid cluster name '1bad'")
    assert not simulator.cloud.defined.entities
    kept = caller.cse("POST", "clusters", spec_2("1bad", rollbackOnFailure=False), 202)
    assert caller.wait(kept)[0] == "error"
    assert caller.settled(kept["id"])["entity"]["status"]["phase"] == "CREATE:FAILED"


def test_what_an_update_may_not_change(caller: Caller) -> None:
    identifier = made(caller)
    wanted = caller.cse("GET", f"cluster/{identifier}")["entity"]
    wanted["spec"]["settings"]["ovdcNetwork"] = "net2"
    status, text = caller.refused("PUT", f"cluster/{identifier}", wanted)
    assert (status, "spec.settings.ovdcNetwork found : net2 expected : net1" in text) == (400, True)


def test_an_update_of_the_template_is_an_upgrade(caller: Caller) -> None:
    path = f"cluster/{made(caller)}"
    name, revision = newer_template(caller)
    wanted = caller.cse("GET", path)["entity"]
    wanted["spec"]["distribution"] = {"templateName": name, "templateRevision": revision}
    assert caller.ask("POST", f"/api/cse/3.0/{path}/action/upgrade", wanted).status == 404
    wanted["spec"]["topology"]["workers"]["count"] = 2
    assert caller.refused("PUT", path, wanted) == (
        400,
        "Cannot resize and upgrade the cluster at the same time",
    )
    wanted["spec"]["topology"]["workers"]["count"] = 1
    answer = caller.cse("PUT", path, wanted, 202)
    assert caller.wait(answer)[0] == "success"
    upgraded = caller.settled(answer["id"])["entity"]["status"]
    assert (upgraded["phase"], upgraded["kubernetes"]) == ("UPGRADE:SUCCEEDED", "upstream 1.19.3")
    assert upgraded["cloudProperties"]["distribution"]["templateName"] == name


def test_what_the_server_does_wrong_on_request(simulator: Simulator, caller: Caller) -> None:
    caller.tenant.control("POST", "cse", {"stuck": True})
    answer = caller.cse("POST", "clusters", spec_2(), 202)
    assert caller.settled(answer["id"])["entity"]["status"]["phase"] == "CREATE:SUCCEEDED"
    assert caller.tenant.get(answer["entity"]["status"]["taskHref"]).get("status") == "running"
    caller.tenant.control("POST", "cse", {"busy": True})
    busy = caller.ask("GET", "/api/cse/templates")
    assert (busy.status, list(busy.json)) == (429, ["CSE Server Busy"])
    caller.tenant.control("DELETE", "cse")
    caller.tenant.control("POST", "faults", {"kind": "task", "operation": "cluster operation"})
    failing = caller.cse("POST", "clusters", spec_2("two"), 202)
    assert caller.wait(failing)[0] == "error"
    assert [one.name for one in simulator.cloud.vapps.values()] == ["one"]


def test_the_journal_tells_accept_and_keys(caller: Caller) -> None:
    caller.tenant.control("DELETE", "journal")
    made(caller)
    (post,) = (
        one
        for one in caller.tenant.control("GET", "journal")["requests"]
        if one["path"] == "/api/cse/3.0/clusters"
    )
    assert (post["method"], post["accept"]) == ("POST", "application/json;version=36.0")
    assert "spec.topology.workers.count" in post["keys"]
    assert "vdc1" not in str(post["keys"])


def test_a_forced_deletion_takes_what_failed(simulator: Simulator, caller: Caller) -> None:
    kept = caller.cse("POST", "clusters", spec_2("1bad", rollbackOnFailure=False), 202)
    caller.wait(kept)
    path = f"cluster/{kept['id']}/action/force-delete"
    assert caller.wait(caller.cse("POST", path, None, 202))[0] == "success"
    assert not simulator.cloud.defined.entities


def test_sharing_replaces_everything_and_reaches_the_vapp(
    simulator: Simulator, caller: Caller, author: Caller
) -> None:
    identifier = made(caller)
    assert author.ask("GET", ENTITY + identifier).status == 403
    member = f"urn:vcloud:user:{simulator.cloud.users['author'].id}"
    entry = {
        "memberId": member,
        "username": "author",
        "accessLevelId": "urn:vcloud:accessLevel:ReadWrite",
    }
    own = caller.cse("GET", f"cluster/{identifier}/acl?page=1&pageSize=10")["values"]
    caller.cse("PUT", f"cluster/{identifier}/acl", {"accessSetting": [*own, entry]}, 204)
    listed = caller.cse("GET", f"cluster/{identifier}/acl")
    assert {one["username"] for one in listed["values"]} == {"admin", "author"}
    assert author.ask("GET", ENTITY + identifier).status == 200
    (vapp,) = simulator.cloud.vapps.values()
    assert vapp.access[simulator.cloud.users["author"].id] == "Change"
    caller.cse("PUT", f"cluster/{identifier}/acl", {"accessSetting": own}, 204)
    assert author.ask("GET", ENTITY + identifier).status == 403
    assert simulator.cloud.users["author"].id not in vapp.access


@pytest.mark.parametrize("version", ["3.0.5", "3.1.4"])
def test_legacy_mode_speaks_names(version: str) -> None:
    with (
        Simulator(guests=False, cse=f"{version}-legacy") as running,
        Caller.of(running, "34.0") as caller,
    ):
        said = caller.ask("GET", "/api/cse/system").json
        assert said["version"] == version
        assert said.get("cse_server_running_in_legacy_mode", True) is True
        assert caller.ask("GET", "/api/cse/clusters").json == []
        assert caller.ask("GET", "/api/cse/3.0/clusters").status == 404
        assert caller.ask("GET", "/api/cse/clusters", version="36.0").status == 406
