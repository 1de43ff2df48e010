"""`doctor` on broken worlds: what is broken comes first, with its cure."""

from __future__ import annotations

import json
import re
import shutil
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.programs import CSE, Result, Workstation, clean_environment
from tests.support.simulator import (
    Asker,
    Cloud,
    Control,
    running_simulator,
)

JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhZG1pbiJ9.c2lnbmF0dXJl"
RIGHTS = "users/admin"
USER_VIEW = "General: Administrator View"


@dataclass(frozen=True)
class World:
    """One thing that is wrong: in the profile, a file, a variable, or the cloud.

    `cloud` maps a target of the control endpoint to what is set there, and to what undoes it.
    `first` is what the first line says, `fix` what its cure says, and `repaired` whether --fix
    helps.
    """

    first: str
    fix: str
    profile: Mapping[str, Any] = field(default_factory=dict)
    text: str = ""
    files: Mapping[str, tuple[str, int]] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    cloud: Mapping[str, tuple[dict[str, Any], dict[str, Any]]] = field(default_factory=dict)
    state: str = "error"
    repaired: bool = False


def right(name: str, first: str, state: str = "error") -> World:
    taken, given = {"rights": {name: False}}, {"rights": {name: True}}
    return World(
        rf'You do not have the right "{name}": {first}',
        r"Ask an organization administrator to add it to your role\.",
        cloud={RIGHTS: (taken, given)},
        state=state,
    )


