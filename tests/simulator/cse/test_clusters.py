"""Clusters as the server makes, shows and changes them: real vApps of the simulated VCD.

Texts and shapes are those of container-service-extension 2.6.1:vcdbroker.py.
"""

from __future__ import annotations

import re
from typing import Any

import pytest

from cse_client.simulator import Simulator
from tests.simulator.client import metadata_body
from tests.simulator.cse.client import TEMPLATE, Client

KEYS = {
    "cse.cluster.id",
    "cse.version",
    "cse.template.name",
    "cse.template.revision",
    "cse.os",
    "cse.docker.version",
    "cse.kubernetes",
    "cse.kubernetes.version",
    "cse.cni",
    "cse.cni.version",
    "cse.master.ip",
}


def vapp_of(served: Simulator, name: str = "demo") -> Any:
    """Return the vApp of a cluster, None where there is none."""
    return next((one for one in served.cloud.vapps.values() if one.name == name), None)


def rule(client: Client, **values: Any) -> None:
    client.tenant.control("POST", "faults", values)


def test_a_cluster_from_its_creation_to_its_end(client: Client, served: Simulator) -> None:
    answer = client.create(num_workers=2, enable_nfs=True)
    assert set(answer.json) == {"name", "cluster_id", "task_href"}
    cluster_id = answer.json["cluster_id"]
    task = client.task(answer)
    assert task.get("operation") == f"Created cluster 'demo' ({cluster_id})"
    assert (task.get("serviceNamespace"), task.get("operationName")) == (
        "vcloud.cse",
        "cluster operation",
    )
    assert task.find("{*}Owner").get("name") == "acme"
    assert task.find("{*}User").get("name") == "admin"

    vapp = vapp_of(served)
    values = {key: value for (_domain, key), (_type, value) in vapp.metadata.items()}
    assert set(values) == KEYS
    assert {domain for domain, _key in vapp.metadata} == {"GENERAL"}
    assert values["cse.version"] == "2.6.1"
    assert values["cse.docker.version"] == "19.03.12"

    cluster = client.read("/cluster/demo")
    for key, kind, count in (
        ("master_nodes", "mstr", 1),
        ("nodes", "node", 2),
        ("nfs_nodes", "nfsd", 1),
    ):
        assert len(cluster[key]) == count
        for node in cluster[key]:
            assert re.fullmatch(rf"{kind}-[a-z0-9]{{4}}", node["name"])
            assert re.fullmatch(r"127\.20\.0\.\d+", node["ipAddress"])
    assert cluster["leader_endpoint"] == cluster["master_nodes"][0]["ipAddress"]
    assert cluster["number_of_vms"] == "4"
    assert cluster["status"] == "POWERED_ON"
    assert (cluster["template_name"], cluster["template_revision"]) == (TEMPLATE, "2")
    assert (cluster["cluster_id"], cluster["k8s_provider"]) == (cluster_id, "native")
    assert client.read("/clusters") == [
        {
            "name": "demo",
            "vdc": "vdc1",
            "status": "POWERED_ON",
            "org_name": "acme",
            "k8s_type": "upstream",
            "k8s_version": "1.18.6",
            "k8s_provider": "native",
        }
    ]

    answer = client.ask("DELETE", "/cluster/demo")
    assert set(answer.json) == {"cluster_name", "task_href"}
    assert client.done(answer) == "Deleted cluster 'demo'"
    assert vapp_of(served) is None


def test_nodes_are_made_shown_and_deleted(client: Client, served: Simulator) -> None:
    cluster_id = client.create(num_workers=0, num_cpu=4, mb_memory=3072)
    client.done(cluster_id)
    more = {"cluster_name": "demo", "network_name": "net1", "num_workers": 2, "num_cpu": 3}
    text = client.done(client.ask("POST", "/nodes", more))
    assert re.fullmatch(r"Added 2 node\(s\) to cluster demo\([0-9a-f-]{36}\)", text)
    nfs = {"cluster_name": "demo", "network_name": "net1", "enable_nfs": True}
    text = client.done(client.ask("POST", "/nodes", nfs))
    assert text.startswith("Created 1 node(s) for cluster 'demo' (")

    cluster = client.read("/cluster/demo")
    (master,), (first, second), (storage,) = (
        [one["name"] for one in cluster[key]] for key in ("master_nodes", "nodes", "nfs_nodes")
    )

    def node(name: str) -> Any:
        return client.read(f"/node/{name}?cluster_name=demo")

    assert node(master)["memoryMB"] == "3072"
    worker = node(first)
    assert worker == {
        "name": first,
        "numberOfCpus": "3",
        "memoryMB": "2048",
        "status": "Powered on",
        "ipAddress": worker["ipAddress"],
        "node_type": "worker",
    }
    assert node(master)["node_type"] == "master"
    assert (node(storage)["node_type"], node(storage)["exports"]) == ("nfs", ["/home", "/data"])

    gone = {"cluster_name": "demo", "node_names": [first, storage]}
    assert client.done(client.ask("DELETE", "/nodes", gone)) == (
        "Deleted 2 node(s) to cluster 'demo'"
    )
    assert {vm.name for vm in vapp_of(served).vms} == {master, second}


