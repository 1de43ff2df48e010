"""What the server checks, in which order, and how it says so.

The expectations are read from container-service-extension 2.6.1: request_processor.py, consumer.py,
exception_handler.py, broker_manager.py, vcdbroker.py and request_handlers/.
"""

from __future__ import annotations

from typing import Any

import pytest

from cse_client.simulator import Simulator
from tests.simulator.cse.client import DEMO, TEMPLATE, Client

NOT_FOUND = (404, -1, "Invalid url - not found")
NO_VERB = (405, -1, "Method not allowed")


def lacking(key: str) -> str:
    """Return what the server says of a missing key: its enumeration, as Python prints it."""
    member = {"node_names": "NODE_NAMES_LIST"}.get(key, key.upper())
    return f"Missing required keys in request payload: [<RequestKey.{member}: '{key}'>]"


@pytest.mark.parametrize(
    ("call", "answer"),
    [
        ("GET ", NOT_FOUND),
        ("GET /", NOT_FOUND),
        ("GET /nonsense", NOT_FOUND),
        ("PUT /clusters", NO_VERB),
        ("POST /cluster/demo", NO_VERB),
        ("GET /cluster/demo/nonsense", NO_VERB),
        ("POST /cluster/demo/config", NO_VERB),
        ("POST /cluster/demo/action/nonsense", NO_VERB),
        ("GET /cluster/demo/action/upgrade", NO_VERB),
        ("GET /cluster/demo/a/b/c", NOT_FOUND),
        ("GET /nodes", NO_VERB),
        ("DELETE /node/node-abcd", NO_VERB),
        ("GET /node/node-abcd/more", NOT_FOUND),
        ("POST /ovdcs", NO_VERB),
        ("GET /ovdc/1/nonsense", NOT_FOUND),
        ("POST /ovdc/1/compute-policies", NO_VERB),
        ("DELETE /system", NO_VERB),
        ("GET /system/config", NOT_FOUND),
        ("GET /nativeclusters", NOT_FOUND),
        ("GET /3.0/clusters", NOT_FOUND),
    ],
)
def test_paths_and_verbs(client: Client, call: str, answer: Any) -> None:
    method, path = call.split(" ")
    assert client.refusal(method, path) == answer


def test_singular_plural_and_case_are_the_same(client: Client) -> None:
    for path in ("/cluster", "/clusters", "/Clusters", "/CLUSTER"):
        assert client.read(path) == []


@pytest.mark.parametrize(
    "accept",
    ["application/json", "application/*+json", "application/*", "*/*", "*", "application/x+json"],
)
@pytest.mark.parametrize("version", ["33.0", "36.0"])
def test_any_version_and_json_will_do(client: Client, accept: str, version: str) -> None:
    client.tenant.version = version
    assert client.ask("GET", "/clusters", accept=accept).json == []


def test_what_is_no_json_is_not_acceptable(client: Client) -> None:
    answer = client.ask("GET", "/clusters", accept="application/*+xml")
    assert (answer.status, answer.json) == (
        406,
        {"message": "CSE can only serve response as json."},
    )


def test_a_body_that_is_no_json_is_a_defect_of_the_server(client: Client) -> None:
    answer = client.tenant.send("POST", "/api/cse/clusters", "{", "application/json", "*/*")
    assert answer.status == 500
    assert answer.json["message"]["minor error code"] == -1


@pytest.mark.parametrize(
    ("changes", "answer"),
    [
        (
            {"cluster_name": None},
            (
                400,
                4000,
                lacking("cluster_name"),
            ),
        ),
        ({"org_name": None}, (500, -1, "<RequestKey.ORG_NAME: 'org_name'>")),
        ({"ovdc_name": None}, (500, -1, "<RequestKey.OVDC_NAME: 'ovdc_name'>")),
        ({"org_name": "nobody"}, (500, -1, "org 'nobody' not found")),
        ({"ovdc_name": "no", "cluster_name": "-"}, (500, -1, "VDC 'no' not found in ORG 'acme'")),
        ({"cluster_name": "-demo"}, (500, -1, "Invalid cluster name '-demo'")),
        ({"cluster_name": "d" * 26}, (500, -1, f"Invalid cluster name '{'d' * 26}'")),
        ({"cluster_name": ""}, (500, -1, "string index out of range")),
        (
            {"template_name": TEMPLATE},
            (
                500,
                -1,
                "If template revision is specified, then template name must also be specified "
                "(and vice versa).",
            ),
        ),
        (
            {"template_name": "t", "template_revision": 3, "network_name": None},
            (500, -1, "Template 't' at revision 3 not found."),
        ),
        (
            {"network_name": None, "num_workers": -1},
            (
                400,
                4008,
                lacking("network_name"),
            ),
        ),
        ({"num_workers": -1}, (500, -1, "Worker node count must be >= 0 (received -1).")),
        (
            {"num_workers": "1"},
            (500, -1, "'<' not supported between instances of 'str' and 'int'"),
        ),
    ],
)
def test_create_is_refused(client: Client, served: Simulator, changes: Any, answer: Any) -> None:
    assert client.refusal("POST", "/clusters", {**DEMO, **changes}) == answer
    assert not served.cloud.vapps


