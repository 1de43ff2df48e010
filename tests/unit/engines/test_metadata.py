"""What is written to a cluster's vApp, and how damage in it is met."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cse_client.engines.direct import metadata as keys
from cse_client.model import ClusterSpec, Template, TemplateFacts

GUIDE = Template(
    name="ubuntu-16.04_k8-1.18_weave-2.6.5",
    revision=2,
    catalog="cse",
    item="ubuntu-16.04_k8-1.18_weave-2.6.5_rev2",
    href="https://vcd/api/vAppTemplate/vappTemplate-1",
    facts=TemplateFacts(os="ubuntu-16.04", kubernetes="1.18", cni="weave", cni_version="2.6.5"),
)


def test_the_footprint_is_that_of_cse_2_6() -> None:
    written = keys.initial(ClusterSpec(name="demo", network="net1"), GUIDE, "the-id")
    assert {key: value for key, value in written.items() if not key.startswith("cse.client.")} == {
        "cse.cluster.id": "the-id",
        "cse.version": "2.6.1",
        "cse.template.name": "ubuntu-16.04_k8-1.18_weave-2.6.5",
        "cse.template.revision": "2",
        "cse.os": "ubuntu-16.04",
        "cse.docker.version": "19.03.12",
        "cse.kubernetes": "upstream",
        "cse.kubernetes.version": "1.18.6",
        "cse.cni": "weave",
        "cse.cni.version": "2.6.5",
    }
    assert written["cse.client.phase"] == "creating"
    assert json.loads(written["cse.client.spec"])["workers"] == 2


def test_what_is_unknown_is_left_out() -> None:
    template = Template(name="own", revision=0, catalog="c", item="own", href="h")
    written = keys.initial(ClusterSpec(name="demo", network="net1"), template, "the-id")
    assert all(written.values())
    assert "cse.docker.version" not in written
    assert keys.missing_keys(written) == ("cse.kubernetes.version",)


@pytest.mark.parametrize("length", [0, 1, 899, 900, 901, 2700, 5000])
def test_a_long_ssh_key_comes_back_whole_and_no_value_is_too_long(length: int) -> None:
    key = ("ssh-rsa " + "AbC1" * 2000)[:length]
    written = keys.initial(ClusterSpec(name="demo", network="n", ssh_key=key), GUIDE, "id")
    assert max(len(value) for value in written.values()) <= 1000
    assert keys.recorded_ssh_key(written) == key


def test_the_spec_comes_back() -> None:
    spec = ClusterSpec(
        name="demo", network="net1", workers=0, cpus=4, memory_mb=8192, storage_profile="gold"
    )
    recorded = keys.recorded_spec(keys.initial(spec, GUIDE, "id"))
    assert (recorded.workers, recorded.network, recorded.cpus) == (0, "net1", 4)
    assert (recorded.memory_mb, recorded.storage_profile) == (8192, "gold")
    assert (recorded.template, recorded.revision) == (GUIDE.name, 2)
    assert not recorded.damaged


def test_a_cluster_of_cse_has_no_recorded_spec() -> None:
    assert keys.recorded_spec({"cse.cluster.id": "x"}) == keys.RecordedSpec()


@given(st.text())
def test_any_damage_is_met_without_an_exception(text: str) -> None:
    recorded = keys.recorded_spec({keys.SPEC: text})
    assert recorded.workers is None or isinstance(recorded.workers, int)
