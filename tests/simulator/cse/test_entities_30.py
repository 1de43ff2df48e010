"""The simulated CSE server 3.0.5: entities of RDE 1.0.0 at API 35."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from cse_client.simulator import Simulator
from tests.simulator.cse.entities import REVISION, TEMPLATE, Caller, newer_template, spec_1


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    with Simulator(guests=False, cse="3.0.5") as running:
        yield running


@pytest.fixture
def caller(simulator: Simulator) -> Iterator[Caller]:
    with Caller.of(simulator, "35.0") as one:
        yield one


@pytest.fixture
def author(simulator: Simulator) -> Iterator[Caller]:
    with Caller.of(simulator, "35.0", "author") as one:
        yield one


def made(caller: Caller, **values: Any) -> str:
    entity = caller.cse("POST", "clusters", spec_1(**values), 202)
    assert caller.wait(entity)[0] == "success"
    return str(entity["id"])


def test_what_the_system_says(caller: Caller, author: Caller) -> None:
    said = caller.ask("GET", "/api/cse/system").json
    assert (said["version"], said["cse_server_api_version"]) == ("3.0.5", "35.0")
    assert "cse_server_supported_api_versions" not in said
    assert "all_threads" not in said
    # Any version is good enough for /system, one only for the rest.
    assert caller.ask("GET", "/api/cse/system", version="36.0").status == 200
    wrong = caller.ask("GET", "/api/cse/templates", version="36.0")
    assert wrong.status == 406
    assert "35.0" in wrong.json["message"]["error description"]
    assert caller.ask("GET", "/api/cse/clusters").status == 404
    assert caller.ask("PATCH", "/api/cse/3.0/clusters").status == 405
    # A defect of theirs: nobody checks who stops the server.
    stopped = author.ask("PUT", "/api/cse/system", {"server_action": "disable"})
    assert stopped.status == 200
    disabled = caller.ask("GET", "/api/cse/templates")
    assert (disabled.status, "disabled" in disabled.json["message"]["error description"]) == (
        400,
        True,
    )


def test_a_cluster_is_made_and_shown(simulator: Simulator, caller: Caller) -> None:
    answer = caller.cse("POST", "clusters", spec_1(workers=2, nfs={"count": 1}), 202)
    assert answer["entityType"] == "urn:vcloud:type:cse:nativeCluster:1.0.0"
    assert answer["state"] == "PRE_CREATED"
    status = answer["entity"]["status"]
    assert status["phase"] == "CREATE:IN_PROGRESS"
    assert (status["kubernetes"], status["cni"]) == ("upstream 1.18.6", "weave 2.6.5")
    assert caller.wait(answer) == ("success", f"Created cluster 'one' ({answer['id']})")

    (vapp,) = simulator.cloud.vapps.values()
    assert vapp.metadata[("GENERAL", "cse.cluster.id")][1] == answer["id"]
    assert vapp.metadata[("GENERAL", "cse.version")][1] == "3.0.5"
    shown = caller.cse("GET", f"cluster/{answer['id']}")
    assert shown["state"] == "RESOLVED"
    assert shown["externalId"].endswith(f"/vApp/vapp-{vapp.id}")
    assert shown["owner"]["name"] == "admin"
    nodes = shown["entity"]["status"]["nodes"]
    names = [nodes["control_plane"]["name"], *(one["name"] for one in nodes["workers"])]
    assert [*names, nodes["nfs"][0]["name"]] == [vm.name for vm in vapp.vms]
    assert nodes["nfs"][0]["exports"] == "['/home', '/data']"
    listed = caller.ask(
        "GET",
        "/cloudapi/1.0.0/entities/types/cse/nativeCluster/1.0.0"
        "?filter=name==one;entity.metadata.ovdc_name==vdc1&page=1&sortAsc=name",
    ).json
    assert [one["id"] for one in listed["values"]] == [answer["id"]]
    filtered = caller.cse("GET", "clusters?entity.kind=native&entity.metadata.org_name=acme")
    assert [one["name"] for one in filtered] == ["one"]
    assert caller.cse("GET", "clusters?entity.metadata.org_name=other") == []


def test_bad_requests_are_refused_at_once(caller: Caller) -> None:
    made(caller)

    def post(body: Any) -> tuple[int, str]:
        return caller.refused("POST", "clusters", body)

    assert post(spec_1()) == (500, "Cluster 'one' already exists.")
    assert post(spec_1("1bad")) == (500, "Invalid cluster name '1bad'")
    assert post(spec_1("two", colour="red"))[0] == 400
    lacking = spec_1("two")
    del lacking["spec"]["k8_distribution"]
    assert post(lacking)[0] == 400
    unknown = {"template_name": "no", "template_revision": 1}
    status, text = post(spec_1("two", k8_distribution=unknown))
    assert (status, "not found" in text) == (500, True)
    assert caller.refused("GET", "cluster/urn:vcloud:entity:cse:nativeCluster:1.0.0:x")[0] == 500


def test_the_default_template_is_filled_in(caller: Caller) -> None:
    nothing = {"template_name": None, "template_revision": None}
    entity = caller.cse("POST", "clusters", spec_1(k8_distribution=nothing), 202)
    wanted = {"template_name": TEMPLATE, "template_revision": REVISION}
    assert entity["entity"]["spec"]["k8_distribution"] == wanted
    assert caller.wait(entity)[0] == "success"


def test_a_failed_creation_is_rolled_back_or_left_with_its_phase(
    simulator: Simulator, caller: Caller
) -> None:
    wrong = {"network": "no-such-net", "rollback_on_failure": True}
    entity = caller.cse("POST", "clusters", spec_1(settings=wrong), 202)
    status, text = caller.wait(entity)
    assert (status, "no-such-net" in text) == ("error", True)
    assert not simulator.cloud.vapps
    assert caller.ask("GET", f"/cloudapi/1.0.0/entities/{entity['id']}").status == 403

    wrong["rollback_on_failure"] = False
    entity = caller.cse("POST", "clusters", spec_1(settings=wrong), 202)
    assert caller.wait(entity)[0] == "error"
    left = caller.settled(entity["id"])
    assert (left["state"], left["entity"]["status"]["phase"]) == ("RESOLVED", "CREATE:FAILED")
    code, text = caller.refused("GET", f"cluster/{entity['id']}/config")
    assert (code, "not in a valid state" in text) == (500, True)


def test_a_resize_goes_both_ways_and_its_entity_is_late(
    simulator: Simulator, caller: Caller
) -> None:
    path = f"cluster/{made(caller)}"
    stored = caller.cse("GET", path)["entity"]
    stored["spec"]["workers"]["count"] = 3
    answer = caller.cse("PUT", path, stored, 202)
    assert answer["entity"]["status"]["phase"] == "UPDATE:IN_PROGRESS"
    assert caller.wait(answer)[0] == "success"
    early = caller.ask("GET", f"/cloudapi/1.0.0/entities/{answer['id']}").json
    assert early["entity"]["status"]["phase"] == "UPDATE:IN_PROGRESS"
    late = caller.settled(answer["id"])["entity"]
    assert late["status"]["phase"] == "UPDATE:SUCCEEDED"
    assert late["spec"]["workers"]["count"] == 3

    late["spec"]["workers"]["count"] = 0
    assert caller.wait(caller.cse("PUT", path, late, 202))[0] == "success"
    assert caller.settled(answer["id"])["entity"]["status"]["nodes"]["workers"] == []
    (vapp,) = simulator.cloud.vapps.values()
    assert [vm.name[:4] for vm in vapp.vms] == ["mstr"]
    assert caller.refused("PUT", path, late)[0] == 500  # as many as there are
    late["spec"]["settings"]["network"] = "net2"
    assert caller.refused("PUT", path, late) == (
        400,
        "Invalid input values found in ['settings.network']",
    )


def test_an_nfs_node_is_added_and_deleted(caller: Caller) -> None:
    path = f"cluster/{made(caller)}"
    stored = caller.cse("GET", path)["entity"]
    stored["spec"]["nfs"]["count"] = 1
    added = caller.cse("PUT", path, stored, 202)
    assert caller.wait(added)[0] == "success"
    (node,) = caller.settled(added["id"])["entity"]["status"]["nodes"]["nfs"]
    assert caller.wait(caller.cse("DELETE", f"{path}/nfs/{node['name']}", None, 202)) == (
        "success",
        f"Deleted the ['{node['name']}'] nodes  from cluster 'one' ({added['id']})",
    )
    assert caller.settled(added["id"])["entity"]["status"]["nodes"]["nfs"] == []
    status, text = caller.wait(caller.cse("DELETE", f"{path}/nfs/nfsd-0000", None, 202))
    assert (status, "nfsd-0000" in text) == ("error", True)
    assert caller.settled(added["id"])["entity"]["status"]["phase"] == "UPDATE:FAILED"


def test_a_deletion_takes_the_entity_first(simulator: Simulator, caller: Caller) -> None:
    identifier = made(caller)
    answer = caller.cse("DELETE", f"cluster/{identifier}", None, 202)
    assert answer["entity"]["status"]["phase"] == "DELETE:IN_PROGRESS"
    assert caller.ask("GET", f"/cloudapi/1.0.0/entities/{identifier}").status == 403
    assert caller.wait(answer) == ("success", "Deleted cluster 'one'")
    assert not simulator.cloud.vapps


def test_upgrades_need_a_target(caller: Caller) -> None:
    path = f"cluster/{made(caller)}"
    assert caller.cse("GET", f"{path}/upgrade-plan") == []
    stored = caller.cse("GET", path)["entity"]
    stored["spec"]["k8_distribution"]["template_revision"] = 9
    status, text = caller.refused("POST", f"{path}/action/upgrade", stored)
    assert (status, "not a valid upgrade target" in text) == (500, True)


def test_an_upgrade_is_seen_in_spec_and_status(caller: Caller) -> None:
    path = f"cluster/{made(caller)}"
    name, revision = newer_template(caller)
    (target,) = caller.cse("GET", f"{path}/upgrade-plan")
    assert (target["name"], target["kubernetes_version"]) == (name, "1.19.3")
    stored = caller.cse("GET", path)["entity"]
    wanted = {"template_name": name, "template_revision": revision}
    stored["spec"]["k8_distribution"] = wanted
    answer = caller.cse("POST", f"{path}/action/upgrade", stored, 202)
    assert answer["entity"]["status"]["phase"] == "UPGRADE:IN_PROGRESS"
    assert caller.wait(answer)[0] == "success"
    upgraded = caller.settled(answer["id"])["entity"]
    assert upgraded["status"]["phase"] == "UPGRADE:SUCCEEDED"
    assert upgraded["status"]["kubernetes"] == "upstream 1.19.3"
    assert upgraded["spec"]["k8_distribution"] == wanted


def test_org_vdcs_get_and_lose_their_runtime(simulator: Simulator, caller: Caller) -> None:
    listed = caller.cse("GET", "ovdcs")
    assert [(one["ovdc_name"], one["k8s_runtime"]) for one in listed] == [
        ("vdc1", []),
        ("vdc2", []),
    ]
    path = f"ovdc/{listed[0]['ovdc_id']}"
    task = caller.cse("PUT", path, {"k8s_runtime": ["native"]}, 202)["task_href"]
    assert caller.follow(task)[0] == "success"
    assert caller.cse("GET", path)["k8s_runtime"] == ["native"]
    paged = caller.cse("GET", "orgvdcs?page=2&pageSize=1")
    assert (paged["resultTotal"], paged["pageCount"], len(paged["values"])) == (2, 2, 1)
    assert "page=1" in paged["previousPageUri"]
    assert caller.refused("PUT", path, {"k8s_runtime": ["other"]})[0] == 400
    assert caller.refused("PUT", path, {"k8s_runtime": ["TKG+"]})[0] == 500


def test_templates_have_their_facts(caller: Caller) -> None:
    rows = caller.ask("GET", "/api/cse/templates").json
    (row,) = (one for one in rows if one["name"] == TEMPLATE)
    assert (row["revision"], row["is_default"], row["kind"]) == (str(REVISION), "Yes", "native")