LOGIN = r"Log in again: cse login \S+ acme admin"
WORLDS: dict[str, World] = {
    "a profile for everybody": World(
        r"Other users can access \S+/profiles\.yaml, which contains secrets\.",
        r"chmod 600 \S+/profiles\.yaml",
        files={".vcd-cli/profiles.yaml": ("", 0o644)},
        state="warning",
        repaired=True,
    ),
    "a token file for everybody": World(
        r"Other users can access \S+/my-token, which contains secrets\.",
        r"chmod 600 \S+/my-token",
        profile={"cse_token_file": "{home}/my-token"},
        files={"my-token": ("x", 0o640)},
        state="warning",
        repaired=True,
    ),
    "a log with a token": World(
        r"\S+/vcd\.log contains session tokens that vcd-cli wrote\.",
        r"rm \S+/vcd\.log",
        files={"vcd.log": (f"Response headers: {{'X-ACCESS-TOKEN': '{JWT}'}}\n", 0o644)},
        state="warning",
        repaired=True,
    ),
    "a damaged profile": World(
        r"~/\.vcd-cli/profiles\.yaml is damaged: .*",
        r"Correct it as in profiles\.example\.yaml, or remove it\. Then log in again\.",
        text="profiles: [",
    ),
    "an unknown engine": World(
        r"The engine 'fast' does not exist \(cse_engine in ~/\.vcd-cli/profiles\.yaml\)\.",
        r"Use one of: auto, direct, server\.",
        profile={"cse_engine": "fast"},
    ),
    "a CA file that is not there": World(
        r"The file of trusted certificates does not exist \(REQUESTS_CA_BUNDLE=/none\.pem\)\.",
        r"Set the variable to another file, or unset it\.",
        env={"REQUESTS_CA_BUNDLE": "/none.pem"},
    ),
    "an extension that is not registered": World(
        r"cse_client\.cse is not registered with vcd-cli, so that there is no 'vcd cse'\.",
        r"vcd profile extension add cse_client\.cse",
        profile={"extensions": []},
        state="warning",
    ),
    "two extensions": World(
        r"Two extensions define 'vcd cse': cse_client\.cse and container_service_extension\..*",
        r"vcd profile extension delete container_service_extension\.client\.cse --yes",
        profile={"extensions": ["cse_client.cse", "container_service_extension.client.cse"]},
    ),
    "a setuptools without pkg_resources": World(
        r"vcd-cli \S+ does not start: it needs pkg_resources, which setuptools \S+ does not.*",
        r"Use the program cse, or: pip install 'setuptools>=78\.1\.1,<80\.9'",
        env={"PYTHONPATH": "{home}/blocker"},
        files={
            "blocker/sitecustomize.py": ("import sys; sys.modules['pkg_resources'] = None", 0o600)
        },
        state="warning",
    ),
    "a click of another time": World(
        r"click 9\.0 is not one of the versions that this client is tested with\.",
        r"pip install 'click>=7\.1,<8\.6'",
        env={"PYTHONPATH": "{home}/packages"},
        files={"packages/click-9.0.dist-info/METADATA": ("Name: click\nVersion: 9.0\n", 0o600)},
        state="warning",
    ),
    "nobody logged in": World(
        r"You are not logged in\.", r"Log in: cse login HOST .*", profile={"token": ""}
    ),
    "a session that ended": World(
        r"The session at \S+ has expired or is not valid .*", LOGIN, profile={"token": JWT}
    ),
    "a token file that is gone": World(
        r"The session at \S+ has expired, and cannot be renewed: the API token file \S+ cannot .*",
        r"Log in again: cse login \S+ acme --token-file \S+/none",
        profile={"token": JWT, "cse_token_file": "{home}/none"},
    ),
    "a host that cannot be": World(
        r"The stored session is damaged: 'vcd:99999' is not the name of a host \(host in .*\)\.",
        r"Log in again: cse login HOST .*",
        profile={"host": "vcd:99999"},
    ),
    "another host": World(
        r"Cannot read the API versions: 127\.0\.0\.1:1 cannot be reached: .*",
        r"Check the host name, the network and the VPN\.",
        profile={"host": "127.0.0.1:1"},
    ),
    "a CA that is not this VCD's": World(
        r"Cannot read the API versions: the TLS certificate of \S+ cannot be verified: .*",
        r"Specify the file of its CA: cse login \S+ acme admin --ca-file FILE",
        profile={"verify": True},
    ),
    "a pinned CA that is gone": World(
        r"Cannot read the API versions: the pinned CA of \S+, /none\.pem, cannot be read\.",
        r"Log in again with it: cse login \S+ acme admin --ca-file FILE",
        profile={"verify": "/none.pem"},
    ),
    "an API version that is not served": World(
        r"VCD does not serve API version 36\.0; it offers 39\.1, 39\.0, .*",
        LOGIN,
        profile={"api_version": "36.0"},
    ),
    "a clock a day behind": World(
        r"The clock of this machine is 1 day behind VCD's; .*",
        r"Set the clock of this machine, for example with NTP\.",
        cloud={"clock": ({"error": 86400}, {"error": 0})},
    ),
    "a clock ten minutes ahead": World(
        r"The clock of this machine is 10 minutes ahead of VCD's; .*",
        r"Set the clock .*",
        cloud={"clock": ({"error": -600}, {"error": 0})},
        state="warning",
    ),
    "a VDC that is gone": World(
        r"Organization 'acme' has no VDC 'gone'; available: vdc1, vdc2\.",
        "",
        profile={"vdc_in_use": "gone", "vdc_href": ""},
    ),
    "no right to create": right("vApp: Create / Reconfigure", r"cluster create, .* fail\."),
    "no right to create, nor to see that": World(
        r"You may not create vApps in VDC 'vdc1'\.",
        r".*vApp: Create / Reconfigure.*",
        cloud={
            RIGHTS: (
                {"rights": {"vApp: Create / Reconfigure": False, USER_VIEW: False}},
                {"rights": {"vApp: Create / Reconfigure": True, USER_VIEW: True}},
            )
        },
    ),
    "no right to change": right("vApp: Edit Properties", r"every command .* fails\."),
    "no right to power": right("vApp: Power Operations", r"cluster create, .* fail\."),
    "no right to delete": right("vApp: Delete", r"cluster delete and node delete fail\."),
    "no right to Extra Config": right(
        "vApp: Allow All Extra Config", r"the progress .*", "warning"
    ),
    "no right to NAT rules": right(
        "Organization vDC Gateway: View NAT", r"whether a network .*", "warning"
    ),
    "no right to API tokens": right("API Tokens: Manage", r"you cannot log in .*", "warning"),
    "a disabled VDC": World(
        r"VDC 'vdc1' is disabled\.",
        r"Ask your provider\.",
        cloud={"vdcs/vdc1": ({"enabled": False}, {"enabled": True})},
    ),
    "a full VDC": World(
        r"VDC 'vdc1' has no VM left\.",
        r"Delete what is not needed, or ask your provider for more\.",
        cloud={"vdcs/vdc1": ({"vm_quota": 1}, {"vm_quota": 0})},
    ),
    "no storage": World(
        r"VDC 'vdc1' has no storage profile that is enabled\.",
        r"Ask your provider\.",
        cloud={
            "vdcs/vdc1": (
                {"storage": {"gold": {"enabled": False}, "silver": {"enabled": False}}},
                {"storage": {"gold": {"enabled": True}, "silver": {"enabled": True}}},
            )
        },
    ),
    "leases": World(
        r"The organization's policy stops running vApps after 7 days\.",
        r"Renew the lease .*",
        cloud={"org": ({"longest_deployment_lease": 604800}, {"longest_deployment_lease": 0})},
        state="warning",
    ),
    "a template without a network adapter": World(
        r"The VM of the template 'ubuntu-24\.04_k8-1\.33_\S+' has no network adapter\.",
        r"Add one in VCD, or use another template\.",
        cloud={
            "templates/ubuntu-24.04_k8-1.33_antrea-2.3_rev1": (
                {"has_nic": False},
                {"has_nic": True},
            )
        },
        state="warning",
    ),
    "networks without DNS": World(
        r"No network of VDC 'vdc1' is fit for a cluster: net1: it has no DNS server; net2: .*",
        r"Create a routed network with a static IP pool, DNS and an SNAT rule\.",
        cloud={
            "networks/net1": ({"dns": []}, {"dns": ["127.0.0.53"]}),
            "networks/net3": ({"dns": []}, {"dns": ["127.0.0.53"]}),
        },
    ),
}


