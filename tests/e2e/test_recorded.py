"""What the vApp's metadata says is a claim of whoever may edit the vApp."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.editor import Editor
from tests.support.people import Person, person
from tests.support.programs import VCD
from tests.support.simulator import Cloud, Control
from tests.support.ssh_keys import public_key

NAME = "recorded"
REFUSED = 4
OURS = public_key("ecdsa-sha2-nistp256", "us")
THEIRS = public_key("ssh-ed25519", "them")


@pytest.fixture(scope="module")
def admin(cloud: Cloud, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Person]:
    """An administrator with a cluster of this file's own."""
    if not cloud.others:
        pytest.skip("needs a simulator")
    admin = person(cloud, tmp_path_factory.mktemp("recorded"))
    (admin.home / "ours.pub").write_text(OURS)
    (admin.home / "theirs.pub").write_text(THEIRS)
    code, _out, err = admin.cluster("create", NAME, "-n", "net1", "-N", "1", "-k", "ours.pub")
    assert code == 0, err
    yield admin
    admin.cluster("delete", NAME, "--yes")


@pytest.fixture
def editor(cloud: Cloud, admin: Person) -> Iterator[Editor]:
    """Somebody else who may edit the vApp; what he wrote is put back."""
    editor = Editor(cloud)
    before = editor.metadata(NAME)
    yield editor
    editor.restore(NAME, before)


@pytest.mark.parametrize(
    ("recorded", "said"),
    [
        (THEIRS, "is not that of its nodes (ecdsa-sha2-nistp256 SHA256:"),
        (f'command="id" {OURS}', "is not an OpenSSH public key"),
        (f"{OURS}\n{THEIRS}", "holds 2 keys; exactly one is expected"),
        ("any text", "is not an OpenSSH public key"),
    ],
)
def test_a_changed_key_gets_on_no_new_node(
    admin: Person, editor: Editor, control: Control, recorded: str, said: str
) -> None:
    editor.write(NAME, {"cse.client.ssh_key": recorded})
    before = control.possessions()
    for words in (("cluster", "resize", NAME, "-N", "2"), ("node", "create", NAME)):
        code, out, err = admin.run(VCD, "cse", *words)
        assert (code, out) == (REFUSED, ""), err
        assert f"The ssh key in the metadata of cluster '{NAME}'" in err
        assert said in err
        assert "--ssh-key FILE" in err
        assert "them" not in err.replace("the metadata", "")
    assert control.possessions() == before


def test_the_user_decides_which_key(admin: Person, editor: Editor) -> None:
    editor.write(NAME, {"cse.client.ssh_key": THEIRS})
    code, _out, err = admin.cluster("resize", NAME, "-N", "2", "-k", "ours.pub")
    assert code == 0, err
    code, _out, err = admin.cluster("resize", NAME, "-N", "1")
    assert code == 0, err


CLAIM = '{"who":"eve","host":"h","doing":"x","since":"SINCE","until":"2099-01-01T00:00:00+00:00"}'
OPERATION = "cse.client.operation"
LOCK = "cse.client.lock.0123456789ab"
SPEC = "cse.client.spec"


@pytest.mark.parametrize(
    ("written", "damage", "refusal"),
    [
        (
            {SPEC: '{"workers":1,"endpoint":"a b"}'},
            f"metadata {SPEC} has no usable endpoint",
            "",
        ),
        ({SPEC: '{"workers":1,"endpoint":"[::1"}'}, "has no usable endpoint", ""),
        (
            {SPEC: '{"workers":"many","network":[],"cpus":-1}'},
            "has no usable workers, cpus, network",
            f"The options that cluster '{NAME}' was created with are not known: its metadata {SPEC}"
            " cannot be used.",
        ),
        ({SPEC: "[" * 900}, f"metadata {SPEC} cannot be read", "was created with are not known"),
        (
            {LOCK: CLAIM.replace("SINCE", "0001-01-01T00:00:00+14:00")},
            f"metadata {LOCK} cannot be read",
            "",
        ),
        ({LOCK: "garbage"}, f"metadata {LOCK} cannot be read", ""),
        (
            {OPERATION: "999999999:{}"},
            f"metadata {OPERATION} cannot be read",
            f"The unfinished operation on cluster '{NAME}' is unknown: its metadata"
            f" {OPERATION} cannot be read. Hint: If no other command is"
            " changing it, add --break-lock",
        ),
        ({OPERATION: "1:{}"}, f"metadata {OPERATION} cannot be read", "cannot be read"),
        ({OPERATION: "²:{}"}, f"metadata {OPERATION} cannot be read", "cannot be read"),
        (
            {"cse.cluster.id": "not an id"},
            "metadata cse.cluster.id is not an id",
            f"Cluster '{NAME}' has no usable id",
        ),
        ({"cse.template.revision": "²"}, "metadata cse.template.revision is not a number", ""),
        ({"cse.os": "x" * 900}, "", ""),
    ],
)
def test_garbage_in_metadata_is_named_and_stops_nothing_else(
    admin: Person,
    editor: Editor,
    control: Control,
    written: dict[str, str],
    damage: str,
    refusal: str,
) -> None:
    editor.write(NAME, written)
    before = control.possessions()
    code, out, err = admin.cluster("info", NAME)
    assert (code, err) == (0, "")
    assert damage in out
    code, out, err = admin.cluster("list")
    assert (code, err) == (0, "")
    assert any(line.startswith(NAME) for line in out.splitlines())
    # more than the network has addresses for: refused at the latest by that
    code, out, err = admin.cluster("resize", NAME, "-N", "400")
    assert (code in (1, 4), out) == (True, ""), err
    assert "bug in cse-client" not in err
    assert refusal in " ".join(err.split())
    assert control.possessions() == before


def test_break_lock_erases_what_cannot_be_read(admin: Person, editor: Editor) -> None:
    editor.write(NAME, {OPERATION: "999999999:{}", LOCK: CLAIM.replace("SINCE", "2026-01-01")})
    code, _out, err = admin.cluster("resize", NAME, "-N", "2")
    assert (code, f"Cluster '{NAME}' is being changed by eve on h" in err) == (1, True)
    code, _out, err = admin.cluster("resize", NAME, "-N", "2", "--break-lock")
    assert code == 0, err
    _code, out, _err = admin.cluster("info", NAME)
    assert "cannot be read" not in out
    assert editor.metadata(NAME)[OPERATION] == "none"
    code, _out, err = admin.cluster("resize", NAME, "-N", "1")
    assert code == 0, err
