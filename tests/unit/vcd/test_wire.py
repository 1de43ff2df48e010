"""Where requests go and what is read of answers: one host, no redirect, bounds, VCD only."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from cse_client import bounds
from cse_client.errors import CseError, NotFound, TimedOut, VcdFault
from cse_client.model import Fence, Network, Session, Vdc
from cse_client.vcd import tasks
from cse_client.vcd.client import VcdClient
from tests.support.clock import FakeClock
from tests.support.scripted_vcd import SESSION, Answer, ScriptedVcd
from tests.support.strangers import MANNERS, Manner, Stranger, answer

NS = 'xmlns="http://www.vmware.com/vcloud/v1.5"'
VAPP = f'<VApp {NS} name="demo" status="8" href="{{base}}/api/vApp/1"/>'
TASK = f'<Task {NS} status="running" href="{{base}}/api/task/1" operation="x"/>'
TOKEN = "very-secret-token"


@pytest.fixture
def vcd(scripted: ScriptedVcd, clock: FakeClock) -> VcdClient:
    return VcdClient.open(scripted.session(is_jwt=False), clock=clock)


@pytest.fixture
def stranger() -> Iterator[Stranger]:
    """Somebody else's server, which would answer whatever it is asked."""
    with Stranger(answer("200 OK", VAPP.encode(), Content_Type="application/xml")) as other:
        yield other


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("here", [True, False], ids=["here", "elsewhere"])
def test_no_redirect_is_followed(
    vcd: VcdClient, scripted: ScriptedVcd, stranger: Stranger, status: int, here: bool
) -> None:
    target = f"{scripted.base if here else stranger.base}/api/other"
    moved = Answer("", status, "", headers={"Location": target})
    base = scripted.base
    calls: dict[str, Callable[[], object]] = {
        "GET /api/vApp/1": lambda: vcd.vapp(f"{base}/api/vApp/1"),
        "POST /api/vApp/1/metadata": lambda: vcd.write_metadata(f"{base}/api/vApp/1", {}),
        "PUT /api/vApp/1/leaseSettingsSection/": lambda: vcd.keep_for_ever(f"{base}/api/vApp/1"),
        "DELETE /api/vApp/1?force=True&recursive=False": (
            lambda: vcd.delete_vapp(f"{base}/api/vApp/1")
        ),
        "GET /api/cse/system": lambda: vcd.session.ask_json("GET", "/api/cse/system", "ask"),
        "POST /api/cse/clusters": lambda: vcd.session.ask_json(
            "POST", "/api/cse/clusters", "ask", body={}
        ),
    }
    for call, ask in calls.items():
        scripted.answer(call, moved)
        before = len(scripted.requests)
        with pytest.raises(
            VcdFault, match=rf"redirects to .*/api/other \(HTTP {status}\)"
        ) as caught:
            ask()
        assert not caught.value.outcome_unknown
        assert len(scripted.requests) == before + 1, call
    assert not scripted.asked("/api/other")
    assert stranger.seen == []


@pytest.mark.parametrize(
    "form",
    [
        "{other}/api/vApp/1",
        "https://127.0.0.1:{port}/api/vApp/1",
        "http://localhost:{port}/api/vApp/1",
        "http://127.0.0.1/api/vApp/1",
        "http://127.0.0.1:{port}@{other_host}/api/vApp/1",
        "http://me:secret@127.0.0.1:{port}/api/vApp/1",
        "http://{other_host}\\@127.0.0.1:{port}/api/vApp/1",
        "http://127.0.0.1:{port}\t.evil.example/api/vApp/1",
        "//{other_host}/api/vApp/1",
        "/api/vApp/1",
        "file:///etc/passwd",
        "http://[::1/api/vApp/1",
        "",
    ],
)
def test_an_address_elsewhere_gets_nothing(
    vcd: VcdClient, scripted: ScriptedVcd, stranger: Stranger, form: str
) -> None:
    port = scripted.base.rpartition(":")[2]
    href = form.format(other=stranger.base, other_host=stranger.base[7:], port=port)
    before = len(scripted.requests)
    with pytest.raises(CseError, match="names an address on another host") as caught:
        vcd.vapp(href)
    assert not isinstance(caught.value, VcdFault), "nobody waits for it to get better"
    assert TOKEN not in caught.value.message
    assert len(scripted.requests) == before
    assert stranger.seen == []


