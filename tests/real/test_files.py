"""A cluster that a file describes, from its creation to its deletion.

With several control planes and worker pools: it is changed, exported, lost, restored and renewed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from cse_client.simulator.guest.real import Kit, read_kits
from tests.real.build.components import KUBERNETES
from tests.real.phoenix import OBJECTS, Phoenix
from tests.real.site import Site, eventually
from tests.support.programs import CSE, Result

# An older template for a pool is in the catalog, too.
pytestmark = pytest.mark.parametrize("kit", [KUBERNETES[-1]], indirect=True, scope="session")

NAME, ADDRESS = "filed", "10.77.0.6"
DONE = "is as standard input describes it; nothing was changed.\n"
REFUSED = 4


class Filed(Phoenix):
    """The cluster, and its file."""

    def __init__(self, site: Site, folder: Any, older: Kit) -> None:
        super().__init__(site, folder, NAME)
        self.older = older
        self.spec: dict[str, Any] = {
            "network": "net1",
            "template": site.kit.template,
            "virtualAddress": ADDRESS,
            "controlPlane": {"count": 3},
            "pools": [
                {"name": "default", "size": 1},
                {"name": "gpu", "size": 1, "labels": {"example.com/kind": "gpu"}},
            ],
        }

    def text(self) -> str:
        metadata = {"name": NAME}
        return yaml.safe_dump(
            {
                "apiVersion": "cse-client/v1",
                "kind": "Cluster",
                "metadata": metadata,
                "spec": self.spec,
            },
            sort_keys=False,
        )

    def apply(self, *words: str, text: str = "") -> Result:
        command = ("cluster", "apply", "-f", "-", *words)
        done = self.site.run(CSE, *command, stdin=text or self.text())
        logs = "\n".join(self.site.bootstrap_logs().values()) if done.code else ""
        assert done.code == 0, f"{done.err}\n{logs}"
        return done

    def changes(self) -> list[tuple[str, ...]]:
        """Return what applying the file would change."""
        keys = ("action", "object", "current", "wanted")
        planned = json.loads(self.apply("--dry-run", "-o", "json").out)["changes"]
        return [tuple(one[key] for key in keys) for one in planned]

    def nodes(self) -> dict[str, dict[str, Any]]:
        listed = json.loads(self.kubectl("get", "nodes", "-o", "json").checked())["items"]
        return {node["metadata"]["name"]: node for node in listed}

    def all_ready(self) -> bool:
        listed = self.kubectl("get", "nodes", "--no-headers").out.splitlines()
        return len(listed) == len(self.nodes()) and all(" Ready " in line for line in listed)

    def pool(self, name: str) -> dict[str, str]:
        """Return the nodes of a pool, and the release that each runs."""
        return {
            node: found["status"]["nodeInfo"]["kubeletVersion"]
            for node, found in self.nodes().items()
            if found["metadata"]["labels"].get("cse-client/pool") == name
        }


@pytest.fixture(scope="module")
def filed(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Filed]:
    if not site.kit.image()["keepalived"]:
        pytest.skip("A virtual address needs keepalived, which is not installed.")
    kits = read_kits(site.kit.folder.parent)
    older = next(one for one in kits if f"v{one.version}" == KUBERNETES[0])
    filed = Filed(site, tmp_path_factory.mktemp("filed"), older)
    filed.apply()
    filed.save_config()
    yield filed
    filed.cluster("delete", NAME, "--yes").checked()


def test_the_file_is_what_there_is(filed: Filed) -> None:
    assert len(filed.nodes()) == 5
    assert len(filed.pool("default")) == len(filed.pool("gpu")) == 1
    assert filed.changes() == []


def test_each_change_of_the_file_is_made(filed: Filed) -> None:
    default, gpu = filed.spec["pools"]
    before = filed.nodes().keys()
    default["size"] = 2
    gpu.update(template=filed.older.template, labels={"example.com/kind": "fast"})
    changes = filed.changes()
    assert [(action, of) for action, of, _current, _wanted in changes] == [
        ("resize", "pool default"),
        ("update", "pool gpu"),
        ("upgrade", "pool gpu"),
    ]
    assert changes[0][2:] == ("1", "2")
    assert changes[1][2:] == ("labels example.com/kind=gpu", "labels example.com/kind=fast")
    assert changes[2][3] == filed.older.template
    filed.apply("--yes")
    assert len(filed.pool("default")) == 2
    ((name, release),) = filed.pool("gpu").items()
    assert name not in before and release == f"v{filed.older.version}"
    assert filed.nodes()[name]["metadata"]["labels"]["example.com/kind"] == "fast"
    # who has the template already is not replaced by another run
    words = ("cse", "pool", "upgrade", NAME, "gpu", "-t", filed.older.template, "--yes")
    assert "already" in filed.site.vcd(*words).err
    assert list(filed.pool("gpu")) == [name]


def test_what_is_exported_changes_nothing(filed: Filed) -> None:
    text = filed.site.vcd("cse", "cluster", "export", NAME).checked()
    spec = yaml.safe_load(text)["spec"]
    assert [(pool["name"], pool["size"]) for pool in spec["pools"]] == [("default", 2), ("gpu", 1)]
    assert (spec["controlPlane"], spec["virtualAddress"]) == ({"count": 3}, ADDRESS)
    assert filed.apply(text=text).out.endswith(DONE)
    assert filed.apply().out.endswith(DONE)


def test_it_is_restored_after_all_control_planes_are_lost(filed: Filed) -> None:
    filed.fill()
    filed.back_up()
    filed.kubectl("delete", "cm", "-n", "filled", "c1", "c2").checked()
    workers = {*filed.pool("default"), *filed.pool("gpu")}
    for head in filed.heads():
        filed.site.control.set(f"guests/{head['Name']}", crash=True)
    nodes = filed.restore()["nodes"]
    assert [node["kubernetes_status"] for node in nodes] == ["Ready"] * 6
    assert {node["name"] for node in nodes} >= workers
    assert len(filed.objects()) == OBJECTS
    assert filed.apply().out.endswith(DONE)


def test_its_certificates_are_renewed(filed: Filed) -> None:
    filed.cluster("renew", NAME, "--yes").checked()
    eventually(filed.all_ready, "all nodes are Ready")
    assert len(filed.objects()) == OBJECTS


def test_it_is_protected_as_the_file_says(filed: Filed) -> None:
    filed.spec["deletionProtection"] = True
    filed.apply()
    refused = filed.cluster("delete", NAME, "--yes")
    assert (refused.code, "protected" in refused.err) == (REFUSED, True), refused.err
    filed.spec["deletionProtection"] = False
    assert filed.changes() == [("unprotect", f"cluster {NAME}", "on", "off")]
    filed.apply()
