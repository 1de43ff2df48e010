"""What a file for `cluster apply` may hold: unknown keys, wrong types, and what it does not state.

The server is scripted, so whatever is sent to it is seen.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from cse_client.errors import WrongUsage
from cse_client.model import RunOptions, silent
from cse_client.yamldocs import read_yaml
from tests.server.entity_answers import (
    ENTITY_30,
    ENTITY_31,
    Generation,
    altered,
    defined,
    lookup,
    page,
)
from tests.server.served import Served, answer, opened
from tests.support.programs import Result


@pytest.fixture
def second(served: Served) -> Generation:
    return Generation(served, "3.1")


PROBE = "GET /api/cse/system"
Run = Callable[..., Result]

FIRST = """\
api_version: ''
kind: native
metadata: {cluster_name: blue, org_name: acme, ovdc_name: vdc1}
spec:
  workers: {count: 2}
  k8_distribution: {template_name: t, template_revision: 2}
  settings: {network: net1}
"""
SECOND = """\
apiVersion: cse.vmware.com/v2.1
kind: native
metadata: {name: blue, orgName: acme, virtualDataCenterName: vdc1, site: v}
spec:
  topology:
    workers: {count: 2}
  distribution: {templateName: t, templateRevision: 2}
  settings: {ovdcNetwork: net1}