def test_every_kind_of_link_is_checked(
    vcd: VcdClient, scripted: ScriptedVcd, stranger: Stranger
) -> None:
    evil = stranger.base
    row = f'<VAppRecord name="demo" href="{evil}/api/vApp/1"/>'
    link = f'<Link rel="nextPage" href="{evil}/api/query?page=2"/>'
    scripted.answer("GET /api/query*", f"<QueryResultRecords {NS}>{link}{row}</QueryResultRecords>")
    with pytest.raises(CseError, match=f"another host for it, {evil}/api/query"):
        list(vcd.cluster_records())
    record = vcd.find_vapp(Vdc("vdc1", f"{scripted.base}/api/vdc/1", "acme"), "demo")
    assert record is not None
    with pytest.raises(CseError, match=f"another host for it, {evil}/api/vApp/1"):
        vcd.vapp(record.href)
    scripted.answer(
        "GET /api/vdc/1",
        f'<Vdc {NS} name="vdc1"><Link rel="add" href="{evil}/api/compose"'
        ' type="application/vnd.vmware.vcloud.composeVAppParams+xml"/></Vdc>',
    )
    with pytest.raises(CseError, match=f"another host for it, {evil}/api/compose"):
        vdc = Vdc("vdc1", f"{scripted.base}/api/vdc/1", "acme")
        vcd.compose(vdc, "demo", "", Network("net1", evil, Fence.ROUTED))
    scripted.answer("POST /api/vApp/1/metadata", TASK.replace("{base}", evil))
    started = vcd.write_metadata(f"{scripted.base}/api/vApp/1", {"a": "b"})
    with pytest.raises(CseError, match=f"another host for it, {evil}/api/task/1"):
        tasks.wait(vcd, started, deadline=vcd.clock.monotonic() + 100)
    with pytest.raises(CseError, match="another host for it"):
        other = replace(scripted.session(), vdc_href=f"{evil}/api/vdc/1")
        VcdClient.open(other).surroundings.vdc_document(VcdClient.open(other).surroundings.vdc())
    assert stranger.seen == []


PAGE = "<html><head><title>Sign &amp; in\n here</title></head><body><p>x</p></body></html>"
NOT_VCD = {
    "well-formed HTML": (PAGE, 'an HTML page titled "Sign & in here"'),
    "HTML 5": (f"<!DOCTYPE html>{PAGE}", 'an HTML page titled "Sign & in here"'),
    "XHTML": (PAGE.replace("<html", '<html xmlns="http://www.w3.org/1999/xhtml"'), "an HTML page"),
    "HTML without a title": ("<html><br></html>", "an HTML page without a title"),
    "JSON": ('{"message": "hello"}', "JSON"),
    "nothing": ("", "an empty body"),
    "text": ("hello", "plain text"),
    "XML of others": ('<rss version="2.0"/>', "XML of another kind, <rss>"),
    "another namespace": ('<VApp xmlns="urn:x"/>', "XML of another kind, <VApp>"),
    "another document": (f"<Org {NS}/>", "<Org> where <"),
    "damaged": (f"<VApp {NS}>", "XML that is damaged"),
    "entities": (
        '<!DOCTYPE a [<!ENTITY b "bbbbbbbb">]>' + f"<VApp {NS}>&b;</VApp>",
        "XML with a document type",
    ),
}


@pytest.mark.parametrize("kind", NOT_VCD)
def test_what_is_not_vcds_is_not_believed(vcd: VcdClient, scripted: ScriptedVcd, kind: str) -> None:
    body, told = NOT_VCD[kind]
    base = scripted.base
    vdc = Vdc("vdc1", f"{base}/api/vdc/1", "acme")
    network = Network("net1", f"{base}/api/network/1", Fence.ROUTED)
    # well-formed, as XML if it can be: the type says nothing
    scripted.answer("GET *", Answer(body, 200, "application/*+xml"))
    scripted.answer("GET /api/session", Answer(body, 200, "application/*+xml"))
    reads: list[Callable[[], object]] = [
        lambda: VcdClient.open(scripted.session()),
        lambda: list(vcd.cluster_records()),
        lambda: vcd.find_vapp(vdc, "demo"),
        vcd.surroundings.vdcs,
        lambda: vcd.vapp(f"{base}/api/vApp/1"),
        lambda: vcd.vapp_metadata(f"{base}/api/vApp/1"),
        lambda: vcd.vm(f"{base}/api/vApp/vm-1"),
        lambda: vcd.surroundings.vdc_document(vdc),
        lambda: vcd.surroundings.network_details(network),
        lambda: vcd.surroundings.address_plan(network),
        lambda: vcd.task(f"{base}/api/task/1"),
        lambda: vcd.customization_script(f"{base}/api/vApp/vm-1"),
        vcd.surroundings.templates,
        vcd.session.vcd_version,
    ]
    for number, read in enumerate(reads):
        with pytest.raises(VcdFault) as caught:
            read()
        assert (
            f"{base} does not answer like VMware Cloud Director ({told}" in caught.value.message
        ), number
        assert caught.value.lasting
    # one request each: it is no use to ask a stranger again
    assert len(scripted.requests) == 1 + len(reads)


