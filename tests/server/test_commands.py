"""Each command in front of CSE 2.6.1, behind a VCD that offers API 36: what is asked and shown."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.server.served import (
    CLUSTER,
    KUBECONFIG,
    ROW,
    TASK,
    TEMPLATE,
    TEMPLATES,
    Served,
    answer,
    failure,
    write_profile,
)
from tests.support.programs import Result
from tests.support.scripted_vcd import Answer

Run = Callable[..., Result]

PROBE = "GET /api/cse/system"
LOOK = f"GET /api/task/{TASK}"
VDC = "GET /api/vdc/1"
INFO = "GET /api/cse/cluster/blue?org_name=acme"
SIZE = "Cluster blue has 1 control plane and 2 workers.\n"
OWN = {"template_name": TEMPLATE, "template_revision": "2"}
PLAN = [
    {
        "name": "ubuntu-16.04_k8-1.20_weave-2.6.5",
        "revision": 1,
        "kubernetes": "upstream",
        "kubernetes_version": "1.20",
        "docker_version": "19.03.12",
        "cni": "weave",
        "cni_version": "2.6.5",
    }
]


def progress(what: str) -> str:
    return f" • {what}\n • Creating cluster vApp blue\n ✓ {what}\n"


@pytest.mark.parametrize(
    ("words", "path", "value", "out"),
    [
        (
            ["cluster", "list"],
            "/clusters?org_name=acme",
            [ROW],
            "Name    Owner    VDC    Org    K8s Runtime    K8s Version    Status      Provider\n"
            "------  -------  -----  -----  -------------  -------------  ----------  ----------\n"
            "blue    N/A      vdc1   acme   upstream       1.20           POWERED_ON  native\n",
        ),
        (
            ["cluster", "list", "-v", "v", "-o", "o"],
            "/clusters?org_name=o&ovdc_name=v",
            [ROW],
            "Name    Owner    VDC    Org    K8s Runtime    K8s Version    Status      Provider\n"
            "------  -------  -----  -----  -------------  -------------  ----------  ----------\n"
            "blue    N/A      vdc1   acme   upstream       1.20           POWERED_ON  native\n",
        ),
        (
            ["template", "list"],
            "/templates",
            [{**TEMPLATES[0], "name": "t", "catalog_item": "t_rev2", "description": "d"}],
            "Name    Revision    Default    Catalog    Catalog Item    Description\n"
            "------  ----------  ---------  ---------  --------------  -------------\n"
            "t       2           Yes        cse        t_rev2          d\n",
        ),
        (
            ["cluster", "config", "blue", "-v", "east"],
            "/cluster/blue/config?org_name=acme&ovdc_name=east",
            {"message": KUBECONFIG},
            KUBECONFIG,
        ),
        (
            ["node", "list", "blue"],
            "/cluster/blue?org_name=acme",
            CLUSTER,
            "Name       IP Address    Number of CPUs    Memory MB\n"
            "---------  ------------  ----------------  -----------\n"
            "mstr-a1b2  10.0.0.10\n"
            "node-c3d4  10.0.0.11\n"
            "node-e5f6  10.0.0.12\n",
        ),
        (
            ["node", "info", "blue", "nfsd-a1b2"],
            "/node/nfsd-a1b2?cluster_name=blue&org_name=acme",
            {
                "name": "nfsd-a1b2",
                "numberOfCpus": "2",
                "memoryMB": "2048",
                "status": "Powered on",
                "ipAddress": "10.0.0.14",
                "node_type": "nfs",
                "exports": ["/home", "/data"],
            },
            "Property        Value\n"
            "--------------  ----------\n"
            "Name            nfsd-a1b2\n"
            "Node Type       nfs\n"
            "IP Address      10.0.0.14\n"
            "Number of CPUs  2\n"
            "Memory MB       2048\n"
            "Status          Powered on\n"
            "Exports         /home\n"
            "                /data\n",
        ),
        (
            ["cluster", "upgrade-plan", "blue"],
            "/cluster/blue/upgrade-plan?org_name=acme",
            PLAN,
            "Template Name                     Template Revision    Kubernetes     Docker-CE"
            "    CNI\n"
            "--------------------------------  -------------------  -------------  -----------"
            "  -----------\n"
            "ubuntu-16.04_k8-1.20_weave-2.6.5  1                    upstream 1.20  19.03.12   "
            "  weave 2.6.5\n",
        ),
        (
            ["ovdc", "list"],
            "/ovdcs",
            [{"name": "vdc1", "org": "acme", "k8s provider": "native"}],
            "name    org    k8s provider\n------  -----  --------------\nvdc1    acme   native\n",
        ),
        (
            ["ovdc", "info", "vdc1"],
            "/ovdc/1",
            {"k8s_provider": "native"},
            "Property      Value\n------------  -------\nk8s_provider  native\n",
        ),
    ],
)
def test_reading(
    cse: Run, served: Served, words: list[str], path: str, value: Any, out: str
) -> None:
    served.get(f"/api/cse{path}", value)
    result = cse(*words)
    assert (result.out, result.err, result.code) == (out, "", 0)
    assert served.asked() == [PROBE, f"GET /api/cse{path}"]
    for request in served.vcd.requests:
        assert request.headers["Accept"] == "application/json;version=36.0"
        assert request.headers["Authorization"] == "Bearer very-secret-token"
        assert request.body == ""


@pytest.mark.parametrize(
    ("words", "path", "err"),
    [
        (
            ["cluster", "list", "-o", "o"],
            "/clusters?org_name=o",
            "No clusters in organization o.\n",
        ),
        (
            ["cluster", "list", "-v", "vdc1", "-o", "acme"],
            "/clusters?org_name=acme&ovdc_name=vdc1",
            "No clusters in VDC vdc1 of organization acme.\n",
        ),
        (
            ["cluster", "upgrade-plan", "blue"],
            "/cluster/blue/upgrade-plan?org_name=acme",
            "No upgrades are available for cluster blue.\n",
        ),
        (["node", "list", "blue"], "/cluster/blue?org_name=acme", "No nodes in cluster blue.\n"),
        (["ovdc", "list"], "/ovdcs", "No org VDCs were found.\n"),
    ],
)
def test_an_empty_list(cse: Run, served: Served, words: list[str], path: str, err: str) -> None:
    empty = {**CLUSTER, "nodes": [], "master_nodes": []} if "node" in words else []
    served.get(f"/api/cse{path}", empty)
    result = cse(*words)
    assert (result.out, result.err, result.code) == ("", err, 0)
    assert json.loads(cse(*words, options=("-j",)).out) == []


@pytest.mark.parametrize(
    ("words", "path", "value", "document"),
    [
        (["cluster", "info", "blue"], "/cluster/blue?org_name=acme", CLUSTER, CLUSTER),
        (
            ["cluster", "list"],
            "/clusters?org_name=acme",
            [ROW],
            [
                {
                    "Name": "blue",
                    "Owner": "N/A",
                    "VDC": "vdc1",
                    "Org": "acme",
                    "K8s Runtime": "upstream",
                    "K8s Version": "1.20",
                    "Status": "POWERED_ON",
                    "Provider": "native",
                }
            ],
        ),
        (["cluster", "list"], "/clusters?org_name=acme", [], []),
        (
            ["cluster", "upgrade-plan", "blue"],
            "/cluster/blue/upgrade-plan?org_name=acme",
            PLAN,
            [
                {
                    "Template Name": "ubuntu-16.04_k8-1.20_weave-2.6.5",
                    "Template Revision": "1",
                    "Kubernetes": "upstream 1.20",
                    "Docker-CE": "19.03.12",
                    "CNI": "weave 2.6.5",
                }
            ],
        ),
    ],
)
def test_reading_as_json(
    cse: Run, served: Served, words: list[str], path: str, value: Any, document: Any
) -> None:
    served.get(f"/api/cse{path}", value)
    result = cse(*words, options=("-j",))
    assert (result.err, result.code) == ("", 0)
    assert json.loads(result.out) == document


def test_info_shows_all_that_the_server_says(cse: Run, served: Served) -> None:
    result = cse("cluster", "info", "blue")
    assert (result.err, result.code) == ("", 0)
    keys = [line.split()[0] for line in result.out.splitlines()[2:] if line[:1] != " "]
    assert keys == sorted(CLUSTER)
    assert "kubernetes_version  1.20\n" in result.out
    assert served.asked() == [PROBE, INFO]


def test_system_info(cse: Run, served: Served) -> None:
    served.set(
        "GET /api/versions",
        '<SupportedVersions xmlns="http://www.vmware.com/vcloud/versions">'
        '<VersionInfo deprecated="false"><Version>36.0</Version></VersionInfo>'
        "</SupportedVersions>",
    )
    result = cse("system", "info", options=("-j",))
    assert json.loads(result.out) == {
        "product": "CSE",
        "description": "Container Service Extension for VMware vCloud Director",
        "version": "2.6.1",
        "engine": "server",
        "engine_reason": "CSE server 2.6.1 answers; legacy protocol",
        "host": served.base,
        "vcd_version": "10.3 (API up to 36.0)",
        "api_version": "36.0",
        "org": "acme",
        "vdc": "vdc1",
        "user": "bob",
    }
    assert served.asked() == [PROBE, "GET /api/versions"]


TASKS = (
    "GET /api/query?type=task&format=records&page=1&pageSize=128"
    "&filter=serviceNamespace==vcloud.cse"
)
CHANGES = [
    (
        ["cluster", "create", "blue", "-n", "net1"],
        [VDC],
        "POST /api/cse/clusters",
        {
            "cluster_name": "blue",
            "num_workers": 2,
            "network_name": "net1",
            "enable_nfs": False,
            "rollback": True,
            "org_name": "acme",
            "ovdc_name": "vdc1",
        },
        ["GET /api/cse/cluster/blue?org_name=acme&ovdc_name=vdc1"],
        "Creation of cluster 'blue'",
    ),
    (
        [
            *("cluster", "create", "blue", "-n", "net1", "-N", "1", "-c", "4", "-m", "4096"),
            *("-v", "vdc1", "-o", "acme", "-s", "gold", "-t", "t", "-r", "3"),
            *("--enable-nfs", "--disable-rollback"),
        ],
        [VDC],
        "POST /api/cse/clusters",
        {
            "cluster_name": "blue",
            "num_workers": 1,
            "network_name": "net1",
            "num_cpu": 4,
            "mb_memory": 4096,
            "storage_profile_name": "gold",
            "template_name": "t",
            "template_revision": 3,
            "enable_nfs": True,
            "rollback": False,
            "org_name": "acme",
            "ovdc_name": "vdc1",
        },
        ["GET /api/cse/cluster/blue?org_name=acme&ovdc_name=vdc1"],
        "Creation of cluster 'blue'",
    ),
    (
        ["cluster", "resize", "blue", "-N", "3", "-n", "net1"],
        [INFO, VDC],
        "PUT /api/cse/cluster/blue",
        {
            "cluster_name": "blue",
            "num_workers": 3,
            "network_name": "net1",
            "rollback": True,
            "org_name": "acme",
            **OWN,
        },
        [INFO],
        "Resizing of cluster 'blue'",
    ),
    (
        ["cluster", "resize", "blue", "-N", "1"],
        [INFO],
        "DELETE /api/cse/nodes",
        {"cluster_name": "blue", "node_names": ["node-e5f6"], "org_name": "acme"},
        [INFO],
        "Deletion of node-e5f6 of cluster 'blue'",
    ),
    (
        ["node", "create", "blue", "-n", "net1", "-N", "2", "--enable-nfs"],
        [INFO, VDC],
        "POST /api/cse/nodes",
        {
            "cluster_name": "blue",
            "num_workers": 2,
            "network_name": "net1",
            "rollback": True,
            "enable_nfs": True,
            "org_name": "acme",
            **OWN,
        },
        [INFO],
        "Addition of nodes to cluster 'blue'",
    ),
    (
        ["node", "delete", "blue", "node-c3d4", "node-e5f6", "--yes"],
        [INFO],
        "DELETE /api/cse/nodes",
        {"cluster_name": "blue", "node_names": ["node-c3d4", "node-e5f6"], "org_name": "acme"},
        [],
        "Deletion of node-c3d4, node-e5f6 of cluster 'blue'",
    ),
    (
        ["cluster", "upgrade", "blue", "t", "1"],
        [INFO, TASKS],
        "POST /api/cse/cluster/blue/action/upgrade",
        {
            "cluster_name": "blue",
            "template_name": "t",
            "template_revision": "1",
            "org_name": "acme",
        },
        [INFO],
        "Upgrade of cluster 'blue'",
    ),
]


@pytest.mark.parametrize(("words", "before", "call", "body", "after", "what"), CHANGES)
def test_changing(
    cse: Run,
    served: Served,
    words: list[str],
    before: list[str],
    call: str,
    body: Any,
    after: list[str],
    what: str,
) -> None:
    served.accept(call, cluster_name="blue", cluster_id="x")
    result = cse(*words)
    hint = ""
    if call == "POST /api/cse/clusters":
        cloud = " --vdc vdc1 --org acme" if "-v" in words else ""
        hint = f"Next: cse cluster config blue --save{cloud}\n"
    assert (result.err, result.code) == (progress(what) + hint, 0)
    assert served.asked_but_for_profiles() == [PROBE, *before, call, LOOK, LOOK, *after]
    assert served.body(call) == body


@pytest.mark.parametrize(("words", "before", "call", "body", "after", "what"), CHANGES)
def test_changing_without_waiting(
    cse: Run,
    served: Served,
    words: list[str],
    before: list[str],
    call: str,
    body: Any,
    after: list[str],
    what: str,
) -> None:
    served.accept(call, cluster_name="blue", cluster_id="x")
    result = cse(*words, options=("-n",))
    assert (result.err, result.code) == ("", 0)
    assert result.out == (
        f"The CSE server is processing cluster blue. To follow it:\nvcd task wait {TASK}\n"
    )
    assert served.asked_but_for_profiles() == [PROBE, *before, call]


def test_what_is_said_after_a_change(cse: Run, served: Served) -> None:
    served.accept("PUT /api/cse/cluster/blue", cluster_name="blue")
    assert cse("cluster", "resize", "blue", "-N", "3", "-n", "net1").out == SIZE
    served.accept("DELETE /api/cse/nodes", cluster_name="blue")
    done = cse("node", "delete", "blue", "node-c3d4", "--yes")
    assert done.out == "node-c3d4 is removed from cluster blue.\n"


def test_a_task_as_json(cse: Run, served: Served) -> None:
    served.accept("POST /api/cse/clusters", name="blue", cluster_id="x")
    result = cse("cluster", "create", "blue", "-n", "net1", options=("-j", "-n"))
    assert json.loads(result.out) == {
        "name": "blue",
        "cluster_id": "x",
        "task_href": f"https://elsewhere.example/api/task/{TASK}",
        "follow": f"vcd task wait {TASK}",
    }


def test_delete_looks_that_it_is_gone(cse: Run, served: Served) -> None:
    call = "DELETE /api/cse/cluster/blue?org_name=acme"
    served.accept(call, cluster_name="blue")
    served.set("GET /api/cse/cluster/blue*", answer(CLUSTER), failure("Cluster 'blue' not found."))
    result = cse("cluster", "delete", "blue", "--yes")
    assert (result.out, result.code) == ("Cluster blue is deleted: its vApp no longer exists.\n", 0)
    assert result.err == progress("Deletion of cluster 'blue'")
    # which cluster it was is asked first: its kubeconfig entries are known by the vApp
    assert served.asked() == [PROBE, INFO, call, LOOK, LOOK, INFO]


def test_500_clusters_are_one_request(cse: Run, served: Served) -> None:
    rows = [{**ROW, "name": f"blue-{number}"} for number in range(500)]
    served.get("/api/cse/clusters?org_name=acme", rows)
    result = cse("cluster", "list")
    assert [line.split()[0] for line in result.out.splitlines()[2:]] == [r["name"] for r in rows]
    assert served.asked() == [PROBE, "GET /api/cse/clusters?org_name=acme"]


def test_a_size_that_is_there_already_asks_for_nothing(cse: Run, served: Served) -> None:
    result = cse("cluster", "resize", "blue", "-N", "2")
    assert (result.out, result.err, result.code) == (SIZE, "", 0)
    assert served.asked() == [PROBE, INFO]


def test_more_named_than_must_go(cse: Run, served: Served) -> None:
    words = ("cluster", "resize", "blue", "-N", "1", "--nodes-to-remove", "node-c3d4,node-e5f6")
    result = cse(*words)
    assert (result.out, result.code) == ("", 2)
    assert result.err == (
        "Error: --nodes-to-remove names 2 nodes, but 1 must go to leave 1.\n"
        "Hint: Specify at most 1, or change --nodes.\n"
    )
    assert served.asked() == [PROBE, INFO]


def test_a_node_named_twice_goes_once(cse: Run, served: Served) -> None:
    served.accept("DELETE /api/cse/nodes", cluster_name="blue")
    cse("cluster", "resize", "blue", "-N", "0", "--nodes-to-remove", "node-c3d4,node-c3d4")
    assert served.body("DELETE /api/cse/nodes")["node_names"] == ["node-c3d4", "node-e5f6"]


def test_the_network_is_the_vapps_when_none_is_named(cse: Run, served: Served) -> None:
    served.set(
        "GET /api/vApp/vapp-1",
        '<VApp xmlns="http://www.vmware.com/vcloud/v1.5" name="blue" status="4" deployed="true"'
        f' href="{served.base}/api/vApp/vapp-1"><NetworkConfigSection>'
        '<NetworkConfig networkName="net7"/></NetworkConfigSection></VApp>',
    )
    served.accept("PUT /api/cse/cluster/blue", cluster_name="blue")
    result = cse("cluster", "resize", "blue", "-N", "3")
    assert (result.out, result.code) == (SIZE, 0), result.err
    assert served.body("PUT /api/cse/cluster/blue")["network_name"] == "net7"
    assert "GET /api/vApp/vapp-1" in served.asked()


def test_the_newest_revision_is_taken(cse: Run, served: Served) -> None:
    served.get("/api/cse/templates", [*TEMPLATES, {**TEMPLATES[0], "revision": "10"}])
    served.accept("POST /api/cse/clusters", name="blue")
    cse("cluster", "create", "blue", "-n", "net1", "-t", TEMPLATE)
    assert served.body("POST /api/cse/clusters")["template_revision"] == 10


def test_a_task_that_fails_ends_with_1_and_the_servers_words(cse: Run, served: Served) -> None:
    served.accept("POST /api/cse/clusters", name="blue")
    reason = "Error: node creation failure on cluster blue; " + "script output, " * 80 + "the end"
    served.tasks(("running", "Creating nodes"), ("error", "", reason))
    result = cse("cluster", "create", "blue", "-n", "net1")
    assert (result.out, result.code) == ("", 1)
    assert f"Error: The creation of cluster 'blue' failed: {reason}.\n" in result.err
    assert f"this one is {TASK}" in result.err


def test_a_change_that_cannot_be_read_back_is_not_called_failed(cse: Run, served: Served) -> None:
    served.accept("PUT /api/cse/cluster/blue", cluster_name="blue")
    served.set(INFO, answer(CLUSTER), failure("The vCD is broken."))
    result = cse("cluster", "resize", "blue", "-N", "3", "-n", "net1")
    assert (result.out, result.code) == ("", 1)
    assert result.err.endswith(
        "Note: The change itself has succeeded; only reading it back failed.\n"
    )


def test_a_task_that_never_ends(cse: Run, served: Served) -> None:
    served.accept("POST /api/cse/clusters", name="blue")
    served.tasks(("running", "Creating nodes"))
    result = cse("cluster", "create", "blue", "-n", "net1", "--timeout", "1s")
    assert (result.out, result.code) == ("", 5)
    assert f"`vcd task wait {TASK}` waits for its end" in result.err


def test_an_unknown_node_is_not_sent(cse: Run, served: Served) -> None:
    result = cse("node", "delete", "blue", "node-zzzz", "--yes")
    assert (result.out, result.code) == ("", 3)
    assert result.err == (
        "Error: Cluster 'blue' has no node 'node-zzzz'.\nHint: List its nodes: cse node list blue\n"
    )
    assert served.asked() == [PROBE, INFO]


def test_the_control_plane_is_not_deleted(cse: Run, served: Served) -> None:
    result = cse("node", "delete", "blue", "mstr-a1b2", "--yes")
    assert (result.code, served.asked()) == (4, [PROBE, INFO])


@pytest.mark.parametrize(
    "words",
    [
        ["cluster", "seal", "blue"],
        ["template", "register", "c", "i", "--kubernetes-version", "1.20.1"],
        ["template", "build", "t", "--from", "c/i", "-n", "net1", "--kubernetes", "1.37"],
        ["template", "info", "t"],
        ["template", "check", "t"],
        ["template", "delete", "t", "--yes"],
        ["cluster", "create", "blue", "-n", "net1", "--dry-run"],
        ["cluster", "create", "blue", "-n", "net1", "--seal"],
        ["cluster", "create", "blue", "-n", "net1", "--endpoint", "k8s.example.com"],
        ["cluster", "create", "blue", "-n", "net1", "--pod-cidr", "172.30.0.0/16"],
        ["cluster", "create", "blue", "-n", "net1", "--service-cidr", "172.29.0.0/16"],
        ["cluster", "create", "blue", "-n", "net1", "--https-proxy", "http://proxy.example:3128"],
        ["cluster", "create", "blue", "-n", "net1", "--image-repository", "registry.example/k8s"],
        ["cluster", "create", "blue", "-n", "net1", "--dns", "203.0.113.53"],
        ["cluster", "create", "blue", "-n", "net1", "--placement-policy", "zone-a"],
        ["cluster", "create", "blue", "-n", "net1", "--disk-size", "40G"],
        ["cluster", "resize", "blue", "-N", "3", "--keep-healthy"],
        ["cluster", "resize", "blue", "-N", "3", "--sizing-policy", "big"],
        ["node", "create", "blue", "--accept-eulas"],
        ["node", "delete", "blue", "node-c3d4", "--yes", "--force"],
    ],
)
def test_what_only_the_direct_engine_can(cse: Run, served: Served, words: list[str]) -> None:
    result = cse(*words)
    assert (result.out, result.code) == ("", 2)
    assert " is not supported with a CSE server.\n" in result.err
    again = " ".join(words)
    assert result.err.endswith(f"Hint: Without the server: cse --engine direct {again}\n")
    assert served.asked() == [PROBE]


@pytest.mark.parametrize(
    "words",
    [
        ["ovdc", "list", "-p"],
        ["ovdc", "enable", "vdc1", "-k", "ent-pks"],
        ["ovdc", "enable", "vdc1", "--pks-plan", "small"],
        ["ovdc", "enable", "vdc1", "-d", "pks.example"],
    ],
)
def test_pks_is_refused_with_a_reason(cse: Run, served: Served, words: list[str]) -> None:
    result = cse(*words)
    assert (result.out, result.code) == ("", 2)
    assert "Enterprise PKS has reached its end of life" in result.err
    assert served.asked() == []


SYSTEM_SESSION = (
    '<Session xmlns="http://www.vmware.com/vcloud/v1.5" org="System" user="administrator"/>'
)


@pytest.fixture
def provider(cse: Run, served: Served, home: Path) -> Run:
    """Run commands as the provider's administrator, who may look into every organisation."""
    write_profile(home, served.base, org="System", org_in_use="System", vdc_in_use="", vdc_href="")
    served.set("GET /api/session", SYSTEM_SESSION)
    records = (
        '<QueryResultRecords xmlns="http://www.vmware.com/vcloud/v1.5" total="1">'
        f'<OrgVdcRecord name="vdc1" orgName="acme" href="{served.base}/api/vdc/77"/>'
        f'<AdminVdcRecord name="vdc1" orgName="acme" href="{served.base}/api/vdc/77"/>'
        "</QueryResultRecords>"
    )
    served.set("GET /api/query*", records)
    return cse


