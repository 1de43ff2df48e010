"""Templates of one name in several catalogs: which one is used is said, and can be chosen."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.programs import Workstation, clean_environment
from tests.support.simulator import Control, log_in, start_simulator, stop_simulator

TEMPLATE = "ubuntu-16.04_k8-1.18_weave-2.6.5"
ITEM = f"{TEMPLATE}_rev2"


class Catalogs(Workstation):
    """A simulator without guests, in which two more catalogs offer the same template."""

    def __init__(self, folder: Path) -> None:
        self.process, self.cloud = start_simulator(folder, "--no-guests")
        home = folder / "home"
        log_in(self.cloud, home)
        super().__init__(home, {**clean_environment(home), **self.cloud.environment()})
        self.control = Control(self.cloud)
        # the name of our own catalog, used by another organization
        self.control.set(f"templates/{ITEM}", like=ITEM, catalog="cse", foreign=True)
        self.control.set(f"templates/{ITEM}", like=ITEM, catalog="it's shared", foreign=True)

    def templates(self) -> list[dict[str, Any]]:
        rows = json.loads(self.vcd("-j", "cse", "template", "list").out)
        return [row for row in rows if row["Name"] == TEMPLATE]


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalogs]:
    one = Catalogs(tmp_path_factory.mktemp("catalogs"))
    yield one
    stop_simulator(one.process)


def plan(cloud: Catalogs, *words: str) -> str:
    done = cloud.vcd("cse", "cluster", "create", "demo", "-n", "net1", "--dry-run", *words)
    assert done.code == 0, done.err
    return done.err


def test_ones_own_template_is_used_and_the_others_are_named(cloud: Catalogs) -> None:
    rows = cloud.templates()
    assert [row["Catalog"] for row in rows] == ["cse", "cse", "it's shared"]
    warning = (
        f"The template '{ITEM}' is in 3 catalogs; the one in catalog 'cse' of your organization is"
        " used. To use another, catalog 'cse' of another organization:"
        f" --template {rows[1]['Template ID']}; catalog 'it's shared' of another organization:"
        f" --template 'it'\"'\"'s shared/{ITEM}'"
    )
    for words in ((), ("-t", TEMPLATE), ("-t", ITEM)):
        assert warning in plan(cloud, *words)


@pytest.mark.parametrize("number", [0, 1, 2])
def test_each_can_be_chosen_by_its_id(cloud: Catalogs, number: int) -> None:
    template = cloud.templates()[number]["Template ID"]
    assert "catalogs; the one in" not in plan(cloud, "-t", template)


def test_a_catalog_can_be_named(cloud: Catalogs) -> None:
    for text in (f"it's shared/{TEMPLATE}", f"it's shared/{ITEM}"):
        assert "catalogs; the one in" not in plan(cloud, "-t", text)
    missing = cloud.vcd("cse", "cluster", "create", "demo", "-n", "net1", "-t", f"nope/{ITEM}")
    assert missing.code == 3
    assert f"Template 'nope/{TEMPLATE}' was not found" in missing.err


def test_workers_come_from_the_template_of_their_cluster(cloud: Catalogs) -> None:
    """The template that was chosen once is taken again, whatever its name means by now."""
    template = cloud.templates()[2]["Template ID"]
    words = ("cse", "cluster", "create", "third", "-n", "net1", "-N", "0", "-t", template)
    made = cloud.vcd("-n", *words)
    assert made.code == 0, made.err
    cloud.control.ask("DELETE", "journal")
    grown = cloud.vcd("-n", "cse", "node", "create", "third")
    asked = [one["path"] for one in cloud.control.get("journal")["requests"]]
    assert f"/api/vAppTemplate/{template}" in asked, grown.err
    assert not re.search("catalogs; the one in", grown.err)


def test_registering_takes_ones_own_and_refuses_what_is_ambiguous(cloud: Catalogs) -> None:
    words = ("cse", "template", "register", "cse", ITEM, "--kubernetes-version", "1.18.6")
    assert cloud.vcd(*words).code == 0
    cloud.control.set(f"templates/{ITEM}", like=ITEM, catalog="it's shared", foreign=True)
    refused = cloud.vcd(*words[:3], "it's shared", *words[4:])
    assert refused.code == 1
    assert refused.err == (
        f"Error: You can see 2 templates '{ITEM}' in catalogs named 'it's shared'.\n"
        "Hint: Rename one of the catalogs in VCD.\n"
    )
