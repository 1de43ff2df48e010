"""Versions, logins, sessions: what a release serves, and how it refuses (vcd-api 7.2, point 1)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cse_client.simulator import Simulator
from tests.simulator.client import Tenant, basic, pyvcloud_client

VERSIONS = "{http://www.vmware.com/vcloud/versions}"


def served(root: Any) -> dict[str | None, str | None]:
    return {
        info.findtext(f"{VERSIONS}Version"): info.get("deprecated")
        for info in root.iter(f"{VERSIONS}VersionInfo")
    }


@pytest.mark.parametrize(
    ("release", "offered", "missing"),
    [
        ("10.1", "34.0", "35.0"),
        ("10.2", "35.0", "36.0"),
        ("10.3", "36.0", "37.0"),
        ("10.4", "36.0", "38.0"),
        ("10.5", "36.0", "34.0"),
        ("10.6", "38.0", "36.0"),
    ],
)
def test_each_release_serves_its_versions_and_refuses_others_with_406(
    release: str, offered: str, missing: str
) -> None:
    with Simulator(guests=False, release=release) as simulator:
        tenant = Tenant(simulator, version=offered)
        versions = served(tenant.send("GET", "/api/versions").xml)
        assert offered in versions
        assert missing not in versions
        tenant.login()
        tenant.get("/api/session")
        tenant.version = missing
        answer = tenant.send("GET", "/api/session")
        assert answer.status == 406
        assert answer.code == "NOT_ACCEPTABLE"
        assert "Supported API versions are: [" in answer.message
        assert offered in answer.message
        tenant.close()


def test_deprecated_versions_are_marked_in_both_places() -> None:
    with Simulator(guests=False, release="10.5") as simulator:
        tenant = Tenant(simulator, version="36.0")
        assert served(tenant.send("GET", "/api/versions").xml)["36.0"] == "true"
        tenant.login()
        tenant.version = "30.0"
        assert "36.0 [D]" in tenant.send("GET", "/api/session").message
        tenant.close()


def test_wrong_credentials_get_an_empty_401(simulator: Simulator) -> None:
    tenant = Tenant(simulator)
    password = simulator.password()
    for name, word in [("admin@acme", "x"), ("nobody@acme", password), ("admin@other", password)]:
        answer = tenant.send(
            "POST",
            "/cloudapi/1.0.0/sessions",
            accept="application/json",
            headers={"Authorization": basic(name, word)},
        )
        assert (answer.status, answer.body) == (401, b"")
        assert answer.headers["WWW-Authenticate"] == 'BASIC realm="vCloud"'
    tenant.close()


def test_header_names_of_the_token_are_in_upper_case(simulator: Simulator) -> None:
    tenant = Tenant(simulator)
    answer = tenant.send(
        "POST",
        "/cloudapi/1.0.0/sessions",
        accept="application/json",
        headers={"Authorization": basic("admin@acme", simulator.password())},
    )
    names = list(answer.headers.keys())
    assert "X-VMWARE-VCLOUD-ACCESS-TOKEN" in names
    assert answer.headers["X-VMWARE-VCLOUD-TOKEN-TYPE"] == "Bearer"
    tenant.close()


def test_below_33_the_old_login_and_its_header_work() -> None:
    with Simulator(guests=False, release="10.2") as simulator:
        tenant = Tenant(simulator, version="32.0")
        login = {"Authorization": basic("admin@acme", simulator.password())}
        answer = tenant.send("POST", "/api/sessions", headers=login)
        assert answer.status == 200
        token = {"x-vcloud-authorization": answer.headers["x-vcloud-authorization"]}
        assert tenant.send("GET", "/api/session", headers=token).status == 200
        assert tenant.send("DELETE", "/api/session", headers=token).status == 204
        assert tenant.send("GET", "/api/session", headers=token).status == 401
        tenant.close()


def test_from_38_on_the_old_login_and_logout_are_gone() -> None:
    with Simulator(guests=False, release="10.6") as simulator:
        tenant = Tenant(simulator, version="38.0").login()
        login = {"Authorization": basic("admin@acme", simulator.password())}
        assert tenant.send("POST", "/api/sessions", headers=login).status == 405
        assert tenant.send("DELETE", "/api/session").status == 405
        tenant.get("/api/session")
        tenant.close()


def test_a_session_ends_by_idling_by_age_and_by_logout(simulator: Simulator) -> None:
    tenant = Tenant(simulator).login()
    simulator.clock.advance(29 * 60)
    tenant.get("/api/session")
    simulator.clock.advance(29 * 60)
    tenant.get("/api/session")
    simulator.clock.advance(31 * 60)
    assert tenant.send("GET", "/api/session").status == 401
    tenant.login()
    tenant.control("POST", "sessions", {"idle_timeout": 1e9})
    simulator.clock.advance(25 * 3600)
    assert tenant.send("GET", "/api/session").status == 401
    tenant.login()
    assert tenant.send("DELETE", "/api/session").status == 204
    assert tenant.send("GET", "/api/session").status == 401
    tenant.close()


def test_cse_is_not_registered_and_unknown_calls_are_loud(
    simulator: Simulator, tenant: Tenant, capfd: pytest.CaptureFixture[str]
) -> None:
    answer = tenant.send("GET", "/api/cse/system")
    assert (answer.status, answer.code) == (404, "NOT_FOUND")
    answer = tenant.send("GET", "/api/vApp/startTheWorld")
    assert answer.status == 501
    assert "does not implement GET /api/vApp/startTheWorld" in capfd.readouterr().err
    # whether VCD has the method there is not known: that is no 405
    assert tenant.send("PUT", "/api/session").status == 501


def test_an_alpha_version_is_served_to_those_who_ask(simulator: Simulator) -> None:
    tenant = Tenant(simulator, version="37.0.0-alpha").login()
    tenant.get("/api/session")
    assert "37.0.0-alpha" not in served(tenant.send("GET", "/api/versions").xml)
    tenant.close()


def test_the_xml_api_in_json_is_not_there_and_says_so(
    tenant: Tenant, capfd: pytest.CaptureFixture[str]
) -> None:
    answer = tenant.send("GET", "/api/session", accept="application/*+json")
    assert answer.status == 501
    assert "in JSON" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("release", "negotiated"),
    [("10.1", "34.0"), ("10.2", "35.0"), ("10.3", "36.0"), ("10.4", "36.0"), ("10.5", "36.0")],
)
def test_pyvcloud_negotiates_as_with_real_releases(
    release: str, negotiated: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with (
        Simulator(guests=False, release=release) as simulator,
        pyvcloud_client(simulator, monkeypatch, tmp_path) as client,
    ):
        assert client.get_api_version() == negotiated


def test_pyvcloud_finds_no_version_on_10_6(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from pyvcloud.vcd.exceptions import VcdException

    with Simulator(guests=False, release="10.6") as simulator:
        client = pyvcloud_client(simulator, monkeypatch, tmp_path)
        with pytest.raises(VcdException, match="Unable to find a supported API version"):
            client.__enter__()