@pytest.mark.parametrize(
    ("words", "call", "body", "out"),
    [
        (
            ["ovdc", "enable", "vdc1", "-k", "native", "-o", "acme"],
            "PUT /api/cse/ovdc/77",
            {"ovdc_id": "77", "ovdc_name": "vdc1", "org_name": "acme", "k8s_provider": "native"},
            "VDC vdc1 is enabled for native clusters.\n",
        ),
        (
            ["ovdc", "disable", "vdc1", "-o", "acme"],
            "PUT /api/cse/ovdc/77",
            {"ovdc_id": "77", "ovdc_name": "vdc1", "org_name": "acme", "k8s_provider": "none"},
            "VDC vdc1 is disabled for native clusters.\n",
        ),
        (
            ["ovdc", "compute-policy", "remove", "p1", "-o", "acme", "-v", "vdc1", "-f"],
            "PUT /api/cse/ovdc/77/compute-policies",
            {
                "ovdc_id": "77",
                "compute_policy_name": "p1",
                "action": "remove",
                "remove_compute_policy_from_vms": True,
            },
            "Policy p1 is removed from VDC vdc1.\n",
        ),
    ],
)
def test_the_providers_changes(
    provider: Run, served: Served, words: list[str], call: str, body: Any, out: str
) -> None:
    served.accept(call)
    result = provider(*words)
    assert (result.out, result.code) == (out, 0), result.err
    assert served.body(call) == body
    assert served.asked()[-3:] == [call, LOOK, LOOK]


