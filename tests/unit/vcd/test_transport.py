"""What goes over the wire: tries, tokens, silence in the logs."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from cse_client.errors import SessionInvalid, VcdFault
from cse_client.model import Fence, Network, Session, Vdc
from cse_client.vcd import wire
from cse_client.vcd.client import VcdClient
from tests.support.clock import FakeClock
from tests.support.scripted_vcd import Answer, ScriptedVcd

VAPP = (
    '<VApp xmlns="http://www.vmware.com/vcloud/v1.5" name="demo" status="8"'
    ' href="{base}/api/vApp/1"/>'
)
TASK = (
    '<Task xmlns="http://www.vmware.com/vcloud/v1.5" status="running" href="{base}/api/task/1"'
    ' operation="Creating demo"/>'
)
VDC = (
    '<Vdc xmlns="http://www.vmware.com/vcloud/v1.5" name="vdc1" href="{base}/api/vdc/1">'
    '<Link rel="add" type="application/vnd.vmware.vcloud.composeVAppParams+xml"'
    ' href="{base}/api/vdc/1/action/composeVApp"/></Vdc>'
)
VERSIONS = '<SupportedVersions xmlns="http://www.vmware.com/vcloud/versions">'


@pytest.fixture
def vcd(scripted: ScriptedVcd, clock: FakeClock) -> VcdClient:
    return VcdClient.open(scripted.session(), clock=clock)


def test_opening_costs_one_request_with_the_token_and_version(
    vcd: VcdClient, scripted: ScriptedVcd
) -> None:
    assert scripted.asked() == ["GET /api/session"]
    headers = scripted.requests[0].headers
    assert headers["Authorization"] == "Bearer very-secret-token"
    assert headers["Accept"] == "application/*+xml;version=36.0"
    assert vcd.session.org_name == "acme"
    assert vcd.session.org_href == f"{scripted.base}/api/org/1"
    assert vcd.requests_sent == 1


def test_an_old_session_uses_the_old_header(scripted: ScriptedVcd, clock: FakeClock) -> None:
    VcdClient.open(scripted.session(is_jwt=False, api_version="31.0"), clock=clock)
    headers = scripted.requests[0].headers
    assert headers["x-vcloud-authorization"] == "very-secret-token"
    assert "Authorization" not in headers


def test_a_netrc_file_does_not_replace_the_token(
    scripted: ScriptedVcd, clock: FakeClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login eve password eve\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    VcdClient.open(scripted.session(), clock=clock)
    assert scripted.requests[0].headers["Authorization"] == "Bearer very-secret-token"


def test_no_log_file_appears_and_nothing_is_logged(
    scripted: ScriptedVcd,
    clock: FakeClock,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.chdir(tmp_path)
    scripted.answer("GET /api/vApp/1", VAPP)
    with caplog.at_level(logging.DEBUG):
        VcdClient.open(scripted.session(), clock=clock).vapp(f"{scripted.base}/api/vApp/1")
    assert list(tmp_path.iterdir()) == []
    assert "very-secret-token" not in caplog.text
    assert "VApp" not in caplog.text


@pytest.mark.parametrize(
    "hiccup",
    [
        Answer(drop=True),
        Answer("<html/>", 503, "text/html"),
        Answer("", 502, ""),
        Answer("", 429, ""),
    ],
)
def test_a_read_is_tried_again_after_a_hiccup(
    vcd: VcdClient, scripted: ScriptedVcd, clock: FakeClock, hiccup: Answer
) -> None:
    scripted.answer("GET /api/vApp/1", hiccup, hiccup, VAPP.replace("{base}", scripted.base))
    assert vcd.vapp(f"{scripted.base}/api/vApp/1").name == "demo"
    assert clock.slept == [0.3, 0.6]


def test_a_pause_that_the_server_asks_for_is_kept(
    vcd: VcdClient, scripted: ScriptedVcd, clock: FakeClock
) -> None:
    busy = Answer("", 429, "", headers={"Retry-After": "7"})
    scripted.answer("GET /api/vApp/1", busy, VAPP.replace("{base}", scripted.base))
    vcd.vapp(f"{scripted.base}/api/vApp/1")
    assert clock.slept == [7.0]


def test_a_read_is_given_up_after_six_tries(
    vcd: VcdClient, scripted: ScriptedVcd, clock: FakeClock
) -> None:
    scripted.answer("GET /api/vApp/1", Answer(drop=True))
    with pytest.raises(VcdFault, match="broke off") as caught:
        vcd.vapp(f"{scripted.base}/api/vApp/1")
    assert len(scripted.asked("/api/vApp/1")) == 6
    assert not caught.value.outcome_unknown


def test_a_silent_server_is_not_waited_for_for_ever(
    scripted: ScriptedVcd, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wire, "_SILENCE", 0.1)
    vcd = VcdClient.open(scripted.session(), clock=clock)
    scripted.answer("GET /api/vApp/1", Answer(silence=2.0))
    scripted.answer("POST /api/vApp/1/metadata", Answer(silence=2.0))
    with pytest.raises(VcdFault, match="did not answer in time") as caught:
        vcd.vapp(f"{scripted.base}/api/vApp/1")
    assert not caught.value.outcome_unknown
    with pytest.raises(VcdFault, match="did not answer in time") as caught:
        vcd.write_metadata(f"{scripted.base}/api/vApp/1", {"a": "b"})
    assert caught.value.outcome_unknown
    assert len(scripted.asked("POST")) == 1


def test_vcds_own_500_is_tried_twice_again(vcd: VcdClient, scripted: ScriptedVcd) -> None:
    body = (
        '<Error xmlns="http://www.vmware.com/vcloud/v1.5" majorErrorCode="500" '
        'minorErrorCode="INTERNAL_SERVER_ERROR" message="no"/>'
    )
    scripted.answer("GET /api/vApp/1", Answer(body, 500))
    with pytest.raises(VcdFault, match="Cannot read the vApp: no"):
        vcd.vapp(f"{scripted.base}/api/vApp/1")
    assert len(scripted.asked("/api/vApp/1")) == 3


@pytest.mark.parametrize("hiccup", [Answer(drop=True), Answer("<html/>", 504, "text/html")])
def test_a_change_that_got_no_answer_is_sent_once_and_marked(
    vcd: VcdClient, scripted: ScriptedVcd, hiccup: Answer
) -> None:
    scripted.answer("GET /api/vdc/1", VDC)
    scripted.answer("POST /api/vdc/1/action/composeVApp", hiccup)
    vdc = Vdc("vdc1", f"{scripted.base}/api/vdc/1", "acme")
    network = Network("net1", f"{scripted.base}/api/network/1", Fence.ROUTED)
    with pytest.raises(VcdFault) as caught:
        vcd.compose(vdc, "demo", "d", network)
    assert caught.value.outcome_unknown
    assert not caught.value.repeatable
    assert len(scripted.asked("POST")) == 1


def test_a_session_that_ends_in_the_middle_is_named(vcd: VcdClient, scripted: ScriptedVcd) -> None:
    scripted.answer("POST /api/vApp/1/metadata", Answer("", 401, ""))
    with pytest.raises(SessionInvalid) as caught:
        vcd.write_metadata(f"{scripted.base}/api/vApp/1", {"cse.cluster.id": "x"})
    assert caught.value.hint.startswith("Log in again: vcd cse login http://127.0.0.1:")


def test_a_change_answers_with_its_task(vcd: VcdClient, scripted: ScriptedVcd) -> None:
    scripted.answer("DELETE /api/vApp/1?force=True&recursive=False", TASK)
    task = vcd.delete_vapp(f"{scripted.base}/api/vApp/1")
    assert (task.status, task.id, task.name) == ("running", "1", "Creating demo")


def test_a_change_without_a_task_is_not_taken_for_done(
    vcd: VcdClient, scripted: ScriptedVcd
) -> None:
    scripted.answer("POST /api/vApp/1/power/action/powerOn", Answer("", 202))
    with pytest.raises(VcdFault, match="answered without a task") as caught:
        vcd.power_on_vapp(f"{scripted.base}/api/vApp/1")
    assert caught.value.outcome_unknown


@pytest.mark.parametrize(
    ("served", "told"),
    [
        (["35.2", "36.0", "36.3"], "10.3 (API up to 36.3)"),
        (["36.3", "37.2", "38.1"], "10.5.1 (API up to 38.1)"),
        (["39.0"], "10.6 (API up to 39.0)"),
        (["40.0"], "unknown (API up to 40.0)"),
    ],
)
def test_the_release_is_derived_from_the_api(
    vcd: VcdClient, scripted: ScriptedVcd, served: list[str], told: str
) -> None:
    rows = "".join(f"<VersionInfo><Version>{one}</Version></VersionInfo>" for one in served)
    scripted.answer("GET /api/versions", f"{VERSIONS}{rows}</SupportedVersions>")
    assert vcd.session.vcd_version() == told


def test_a_ca_file_that_is_not_there_is_named(
    clock: FakeClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = tmp_path / "gone.pem"
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(missing))
    session = Session("https://127.0.0.1:1", "acme", "bob", "36.0", "very-secret-token")
    with pytest.raises(VcdFault, match="does not exist") as caught:
        VcdClient.open(session, clock=clock)
    assert f"REQUESTS_CA_BUNDLE={missing}" in caught.value.message
    assert "unset it" in caught.value.hint
