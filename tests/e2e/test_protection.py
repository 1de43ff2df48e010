"""A protected cluster is not deleted."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.support.editor import Editor
from tests.support.people import Person, person
from tests.support.programs import VCD
from tests.support.simulator import Cloud, Control

NAME = "precious"
REFUSAL = (
    f"Error: Cluster '{NAME}' is protected against deletion; nothing was changed.\n"
    f"Hint: To remove the protection: cse cluster unprotect {NAME}\n"
)


@pytest.fixture(scope="module")
def admin(cloud: Cloud, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Person]:
    """An administrator with a cluster of this file's own."""
    if not cloud.others:
        pytest.skip("needs a simulator")
    admin = person(cloud, tmp_path_factory.mktemp("precious"))
    code, _out, err = admin.cluster("create", NAME, "-n", "net1", "-N", "0")
    assert code == 0, err
    yield admin
    admin.cluster("unprotect", NAME)
    admin.cluster("delete", NAME, "--yes")


def listed(admin: Person) -> dict[str, object]:
    rows = json.loads(admin.run(VCD, "-j", "cse", "cluster", "list").checked())
    (row,) = (one for one in rows if one["Name"] == NAME)
    return dict(row)


def test_a_protected_cluster_is_not_deleted(admin: Person, control: Control) -> None:
    assert listed(admin)["Protected"] is False
    code, out, err = admin.cluster("protect", NAME)
    assert (code, out, err) == (0, f"Cluster {NAME} is protected against deletion.\n", "")
    before = control.possessions()
    for more in ((), ("--break-lock",)):
        code, out, err = admin.cluster("delete", NAME, "--yes", *more)
        assert (code, out, err) == (4, "", REFUSAL)
    assert control.possessions() == before
    assert listed(admin)["Protected"] is True
    assert "POWERED_ON (protected)" in admin.cluster("list").out
    assert "cannot be deleted" in admin.cluster("info", NAME).out


def test_the_claim_of_a_killed_command_is_ended(admin: Person, cloud: Cloud) -> None:
    admin.cluster("protect", NAME)
    editor = Editor(cloud)
    (key,) = (one for one in editor.metadata(NAME) if one.startswith("cse.client.lock."))
    claim = {"who": "admin@acme", "host": "vm", "doing": "protecting it", "turn": 99}
    times = {"since": "2026-01-01T00:00:00+00:00", "until": "2100-01-01T00:00:00+00:00"}
    editor.write(NAME, {key: json.dumps({**claim, **times})})
    assert admin.cluster("protect", NAME).code == 0
    assert editor.metadata(NAME)[key].startswith("free")


def test_protecting_twice_changes_nothing(admin: Person, control: Control) -> None:
    admin.cluster("protect", NAME)
    before = control.get("state")["vapps"][NAME]["metadata"]
    code, _out, err = admin.cluster("protect", NAME)
    assert code == 0
    assert f"Cluster '{NAME}' is already protected against deletion." in err
    assert control.get("state")["vapps"][NAME]["metadata"] == before


def test_whoever_changes_the_cluster_comes_first(admin: Person, cloud: Cloud) -> None:
    admin.cluster("unprotect", NAME)
    claim = {
        "who": "bob@acme",
        "host": "elsewhere",
        "doing": "resizing it",
        "since": "2026-01-01T00:00:00+00:00",
        "until": "2099-01-01T00:00:00+00:00",
        # above every turn that has ended: an earlier one would have arrived late
        "turn": 999,
    }
    Editor(cloud).write(NAME, {"cse.client.lock.0123456789ab": json.dumps(claim)})
    code, _out, err = admin.cluster("protect", NAME)
    assert code == 1
    assert "bob@acme" in err
    code, _out, err = admin.cluster("protect", NAME, "--break-lock")
    assert code == 0, err


def test_unprotected_it_is_deleted(admin: Person) -> None:
    admin.cluster("protect", NAME)
    code, out, err = admin.cluster("unprotect", NAME)
    assert (code, out, err) == (0, f"Cluster {NAME} can be deleted.\n", "")
    code, _out, err = admin.cluster("delete", NAME, "--yes")
    assert code == 0, err
