"""Files that declare clusters: what is read, everything that is wrong at once, and the schema."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from cse_client.cli.cluster_files import file_yaml
from cse_client.cli.validation import MOST_CPUS, MOST_WORKERS
from cse_client.engines.declared.fields import FIELDS
from cse_client.engines.declared.reading import (
    API_VERSION,
    DeclaredFile,
    is_declared,
    is_for_server,
    read_declared,
)
from cse_client.engines.declared.schema import schema
from cse_client.engines.declared.writing import document_of
from cse_client.errors import CseError, PreflightFailed
from cse_client.model.pools import EFFECTS, MOST_POOLS
from cse_client.yamldocs import survey_yaml
from tests.support.ssh_keys import public_key

KEY = public_key()
#: A file that states everything but certificates.
WHOLE = f"""\
apiVersion: cse-client/v1
kind: Cluster
metadata:
  name: demo
  vdc: vdc1
  org: acme
spec:
  network: net1
  template: cse/ubuntu_rev2
  acceptEulas: true
  sshKey: {KEY}
  endpoint: k8s.example.com:6443
  virtualAddress: 10.0.0.250
  podCidr: 172.30.0.0/16
  serviceCidr: 172.29.0.0/16
  nodes:
    cpus: 2
    memory: 4G
    disk: 40G
    storageProfile: gold
    sizingPolicy: medium
    placementPolicy: left
  controlPlane:
    count: 3
    cpus: 4
    memory: 8G
    sizingPolicy: large
    placementPolicy: right
  pools:
  - name: default
    size: 2
  - name: gpu
    size: 1
    template: cse/ubuntu_rev3
    cpus: 8
    memory: 5000M
    disk: 1024G
    storageProfile: silver
    sizingPolicy: huge
    placementPolicy: gpus
    labels:
      example.com/kind: gpu
    taints:
    - key: gpu
      value: "true"
      effect: NoSchedule
  proxy:
    http: http://proxy.example.com:3128
    https: http://proxy.example.com:3128
    noProxy:
    - .internal
    - 10.0.0.0/8
  registries:
    mirrors:
      docker.io: https://mirror.example.com
      quay.io: https://mirror.example.com/quay
  imageRepository: registry.example.com/k8s
  ntp:
  - ntp.example.com
  dns:
  - 10.0.0.2
  deletionProtection: true
  addons:
  - name: metallb
    version: 0.14.9
    addresses: 10.0.0.200-10.0.0.210
  - name: contour
    address: 10.0.0.200
"""
LEAST = "apiVersion: cse-client/v1\nkind: Cluster\nmetadata: {name: demo}\n"


def read(text: str) -> DeclaredFile:
    return read_declared(survey_yaml(text), "the file 'demo.yaml'")


def wrong(text: str) -> list[str]:
    """Return the messages of everything that is wrong with a file."""
    with pytest.raises(CseError) as caught:
        read(text)
    assert caught.value.exit_code == 2
    found = caught.value.problems if isinstance(caught.value, PreflightFailed) else [caught.value]
    return [one.message for one in found]


def changed(old: str, new: str) -> str:
    assert WHOLE.count(old) == 1, old
    return WHOLE.replace(old, new)


def test_a_file_comes_back_as_it_was() -> None:
    document = yaml.safe_load(WHOLE)
    assert list(Draft202012Validator(schema()).iter_errors(document)) == []
    written = document_of(read(WHOLE).declared)
    assert written == document
    assert (
        file_yaml(written) == WHOLE.replace("40G", '"40G"')
        or yaml.safe_load(file_yaml(written)) == document
    )
    assert document_of(read(file_yaml(written)).declared) == document
    assert {field.path for field in FIELDS} - read(WHOLE).stated == {("spec", "registries", "ca")}


def test_a_file_may_state_next_to_nothing() -> None:
    found = read(LEAST)
    spec = found.declared.spec
    assert (spec.name, spec.workers, spec.control_planes, spec.pools) == ("demo", 2, 1, ())
    assert found.stated == {("apiVersion",), ("kind",), ("metadata",), ("metadata", "name")}
    assert document_of(found.declared)["spec"] == {
        "controlPlane": {"count": 1},
        "pools": [{"name": "default", "size": 2}],
    }


MISTAKES = yaml.safe_load(Path(__file__).with_name("mistakes.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake["new"].strip())
def test_each_mistake_has_one_sentence(mistake: dict[str, str]) -> None:
    old, new = mistake["old"].replace("KEY", KEY), mistake["new"]
    assert wrong(changed(old, new)) == [mistake["said"]]


def test_all_mistakes_at_once_in_the_order_of_the_file() -> None:
    """Types, unknown keys, values, names and what does not fit together, in one run."""
    text = """\
apiVersion: cse-client/v1
kind: Cluster
metadata:
  name: de_mo
  Org: acme