def test_one_trailing_dot_and_labels_make_a_name(client: Client) -> None:
    answer = client.create(cluster_name="a.b.", num_workers=0)
    assert client.done(answer).startswith("Created cluster 'a.b.' (")


def test_names_are_free_again_in_another_vdc(client: Client) -> None:
    client.done(client.create(num_workers=0))
    answer = (500, -1, "Cluster demo already exists.")
    assert client.refusal("POST", "/clusters", {**DEMO, "cluster_name": "demo"}) == answer
    client.done(client.create(ovdc_name="vdc2", network_name="vdc2-net", num_workers=0))
    assert len(client.read("/clusters")) == 2
    assert client.read("/cluster/demo?ovdc_name=vdc2")["vdc_name"] == "vdc2"
    twice = (500, -1, "Found multiple clusters named 'demo'.")
    assert client.refusal("GET", "/cluster/demo") == twice
    assert client.refusal("DELETE", "/cluster/demo") == twice


LOST = (500, -1, "Cluster 'lost' not found.")


@pytest.mark.parametrize(
    ("call", "body"),
    [
        ("GET /cluster/lost", None),
        ("GET /cluster/lost?org_name=acme&ovdc_name=vdc1", None),
        ("GET /cluster/lost?org_name=other", None),
        ("GET /cluster/lost/config", None),
        ("GET /cluster/lost/upgrade-plan", None),
        ("DELETE /cluster/lost", None),
        ("PUT /cluster/lost", {}),
        ("POST /cluster/lost/action/upgrade", {}),
        ("POST /nodes", {"cluster_name": "lost", "template_name": "t"}),
        ("DELETE /nodes", {"cluster_name": "lost", "node_names": ["mstr-abcd"]}),
        ("GET /node/node-abcd?cluster_name=lost", None),
    ],
)
def test_clusters_are_looked_for_before_the_rest_is_checked(
    client: Client, call: str, body: Any
) -> None:
    method, path = call.split(" ")
    assert client.refusal(method, path, body) == LOST


def test_with_org_and_vdc_the_vdc_is_looked_at_first(client: Client) -> None:
    place = "/cluster/lost?org_name={}&ovdc_name={}"
    assert client.refusal("GET", place.format("acme", "no")) == (
        500,
        -1,
        "VDC 'no' not found in ORG 'acme'",
    )
    assert client.refusal("GET", place.format("other", "vdc1")) == (
        500,
        -1,
        "org 'other' not found",
    )
    assert client.refusal("GET", place.format("ACME", "vdc1")) == LOST


def test_changes_of_a_cluster_are_refused(client: Client) -> None:
    client.done(client.create())
    master = client.read("/cluster/demo")["master_nodes"][0]["name"]
    down = (
        "Automatic scale down is not supported for vCD powered Kubernetes clusters. Use "
        "'vcd cse delete node' command."
    )
    network = {"network_name": "net1"}
    calls = [
        ("PUT /cluster/demo", {"num_workers": 3}, (400, 4008, lacking("network_name"))),
        ("PUT /cluster/demo", network, (400, 4014, lacking("num_workers"))),
        (
            "PUT /cluster/demo",
            {**network, "num_workers": 0},
            (500, -1, "Worker node count must be > 0 (received 0)."),
        ),
        (
            "PUT /cluster/demo",
            {**network, "num_workers": 1},
            (500, -1, "Cluster 'demo' already has 1 worker nodes."),
        ),
        (
            "POST /nodes",
            {"cluster_name": "demo", **network, "num_workers": 0},
            (500, -1, "Worker node count must be > 0 (received 0)."),
        ),
        ("POST /nodes", network, (400, 4000, lacking("cluster_name"))),
        (
            "DELETE /nodes",
            {"cluster_name": "demo"},
            (400, 4012, lacking("node_names")),
        ),
        (
            "DELETE /nodes",
            {"cluster_name": "demo", "node_names": [master]},
            (500, -1, f"Can't delete a master node: '{master}'."),
        ),
        (
            "GET /node/node-none?cluster_name=demo",
            None,
            (500, -1, "Node 'node-none' not found in cluster 'demo'"),
        ),
        ("GET /node/node-none", None, (400, 4000, lacking("cluster_name"))),
        (
            "POST /cluster/demo/action/upgrade",
            {"template_name": "t", "template_revision": 2},
            (
                500,
                -1,
                "Specified template/revision (t revision 2) is not a valid upgrade target for "
                "cluster 'demo'.",
            ),
        ),
    ]
    for call, body, answer in calls:
        method, path = call.split(" ")
        assert client.refusal(method, path, body) == answer
    client.done(client.ask("PUT", "/cluster/demo", {**network, "num_workers": 2}))
    again = {**network, "num_workers": 1}
    assert client.refusal("PUT", "/cluster/demo", again) == (500, -1, down)
    nothing = client.ask("DELETE", "/nodes", {"cluster_name": "demo", "node_names": []})
    assert (nothing.status, nothing.json) == (202, {"body": {}})
