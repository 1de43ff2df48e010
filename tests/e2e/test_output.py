"""Every list and every object in every format, in all the states that a cluster goes through."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.programs import VCD, Result, Workstation, clean_environment
from tests.support.schemas import check, showing_commands
from tests.support.simulator import Cloud, Control, Login
from tests.support.waiting import until

NAME = "shown"


@pytest.fixture(scope="module")
def place(cloud: Cloud, login: Login, tmp_path_factory: pytest.TempPathFactory) -> Workstation:
    home = tmp_path_factory.mktemp("shown")
    (home / ".vcd-cli").mkdir()
    login.put_into(home)
    return Workstation(home, {**clean_environment(home), **cloud.environment()})


def quick(place: Workstation, *words: str) -> Result:
    """Run a command without vcd-cli, which takes a third of the time."""
    return place.run(str(Path(VCD).with_name("cse")), *words)


def shown(place: Workstation, *words: str) -> Any:
    """Return what a command shows as JSON, after comparing it with the schema."""
    done = quick(place, *words, "-o", "json")
    assert (done.code, done.err) == (0, "")
    found = json.loads(done.out)
    known = dict(showing_commands())
    check(next(path for path in (" ".join(words[:n]) for n in (2, 1)) if path in known), found)
    return found


def states(place: Workstation) -> tuple[str, set[str]]:
    """Check all that is shown of the cluster; return its phase and the nodes' statuses."""
    one = shown(place, "cluster", "info", NAME)
    listed = [row for row in shown(place, "cluster", "list") if row["name"] == NAME]
    # it is listed once it is recorded
    assert [row["status"] for row in listed] in ([one["status"]], [])
    return one["phase"], {node["vm_status"] for node in one["nodes"]}


def test_documents_in_all_states_of_a_cluster(place: Workstation, control: Control) -> None:
    words = ("cluster", "create", NAME, "-n", "net1", "-N", "1", "--ntp", "ntp.example.com")

    def interrupted(when: Callable[[Any], bool]) -> tuple[str, set[str]]:
        """Interrupt the creation once its vApp is so far; check what is shown then."""
        begun = place.start(str(Path(VCD).with_name("cse")), *words)
        until(lambda: when(control.get("state")["vapps"].get(NAME, {"vms": ()})))
        begun.send_signal(signal.SIGINT)
        begun.communicate(timeout=60)
        assert begun.returncode == 5
        return states(place)

    rule = control.set("faults", kind="hold", method="POST", path="/metadata$")
    assert interrupted(lambda vapp: len(vapp["vms"]) == 2)[0] in ("", "creating")
    control.ask("DELETE", f"faults/{rule['id']}")
    assert interrupted(lambda vapp: "cse.client.phase" in str(vapp))[0] == "creating"
    assert quick(place, *words).code == 0
    assert states(place) == ("ready", {"POWERED_ON"})
    assert quick(place, "cluster", "wait", NAME, "--for", "ready") == (
        0,
        f"Cluster {NAME} is ready.\n",
        "",
    )

    kinds = {node["kind"]: node["name"] for node in shown(place, "node", "list", NAME)}
    assert shown(place, "node", "info", NAME, kinds["worker"])["kubernetes_status"] == "Ready"
    assert quick(place, "cluster", "grant", NAME, "--user", "ann", "--role", "view").code == 0
    assert [one["name"] for one in shown(place, "cluster", "grants", NAME)] == ["ann"]
    assert {one["state"] for one in shown(place, "addon", "status", NAME)} == {"not installed"}

    worker = kinds["worker"]
    control.set(f"guests/{worker}", crash=True)
    assert shown(place, "cluster", "info", NAME)["problems"]
    assert shown(place, "cluster", "repair", NAME)["plan"]
    waited = quick(place, "cluster", "wait", NAME, "--for", "node=2", "--timeout", "2s")
    assert (waited.code, waited.out) == (5, "")
    assert "1 of 2 workers exist, " in waited.err
    assert quick(place, "cluster", "stop", NAME, "--yes").code == 0
    _phase, statuses = states(place)
    assert "POWERED_ON" not in statuses