def test_compute_policies(provider: Run, served: Served) -> None:
    path = "/api/cse/ovdc/77/compute-policies"
    served.get(path, [{"name": "p1", "href": "h", "id": "i"}])
    listed = provider("ovdc", "compute-policy", "list", "-o", "acme", "-v", "vdc1")
    assert (listed.out, listed.code) == ("name\n------\np1\n", 0), listed.err
    served.set(f"PUT {path}", answer({"message": "Policy p1 was added."}))
    added = provider("ovdc", "compute-policy", "add", "p1", "-o", "acme", "-v", "vdc1")
    assert (added.out, added.code) == ("Policy p1 was added.\n", 0), added.err
    assert served.body(f"PUT {path}")["action"] == "add"


@pytest.mark.parametrize("action", ["enable", "disable", "stop"])
def test_the_server_is_controlled(provider: Run, served: Served, action: str) -> None:
    served.set("PUT /api/cse/system", answer({"message": f"CSE: {action} done."}))
    result = provider("system", action, *(["--yes"] if action == "stop" else []))
    assert (result.out, result.err, result.code) == (f"CSE: {action} done.\n", "", 0)
    assert served.body("PUT /api/cse/system") == {"server_action": action}
    assert served.asked() == [PROBE, "PUT /api/cse/system"]