@pytest.mark.parametrize("status", [403, 404])
def test_a_page_does_not_say_that_something_is_gone(
    vcd: VcdClient, scripted: ScriptedVcd, status: int
) -> None:
    href = f"{scripted.base}/api/vApp/1"
    scripted.answer("GET /api/vApp/1", Answer(PAGE, status, "text/html"))
    with pytest.raises(VcdFault, match=f"HTTP {status} and text/html, which is not a VCD answer"):
        vcd.gone(href)
    scripted.answer("GET /api/vApp/1", Answer("", status, ""))
    with pytest.raises(NotFound):
        vcd.vapp(href)


def test_a_change_is_not_believed_either(vcd: VcdClient, scripted: ScriptedVcd) -> None:
    scripted.answer("POST /api/vApp/1/metadata", Answer(PAGE, 200, "text/html"))
    with pytest.raises(VcdFault, match="does not answer like VMware") as caught:
        vcd.write_metadata(f"{scripted.base}/api/vApp/1", {"a": "b"})
    assert caught.value.outcome_unknown
    assert len(scripted.asked("POST")) == 1


@pytest.mark.parametrize("length", [1, 3])
def test_a_list_that_leads_back_to_itself_ends(
    vcd: VcdClient, scripted: ScriptedVcd, length: int
) -> None:
    def page(number: int) -> str:
        href = f"{scripted.base}/api/query?page={number}"
        link = f'<Link rel="nextPage" href="{href}"/>'
        return f"<QueryResultRecords {NS}>{link}</QueryResultRecords>"

    scripted.answer("GET /api/query?type*", page(1))
    for number in range(1, length + 1):
        following = number % length + 1
        scripted.answer(f"GET /api/query?page={number}", page(following))
    with pytest.raises(VcdFault, match="names as its next page one that was read already"):
        list(vcd.cluster_records())
    assert len(scripted.asked("/api/query")) == length + 1


def test_a_list_without_end_ends(
    vcd: VcdClient, scripted: ScriptedVcd, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounds, "MOST_PAGES", 20)
    pages = [
        f'<QueryResultRecords {NS}><Link rel="nextPage" href="{scripted.base}/api/query?type=x'
        f'&amp;page={number}"/></QueryResultRecords>'
        for number in range(2, 30)
    ]
    scripted.answer("GET /api/query*", *pages)
    with pytest.raises(VcdFault, match="has more than 20 pages, the most that are read"):
        list(vcd.cluster_records())


@pytest.mark.parametrize("name", MANNERS)
def test_whatever_a_server_does_a_request_ends(name: str, clock: FakeClock) -> None:
    ends_by, manner = MANNERS[name]
    seconds = 30.0 if ends_by == "size" else 0.6
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.monotonic()
    with Stranger(manner) as server, bounds.command_time(seconds):
        session = ScriptedVcd.session(server, verify=True)  # type: ignore[arg-type]
        with pytest.raises((VcdFault, TimedOut)) as caught:
            VcdClient.open(session, clock=clock)
    took = time.monotonic() - began
    if ends_by == "time":
        assert "0.6 seconds was up" in caught.value.message
    if ends_by == "size":
        assert "is larger than 16 MiB, the most that is read" in caught.value.message
    assert took < (8 if ends_by == "size" else 2.5)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 100 * 1024, f"{grown} KiB more memory"


DENSE = {
    "elements": (f"<VApp {NS}>" + "<a/>" * 1_100_000 + "</VApp>", "more than 600,000 parts"),
    "attributes": (
        f"<VApp {NS}>"
        + ("<a " + " ".join(f'b{n}=""' for n in range(10)) + "/>") * 100_000
        + "</VApp>",
        "more than 600,000 parts",
    ),
    "depth": (f"<VApp {NS}>" + "<a>" * 300 + "</a>" * 300 + "</VApp>", "more than 256 levels"),
}


