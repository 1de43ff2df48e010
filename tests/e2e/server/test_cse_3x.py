"""Every command in front of CSE 3.0.5 and 3.1.4, whose clusters are entities: wire and output."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e.server.story import Stage, await_versions, chapter, offer_an_upgrade

TEMPLATE = {"template_name": "ubuntu-16.04_k8-1.18_weave-2.6.5", "template_revision": 2}


def spec_of_30(name: str, nfs: int) -> dict[str, Any]:
    """Return a file for `cluster apply` in the form of entities of type 1.0.0."""
    return {
        "api_version": "",
        "kind": "native",
        "metadata": {"cluster_name": name, "org_name": "acme", "ovdc_name": "vdc1"},
        "spec": {
            "control_plane": {"count": 1},
            "workers": {"count": 0},
            "nfs": {"count": nfs},
            "k8_distribution": TEMPLATE,
            "settings": {"network": "net1", "rollback_on_failure": True},
        },
    }


def spec_of_31(name: str, nfs: int) -> dict[str, Any]:
    """Return a file for `cluster apply` in the form of entities of type 2.1.0."""
    metadata = {"name": name, "orgName": "acme", "virtualDataCenterName": "vdc1", "site": "SITE"}
    return {
        "apiVersion": "cse.vmware.com/v2.1",
        "kind": "native",
        "metadata": metadata,
        "spec": {
            "topology": {
                "controlPlane": {"count": 1},
                "workers": {"count": 0},
                "nfs": {"count": nfs},
            },
            "distribution": {
                "templateName": TEMPLATE["template_name"],
                "templateRevision": TEMPLATE["template_revision"],
            },
            "settings": {"ovdcNetwork": "net1", "rollbackOnFailure": True},
        },
    }


@dataclass(frozen=True)
class Book:
    """A server, the version that its requests name, and how its users write files."""

    name: str
    version: str
    api: str
    spec: Any


BOOKS = (
    Book("cse-3.0.5", "3.0.5", "35.0", spec_of_30),
    Book("cse-3.1.4", "3.1.4", "36.0", spec_of_31),
)


@pytest.fixture(scope="module", params=BOOKS, ids=lambda book: book.name)
def told(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Book, Stage]]:
    book = request.param
    folder = tmp_path_factory.mktemp(book.name)
    options = ("--cse", book.version, "--guest-speed", "20")
    stage = Stage(folder, *options, accept=f"application/json;version={book.api}")
    for name, spec in (("changed", book.spec("demo", 1)), ("new", book.spec("new", 0))):
        text = yaml.safe_dump(spec).replace("SITE", stage.cloud.host)
        (Path(stage.home) / f"{name}.yaml").write_text(text)
    yield book, stage
    stage.close()


def test_a_tenants_story(told: tuple[Book, Stage]) -> None:
    book, stage = told
    for step in chapter(book.name, "tenant"):
        stage.play(step)


def test_an_upgrade(told: tuple[Book, Stage]) -> None:
    book, stage = told
    offer_an_upgrade(stage)
    plan, upgrade, delete = chapter(book.name, "upgrade")
    words = ["-n", "net1", "-N", "1", "-t", TEMPLATE["template_name"], "-r", "2"]
    made = stage.run("cse", "cluster", "create", "old", *map(str, words))
    assert made.code == 0, made.err
    stage.play(plan)
    stage.play(upgrade)
    await_versions(stage, "old", "v1.19.3", "v1.19.3")
    stage.play(delete)


def test_a_providers_story(told: tuple[Book, Stage]) -> None:
    book, stage = told
    stage.log_in_as_provider()
    for step in chapter(book.name, "provider"):
        stage.play(step)