@pytest.fixture(scope="module")
def today(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """A VCD 10.6 with one VM in it."""
    folder = tmp_path_factory.mktemp("today")
    with running_simulator(folder, "--vcd", "10.6", "--no-guests") as cloud:
        Control(cloud).set("vapps", count=1)
        yield cloud


@pytest.fixture(scope="module")
def profile(today: Cloud, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a login stored."""
    home = tmp_path_factory.mktemp("profile")
    token = Asker(today, "admin", today.password).token
    words = ("login", today.host, "acme", "--session-stdin", "--ca-file", today.ca)
    Workstation(home).run(CSE, *words, stdin=token).checked()
    stored: dict[str, Any] = yaml.safe_load((home / ".vcd-cli" / "profiles.yaml").read_text())
    shutil.copy(stored["profiles"][0]["verify"], home / "ca.pem")
    stored["profiles"][0]["verify"] = str(home / "ca.pem")
    return dict(stored["profiles"][0])


class Doctor:
    """`cse doctor` in a home."""

    def __init__(self, home: Path, env: Mapping[str, str]) -> None:
        # the download of add-ons fails at once, and last
        proxy = {"HTTPS_PROXY": "http://127.0.0.1:1"}
        self._shell = Workstation(home, {**clean_environment(home), **proxy, **env})

    def __call__(self, *words: str, root: tuple[str, ...] = ("-j",)) -> Result:
        return self.run(CSE, *root, "doctor", *words)

    def run(self, *words: str) -> Result:
        return self._shell.run(*words)

    def findings(self, *words: str) -> list[dict[str, str]]:
        found: list[dict[str, str]] = json.loads(self(*words).out)
        return found


def settle(home: Path, profile: dict[str, Any], world: World) -> Doctor:
    """Make a home in a world, and return its doctor."""

    def here(value: Any) -> Any:
        return value.replace("{home}", str(home)) if isinstance(value, str) else value

    changed = {key: here(value) for key, value in {**profile, **world.profile}.items()}
    extensions = changed.pop("extensions", ["cse_client.cse"])
    data = {"active": "default", "extensions": extensions, "profiles": [changed]}
    profiles = home / ".vcd-cli" / "profiles.yaml"
    profiles.write_text(world.text or yaml.safe_dump(data))
    profiles.chmod(0o600)
    for name, (text, mode) in world.files.items():
        path = home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if text:
            path.write_text(text)
        path.chmod(mode)
    return Doctor(home, {key: here(value) for key, value in world.env.items()})


@pytest.fixture
def broken(
    request: pytest.FixtureRequest, home: Path, today: Cloud, profile: dict[str, Any]
) -> Iterator[tuple[World, Doctor]]:
    """A world of the table, and a doctor in it."""
    world = WORLDS[request.param]
    control = Control(today)
    for target, (wrong, _right) in world.cloud.items():
        control.set(target, **wrong)
    yield world, settle(home, profile, world)
    for target, (_wrong, right_) in world.cloud.items():
        control.set(target, **right_)


@pytest.mark.parametrize("program", [("cse",), ("vcd", "cse")])
def test_a_healthy_world(
    home: Path, profile: dict[str, Any], today: Cloud, program: tuple[str, ...]
) -> None:
    doctor = settle(home, profile, World("", ""))
    findings = doctor.findings()
    assert [one["state"] for one in findings] == ["warning", *["ok"] * (len(findings) - 1)]
    assert findings[0]["check"] == "add-ons"
    shown = doctor.run(*program, "doctor")
    assert shown.code == 0
    assert f"ok       Logged in to {today.host} as admin of organization acme.\n" in shown.out
    cure = "Fix: Use a proxy (HTTPS_PROXY), or install add-ons from a mirror or a file: "
    assert f"{cure}{' '.join(program)} addon install --help\n" in shown.out


@pytest.mark.parametrize("broken", WORLDS, indirect=True)
def test_what_is_broken_comes_first(broken: tuple[World, Doctor]) -> None:
    world, doctor = broken
    result = doctor()
    first, *others = json.loads(result.out)
    assert re.fullmatch(world.first, first["message"]), first
    assert re.fullmatch(world.fix, first["cure"]), first
    assert first["state"] == world.state
    assert result.code == (1 if world.state == "error" else 0)
    assert world.state not in [one["state"] for one in others if one["check"] != "add-ons"]
    assert result.err == ""
    if world.repaired:
        assert world.first not in [one["message"] for one in doctor.findings("--fix")]
        assert [one["check"] for one in doctor.findings() if one["state"] != "ok"] == ["add-ons"]


def test_tokens_are_removed_from_a_log_and_nothing_else(
    home: Path, profile: dict[str, Any], today: Cloud
) -> None:
    del today
    doctor = settle(home, profile, WORLDS["a log with a token"])
    doctor("--fix")
    log = home / "vcd.log"
    assert JWT not in log.read_text()
    assert "Response headers" in log.read_text()
    assert stat.S_IMODE(log.stat().st_mode) == 0o600


def test_an_empty_key_is_repaired(home: Path, profile: dict[str, Any]) -> None:
    doctor = settle(
        home, profile, World("", "", text="extensions: [cse_client.cse]\nprofiles:\nactive: null\n")
    )
    assert "on which vcd-cli's login fails" in doctor(root=()).out
    doctor("--fix")
    kept = yaml.safe_load((home / ".vcd-cli" / "profiles.yaml").read_text())
    assert kept == {"extensions": ["cse_client.cse"], "active": None}
