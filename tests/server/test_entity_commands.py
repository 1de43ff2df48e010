"""Each command in front of CSE 3.0.5 and 3.1.4, which keep clusters as entities of VCD."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.server.entity_answers import (
    ENTITY_31,
    HREF,
    ID_31,
    LIST_30,
    LIST_31,
    TEMPLATE,
    Generation,
    altered,
    cluster_path,
    defined,
    lookup,
    missing,
    page,
    without_nulls,
)
from tests.server.served import KUBECONFIG, TASK, Served, answer
from tests.support.programs import Result

Run = Callable[..., Result]

PROBE = "GET /api/cse/system"
LOOK = f"GET /api/task/{TASK}"
FOLLOW = f"The CSE server is processing cluster blue. To follow it:\nvcd task wait {TASK}\n"


@pytest.fixture(params=["3.0", "3.1"])
def generation(request: pytest.FixtureRequest, served: Served) -> Generation:
    return Generation(served, request.param)


@pytest.fixture
def first(served: Served) -> Generation:
    return Generation(served, "3.0")


@pytest.fixture
def second(served: Served) -> Generation:
    return Generation(served, "3.1")


def progress(what: str) -> str:
    return f" • {what}\n • Creating cluster vApp blue\n ✓ {what}\n"


def accepted_versions(served: Served) -> list[str]:
    return [request.headers["Accept"].partition("version=")[2] for request in served.vcd.requests]


def test_cluster_list(cse: Run, generation: Generation) -> None:
    address = LIST_30 if generation.first else LIST_31
    generation.served.get(address, page(defined(generation.entity)))
    result = cse("cluster", "list", "-A")
    assert (result.out, result.err, result.code) == (
        "Name    VDC    Org    K8s Runtime    K8s Version    Status            Owner\n"
        "------  -----  -----  -------------  -------------  ----------------  -------\n"
        "blue    vdc1   acme   native         upstream 1.20  CREATE:SUCCEEDED  bob\n",
        "",
        0,
    )
    assert generation.served.asked() == [PROBE, f"GET {address}"]
    # the stored session has 36.0; the server wants its own
    assert accepted_versions(generation.served) == ["36.0", generation.api]
    as_json = cse("cluster", "list", options=("-j",))
    assert json.loads(as_json.out) == [
        {
            "Name": "blue",
            "VDC": "vdc1",
            "Org": "acme",
            "K8s Runtime": "native",
            "K8s Version": "upstream 1.20",
            "Status": "CREATE:SUCCEEDED",
            "Owner": "bob",
            "Cluster Id": generation.id,
        }
    ]


def test_cluster_info_is_the_entity(cse: Run, generation: Generation) -> None:
    result = cse("cluster", "info", "blue", "-k", "native")
    assert (result.err, result.code) == ("", 0)
    shown = yaml.safe_load(result.out)
    status = {key: one for key, one in generation.entity["status"].items() if key != "private"}
    assert shown == {**generation.entity, "status": status}
    assert "secret" not in result.out
    assert generation.served.asked() == [PROBE, generation.find]
    by_id = cse("cluster", "info", "--id", generation.id, options=("-j",))
    assert json.loads(by_id.out) == shown
    assert generation.served.asked()[2:] == [PROBE, generation.read]


def test_cluster_config(cse: Run, generation: Generation, home: Path) -> None:
    path = f"GET {generation.url('/config')}"
    generation.served.set(path, answer({"message": KUBECONFIG}))
    result = cse("cluster", "config", "blue", "-v", "vdc1")
    place = (
        "entity.metadata.org_name==acme;entity.metadata.ovdc_name==vdc1"
        if generation.first
        else "entity.metadata.orgName==acme;entity.metadata.virtualDataCenterName==vdc1"
    )
    assert result.code == 1  # the search is not scripted with a VDC
    generation.served.get(lookup(generation.version, place=place), page(defined(generation.entity)))
    result = cse("cluster", "config", "blue", "-v", "vdc1")
    assert (result.out, result.err, result.code) == (KUBECONFIG, "", 0)
    assert cse("cluster", "config", "--id", generation.id).out == KUBECONFIG
    assert generation.served.asked()[-2:] == [PROBE, path]
    files = [one for one in home.rglob("*") if one.is_file() and one.name != "profiles.yaml"]
    assert not [one for one in files if b"secret" in one.read_bytes()]


def test_nodes(cse: Run, first: Generation) -> None:
    listed = cse("node", "list", "blue")
    assert listed.out == (
        "Name       IP Address    Number of CPUs    Memory MB\n"
        "---------  ------------  ----------------  -----------\n"
        "mstr-a1b2  10.0.0.10\n"
        "node-c3d4  10.0.0.11\n"
        "node-e5f6  10.0.0.12\n"
        "nfsd-a1b2  10.0.0.14\n"
    )
    shown = json.loads(cse("node", "info", "blue", "nfsd-a1b2", options=("-j",)).out)
    assert (shown["Node Type"], shown["Exports"]) == ("nfs", ["/home", "/data"])
    unknown = cse("node", "info", "blue", "node-zzzz")
    assert (unknown.code, unknown.out) == (3, "")
    assert first.served.asked() == [PROBE, first.find] * 3


def test_templates_and_upgrade_plan(cse: Run, second: Generation) -> None:
    rows = [
        {
            "catalog": "cse",
            "catalog_item": "t_rev2",
            "cni": "weave",
            "cni_version": "2.6.5",
            "deprecated": "False",
            "description": "d",
            "docker_version": "19.03.12",
            "is_default": "No",
            "kind": "native",
            "kubernetes": "upstream",
            "kubernetes_version": "1.20",
            "name": "t",
            "os": "ubuntu-16.04",
            "revision": "2",
        }
    ]
    second.served.get("/api/cse/templates", rows)
    second.served.get(second.url("/upgrade-plan"), rows)
    result = cse("template", "list")
    assert result.out == (
        "Name    Revision    Default    Catalog    Catalog Item    Description\n"
        "------  ----------  ---------  ---------  --------------  -------------\n"
        "t       2           No         cse        t_rev2          d\n"
    )
    plan = cse("cluster", "upgrade-plan", "--id", ID_31)
    assert plan.out == (
        "Template Name    Template Revision    Kubernetes     Docker-CE    CNI\n"
        "---------------  -------------------  -------------  -----------  -----------\n"
        "t                2                    upstream 1.20  19.03.12     weave 2.6.5\n"
    )
    assert second.served.asked() == [
        PROBE,
        "GET /api/cse/templates",
        PROBE,
        f"GET {second.url('/upgrade-plan')}",
    ]


def test_create(cse: Run, generation: Generation) -> None:
    entity = generation.entity
    done = altered(entity, "CREATE:SUCCEEDED")
    busy = altered(entity, "CREATE:IN_PROGRESS")
    place = lookup(
        generation.version,
        place="entity.metadata.org_name==acme;entity.metadata.ovdc_name==vdc1"
        if generation.first
        else "entity.metadata.orgName==acme;entity.metadata.virtualDataCenterName==vdc1",
    )
    generation.served.get(place, page())
    # the task has ended before the entity is written
    generation.becomes(busy, done)
    call = "POST /api/cse/3.0/clusters"
    generation.accept(call)
    words = ["-n", "net1", "-N", "2", "-t", "t", "-r", "3", "-s", "gold", "--enable-nfs"]
    result = cse("cluster", "create", "blue", *words)
    following = "Next: cse cluster config blue --save\n"
    assert (result.err, result.code) == (progress("Creation of cluster 'blue'") + following, 0)
    assert result.out.startswith("Cluster blue is ready: 1 control plane and 2 workers, ")
    before = [] if generation.first else [f"GET {place}"]
    assert generation.served.asked_but_for_profiles() == [
        *[PROBE, "GET /api/vdc/1", *before, "GET /api/cse/templates", call, LOOK, LOOK],
        *[generation.read] * 2,
    ]
    gold = {"storage_profile": "gold"} if generation.first else {"storageProfile": "gold"}
    groups = [{"count": 1, **gold}, {"count": 2, **gold}, {"count": 1, **gold}]
    if generation.first:
        assert generation.served.body(call) == {
            "api_version": "",
            "kind": "native",
            "metadata": {"cluster_name": "blue", "org_name": "acme", "ovdc_name": "vdc1"},
            "spec": {
                "control_plane": groups[0],
                "workers": groups[1],
                "nfs": groups[2],
                "settings": {"network": "net1", "rollback_on_failure": True},
                "k8_distribution": {"template_name": "t", "template_revision": 3},
            },
        }
    else:
        assert generation.served.body(call) == {
            "apiVersion": "cse.vmware.com/v2.1",
            "kind": "native",
            "metadata": {
                "name": "blue",
                "orgName": "acme",
                "virtualDataCenterName": "vdc1",
                "site": generation.served.base.partition("//")[2],
            },
            "spec": {
                "topology": {"controlPlane": groups[0], "workers": groups[1], "nfs": groups[2]},
                "settings": {"ovdcNetwork": "net1", "rollbackOnFailure": True},
                "distribution": {"templateName": "t", "templateRevision": 3},
            },
        }


def test_what_each_request_carries(cse: Run, generation: Generation) -> None:
    call = f"DELETE {generation.url()}"
    generation.accept(call)
    assert cse("cluster", "delete", "blue", "--yes", options=("-n",)).out == FOLLOW
    assert generation.served.asked() == [PROBE, generation.find, call]
    assert accepted_versions(generation.served) == ["36.0", generation.api, generation.api]
    for request in generation.served.vcd.requests:
        assert request.headers["Accept"].startswith("application/json;")
        assert request.headers["Authorization"] == "Bearer very-secret-token"


def test_org_vdcs(cse: Run, generation: Generation) -> None:
    row = {"ovdc_name": "vdc1", "ovdc_id": "1", "k8s_runtime": ["native", "TKG+"]}
    path = "/api/cse/3.0/ovdcs" if generation.first else "/api/cse/3.0/orgvdcs?page=1&pageSize=25"
    generation.served.get(path, [row] if generation.first else page(row))
    result = cse("ovdc", "list")
    assert (result.out, result.err, result.code) == (
        "Name    ID    K8s Runtime\n"
        "------  ----  -------------\n"
        "vdc1    1     native\n"
        "              TKG+\n",
        "",
        0,
    )
    generation.served.get("/api/cse/3.0/ovdc/1", row)
    shown = cse("ovdc", "info", "vdc1")
    assert yaml.safe_load(shown.out) == row
    assert json.loads(cse("ovdc", "info", "vdc1", options=("-j",)).out) == row
    info = [PROBE, "GET /api/cse/3.0/ovdc/1"]
    assert generation.served.asked() == [PROBE, f"GET {path}", *info, *info]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["cluster", "info", "blue", "-k", "TKG+"], "'TKG+' is not supported"),
        (["template", "list", "--tkg"], "--tkg is an option for Tanzu Kubernetes Grid"),
        (["cluster", "config", "--id", "blue"], "'blue' is not a cluster id"),
        (["cluster", "delete", "--id", "urn:vcloud:entity:vmware:tkgcluster:1"], "with Tanzu"),
        (["cluster", "upgrade", "t", "3"], "Missing argument 'TEMPLATE_REVISION'"),
        (["cluster", "share", "ann", "--acl", "ReadOnly"], "Missing option '-n' / '--name'"),
        (["cluster", "share", "ann", "-n", "blue", "--acl", "Root"], "'Root' is not one of"),
    ],
)
def test_words_that_mean_nothing(cse: Run, first: Generation, words: list[str], said: str) -> None:
    result = cse(*words)
    assert (result.out, result.code, first.served.asked()) == ("", 2, [])
    assert said in result.err


def test_create_without_waiting(cse: Run, first: Generation) -> None:
    call = "POST /api/cse/3.0/clusters"
    first.accept(call)
    words = ["cluster", "create", "blue", "-n", "net1", "-t", "t", "-r", "3"]
    assert cse(*words, options=("-n",)).out == FOLLOW
    assert first.served.asked() == [PROBE, "GET /api/vdc/1", "GET /api/cse/templates", call]
    shown = json.loads(cse(*words, options=("-j", "-n")).out)
    assert (shown["task_href"], shown["follow"]) == (HREF, f"vcd task wait {TASK}")
    assert shown["metadata"] == first.entity["metadata"]


def test_all_problems_of_a_create_at_once(cse: Run, first: Generation) -> None:
    first.served.get("/api/cse/templates", [])
    result = cse("cluster", "create", "blue", "-n", "net9", "-c", "2", "-m", "4096", "-t", "t")
    assert (result.out, result.code) == ("", 2)
    assert "4 problems were found" in result.err
    assert "VDC 'vdc1' has no network 'net9'; available: net1" in result.err
    assert "--cpu is not supported" in result.err
    assert "no template 't'" in result.err
    assert [one for one in first.served.asked() if one.startswith("POST")] == []


def test_resize(cse: Run, generation: Generation) -> None:
    entity = generation.entity
    call = f"PUT {generation.url()}"
    generation.accept(call)
    generation.becomes(altered(entity, "UPDATE:SUCCEEDED", workers=4))
    result = cse("cluster", "resize", "blue", "-N", "4")
    assert (result.out, result.err, result.code) == (
        "Cluster blue has 1 control plane and 4 workers.\n",
        progress("Resizing of cluster 'blue'"),
        0,
    )
    find = generation.find
    assert generation.served.asked() == [PROBE, find, call, LOOK, LOOK, generation.read]
    body = generation.served.body(call)
    wished = {key: one for key, one in without_nulls(entity).items() if key != "status"}
    if generation.first:
        workers = {**wished["spec"]["workers"], "count": 4}
        assert body == {**wished, "spec": {**wished["spec"], "workers": workers}}
        return
    # an unfulfilled wish is brought back to what is there, or the server sees two changes at once
    spec = body["spec"]
    assert spec["distribution"] == {"templateName": TEMPLATE, "templateRevision": 2}
    assert spec["topology"]["workers"] == {"count": 4, "cpu": 2, "memory": 2048}
    assert spec["settings"]["network"] == {"expose": False}
    assert "status" not in body


def test_upgrade(cse: Run, generation: Generation) -> None:
    entity = generation.entity
    call = f"PUT {generation.url()}"
    before = []
    if generation.first:
        call = f"POST {generation.url('/action/upgrade')}"
    else:
        plan = generation.url("/upgrade-plan")
        generation.served.get(plan, [{"name": "t", "revision": 3}])
        before = [f"GET {plan}"]
    generation.accept(call)
    done = altered(entity, "UPGRADE:SUCCEEDED")
    if generation.first:
        done["spec"]["k8_distribution"] = {"template_name": "t", "template_revision": 3}
    else:
        there = done["status"]["cloudProperties"]
        there["distribution"] = {"templateName": "t", "templateRevision": 3}
    generation.becomes(done)
    result = cse("cluster", "upgrade", "blue", "t", "3", "-k", "native")
    assert (result.out, result.code) == ("Cluster blue is upgraded to t, revision 3.\n", 0)
    find = generation.find
    assert generation.served.asked() == [PROBE, find, *before, call, LOOK, LOOK, generation.read]
    spec = generation.served.body(call)["spec"]
    if generation.first:
        distribution = {"template_name": "t", "template_revision": 3}
        assert spec == {**without_nulls(entity)["spec"], "k8_distribution": distribution}
    else:
        assert spec["distribution"] == {"templateName": "t", "templateRevision": 3}
        assert spec["topology"]["workers"]["count"] == 2


def test_delete(cse: Run, generation: Generation) -> None:
    call = f"DELETE {generation.url()}"
    generation.accept(call)
    generation.gone()
    result = cse("cluster", "delete", "blue", "--yes")
    machines = 4 if generation.first else 3
    assert (result.out, result.err, result.code) == (
        f"Cluster blue is deleted: its vApp and {machines} virtual machines no longer exist.\n",
        progress("Deletion of cluster 'blue'"),
        0,
    )
    find = generation.find
    assert generation.served.asked() == [PROBE, find, call, LOOK, LOOK, generation.read]


def test_delete_with_force(cse: Run, second: Generation, first: Generation) -> None:
    refused = cse("cluster", "delete", "blue", "--force", "--yes")
    assert (refused.code, refused.out) == (2, "")
    assert "which came with CSE 3.1 at API 36" in refused.err
    second = Generation(second.served, "3.1")
    call = f"POST {second.url('/action/force-delete')}"
    second.accept(call)
    second.served.set(second.read, answer(defined(second.entity)), missing())
    result = cse("cluster", "delete", "--id", second.id, "-f", "--yes", options=("-j",))
    shown = json.loads(result.out)
    assert (shown["cluster"], shown["verified_gone"]) == ("blue", True)
    assert shown["cluster_id"] == second.id
    assert call in second.served.asked()


def test_nfs_nodes(cse: Run, first: Generation) -> None:
    call = f"DELETE {first.url('/nfs/nfsd-a1b2')}"
    first.accept(call)
    without = altered(first.entity, "UPDATE:SUCCEEDED")
    without["status"]["nodes"]["nfs"] = []
    first.becomes(without)
    result = cse("cluster", "delete-nfs", "blue", "nfsd-a1b2")
    assert (result.out, result.code) == ("nfsd-a1b2 is removed from cluster blue.\n", 0), result.err
    assert first.served.asked() == [PROBE, first.find, call, LOOK, LOOK, first.read]
    worker = cse("node", "delete", "blue", "node-c3d4", "--yes")
    assert (worker.out, worker.code) == ("", 2)
    assert worker.err == (
        "Error: A CSE server 3.x chooses itself which workers go, so node-c3d4 cannot be deleted by"
        " name.\nHint: cse cluster resize blue --nodes 1\n"
    )
    put = f"PUT {first.url()}"
    first.accept(put)
    first.becomes(altered(first.entity, "UPDATE:SUCCEEDED", workers=3))
    grown = cse("node", "create", "blue")
    assert (grown.out, grown.code) == ("Cluster blue has 1 control plane and 3 workers.\n", 0)
    assert first.served.body(put)["spec"]["workers"]["count"] == 3


def test_two_clusters_of_one_name(cse: Run, first: Generation) -> None:
    other = first.id.replace("5d1c", "ffff")
    twice = page(defined(first.entity), defined(first.entity, other))
    first.served.set(first.find, answer(twice))
    result = cse("cluster", "delete", "blue", "--yes")
    assert (result.out, result.code) == ("", 1)
    assert result.err == (
        f"Error: 2 clusters are named 'blue': {first.id} (acme/vdc1, CREATE:SUCCEEDED); "
        f"{other} (acme/vdc1, CREATE:SUCCEEDED).\n"
        "Hint: Specify one with --id, or with --vdc and --org.\n"
    )
    assert first.served.asked() == [PROBE, first.find]


def sample_of(cse: Run, release: str) -> dict[str, Any]:
    result = cse("cluster", "apply", "--sample", "-n", "--cse-version", release)
    assert (result.err, result.code) == ("", 0)
    document: dict[str, Any] = yaml.safe_load(result.out)
    return document


def test_apply_a_sample(cse: Run, generation: Generation, home: Path) -> None:
    document = sample_of(cse, "3.0" if generation.first else "3.1")
    assert generation.served.asked() == []
    keys = (
        {"cluster_name": "blue", "org_name": "acme", "ovdc_name": "vdc1"}
        if generation.first
        else {"name": "blue", "orgName": "acme", "virtualDataCenterName": "vdc1", "site": "v"}
    )
    document["metadata"] = keys
    network = "network" if generation.first else "ovdcNetwork"
    document["spec"]["settings"][network] = "net1"
    groups = document["spec"] if generation.first else document["spec"]["topology"]
    storage = "storage_profile" if generation.first else "storageProfile"
    for group in (groups["control_plane" if generation.first else "controlPlane"], groups["nfs"]):
        group[storage] = "gold"
    groups["workers"][storage] = "gold"
    (home / "blue.yaml").write_text(yaml.safe_dump(document))
    place = [f"entity.metadata.{key}=={keys[key]}" for key in list(keys)[1:3]]
    address = lookup(generation.version, place=";".join(place))
    generation.served.get(address, page())
    distribution = document["spec"]["k8_distribution" if generation.first else "distribution"]
    name, revision = distribution.values()
    templates = [{"name": name, "revision": str(revision), "is_default": "No"}]
    generation.served.get("/api/cse/templates", templates)
    generation.becomes(altered(generation.entity, "CREATE:SUCCEEDED"))
    call = "POST /api/cse/3.0/clusters"
    generation.accept(call)
    result = cse("cluster", "apply", "blue.yaml")
    assert (result.out, result.code) == ("Cluster blue has 1 control plane and 2 workers.\n", 0)
    assert generation.served.body(call) == document
    assert generation.served.asked_but_for_profiles() == [
        *[PROBE, f"GET {address}", "GET /api/vdc/1", "GET /api/cse/templates", call],
        *[LOOK, LOOK, generation.read],
    ]


def test_apply_changes_what_is_there(cse: Run, second: Generation, home: Path) -> None:
    document = {key: one for key, one in ENTITY_31.items() if key != "apiVersion"}
    document = json.loads(json.dumps(document))
    document["spec"]["topology"]["workers"]["count"] = 3
    there = ENTITY_31["status"]["cloudProperties"]["distribution"]
    document["spec"]["distribution"] = dict(there)
    document["spec"]["settings"]["network"]["expose"] = False
    (home / "blue.yaml").write_text(yaml.safe_dump(document))
    call = f"PUT {second.url()}"
    second.accept(call)
    done = altered(ENTITY_31, "UPDATE:SUCCEEDED", workers=3)
    second.served.set(second.read, answer(defined(ENTITY_31)), answer(defined(done)))
    result = cse("cluster", "apply", "blue.yaml", "--id", second.id)
    assert (result.out, result.code) == ("Cluster blue has 1 control plane and 3 workers.\n", 0)
    body = second.served.body(call)
    assert "status" not in body
    wished = without_nulls(document["spec"])
    assert (body["apiVersion"], body["spec"]) == ("cse.vmware.com/v2.1", wished)
    assert second.served.asked() == [PROBE, second.read, call, LOOK, LOOK, second.read]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("kind: TKGm\n", "a cluster of Tanzu Kubernetes Grid (TKGm)"),
        ("metadata: {orgName: o}\n", "The file is made for a server of CSE 3.1"),
        ("a: [", "The file 'blue.yaml' does not describe a cluster: line 2: it is not YAML"),
        ("a: &x {b: *x}\n", "line 1: anchors and aliases (&, *) are not supported"),
        ("a: 1\na: 2\n", "line 2: the key 'a' occurs twice"),
        ("kind: native\nb: &x 1\nb: 2\n", "The file 'blue.yaml' has 2 problems;"),
        ("kind: native\n---\nkind: native\n", "it holds more than one document"),
        ("[1, 2]", "it is not a YAML object"),
        ("", "The file 'blue.yaml' is empty."),
        ("kind: [native]\n", "The kind '['native']' is unknown."),
    ],
)
def test_a_file_that_cannot_be_applied(
    cse: Run, first: Generation, home: Path, text: str, said: str
) -> None:
    (home / "blue.yaml").write_text(text)
    result = cse("cluster", "apply", "blue.yaml")
    assert (result.out, result.code) == ("", 2)
    assert said in result.err
    assert set(first.served.asked()) <= {PROBE}


def test_options_for_the_direct_engine(cse: Run, first: Generation, home: Path) -> None:
    text = "kind: native\nmetadata: {name: blue}\n"
    shown = "`cse cluster info blue` shows the cluster as it is now."
    for more, option, said in (
        (
            text,
            "--dry-run",
            "The file 'blue.yaml' is for a CSE server 3, which cannot show what it would change:"
            f" --dry-run is not supported.\nHint: {shown}\n",
        ),
        ("kind: native\n", "--dry-run", "Hint: Omit --dry-run to apply the file.\n"),
        (
            text,
            "--force",
            "--force is not supported with the file 'blue.yaml', which is for a CSE server 3.\n"
            "Hint: Omit --force.\n",
        ),
    ):
        (home / "blue.yaml").write_text(more)
        result = cse("cluster", "apply", "blue.yaml", option)
        assert (result.out, result.code) == ("", 2)
        assert result.err.endswith(said), result.err
    assert set(first.served.asked()) <= {PROBE}


def test_what_apply_does_not_take(cse: Run, first: Generation) -> None:
    for words, said in (
        (["--sample", "--tkg"], "--tkg is an option for Tanzu Kubernetes Grid"),
        (["x.yaml", "--sample"], "--sample cannot be combined with FILE"),
        ([], "Missing argument 'FILE'"),
    ):
        result = cse("cluster", "apply", *words)
        assert (result.out, result.code) == ("", 2)
        assert said in result.err
    assert first.served.asked() == []


def test_a_sample_fits_the_server_that_answers(cse: Run, first: Generation, home: Path) -> None:
    result = cse("cluster", "apply", "-s", "-n", "-o", "sample.yaml")
    assert (result.out, result.err, result.code) == (
        "The sample is written to sample.yaml.\n",
        "",
        0,
    )
    assert yaml.safe_load((home / "sample.yaml").read_text())["api_version"] == ""
    (home / ".vcd-cli" / "profiles.yaml").write_text("extensions: [cse_client.cse]\nprofiles: []\n")
    offline = cse("cluster", "apply", "-s", "-n")
    assert yaml.safe_load(offline.out)["apiVersion"] == "cse.vmware.com/v2.1"
    assert offline.code == 0
    assert "--cse-version 3.0" in offline.err


ACL = cluster_path(ID_31, "/acl")
USERS = (
    '<QueryResultRecords xmlns="http://www.vmware.com/vcloud/v1.5" total="2">'
    '<UserRecord name="ann" href="{base}/api/admin/user/11"/>'
    '<UserRecord name="eve" href="{base}/api/admin/user/22"/></QueryResultRecords>'
)


def entry(name: str, number: int, level: str) -> dict[str, str]:
    return {
        "accessLevelId": f"urn:vcloud:accessLevel:{level}",
        "memberId": f"urn:vcloud:user:{number}",
        "username": name,
    }


def test_sharing(cse: Run, second: Generation) -> None:
    served = second.served
    served.set("GET /api/query?type=user*", USERS)
    acl = f"{ACL}?page=1&pageSize=25"
    served.get(acl, page(entry("ann", 11, "ReadOnly"), entry("joe", 33, "FullControl")))
    served.set(f"PUT {ACL}", answer({}, 200))
    result = cse("cluster", "share", "ann", "eve", "--name", "blue", "--acl", "readwrite")
    assert (result.out, result.err, result.code) == (
        "Cluster blue is shared with ann, eve: ReadWrite.\n",
        "",
        0,
    )
    assert served.body(f"PUT {ACL}") == {
        "accessSetting": [
            entry("ann", 11, "ReadWrite"),
            entry("eve", 22, "ReadWrite"),
            entry("joe", 33, "FullControl"),
        ]
    }
    listed = cse("cluster", "share-list", "-n", "blue", "-A", options=("-j",))
    assert json.loads(listed.out) == [entry("ann", 11, "ReadOnly"), entry("joe", 33, "FullControl")]
    served.vcd.requests.clear()
    result = cse("cluster", "unshare", "joe", "--id", second.id)
    assert result.out == f"Cluster {second.id} is no longer shared with joe.\n"
    assert served.body(f"PUT {ACL}") == {"accessSetting": [entry("ann", 11, "ReadOnly")]}
    assert served.asked() == [PROBE, f"GET {acl}", f"PUT {ACL}"]


def test_sharing_needs_3_1(cse: Run, first: Generation) -> None:
    result = cse("cluster", "share-list", "--name", "blue")
    assert (result.out, result.code, first.served.asked()) == ("", 2, [PROBE])
    assert "cannot share clusters: sharing came with CSE 3.1 at API 36" in result.err


def test_what_only_entities_can_behind_2_6_1(cse: Run, served: Served) -> None:
    for words in (
        ["cluster", "share", "ann", "--name", "blue", "--acl", "ReadOnly"],
        ["cluster", "delete-nfs", "blue", "nfsd-a1b2"],
        ["cluster", "info", "--id", ID_31],
    ):
        result = cse(*words)
        assert (result.out, result.code) == ("", 2)
    assert set(served.asked()) == {PROBE}


def test_system_info(cse: Run, second: Generation) -> None:
    second.served.set(
        "GET /api/versions",
        '<SupportedVersions xmlns="http://www.vmware.com/vcloud/versions">'
        '<VersionInfo deprecated="false"><Version>36.0</Version></VersionInfo>'
        "</SupportedVersions>",
    )
    shown = json.loads(cse("system", "info", options=("-j",)).out)
    assert (shown["product"], shown["version"], shown["api_version"]) == ("CSE", "3.1.4", "36.0")
    assert shown["engine_reason"] == "CSE server 3.1.4 answers; entities of type 2.1.0"
