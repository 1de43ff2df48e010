"""Templates of one name in several catalogs: which one is used is said, and can be chosen."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.programs import clean_environment
from tests.support.simulator import Control, log_in, start_simulator, stop_simulator

VCD = str(Path(sys.executable).parent / "vcd")
TEMPLATE = "ubuntu-16.04_k8-1.18_weave-2.6.5"
ITEM = f"{TEMPLATE}_rev2"


class Cloud:
    """A simulator without guests, in which two more catalogs offer the same template."""

    def __init__(self, folder: Path) -> None:
        self.process, self.cloud = start_simulator(folder, "--no-guests")
        self.home = folder / "home"
        log_in(self.cloud, self.home)
        self.control = Control(self.cloud)
        # the name of our own catalog, used by another organization
        self.control.set(f"templates/{ITEM}", like=ITEM, catalog="cse", foreign=True)
        self.control.set(f"templates/{ITEM}", like=ITEM, catalog="it's shared", foreign=True)

    def cse(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run `vcd cse ...`."""
        return subprocess.run(
            [VCD, *words],
            cwd=self.home,
            env={**clean_environment(self.home), **self.cloud.environment()},
            capture_output=True,
            text=True,
            check=False,
        )

    def templates(self) -> list[dict[str, Any]]:
        rows = json.loads(self.cse("-j", "cse", "template", "list").stdout)
        return [row for row in rows if row["Name"] == TEMPLATE]


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    one = Cloud(tmp_path_factory.mktemp("catalogs"))
    yield one
    stop_simulator(one.process)


def plan(cloud: Cloud, *words: str) -> str:
    done = cloud.cse("cse", "cluster", "create", "demo", "-n", "net1", "--dry-run", *words)
    assert done.returncode == 0, done.stderr
    return done.stderr


def test_ones_own_template_is_used_and_the_others_are_named(cloud: Cloud) -> None:
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
def test_each_can_be_chosen_by_its_id(cloud: Cloud, number: int) -> None:
    template = cloud.templates()[number]["Template ID"]
    assert "catalogs; the one in" not in plan(cloud, "-t", template)


def test_a_catalog_can_be_named(cloud: Cloud) -> None:
    for text in (f"it's shared/{TEMPLATE}", f"it's shared/{ITEM}"):
        assert "catalogs; the one in" not in plan(cloud, "-t", text)
    missing = cloud.cse("cse", "cluster", "create", "demo", "-n", "net1", "-t", f"nope/{ITEM}")
    assert missing.returncode == 3
    assert f"Template 'nope/{TEMPLATE}' was not found" in missing.stderr


def test_workers_come_from_the_template_of_their_cluster(cloud: Cloud) -> None:
    """The template that was chosen once is taken again, whatever its name means by now."""
    template = cloud.templates()[2]["Template ID"]
    words = ("cse", "cluster", "create", "third", "-n", "net1", "-N", "0", "-t", template)
    made = cloud.cse("-n", *words)
    assert made.returncode == 0, made.stderr
    cloud.control.ask("DELETE", "journal")
    grown = cloud.cse("-n", "cse", "node", "create", "third")
    asked = [one["path"] for one in cloud.control.get("journal")["requests"]]
    assert f"/api/vAppTemplate/{template}" in asked, grown.stderr
    assert not re.search("catalogs; the one in", grown.stderr)


def test_registering_takes_ones_own_and_refuses_what_is_ambiguous(cloud: Cloud) -> None:
    words = ("cse", "template", "register", "cse", ITEM, "--kubernetes-version", "1.18.6")
    assert cloud.cse(*words).returncode == 0
    cloud.control.set(f"templates/{ITEM}", like=ITEM, catalog="it's shared", foreign=True)
    refused = cloud.cse(*words[:3], "it's shared", *words[4:])
    assert refused.returncode == 1
    assert refused.stderr == (
        f"Error: You can see 2 templates '{ITEM}' in catalogs named 'it's shared'.\n"
        "Hint: Rename the catalog that you mean, in VCD\n"
    )
