"""Queries: pages, filters, metadata, formats (vcd-api 7.2, point 8)."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest

from cse_client.simulator import Simulator
from tests.simulator.client import NAMESPACES, Tenant, V, metadata_body


def names(tenant: Tenant, text: str) -> list[str | None]:
    return [one.get("name") for one in tenant.query(text)]


def rel(root: Any, wanted: str) -> Any:
    for link in root.iterfind(f"{V}Link"):
        if link.get("rel") == wanted and not link.get("type").endswith("+json"):
            return link.get("href")
    return None


@pytest.fixture
def many(tenant: Tenant) -> Tenant:
    tenant.control("POST", "vapps", {"count": 300, "prefix": "c"})
    return tenant


def test_pages_hold_25_unless_asked_and_128_at_most(many: Tenant) -> None:
    root = many.get("/api/query?type=vApp")
    assert (root.get("total"), root.get("pageSize"), root.get("page")) == ("300", "25", "1")
    assert len(root.findall(f"{V}VAppRecord")) == 25
    root = many.get("/api/query?type=vApp&pageSize=500")
    assert (root.get("pageSize"), len(root.findall(f"{V}VAppRecord"))) == ("128", 128)


def test_next_page_links_lead_through_everything_and_keep_the_query(many: Tenant) -> None:
    place = "/api/query?type=vApp&pageSize=128&filter=name!=c-00007&fields=name&sortDesc=name"
    seen = []
    while place:
        root = many.get(place)
        for record in root.findall(f"{V}VAppRecord"):
            assert set(record.keys()) == {"name", "href"}
            seen.append(record.get("name"))
        place = rel(root, "nextPage")
    assert len(seen) == 299
    assert seen == sorted(seen, reverse=True)
    assert rel(root, "previousPage")
    assert many.send("GET", "/api/query?type=vApp&page=99").status == 400


@pytest.mark.parametrize(
    ("text", "hits"),
    [
        ("name==c-00001", ["c-00001"]),
        ("name==c-0000*;name!=c-00002", [f"c-0000{n}" for n in (1, 3, 4, 5, 6, 7, 8, 9)]),
        ("name==c-00001,name==c-00002", ["c-00001", "c-00002"]),
        ("(name==c-00001,name==c-00002);status==POWERED_ON", ["c-00001", "c-00002"]),
        ("(name==c-00001,name==c-00002);status==POWERED_OFF", []),
        ("name=ge=c-00299", ["c-00299", "c-00300"]),
        ("name=lt=c-00002", ["c-00001"]),
        ("name==C-00001", []),
        ("metadata:cse.version==STRING:2.6.1;name==c-00003", ["c-00003"]),
        ("metadata:cse.version==STRING:9*;name==c-00003", []),
        ("metadata@SYSTEM:cse.version==STRING:2.6.1", []),
    ],
)
def test_filters(many: Tenant, text: str, hits: Any) -> None:
    assert names(many, f"type=vApp&filter={quote(text, safe='=!;,()*:@')}") == hits


@pytest.mark.parametrize("text", ["name=", "name==x)", "(name==x", "metadata:a==x", "colour==red"])
def test_broken_filters_are_refused(many: Tenant, text: str) -> None:
    assert many.send("GET", f"/api/query?type=vApp&filter={quote(text)}").status == 400


def test_unknown_types_and_formats_are_refused(tenant: Tenant) -> None:
    assert tenant.send("GET", "/api/query?type=unicorn").status == 400
    assert tenant.send("GET", "/api/query?type=vApp&format=poem").status == 400


def test_a_name_full_of_special_characters_is_found_by_both_ways_of_escaping(
    simulator: Simulator, tenant: Tenant
) -> None:
    name = "a(b),c;d\\e f&g*"
    vapp = tenant.vapp("demo")
    simulator.cloud.vapps[vapp[-36:]].name = name
    escaped = "".join(f"\\{char}" if char in "(),;\\" else char for char in name)
    assert names(tenant, f"type=vApp&filter=name=={quote(escaped)}") == [name]
    old = Tenant(simulator, version="34.0").login()
    twice = quote(f"name=={quote(name)}")
    assert names(old, f"type=vApp&filterEncoded=true&filter={twice}") == [name]
    old.close()


def test_pyvcloud_finds_special_names(simulator: Simulator, tenant: Tenant, pyvcloud: Any) -> None:
    from pyvcloud.vcd.client import QueryResultFormat

    vapp = tenant.vapp("demo")
    name = "a(b),c;d e"
    simulator.cloud.vapps[vapp[-36:]].name = name
    query = pyvcloud.get_typed_query(
        "vApp", query_result_format=QueryResultFormat.ID_RECORDS, equality_filter=("name", name)
    )
    (record,) = query.execute()
    assert record.get("id") == f"urn:vcloud:vapp:{vapp[-36:]}"


def test_references_are_compared_by_their_id(tenant: Tenant) -> None:
    tenant.vapp("demo")
    vdc = tenant.one("orgVdc", "vdc1")
    other = tenant.one("orgVdc", "vdc2")
    assert names(tenant, f"type=vApp&filter=vdc=={quote(vdc)}") == ["demo"]
    assert names(tenant, f"type=vApp&filter=vdc=={vdc[-36:]}") == ["demo"]
    assert names(tenant, f"type=vApp&filter=vdc=={quote(other)}") == []


def test_metadata_fields_come_with_the_record_and_are_eight_at_most(tenant: Tenant) -> None:
    vapp = tenant.vapp("demo")
    values = {f"k{number}": str(number) for number in range(9)}
    tenant.done(tenant.post(f"{vapp}/metadata", metadata_body(**values), "metadata"))
    eight = ",".join(f"metadata:k{number}" for number in range(8))
    (record,) = tenant.query(f"type=vApp&fields=name,{eight}")
    entries = {
        entry.findtext(f"{V}Key"): entry.findtext(f"{V}TypedValue/{V}Value")
        for entry in record.iterfind(f"{V}Metadata/{V}MetadataEntry")
    }
    assert entries == {f"k{number}": str(number) for number in range(8)}
    assert tenant.send("GET", f"/api/query?type=vApp&fields={eight},metadata:k8").status == 400


def test_template_vms_are_told_apart(tenant: Tenant) -> None:
    tenant.done(tenant.add_vms(tenant.vapp("demo"), "one"))
    assert names(tenant, "type=vm&filter=isVAppTemplate==false") == ["one"]
    templates = names(tenant, "type=vAppTemplate")
    assert len(names(tenant, "type=vm&filter=isVAppTemplate==true")) == len(templates) > 1


def test_formats(tenant: Tenant) -> None:
    root = tenant.get("/api/query?type=catalogItem&format=references")
    assert root.tag == f"{V}CatalogItemReferences"
    first = root.find(f"{V}CatalogItemReference")
    assert first.get("href") and first.get("name") and first.get("id").startswith("urn:vcloud:")
    root = tenant.get("/api/query?type=catalogItem&format=idrecords")
    record = root.find(f"{V}CatalogItemRecord")
    assert record.get("id").startswith("urn:vcloud:catalogitem:")
    assert record.get("vdc").startswith("urn:vcloud:vdc:")
    assert record.get("catalog").startswith("urn:vcloud:catalog:")
    assert record.get("entity").startswith("urn:vcloud:vapptemplate:")
    assert record.get("href") is None
    root = tenant.get("/api/query?type=catalogItem")
    assert root.find(f"{V}CatalogItemRecord").get("id") is None


def test_a_thousand_clusters_are_listed_in_eight_requests() -> None:
    with Simulator(guests=False) as simulator:
        tenant = Tenant(simulator).login()
        tenant.control("POST", "vapps", {"count": 1000, "workers": 1})
        tenant.control("DELETE", "journal")
        place, found = "/api/query?type=vApp&pageSize=128&fields=name,metadata:cse.cluster.id", 0
        while place:
            root = tenant.get(place)
            found += len(root.findall(f"{V}VAppRecord/{V}Metadata"))
            place = rel(root, "nextPage")
        assert found == 1000
        assert tenant.control("GET", "journal")["counts"] == {"GET": 8}
        tenant.close()


def test_deleting_metadata(tenant: Tenant) -> None:
    vapp = tenant.vapp("demo")
    tenant.done(tenant.post(f"{vapp}/metadata", metadata_body(a_b="1", c="2"), "metadata"))
    value = (
        f'<MetadataValue {NAMESPACES}><TypedValue xsi:type="MetadataNumberValue"><Value>7</Value>'
        "</TypedValue></MetadataValue>"
    )
    tenant.done(tenant.send("PUT", f"{vapp}/metadata/c", value, "metadata.value"))
    tenant.done(tenant.send("DELETE", f"{vapp}/metadata/a.b"))
    assert tenant.send("DELETE", f"{vapp}/metadata/a.b").status == 403
    (entry,) = tenant.get(f"{vapp}/metadata").iterfind(f"{V}MetadataEntry")
    assert entry.findtext(f"{V}TypedValue/{V}Value") == "7"


def test_users_are_listed_for_who_administers_them(simulator: Simulator, tenant: Tenant) -> None:
    users = tenant.query("type=user&format=records&filter=name==author")
    assert [one.get("name") for one in users] == ["author"]
    identifier = simulator.cloud.users["author"].id
    assert (users[0].get("href") or "").endswith(f"/api/admin/user/{identifier}")
    assert len(tenant.query("type=user")) == len(simulator.cloud.users)
    author = Tenant(simulator, "author").login()
    assert [one.get("name") for one in author.query("type=user")] == ["author"]
    author.close()


@pytest.mark.parametrize("user", ["admin", "author", "administrator"])
def test_each_type_that_the_list_names_answers(simulator: Simulator, user: str) -> None:
    caller = Tenant(simulator, user).login()
    kinds = {one.get("name") or "" for one in caller.get("/api/query")}
    assert ("adminVApp" in kinds) is (user == "administrator")
    for kind in kinds:
        answer = caller.send("GET", f"/api/query?type={kind}")
        # an author has no right to see gateways
        forbidden = (user, kind) == ("author", "edgeGateway")
        assert answer.status == (403 if forbidden else 200), kind
    caller.close()


@pytest.mark.parametrize("kind", ["media", "vAppNetwork", "providerVdc", "disk", "event", "role"])
def test_a_type_that_only_vcd_knows_is_not_implemented(tenant: Tenant, kind: str) -> None:
    answer = tenant.send("GET", f"/api/query?type={kind}")
    assert (answer.status, f"the query type {kind}" in answer.message) == (501, True)
    answer = tenant.send("GET", "/api/query?type=rubbish")
    assert (answer.status, answer.code) == (400, "BAD_REQUEST")


def test_metadata_fields_alone_come_on_top_of_everything(tenant: Tenant) -> None:
    vapp = tenant.vapp("demo")
    tenant.done(tenant.post(f"{vapp}/metadata", metadata_body(a="1"), "metadata"))
    (record,) = tenant.query("type=vApp&fields=metadata:a")
    assert {"name", "vdc", "status"} <= set(record.keys())
    assert record.find(f"{V}Metadata") is not None


@pytest.mark.parametrize("kind", ["vApp", "catalog", "orgVdc"])
def test_everything_is_found_by_its_organization(
    simulator: Simulator, tenant: Tenant, kind: str
) -> None:
    tenant.vapp("demo")
    org, system = simulator.cloud.org, simulator.cloud.system_org
    assert tenant.query(f"type={kind}&filter=org==urn:vcloud:org:{org.id}")
    assert not tenant.query(f"type={kind}&filter=org==urn:vcloud:org:{system.id}")


def test_what_the_system_administrator_finds(simulator: Simulator) -> None:
    provider = Tenant(simulator, "administrator").login()
    assert provider.query("type=orgVdcNetwork")
    assert provider.query("type=edgeGateway")
    names = {one.get("name") for one in provider.query("type=adminUser")}
    assert names == {"admin", "author", "viewer", "administrator"}
    home = provider.get(f"/api/org/{simulator.cloud.system_org.id}")
    queries = [one.get("href") or "" for one in home.iter(f"{V}Link")]
    found = [provider.query(one.partition("?")[2]) for one in queries if "/api/query?" in one]
    assert found and not any(found)
    provider.close()
