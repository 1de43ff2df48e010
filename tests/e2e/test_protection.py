"""A protected cluster is not deleted."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator

import pytest

from cse_client.engines.direct.backup_files import write_backup
from cse_client.guest.pki import mint_pki
from cse_client.model.backups import BackupLock
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
        "turn": 99,
    }
    Editor(cloud).write(NAME, {"cse.client.lock.0123456789ab": json.dumps(claim)})
    code, _out, err = admin.cluster("protect", NAME)
    assert code == 1
    assert "bob@acme" in err
    code, _out, err = admin.cluster("protect", NAME, "--break-lock")
    assert code == 0, err


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        ((), 2, "A backup is always encrypted, and there is no terminal to ask for a passphrase."),
        (("--recipient", "age1xyz"), 2, "is not a public key that a backup can be encrypted to"),
        (("--recipient", "x", "--passphrase-file", "p"), 2, "Specify either --recipient or"),
        (
            ("--passphrase-file", "absent"),
            2,
            "file 'absent' cannot be read: No such file",
        ),
        (("--passphrase-file", "empty"), 2, "The first line of empty is empty"),
        (("--passphrase-file", "p", "-o", "taken"), 1, "taken exists already."),
        (("--passphrase-file", "p", "-o", "no/x"), 1, "no/x cannot be written: there is no folder"),
    ],
)
def test_a_backup_that_cannot_be_written_is_refused_first(
    admin: Person, control: Control, words: tuple[str, ...], code: int, text: str
) -> None:
    (admin.home / "p").write_text("correct horse\n")
    (admin.home / "empty").write_text("\n")
    (admin.home / "taken").write_text("mine")
    control.ask("DELETE", "journal")
    ended = admin.cluster("backup", NAME, *words)
    assert (ended.code, ended.out) == (code, ""), ended.err
    assert text in ended.err
    assert (admin.home / "taken").read_text() == "mine"
    assert not list(admin.home.glob("*.backup"))


def test_without_a_snapshot_there_is_no_backup(admin: Person) -> None:
    ended = admin.cluster("backup", NAME, "--passphrase-file", "p", "-o", "none")
    assert (ended.code, ended.out) == (1, ""), ended.err
    refused = "The cluster's etcd refused: the simulator has no /v3/maintenance/"
    assert refused in ended.err
    assert not list(admin.home.glob("none*"))


@pytest.fixture(scope="module")
def files(admin: Person, cloud: Cloud) -> None:
    """Backups that are not this cluster's, or of nothing at all, and what opens them."""
    from pyrage import x25519

    ours = x25519.Identity.generate()
    lock = BackupLock(recipients=(str(ours.to_public()),))
    (admin.home / "key").write_text(str(ours))
    (admin.home / "another").write_text(str(x25519.Identity.generate()))
    body = bytes(200_000)
    snapshot = body + hashlib.sha256(body).digest()

    def write(name: str, cluster_id: str) -> bytes:
        of = {"cluster": {"id": cluster_id, "name": "other"}, "format": 1}
        planes = {"control_planes": [{"name": "mstr-1", "ip": "10.0.0.1"}]}
        path = admin.home / name
        write_backup(path, {**of, **planes}, mint_pki("x"), [snapshot], len(snapshot), lock)
        return path.read_bytes()

    write("other-cluster", "another id")
    whole = write("other-ca", Editor(cloud).metadata(NAME)["cse.cluster.id"])
    (admin.home / "cut-off").write_bytes(whole[:30_000])
    (admin.home / "text").write_text("hello")


@pytest.mark.parametrize(
    ("file", "key", "code", "text"),
    [
        ("other-cluster", "key", 4, f"is not a backup of this cluster '{NAME}': it is of 'other'"),
        ("other-ca", "key", 4, "it holds another CA than the cluster's"),
        ("cut-off", "key", 1, "The backup cut-off is damaged or cut off."),
        ("other-ca", "another", 1, "The private key does not open other-ca."),
        ("text", "key", 1, "The file text is not a backup of a cluster."),
        ("absent", "key", 2, "The backup file 'absent' cannot be read: No such file or directory."),
    ],
)
@pytest.mark.usefixtures("files")
def test_a_restore_that_cannot_be_meant_changes_nothing(
    admin: Person, control: Control, file: str, key: str, code: int, text: str
) -> None:
    before = control.possessions()
    ended = admin.cluster("restore", NAME, file, "--identity", key, "--yes")
    assert (ended.code, ended.out) == (code, ""), ended.err
    assert text in ended.err
    assert control.possessions() == before


@pytest.mark.usefixtures("files")
def test_a_restore_must_be_confirmed(admin: Person) -> None:
    ended = admin.cluster("restore", NAME, "other-ca", "--identity", "key")
    assert (ended.code, ended.out) == (2, "")
    assert f"Restoring {NAME} must be confirmed" in ended.err


def test_unprotected_it_is_deleted(admin: Person) -> None:
    admin.cluster("protect", NAME)
    code, out, err = admin.cluster("unprotect", NAME)
    assert (code, out, err) == (0, f"Cluster {NAME} can be deleted.\n", "")
    code, _out, err = admin.cluster("delete", NAME, "--yes")
    assert code == 0, err