def test_stopping_needs_a_yes(cse: Run, served: Served) -> None:
    result = cse("system", "stop")
    assert (result.out, result.code, served.asked()) == ("", 2, [])
    assert "cse system stop --yes" in result.err


def test_a_tenant_may_not_change_vdcs(cse: Run, served: Served) -> None:
    result = cse("ovdc", "enable", "vdc1")
    assert (result.out, result.code) == ("", 4)
    assert result.err.startswith(
        "Error: Only a system administrator may change what an org VDC is used for.\n"
    )
    assert not [one for one in served.asked() if one.startswith("PUT")]


def test_an_administrator_sees_every_organisation(provider: Run, served: Served) -> None:
    served.get("/api/cse/clusters", [])
    assert provider("cluster", "list").code == 0
    assert served.asked() == [PROBE, "GET /api/cse/clusters"]


def test_a_hidden_task_is_followed_by_its_effect(cse: Run, served: Served) -> None:
    served.accept("PUT /api/cse/cluster/blue", cluster_name="blue")
    served.set(LOOK, Answer("", 403, ""))
    more = {
        **CLUSTER,
        "nodes": [*CLUSTER["nodes"], {"name": "node-1111", "ipAddress": "10.0.0.13"}],
    }
    served.set(INFO, answer(CLUSTER), answer(more))
    result = cse("cluster", "resize", "blue", "-N", "3", "-n", "net1")
    assert (result.out, result.code) == ("Cluster blue has 1 control plane and 3 workers.\n", 0)


def test_no_secret_is_left_behind(cse: Run, served: Served, home: Path) -> None:
    served.get("/api/cse/cluster/blue/config?org_name=acme", {"message": KUBECONFIG})
    assert cse("cluster", "config", "blue").out == KUBECONFIG
    files = [path for path in home.rglob("*") if path.is_file() and path.name != "profiles.yaml"]
    assert not [path for path in files if b"secret" in path.read_bytes()]