@pytest.mark.parametrize("kind", DENSE)
def test_an_answer_of_too_many_parts_is_refused(
    vcd: VcdClient, scripted: ScriptedVcd, kind: str
) -> None:
    body, told = DENSE[kind]
    scripted.answer("GET /api/vApp/1", body)
    with pytest.raises(VcdFault, match=told) as caught:
        vcd.vapp(f"{scripted.base}/api/vApp/1")
    assert caught.value.lasting


def test_large_answers_that_vcd_has_reason_to_give_are_read(
    vcd: VcdClient, scripted: ScriptedVcd
) -> None:
    """A vApp of 128 VMs with scripts of 40 KB, and a thousand clusters on eight pages."""
    script = "echo 'a=b' &gt;&gt; /tmp/x\n" * 1600
    vm = (
        f'<Vm name="node" href="{scripted.base}/api/vApp/vm-1" status="4">'
        + '<Link rel="down" href="https://vcd.example.com/api/x" type="application/x"/>' * 60
        + f"<GuestCustomizationSection><CustomizationScript>{script}</CustomizationScript>"
        "</GuestCustomizationSection></Vm>"
    )
    children = f"<Children>{vm * 128}</Children>"
    scripted.answer("GET /api/vApp/1", VAPP.replace("/>", f">{children}</VApp>"))
    assert len(vcd.vapp(f"{scripted.base}/api/vApp/1").vms) == 128
    rows = "".join(f'<VAppRecord name="c{n}" href="{scripted.base}/{n}"/>' for n in range(125))
    pages = [
        f'<QueryResultRecords {NS}><Link rel="nextPage" href="{scripted.base}/api/query?type=vApp'
        f'&amp;page={number}"/>{rows}</QueryResultRecords>'
        for number in range(2, 9)
    ]
    scripted.answer(
        "GET /api/query*", *pages, f"<QueryResultRecords {NS}>{rows}</QueryResultRecords>"
    )
    assert len(list(vcd.cluster_records())) == 1000


def test_a_compressed_answer_is_read(clock: FakeClock) -> None:
    import gzip

    body = gzip.compress(SESSION.format(base="http://127.0.0.1:1").encode())
    manner: Manner = answer("200 OK", body, Content_Encoding="gzip", Content_Type="application/xml")
    with Stranger(manner) as server:
        session = ScriptedVcd.session(server)  # type: ignore[arg-type]
        assert VcdClient.open(session, clock=clock).session.org_href.endswith("/api/org/1")
        assert "Accept-Encoding: gzip\r\n" in server.seen[0]


def test_an_answer_that_breaks_off_is_not_a_whole_one(clock: FakeClock) -> None:
    whole = SESSION.format(base="x").encode()

    def half(connection: object, _stopped: object) -> None:
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(whole) + 10}\r\n\r\n".encode()
        connection.sendall(head + whole)  # type: ignore[attr-defined]

    with Stranger(half) as server:
        session = ScriptedVcd.session(server)  # type: ignore[arg-type]
        with pytest.raises(VcdFault, match="broke off"):
            VcdClient.open(session, clock=clock)


@pytest.mark.parametrize(
    "proxy", ["::::", "http://[::1", "http://", "x y", "ftp://h:1", "http://me:secret@h:99999"]
)
def test_a_proxy_that_is_not_an_address_is_named(
    clock: FakeClock, monkeypatch: pytest.MonkeyPatch, proxy: str
) -> None:
    monkeypatch.delenv("NO_PROXY")
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    session = Session("vcd.invalid", "acme", "bob", "36.0", TOKEN)
    with pytest.raises(
        VcdFault, match=r"the proxy '.*' on the way to vcd\.invalid cannot"
    ) as caught:
        VcdClient.open(session, clock=clock)
    assert "secret@" not in caught.value.message
    assert clock.slept == []


@pytest.mark.parametrize(
    "content", [b"hello", b"", b"-----BEGIN CERTIFICATE-----\nabc\n-----END CERTIFICATE-----\n"]
)
def test_a_file_that_holds_no_certificates_is_named(
    clock: FakeClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    (tmp_path / "ca.pem").write_bytes(content)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "ca.pem"))
    with Stranger(MANNERS["silence"][1]) as server:
        session = Session(f"https://127.0.0.1:{server.port}", "acme", "bob", "36.0", TOKEN)
        with pytest.raises(
            VcdFault, match=r"contains no PEM certificates \(REQUESTS_CA_BUNDLE="
        ) as caught:
            VcdClient.open(session, clock=clock)
    assert caught.value.lasting and clock.slept == []
