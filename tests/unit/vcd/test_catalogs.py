"""Templates: names, registrations, look-ups."""

from __future__ import annotations

import pytest

from cse_client.errors import NotFound
from cse_client.model import TemplateFacts
from cse_client.vcd import catalogs
from cse_client.vcd.client import VcdClient
from tests.support.clock import FakeClock
from tests.support.scripted_vcd import ScriptedVcd
from tests.support.vcd_documents import page


@pytest.mark.parametrize(
    ("item", "name", "revision", "facts"),
    [
        (
            "ubuntu-16.04_k8-1.18_weave-2.6.5_rev2",
            "ubuntu-16.04_k8-1.18_weave-2.6.5",
            2,
            TemplateFacts("ubuntu-16.04", "1.18", "weave", "2.6.5"),
        ),
        (
            "photon-v2_k8-1.14_weave-2.5.2_rev10",
            "photon-v2_k8-1.14_weave-2.5.2",
            10,
            TemplateFacts("photon-v2", "1.14", "weave", "2.5.2"),
        ),
        (
            "ubuntu-24.04_k8-1.33_antrea-2.4.1",
            "ubuntu-24.04_k8-1.33_antrea-2.4.1",
            0,
            TemplateFacts("ubuntu-24.04", "1.33", "antrea", "2.4.1"),
        ),
        ("debian-12", "debian-12", 0, None),
        ("debian_rev3", "debian", 3, None),
        ("_rev3", "_rev3", 0, None),
        ("ubuntu_k8-_weave-1_rev1", "ubuntu_k8-_weave-1", 1, None),
    ],
)
def test_names_tell_what_is_inside(
    item: str, name: str, revision: int, facts: TemplateFacts | None
) -> None:
    assert catalogs.parse_name(item) == (name, revision, facts)


def test_registered_facts_survive_the_round_trip() -> None:
    facts = TemplateFacts(kubernetes="1.33.1", cni="antrea", cni_manifest="/root/antrea.yaml")
    assert catalogs.read_facts(catalogs.facts_text(facts)) == facts


@pytest.mark.parametrize("text", ["", "nonsense", "[]", '{"kubernetes": 5, "other": "x"}'])
def test_a_damaged_registration_is_unknown_facts_and_no_error(text: str) -> None:
    assert catalogs.read_facts(text) == TemplateFacts()


def record(name: str, registration: str = "", **attributes: str) -> str:
    entry = ""
    if registration:
        quoted = registration.replace('"', "&quot;")
        entry = (
            "<Metadata><MetadataEntry><Key>cse.client.template</Key><TypedValue>"
            f"<Value>{quoted}</Value></TypedValue></MetadataEntry></Metadata>"
        )
    more = " ".join(f'{key}="{value}"' for key, value in attributes.items())
    return (
        f'<VAppTemplateRecord name="{name}" catalogName="cat" href="t/{name}" '
        f'description="about {name}" {more}>{entry}</VAppTemplateRecord>'
    )


@pytest.fixture
def vcd(scripted: ScriptedVcd, clock: FakeClock) -> VcdClient:
    return VcdClient.open(scripted.session(), clock=clock)


def test_the_list_holds_named_and_registered_templates_from_one_query(
    vcd: VcdClient, scripted: ScriptedVcd
) -> None:
    cse = "ubuntu-16.04_k8-1.18_weave-2.6.5_rev2"
    scripted.answer(
        "GET /api/query?type=vAppTemplate*",
        page(
            record(cse)
            + record("ubuntu-16.04_k8-1.17_weave-2.6.0_rev1", isExpired="true")
            + record("windows")
            + record("my-own", '{"kubernetes": "1.33.1", "schema": 1}')
            + record(f"x{cse}", '{"kubernetes": "1.18.6"}')
        ),
    )
    named, own, both = vcd.surroundings.templates()
    assert len(scripted.asked("query")) == 1
    assert (named.item, named.revision, named.catalog, named.href) == (cse, 2, "cat", f"t/{cse}")
    assert (named.description, named.registered) == (f"about {cse}", False)
    assert (own.name, own.registered, own.facts.kubernetes) == ("my-own", True, "1.33.1")
    assert (both.facts.kubernetes, both.facts.cni) == ("1.18.6", "weave")


def test_an_item_is_found_by_its_templates_name(vcd: VcdClient, scripted: ScriptedVcd) -> None:
    scripted.answer("GET /api/query?type=vAppTemplate*", page(record("My (own) one")))
    found = vcd.surroundings.find_item("cat", "My (own) one")
    assert (found.name, found.revision, found.href) == ("My (own) one", 0, "t/My (own) one")


def test_an_item_with_a_name_of_its_own_leads_to_its_template(
    vcd: VcdClient, scripted: ScriptedVcd
) -> None:
    scripted.answer("GET /api/query?type=vAppTemplate*", page(""))
    scripted.answer(
        "GET /api/query?type=catalogItem*",
        page(
            '<CatalogItemRecord name="own" entityType="media" entity="m"/>'
            '<CatalogItemRecord name="own" entityType="vapptemplate" entity="t/1"/>'
        ),
    )
    assert vcd.surroundings.find_item("cat", "own").href == "t/1"


def test_a_missing_item_says_where_to_look(vcd: VcdClient, scripted: ScriptedVcd) -> None:
    scripted.answer("GET /api/query?type=vAppTemplate*", page(""))
    scripted.answer("GET /api/query?type=catalogItem*", page(""))
    with pytest.raises(NotFound, match="Catalog 'cat' has no template 'own'") as caught:
        vcd.surroundings.find_item("cat", "own")
    assert "vcd catalog list cat" in caught.value.hint


def test_registering_writes_tenant_readable_metadata_and_waits(
    vcd: VcdClient, scripted: ScriptedVcd
) -> None:
    ns = 'xmlns="http://www.vmware.com/vcloud/v1.5"'
    scripted.answer(
        "POST /api/t/1/metadata", f'<Task {ns} status="running" href="{{base}}/api/task/1"/>'
    )
    scripted.answer("GET /api/task/1", f'<Task {ns} status="success" href="{{base}}/api/task/1"/>')
    vcd.register_template(f"{scripted.base}/api/t/1", TemplateFacts(kubernetes="1.33.1"))
    body = next(one.body for one in scripted.requests if one.method == "POST")
    assert "GENERAL" in body
    assert "cse.client.template" in body
    assert "1.33.1" in body
    assert len(scripted.asked("/api/task/1")) == 1