spec:
  netwrok: net1
  virtualAddress: 10.0.0.300
  podCidr: 10.97.0.0/16
  serviceCidr: 10.96.0.0/12
  endpoint: 10.97.0.9:6443
  ntp: [10.97.0.3, no]
  nodes: 5
  controlPlane: {count: 4}
  pools:
  - name: default
    size: many
    labels: {"a b": c}
    taints: [{key: a, effect: Nope}, {key: a, effect: NoSchedule}, {key: a, effect: NoSchedule}]
  - gpu
  - name: default
    size: 1
    memory: 4X
  proxy: {http: 5, noProxy: [a]}
  registries: {mirrors: {docker.io: mirror, quay.io: 5}}
  addons: [{name: metallb, address: 10.0.0.5}, {name: metallb, version: 5}]
"""
    assert wrong(text) == [
        "'metadata.name' (line 4) is not valid: 'de_mo': it contains '_'.",
        "'metadata.Org' (line 5) is not a key of this format; did you mean 'org'?",
        "'spec.netwrok' (line 7) is not a key of this format; did you mean 'network'?",
        "'spec.virtualAddress' (line 8) is not valid: '10.0.0.300': it is not an IPv4 address,"
        " auto or none.",
        "'spec.serviceCidr' (line 10) overlaps 'spec.podCidr' (line 9).",
        "'spec.endpoint' (line 11) is in the range of the cluster's pods, 'spec.podCidr'"
        " (line 9): '10.97.0.9:6443'.",
        "'spec.endpoint' (line 11) is in the range of the cluster's Services, 'spec.serviceCidr'"
        " (line 10): '10.97.0.9:6443'.",
        "'spec.ntp[1]' (line 12) must be text, and YAML reads no as the boolean false; put it in"
        ' quotes: "no".',
        "'spec.ntp' (line 12) is in the range of the cluster's pods, 'spec.podCidr' (line 9):"
        " '10.97.0.3'.",
        "'spec.ntp' (line 12) is in the range of the cluster's Services, 'spec.serviceCidr'"
        " (line 10): '10.97.0.3'.",
        "'spec.nodes' (line 13) must be an object with the keys cpus, memory, disk,"
        " storageProfile, sizingPolicy, placementPolicy, not a single value.",
        "'spec.controlPlane.count' (line 14) must be 1, 3 or 5, not 4.",
        "'spec.pools[0].size' (line 17) must be a whole number, without quotes.",
        "'spec.pools[0].labels.a b' (line 18) is not valid: the key 'a b' must have 1 to 63"
        " letters, digits, '-', '_' and '.', and begin and end with a letter or digit.",
        "'spec.pools[0].taints[0].effect' (line 19) must be NoSchedule, PreferNoSchedule or"
        " NoExecute, not 'Nope'.",
        "'spec.pools[0].taints[2]' (line 19) is not valid: 'a:NoSchedule': the pool has another"
        " taint with that key and effect.",
        "'spec.pools[1]' (line 20) must be an object with the keys name, size, template, cpus,"
        " memory, disk, storageProfile, sizingPolicy, placementPolicy, labels, taints, not a"
        " single value.",
        "'spec.pools[2].name' (line 21) and 'spec.pools[0].name' (line 16) are both 'default'.",
        "'spec.pools[2].memory' (line 23) is not valid: '4X': it is not a size such as 8G or"
        " 8192, or too large.",
        "'spec.proxy.http' (line 24) must be text, and YAML reads 5 as a number; put it in"
        ' quotes: http: "5".',
        "'spec.registries.mirrors.quay.io' (line 25) must be text, and YAML reads 5 as a number;"
        ' put it in quotes: quay.io: "5".',
        "'spec.registries.mirrors' (line 25) is not valid: 'docker.io=mirror': 'docker.io=mirror'"
        " is not of the form HOST=URL.",
        "'spec.addons[1].version' (line 26) must be text, and YAML reads 5 as a number; put it in"
        ' quotes: version: "5".',
        "'spec.addons[0].address' (line 26) is not valid: it is for contour only.",
        "'spec.addons[1].name' (line 26) and 'spec.addons[0].name' (line 26) are both 'metallb'.",
    ]
    with pytest.raises(PreflightFailed, match=r"^The file 'demo\.yaml' has 25 problems; nothing"):
        read(text)


def test_what_yaml_does_not_refuse_is_in_the_same_list() -> None:
    """Duplicate keys, anchors and tags stop no check of the other lines."""
    text = """\
apiVersion: cse-client/v1
kind: Cluster
metadata: {name: no}
spec:
  network: &net net1
  netwrok: net1
  network: net2
  storageProfile: *net
  nodes: {cpus: !!set {a}, memory: *net}
  pools: *net
  5: 6
