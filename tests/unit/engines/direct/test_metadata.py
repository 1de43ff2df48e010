"""What is written to a cluster's vApp, and how damage in it is met."""

from __future__ import annotations

import json
from dataclasses import fields
from xml.sax.saxutils import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from cse_client.engines.direct.describe import describe_cluster
from cse_client.engines.direct.holders import holders
from cse_client.engines.direct.metadata import (
    RecordedSpec,
    initial_metadata,
    missing_keys,
    recorded_spec,
    recorded_ssh_key,
    unusable_metadata,
)
from cse_client.model import ClusterSpec, Template, TemplateFacts, VApp, Vm, footprint
from cse_client.model.hardware import NodeOptions
from cse_client.model.settings import EXAMPLES, ClusterSettings
from cse_client.vcd import reading
from tests.support.direct import desired_workers, existing

GUIDE = Template(
    name="ubuntu-16.04_k8-1.18_weave-2.6.5",
    revision=2,
    catalog="cse",
    item="ubuntu-16.04_k8-1.18_weave-2.6.5_rev2",
    href="https://vcd/api/vAppTemplate/vappTemplate-1",
    facts=TemplateFacts(os="ubuntu-16.04", kubernetes="1.18", cni="weave", cni_version="2.6.5"),
)


def test_the_footprint_is_that_of_cse_2_6() -> None:
    written = initial_metadata(ClusterSpec(name="demo", network="net1"), GUIDE, "the-id")
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
    written = initial_metadata(ClusterSpec(name="demo", network="net1"), template, "the-id")
    assert all(written.values())
    assert "cse.docker.version" not in written
    assert missing_keys(written) == ("cse.kubernetes.version",)


@pytest.mark.parametrize("length", [0, 1, 899, 900, 901, 2700, 5000])
def test_a_long_ssh_key_comes_back_whole_and_no_value_is_too_long(length: int) -> None:
    key = ("ssh-rsa " + "AbC1" * 2000)[:length]
    written = initial_metadata(ClusterSpec(name="demo", network="n", ssh_key=key), GUIDE, "id")
    assert max(len(value) for value in written.values()) <= 1000
    assert recorded_ssh_key(written) == key


CA = f"-----BEGIN CERTIFICATE-----\n{'A' * 64}\n-----END CERTIFICATE-----\n" * 9
SETTINGS = ClusterSettings(**{**EXAMPLES, "registry_ca": CA})


def test_the_spec_comes_back() -> None:
    spec = ClusterSpec(
        name="demo",
        network="net1",
        workers=0,
        cpus=4,
        memory_mb=8192,
        storage_profile="gold",
        settings=SETTINGS,
    )
    recorded = recorded_spec(initial_metadata(spec, GUIDE, "id"))
    assert (recorded.workers, recorded.network, recorded.cpus) == (0, "net1", 4)
    assert (recorded.memory_mb, recorded.storage_profile) == (8192, "gold")
    assert (recorded.template, recorded.revision) == (GUIDE.name, 2)
    assert recorded.settings == SETTINGS
    assert not recorded.damaged


def test_long_settings_come_back_and_no_value_is_too_long() -> None:
    long = ClusterSettings(
        http_proxy="http://p:1", no_proxy=",".join(f"h{n}.internal" for n in range(80))
    )
    written = initial_metadata(ClusterSpec(name="demo", network="n", settings=long), GUIDE, "id")
    assert max(len(value) for value in written.values()) <= 1000
    assert recorded_spec(written).settings == long


def test_a_cluster_of_cse_has_no_recorded_spec() -> None:
    assert recorded_spec({"cse.cluster.id": "x"}) == RecordedSpec()


#: How many fields a record has.
ALL = len(fields(RecordedSpec)) - 3 + len(fields(ClusterSettings)) + len(fields(NodeOptions))


