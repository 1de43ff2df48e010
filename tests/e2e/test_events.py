"""`cluster events`: what was done to a cluster, by whom, and how it ended."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest

from tests.support.programs import CSE, Workstation
from tests.support.simulator import Cloud, Control, api_token, start_simulator, stop_simulator


@pytest.fixture(scope="module", params=["10.1", "10.6"])
def place(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Workstation, Control, str]]:
    """A home that is logged in to a cloud with a cluster of two VMs, and the cluster's name."""
    folder = tmp_path_factory.mktemp("cloud")
    process, cloud = start_simulator(folder, "--vcd", request.param, "--no-guests")
    control = Control(cloud)
    control.set("vapps", count=1, running=False)
    (name,) = control.get("state")["vapps"]
    home = tmp_path_factory.mktemp("home")
    shell = Workstation(home)
    log_in(shell, cloud, request.param)
    yield shell, control, name
    stop_simulator(process)


def log_in(shell: Workstation, cloud: Cloud, release: str) -> None:
    if release == "10.1":  # which has no API tokens
        shell.environment.update(cloud.environment(), VCD_PASSWORD=cloud.password)
        shell.vcd("login", cloud.host, cloud.org, cloud.user).checked()
        return
    token = api_token(cloud, "admin", cloud.password)[0]
    words = ("login", cloud.host, "acme", "--ca-file", cloud.ca)
    shell.run(CSE, *words, env={"CSE_API_TOKEN": token}).checked()


def test_what_happened(place: tuple[Workstation, Control, str]) -> None:
    shell, control, name = place
    empty = shell.run(CSE, "cluster", "events", name)
    assert (empty.code, empty.out) == (0, "")
    assert empty.err == f"VCD has no tasks of cluster {name}.\n"
    shell.vcd("vapp", "power-on", name).checked()
    shell.vcd("vapp", "power-off", "--yes", name).checked()
    control.set("faults", kind="task", operation="vappDeploy", message="No host is compatible.")
    shell.vcd("vapp", "power-on", name)
    shown = shell.run(CSE, "cluster", "events", name).checked().splitlines()
    assert re.split(r"  +", shown[0]) == ["When", "What", "Object", "User", "Duration", "Result"]
    rows = [re.split(r"  +", line) for line in shown[2:]]
    assert [row[1] for row in rows] == ["Power on", "Power off", "Power on"]
    assert {row[3] for row in rows} == {"admin"}
    assert [row[5] for row in rows[:2]] == ["success", "success"]
    assert re.match(
        r"error: No host is compatible \(request [0-9a-f-]+\)|error: No host", rows[2][5]
    )
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", rows[0][0])
    listed = json.loads(shell.run(CSE, "-j", "cluster", "events", name).checked())
    assert [one["failed"] for one in listed] == [False, False, True]
    assert listed[0]["about"] == name
    assert listed[2]["reason"].startswith("No host is compatible")


def test_an_unknown_cluster(place: tuple[Workstation, Control, str]) -> None:
    shell, _control, _name = place
    missing = shell.run(CSE, "cluster", "events", "nope")
    assert missing.code == 3