def test_an_unknown_node_is_found_out_by_the_task(client: Client) -> None:
    client.done(client.create())
    gone = {"cluster_name": "demo", "node_names": ["node-none"]}
    answer = client.ask("DELETE", "/nodes", gone)
    assert client.failed(answer) == "Can't find VM 'node-none'"
    assert client.read("/cluster/demo")["number_of_vms"] == "2"


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        (
            {"network_name": "lost"},
            "Error while creating vApp: Network 'lost' not found in the Virtual Datacenter.",
        ),
        (
            {"storage_profile_name": "lost"},
            "('Error adding master node:', \"failure on creating nodes []\\nError:Storage Profile "
            "named 'lost' not found\")",
        ),
        (
            {"num_workers": 1.5},
            "('Error creating worker node:', \"failure on creating nodes []\\nError:'float' object "
            'cannot be interpreted as an integer")',
        ),
    ],
)
def test_what_create_accepts_and_its_task_finds_out(
    client: Client, served: Simulator, changes: Any, text: str
) -> None:
    assert client.failed(client.create(**changes)) == text
    assert vapp_of(served) is None


def test_without_rollback_the_remains_stay_a_cluster(client: Client, served: Simulator) -> None:
    client.failed(client.create(storage_profile_name="lost", rollback=False))
    assert vapp_of(served).vms == []
    cluster = client.read("/cluster/demo")
    assert (cluster["master_nodes"], cluster["leader_endpoint"]) == ([], "")
    answer = client.refusal("GET", "/cluster/demo/config")
    assert answer == (500, -1, "Couldn't get cluster configuration")


def test_a_vapp_whose_metadata_failed_stays_and_is_no_cluster(
    client: Client, served: Simulator
) -> None:
    rule(client, kind="task", operation="metadataUpdate", message="No space left.")
    assert client.failed(client.create()) == (
        "VcdTaskException; 500/INTERNAL_SERVER_ERROR: error (No space left.)"
    )
    assert vapp_of(served) is not None
    assert client.read("/clusters") == []


def test_metadata_alone_makes_a_cluster(client: Client) -> None:
    vapp = client.tenant.vapp("old")
    body = metadata_body(cse_cluster_id="1", cse_template="photon-v2_k8-1.12_weave-2.3.0")
    client.tenant.done(client.tenant.post(f"{vapp}/metadata", body, "metadata"))
    cluster = client.read("/cluster/old")
    assert cluster["template_name"] == "photon-v2_k8-1.12_weave-2.3.0"
    assert cluster["kubernetes_version"] == "1.12"
    assert cluster["cse_version"] == cluster["os"] == ""


def test_upgrade_plan_and_upgrade(client: Client, served: Simulator) -> None:
    client.done(client.create(template_name=TEMPLATE, template_revision="2"))
    assert client.read("/cluster/demo/upgrade-plan") == []
    name = "ubuntu-16.04_k8-1.19_weave-2.6.5"
    values = {"like": f"{TEMPLATE}_rev2", "image": {"kubernetes": "1.19.3"}}
    client.tenant.control("POST", f"templates/{name}_rev1", values)
    (target,) = client.read("/cluster/demo/upgrade-plan")
    assert (target["name"], target["revision"]) == (name, "1")
    assert target["kubernetes_version"] == "1.19.3"
    wanted = {"cluster_name": "demo", "template_name": name, "template_revision": 1}
    text = client.done(client.ask("POST", "/cluster/demo/action/upgrade", wanted))
    assert text == (
        f"Successfully upgraded cluster 'demo' software to match template {name} (revision 1): "
        "Kubernetes: 1.18.6 -> 1.19.3, Docker-CE: 19.03.12 -> 19.03.12, CNI: 2.6.5 -> 2.6.5"
    )
    cluster = client.read("/cluster/demo")
    assert (cluster["template_name"], cluster["kubernetes_version"]) == (name, "1.19.3")