@pytest.mark.parametrize(
    ("raw", "damaged"),
    [
        ("{", ALL),
        ("[]", ALL),
        ("[" * 100_000, ALL),
        ('{"a":' * 5000 + "1" + "}" * 5000, ALL),
        ('{"workers": ' + "9" * 5000 + "}", ALL),
        ('{"workers": -1}', ("workers",)),
        ('{"workers": 1e400}', ("workers",)),
        ('{"workers": true}', ("workers",)),
        ('{"workers": "3"}', ("workers",)),
        ('{"workers": 100000000}', ("workers",)),
        ('{"cpus": 0, "memory_mb": 1.5}', ("cpus", "memory_mb")),
        ('{"network": ["net1"], "endpoint": {}}', ("network", "endpoint")),
        ('{"endpoint": "a b"}', ("endpoint",)),
        ('{"endpoint": "[::1"}', ("endpoint",)),
        ('{"endpoint": "h:99999"}', ("endpoint",)),
        ('{"endpoint": "h/path"}', ("endpoint",)),
        ('{"network": "' + "x" * 1000 + '"}', ("network",)),
        ('{"pod_cidr": "10.0.0.0/30", "service_cidr": 7}', ("pod_cidr", "service_cidr")),
        ('{"pod_cidr": "10.244.0.0/16 --v=9"}', ("pod_cidr",)),
        ('{"disk_mb": "40G", "sizing_policy": 4}', ("disk_mb", "sizing_policy")),
        ('{"control_plane_cpus": true}', ("control_plane_cpus",)),
        ('{"workers": null, "endpoint": ""}', ()),
    ],
)
def test_each_damaged_field_is_named(raw: str, damaged: int | tuple[str, ...]) -> None:
    recorded = recorded_spec({footprint.SPEC: raw})
    if isinstance(damaged, int):
        assert len(recorded.damaged) == damaged
    else:
        assert recorded.damaged == damaged
    assert bool(unusable_metadata({footprint.SPEC: raw})) == bool(damaged)


@given(st.text())
def test_any_damage_is_met_without_an_exception(text: str) -> None:
    recorded = recorded_spec({footprint.SPEC: text})
    assert recorded.workers is None or isinstance(recorded.workers, int)


#: Values that a key may have been given by anybody who may edit the vApp.
_JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["workers", "turn", "nodes", "who", "x"]), inner, max_size=4
        )
    ),
    max_leaves=8,
)
GARBAGE = st.one_of(
    st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), max_size=40),
    _JSON.map(json.dumps),
    _JSON.map(lambda value: f"1:{json.dumps(value)}"),
    st.sampled_from(["[" * 5000, "9" * 5000, "a b", "[::1", "999999999:{}", "free", "none", "²"]),
    st.builds(
        lambda since, until: json.dumps({"who": "w", "since": since, "until": until, "turn": 1}),
        st.sampled_from(["0001-01-01T00:00:00+14:00", "2026-01-01", "9999-12-31T23:59:59-12:00"]),
        st.sampled_from(["0001-01-01T00:00:00+14:00", "2099-01-01T00:00:00", "soon", "0"]),
    ),
)
OWNER = "0123456789ab"
KEYS = [
    *(
        value
        for name, value in vars(footprint).items()
        if name.isupper() and str(value)[:4] == "cse."
    ),
    *(f"cse.client.{name}.{OWNER}" for name in ("lock", "operation", "done")),
    "cse.client.operation",
    f"cse.client.operation.{OWNER}.1",
]
VAPP = VApp(
    name="demo",
    href="h",
    id="i",
    status="POWERED_ON",
    deployed=True,
    description="",
    networks=("net1",),
    vms=(Vm("mstr-a1b2", "m", "POWERED_ON", ip="10.0.0.2"), Vm("node-c3d4", "n", "POWERED_ON")),
)


@given(st.dictionaries(st.sampled_from(KEYS), GARBAGE))
def test_any_metadata_of_a_vapp_is_shown(written: dict[str, str]) -> None:
    """From VCD's document to the row of a list and everything that `cluster info` shows."""
    entries = "".join(
        f"<MetadataEntry><Key>{key}</Key><TypedValue><Value>{escape(value)}</Value></TypedValue>"
        "</MetadataEntry>"
        for key, value in written.items()
    )
    root = etree.fromstring(
        f'<Metadata xmlns="http://www.vmware.com/vcloud/v1.5">{entries}</Metadata>'
    )
    metadata = reading.metadata(root)
    assert metadata.keys() == written.keys()
    cluster = describe_cluster(existing(VAPP, metadata), kube=None, sources=())
    assert cluster.endpoint.startswith("https://")
    assert all(len(one) < 1000 for one in cluster.problems)
    for holder in holders(metadata).values():
        assert holder.sentence("demo")
    assert desired_workers(metadata) in {None, *range(10_001)}