def test_what_is_not_a_cluster(place: Workstation) -> None:
    assert shown(place, "template", "list")
    assert shown(place, "addon", "list")
    assert shown(place, "system", "info")["engine"] == "direct"
    assert shown(place, "version")["product"] == "CSE"


def test_formats_and_queries(place: Workstation) -> None:
    templates = shown(place, "template", "list")
    names = [one["name"] for one in templates]
    listed = quick(place, "template", "list", "-o", "name")
    assert listed.out.split() == names
    assert yaml.safe_load(quick(place, "template", "list", "-o", "yaml").out) == templates
    wide = quick(place, "template", "list", "-o", "wide").out.splitlines()
    assert wide[0].startswith("Name ")
    assert wide[0].endswith("Template ID")
    query = "[?is_default].[name, kubernetes]"
    default = next(one for one in templates if one["is_default"])
    asked = quick(place, "template", "list", "--query", query)
    assert asked.out.split() == [default["name"], default["kubernetes"]]
    # as before
    rows = json.loads(place.vcd("-j", "cse", "template", "list").out)
    assert [row["Name"] for row in rows] == names


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("cluster", "info", "nix", "-o", "json"), 3, "Error: Cluster 'nix' was not found in VDC"),
        (
            ("version", "--query", "a["),
            2,
            "'a[' is not a JMESPath expression: Incomplete expression.",
        ),
        (("version", "--query", "abs(product)"), 2, "Error: The expression 'abs(product)' cannot"),
        (("version", "-o", "xml"), 2, "'xml' is not one of"),
        (("cluster", "list", "-o", "csv"), 2, "'csv' is not one of 'table', 'wide', 'json', "),
        (("cluster", "list", "-o", "jsno"), 4, "Note: 'jsno' is not an output format (table, "),
    ],
)
def test_a_failure_prints_nothing_to_stdout(
    place: Workstation, words: tuple[str, ...], code: int, message: str
) -> None:
    done = quick(place, *words)
    assert (done.code, done.out) == (code, "")
    assert message in done.err


def test_a_reader_that_leaves_early_and_a_plain_locale(place: Workstation) -> None:
    program = Path(VCD).with_name("cse")
    pipe = f"{program} template list | true; exit ${{PIPESTATUS[0]}}"
    assert place.run("bash", "-c", pipe) == (141, "", "")
    listed = quick(place, "template", "list")
    assert place.run(str(program), "template", "list", env={"LC_ALL": "C"}) == listed


def test_what_help_costs(place: Workstation) -> None:
    """At most 100 ms beyond `vcd --help`: of a processor, because other tests run beside."""

    def cost(*words: str) -> float:
        before = os.times()
        # not by `place`, which takes a fork of a process that has everything imported
        subprocess.run(
            [VCD, *words, "--help"], env=place.environment, stdout=subprocess.DEVNULL, check=True
        )
        after = os.times()
        spent = after.children_user + after.children_system
        return spent - before.children_user - before.children_system

    usual = min(cost() for _ in range(3))
    for words in (("cluster", "create"), ("cluster", "apply")):
        assert min(cost("cse", *words) for _ in range(2)) < usual + 0.1, words


def test_deleted(place: Workstation) -> None:
    deleting = place.start(str(Path(VCD).with_name("cse")), "cluster", "delete", NAME, "--yes")
    waited = quick(place, "cluster", "wait", NAME, "--for", "deleted", "--timeout", "60s")
    assert (waited.code, waited.out) == (0, f"Cluster {NAME} is deleted.\n"), waited.err
    deleting.communicate(timeout=60)
    assert deleting.returncode == 0
    assert quick(place, "cluster", "wait", NAME, "--for", "ready").code == 3
    assert NAME not in quick(place, "cluster", "list", "-o", "name").out.split()