"""
    assert wrong(text) == [
        "'metadata.name' (line 3) must be text, and YAML reads no as the boolean false; put it in"
        ' quotes: name: "no".',
        "Line 5: anchors and aliases (&, *) are not supported.",
        "'spec.netwrok' (line 6) is not a key of this format; did you mean 'network'?",
        "Line 7: the key 'network' occurs twice.",
        "'spec.storageProfile' (line 8) is not a key of this format; did you mean"
        " 'spec.nodes.storageProfile'?",
        "Line 8: anchors and aliases (&, *) are not supported.",
        "Line 9: the tag is not supported.",
        "Line 9: anchors and aliases (&, *) are not supported.",
        "Line 10: anchors and aliases (&, *) are not supported.",
        "Line 11: the key '5' is not text for YAML but a number; put it in quotes.",
    ]


def test_no_value_that_may_be_secret_is_shown() -> None:
    private = "-----BEGIN OPENSSH PRIVATE KEY-----\n    b3BlbnNza\n"
    (said,) = wrong(changed(f"sshKey: {KEY}\n", f"sshKey: |\n    {private}"))
    assert said.endswith("it is a private key; it must stay on its machine.")
    said = wrong(WHOLE.replace("  imageRepository:", "    ca: hunter2\n  imageRepository:"))[0]
    assert "hunter2" not in said
    assert said.endswith("is not valid: it has no certificate in PEM.")
    said = wrong(WHOLE.replace("http: http://proxy", "http: http://me:hunter2@proxy"))[0]
    assert "hunter2" not in said


@pytest.mark.parametrize(
    ("version", "said"),
    [
        ("cse-client/v2", "reads cse-client/v1: the file is for a newer version."),
        ("cse-client/v1beta1", "must be cse-client/v1, not 'cse-client/v1beta1'."),
        ("apps/v1", "must be cse-client/v1, not 'apps/v1'."),
        (
            "apps/v1\nkind: Deployment",
            "must be cse-client/v1, not 'apps/v1': the file does not describe a cluster.",
        ),
    ],
)
def test_files_of_other_versions(version: str, said: str) -> None:
    text = LEAST.replace("kind: Cluster\n", "") if "kind" in version else LEAST
    (found,) = wrong(text.replace(API_VERSION, version))
    assert found.endswith(said)
    assert found.startswith("'apiVersion' (line 1)")


@pytest.mark.parametrize(
    ("text", "ours", "theirs"),
    [
        (LEAST, True, False),
        ("apiVersion: cse-client/v7", True, False),
        ("kind: Cluster", True, False),
        ("kind: native\nmetadata: {cluster_name: a}", False, True),
        ("apiVersion: cse.vmware.com/v2.1\nkind: native", False, True),
        ("api_version: ''", False, True),
        ("metadata: {name: demo}", False, False),
        ("- a", False, False),
        ("", False, False),
    ],
)
def test_whose_file_it_is(text: str, ours: bool, theirs: bool) -> None:
    document = survey_yaml(text).value
    assert (is_declared(document), is_for_server(document)) == (ours, theirs)
    if not ours:
        assert wrong(text) if not isinstance(document, dict) else True


def test_what_a_file_lacks() -> None:
    assert wrong("metadata: {}\n") == [
        "'metadata' (line 1) has no key 'name', which is required.",
        "The file has no key 'apiVersion', which is required.",
        "The file has no key 'kind', which is required.",
    ]
    assert wrong("[]") == [
        "The file 'demo.yaml' does not describe a cluster: it is not a YAML object."
    ]


def test_the_schema_knows_the_limits_of_the_commands() -> None:
    spec = schema()["properties"]["spec"]["properties"]
    pool = spec["pools"]["items"]["properties"]
    assert spec["nodes"]["properties"]["cpus"]["maximum"] == MOST_CPUS
    assert pool["size"]["maximum"] == MOST_WORKERS
    assert spec["pools"]["maxItems"] == MOST_POOLS
    assert tuple(pool["taints"]["items"]["properties"]["effect"]["enum"]) == EFFECTS


_VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 600),
    st.sampled_from(["", "x", "8G", "Cluster", API_VERSION, "NoSchedule", "metallb", 1.5]),
    st.lists(st.sampled_from(["a", "10.0.0.2"]), max_size=3),
    st.dictionaries(st.sampled_from(["name", "size", "x"]), st.sampled_from(["a", 1]), max_size=2),
)


def _places(value: Any, above: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [above] if above else []
    if isinstance(value, (dict, list)):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, one in items:
            found += _places(one, (*above, key))
    return found


@given(st.data())
def test_what_the_schema_refuses_is_refused(data: st.DataObject) -> None:
    """The library `jsonschema` and this reader agree: what is read, the schema allows."""
    document = copy.deepcopy(yaml.safe_load(WHOLE))
    for _change in range(data.draw(st.integers(1, 3))):
        path = data.draw(st.sampled_from(_places(document)))
        parent: Any = document
        for step in path[:-1]:
            parent = parent[step]
        action = data.draw(st.sampled_from(["set", "add", "remove"]))
        if action == "remove":
            del parent[path[-1]]
        elif action == "set" or isinstance(parent, list):
            parent[path[-1]] = data.draw(_VALUES)
        else:
            parent[data.draw(st.sampled_from(["name", "size", "extra"]))] = data.draw(_VALUES)
        if not document or "metadata" not in document:
            return
    allowed = Draft202012Validator(schema()).is_valid(document)
    try:
        read_declared(survey_yaml(yaml.safe_dump(document)), "it")
    except CseError as error:
        assert error.exit_code == 2
    else:
        assert allowed