"""


@pytest.mark.parametrize(
    ("release", "old", "new", "said"),
    [
        (
            "3.1",
            "workers: {count: 2}",
            "workers: {cuont: 3}",
            "'spec.topology.workers.cuont' (line 6) is not a key that a CSE server reads; did you "
            "mean 'count'?",
        ),
        (
            "3.1",
            "topology:",
            "toplogy:",
            "'spec.toplogy' (line 5) is not a key that a CSE server reads; did you mean "
            "'topology'?",
        ),
        (
            "3.1",
            "    workers: {count: 2}",
            "    workers: {count: 2, sizingclass: big}",
            "'spec.topology.workers.sizingclass' (line 6) is not a key that a CSE server reads; "
            "did you mean 'sizingClass'?",
        ),
        (
            "3.1",
            "    workers: {count: 2}",
            "    workers: {count: 2, sizing_class: big}",
            "'spec.topology.workers.sizing_class' (line 6) is a key of CSE 3.0, not of this CSE "
            "server; did you mean 'sizingClass'?",
        ),
        (
            "3.1",
            "ovdcNetwork: net1",
            "ovdcNetwork: net1, sshkey: x",
            "'spec.settings.sshkey' (line 8) is not a key that a CSE server reads; did you mean "
            "'sshKey'?",
        ),
        (
            "3.1",
            "  topology:\n    workers: {count: 2}",
            "  workers: {count: 2}",
            "'spec.workers' (line 5) is a key of CSE 3.0; for this CSE server it is "
            "spec.topology.workers.",
        ),
        (
            "3.1",
            "kind: native",
            "kind: native\nworkers: {count: 3}",
            "'workers' (line 3) is not a key that a CSE server reads; did you mean "
            "'spec.topology.workers'?",
        ),
        (
            "3.1",
            "name: blue",
            "name: no",
            "'metadata.name' (line 3) must be text, and YAML reads no as the boolean false; put it "
            'in quotes: name: "no"',
        ),
        (
            "3.1",
            "name: blue",
            "name: 0x1F",
            "'metadata.name' (line 3) must be text, and YAML reads 0x1F as a number; put it in "
            'quotes: name: "0x1F"',
        ),
        ("3.1", "count: 2", "count: -1", "'spec.topology.workers.count' (line 6) must be a"),
        ("3.1", "count: 2", "count: '2'", "'spec.topology.workers.count' (line 6) must be a"),
        ("3.1", "count: 2", "count: 2.5", "'spec.topology.workers.count' (line 6) must be a"),
        ("3.1", "count: 2", "count: yes", "'spec.topology.workers.count' (line 6) must be a"),
        ("3.1", "count: 2", "count: 201", "is 201, and a CSE server takes 200 nodes at most"),
        ("3.1", "count: 2", f"count: {10**30}", "is a huge number, and a CSE server takes 200"),
        ("3.1", "workers: {count: 2}", "workers: 2", "must be an object with the keys count, "),
        ("3.1", "workers: {count: 2}", "workers: []", "must be an object with the keys count, "),
        ("3.1", "ovdcNetwork: net1", "ovdcNetwork: [net1]", "must be text, not a list."),
        (
            "3.1",
            "ovdcNetwork: net1",
            "ovdcNetwork: net1, rollbackOnFailure: 'no'",
            "'spec.settings.rollbackOnFailure' (line 8) must be true or false, without quotes.",
        ),
        ("3.1", "kind: native", "kind: Native", "The kind 'Native' is unknown."),
        ("3.1", "/v2.1", "/v9", "does not support apiVersion 'cse.vmware.com/v9'"),
        ("3.1", "name: blue", "name: ~", "The file does not state metadata.name."),
        ("3.1", "name: blue", "name: ''", "The file does not state metadata.name."),
        ("3.1", "metadata: {", "metadata: [] #", "'metadata' (line 3) must be an object with"),
        (
            "3.0",
            "  workers: {count: 2}",
            "  workers: {count: 2, sizingClass: big}",
            "'spec.workers.sizingClass' (line 5) is a key of CSE 3.1, not of this CSE server; did "
            "you mean 'sizing_class'?",
        ),
        (
            "3.0",
            "network: net1",
            "network: net1, rollback: true",
            "'spec.settings.rollback' (line 7) is not a key that a CSE server reads; did you mean "
            "'rollback_on_failure'?",
        ),
        (
            "3.0",
            "  workers: {count: 2}",
            "  topology:\n    workers: {count: 2}",
            "'spec.topology' (line 5) is a key of CSE 3.1, not of this CSE server",
        ),
        ("3.0", "org_name: acme", "org: acme", "did you mean 'org_name'?"),
        ("3.0", "count: 2", "count: 101", "is 101, and a CSE server takes 100 nodes at most"),
    ],
)
def test_a_file_that_a_server_would_misread(
    served: Served, release: str, old: str, new: str, said: str
) -> None:
    Generation(served, release)
    text = FIRST if release == "3.0" else SECOND
    assert old in text
    reading = read_yaml(text.replace(old, new))
    engine = opened(served)
    with pytest.raises(WrongUsage) as caught:
        engine.apply(reading.value, RunOptions(), silent, positions=reading.positions)
    assert said in caught.value.message
    assert not [one for one in served.asked() if not one.startswith("GET /api/cse/system")]


@pytest.mark.parametrize(
    ("release", "old", "new", "said"),
    [
        (
            "3.1",
            "workers: {count: 2}",
            "workers: {cuont: 3}",
            "Error: 'spec.topology.workers.cuont' (line 6) is not a key that a CSE server reads; "
            "did you mean 'count'?\n",
        ),
        (
            "3.0",
            "cluster_name: blue",
            "cluster_name: off",
            "Error: 'metadata.cluster_name' (line 3) must be text, and YAML reads off as the "
            'boolean false; put it in quotes: cluster_name: "off".\n',
        ),
    ],
)
def test_such_a_file_with_vcd(
    cse: Run, served: Served, home: Path, release: str, old: str, new: str, said: str
) -> None:
    Generation(served, release)
    text = FIRST if release == "3.0" else SECOND
    (home / "blue.yaml").write_text(text.replace(old, new))
    result = cse("cluster", "apply", "blue.yaml")
    assert (result.out, result.err, result.code) == ("", said, 2)
    assert served.asked() == [PROBE]


def test_a_bomb_of_aliases(cse: Run, second: Generation, home: Path) -> None:
    rows = ["a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol]"]
    rows += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 8)}]" for n in range(1, 12)]
    (home / "blue.yaml").write_text("\n".join(rows))
    result = cse("cluster", "apply", "blue.yaml")
    assert (result.out, result.code) == ("", 2)
    assert "Line 1: anchors and aliases (&, *) are not supported" in result.err


@pytest.mark.parametrize("release", ["3.0", "3.1"])
@pytest.mark.parametrize(
    "unsaid",
    [
        {"workers": None},
        {"workers": {}},
        {"workers": {"count": None}},
        {},
        {"nfs": {"count": 1}},
    ],
)
def test_a_count_that_is_not_stated_stays(
    cse: Run, served: Served, home: Path, release: str, unsaid: dict[str, Any]
) -> None:
    """Whatever else the file changes."""
    generation = Generation(served, release)
    first = release == "3.0"
    spec: dict[str, Any] = {
        "settings": {"rollback_on_failure" if first else "rollbackOnFailure": False}
    }
    spec |= unsaid if first else {"topology": unsaid}
    metadata = {"cluster_name": "blue"} if first else {"name": "blue"}
    (home / "blue.yaml").write_text(yaml.safe_dump({"metadata": metadata, "spec": spec}))
    keys = ("org_name", "ovdc_name") if first else ("orgName", "virtualDataCenterName")
    place = ";".join(f"entity.metadata.{k}=={v}" for k, v in zip(keys, ("acme", "vdc1")))
    served.set(
        f"GET {lookup(generation.version, place=place)}", answer(page(defined(generation.entity)))
    )
    call = f"PUT {generation.url()}"
    generation.accept(call)
    nfs = altered(generation.entity, "UPDATE:SUCCEEDED")
    if unsaid.get("nfs"):
        nfs["status"]["nodes"]["nfs"] = [{"name": "nfsd-a1b2", "ip": "10.0.0.14"}]
    generation.becomes(nfs)
    result = cse("cluster", "apply", "blue.yaml")
    assert result.code == 0, result.err
    sent = served.body(call)["spec"]
    groups = sent if first else sent["topology"]
    assert groups["workers"]["count"] == 2
    network = "network" if first else "ovdcNetwork"
    assert sent["settings"][network] == "net1"


@pytest.mark.parametrize(
    ("old", "new", "said", "hint"),
    [
        (
            "net1",
            "nope",
            "VDC 'vdc1' has no network 'nope'; available: net1.",
            "spec.settings.ovdcNetwork: NAME",
        ),
        (
            "{count: 2}",
            "{count: 2, storageProfile: nope}",
            "VDC 'vdc1' has no storage profile 'nope'; available: gold.",
            "storageProfile: NAME",
        ),
        (
            "templateName: t,",
            "templateName: nope,",
            "The CSE server has no template 'nope'; available: t.",
            "`cse template list` lists them.",
        ),
    ],
)
def test_a_file_that_names_what_is_not_there(
    cse: Run, second: Generation, home: Path, old: str, new: str, said: str, hint: str
) -> None:
    (home / "blue.yaml").write_text(SECOND.replace(old, new))
    place = "entity.metadata.orgName==acme;entity.metadata.virtualDataCenterName==vdc1"
    second.served.get(lookup("2.1.0", place=place), page())
    result = cse("cluster", "apply", "blue.yaml")
    assert (result.out, result.err, result.code) == ("", f"Error: {said}\nHint: {hint}\n", 3)
    assert not [one for one in second.served.asked() if one.startswith(("POST", "PUT"))]


@pytest.mark.parametrize("release", ["3.0", "3.1"])
@pytest.mark.parametrize(
    ("name", "what"),
    [
        ('"bl\\aue"', "'bl\\x07ue' is not allowed: it contains '\\x07'"),
        ('"bl\\0ue"', None),
        ("bl_ue", "'bl_ue' is not allowed: it contains '_'"),
        ("'1blue'", "'1blue' is not allowed: it begins with '1'"),
        ("b" * 26, f"'{'b' * 26}' is not allowed: it has 26 characters"),
        ("' '", "' ' is not allowed: it contains a blank"),
    ],
)
def test_the_name_of_a_new_cluster_obeys_the_rule_of_create(
    cse: Run, served: Served, home: Path, release: str, name: str, what: str | None
) -> None:
    generation = Generation(served, release)
    first = release == "3.0"
    text = FIRST if first else SECOND
    (home / "blue.yaml").write_text(text.replace("name: blue", f"name: {name}"))
    keys = ("org_name", "ovdc_name") if first else ("orgName", "virtualDataCenterName")
    asked = str(yaml.safe_load(name))
    place = ";".join(f"entity.metadata.{k}=={v}" for k, v in zip(keys, ("acme", "vdc1")))
    served.get(lookup(generation.version, place=place, name=asked), page())
    result = cse("cluster", "apply", "blue.yaml")
    assert (result.out, result.code) == ("", 2), result.err
    if what is not None:
        assert f"Error: The cluster name {what}.\nHint: A name has 1 to 25 letters" in result.err
    assert not [one for one in served.asked() if one.startswith(("POST", "PUT"))]


def test_workers_that_go_are_named_before(cse: Run, second: Generation, home: Path) -> None:
    (home / "blue.yaml").write_text("spec: {topology: {workers: {count: 0}}}\n")
    call = f"PUT {second.url()}"
    second.accept(call)
    second.becomes(ENTITY_31, altered(ENTITY_31, "UPDATE:SUCCEEDED", workers=0))
    result = cse("cluster", "apply", "blue.yaml", "--id", second.id)
    assert result.code == 0, result.err
    assert "2 of the 2 workers of cluster 'blue' will be deleted" in result.err
    assert second.served.body(call)["spec"]["topology"]["workers"]["count"] == 0


def test_a_file_of_another_cluster_than_the_id(cse: Run, second: Generation, home: Path) -> None:
    (home / "blue.yaml").write_text("metadata: {name: red}\n")
    result = cse("cluster", "apply", "blue.yaml", "--id", second.id)
    assert (result.out, result.code) == ("", 2)
    assert f"The file states metadata.name: red, and the cluster with the id {second.id} has" in (
        result.err
    )
    assert second.served.asked() == [PROBE, second.read]


@pytest.mark.parametrize(
    ("old", "said"),
    [
        ("settings: {ovdcNetwork: net1}", "The file does not state spec.settings.ovdcNetwork."),
        (
            "distribution: {templateName: t, templateRevision: 2}",
            "The file does not state spec.distribution.templateName.",
        ),
    ],
)
def test_what_a_new_cluster_needs(
    cse: Run, second: Generation, home: Path, old: str, said: str
) -> None:
    (home / "blue.yaml").write_text(SECOND.replace(f"  {old}\n", ""))
    place = "entity.metadata.orgName==acme;entity.metadata.virtualDataCenterName==vdc1"
    second.served.get(lookup("2.1.0", place=place), page())
    result = cse("cluster", "apply", "blue.yaml")
    assert (result.out, result.code) == ("", 2)
    assert said in result.err
    assert not [one for one in second.served.asked() if one.startswith(("POST", "PUT"))]


@pytest.mark.parametrize("entity", [ENTITY_30, ENTITY_31], ids=["3.0", "3.1"])
def test_what_info_prints_can_be_applied(
    cse: Run, served: Served, home: Path, entity: dict[str, Any]
) -> None:
    generation = Generation(served, "3.0" if entity is ENTITY_30 else "3.1")
    printed = cse("cluster", "info", "blue", options=("-j",))
    document = json.loads(printed.out)
    if not generation.first:
        document["spec"]["distribution"] = entity["status"]["cloudProperties"]["distribution"]
        document["spec"]["topology"]["workers"]["count"] = 2
        document["spec"]["settings"]["network"]["expose"] = False
    (home / "blue.yaml").write_text(yaml.safe_dump(document))
    result = cse("cluster", "apply", "blue.yaml", "--id", generation.id)
    assert result.code == 0, result.err
    assert not [one for one in served.asked() if one.startswith(("POST", "PUT"))]


def test_a_template_that_is_not_in_the_plan(cse: Run, second: Generation, home: Path) -> None:
    """The server would accept it, and fail afterwards."""
    (home / "blue.yaml").write_text("spec: {distribution: {templateName: x, templateRevision: 9}}")
    second.served.get(second.url("/upgrade-plan"), [{"name": "t", "revision": 4}])
    result = cse("cluster", "apply", "blue.yaml", "--id", second.id)
    assert (result.out, result.code) == ("", 2)
    assert "'blue' cannot be upgraded to x 9; its upgrade plan has: t 4." in result.err
    assert not [one for one in second.served.asked() if one.startswith(("POST", "PUT"))]
